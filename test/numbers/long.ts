// Long inputs for exports on the device: typed arrays in, numbers out. No evaluator: expected values are closed forms or sums in f64.
import { targets } from "../../compiler/kernel/target.ts";
import { testDevice } from "../device.ts";
import { made, withModel } from "../model.ts";

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
  const result = made(text, { target });
  return withModel(
    result,
    async (model) => {
      const found: Record<string, ArrayLike<number>> = {};
      for (const e of result.plan.exports) {
        const own = Object.fromEntries(e.inputs.flatMap((i) => (i.name in inputs ? [[i.name, inputs[i.name]!]] : [])));
        const got = await model.run(e.name, own);
        found[e.name] = got[e.outputs[0]!.name]!.data;
      }
      return found;
    },
    { host },
  );
}
