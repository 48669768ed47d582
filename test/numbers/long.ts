// Long inputs for exports on the device: typed arrays in, numbers out. No evaluator: expected values are closed forms or sums in f64.
import { compile } from "../../compiler/compile.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";

export interface Given {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}
/** The target whose kernels the tests' device runs with subgroups, or `software`. */
export async function ownTarget(): Promise<string> {
  const { device } = await testDevice();
  const { subgroupMinSize: least, subgroupMaxSize: most } = device.adapterInfo;
  if (!device.features.has("subgroups") || least !== most) return "software";
  return Object.values(targets).find((t) => t.lanes === most && t.lanes > 0)?.name ?? "software";
}
/** The results of the text's exports by name (the last one's, where there are several), each as its first output. */
export async function onDevice(
  text: string,
  inputs: Readonly<Record<string, Given | number>>,
  target = "software",
  host: Readonly<Record<string, Given>> = {},
): Promise<Record<string, ArrayLike<number>>> {
  const { plan, diagnostics } = compile(text, { name: "test.dlm", target });
  if (!plan) throw new Error(renderDiagnostics(diagnostics));
  const { device } = await testDevice();
  const model = await load(plan, { device, host });
  try {
    const found: Record<string, ArrayLike<number>> = {};
    for (const e of plan.exports) {
      const own = Object.fromEntries(e.inputs.flatMap((i) => (i.name in inputs ? [[i.name, inputs[i.name]!]] : [])));
      const got = await model.run(e.name, own);
      found[e.name] = got[e.outputs[0]!.name]!.data;
    }
    return found;
  } finally {
    model.close();
  }
}
