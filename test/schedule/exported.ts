// A plan's first export on a device beside the evaluator, on drawn inputs.
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Program } from "../../compiler/elaborate/program.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { load } from "../../runtime/index.ts";
import type { Plan } from "../../runtime/plan.ts";
import { testDevice } from "../device.ts";
import { numbers } from "../grad/check.ts";

/** The largest difference of each output, as a share of its largest value or 1. `dims`: run-time sizes. Integers are drawn from their ranges. */
export async function differences(
  plan: Plan,
  program: Program,
  dims: Readonly<Record<string, number>> = {},
): Promise<number[]> {
  const { device } = await testDevice();
  const e = program.exports[0]!;
  const inputs = Object.fromEntries(
    e.inputs.map((x, i) => {
      const shape = x.source.shape.map((n) => (typeof n === "number" ? n : n.kind === "dim" ? dims[n.name]! : NaN));
      const { range, dtype } = x.source;
      const drawn = (v: number): number =>
        dtype === "i32" && range
          ? Math.min(
              range.high as number,
              range.low + Math.floor(((v + 1) / 2) * ((range.high as number) + 1 - range.low)),
            )
          : Math.fround(v);
      return [
        x.name,
        {
          shape,
          data: numbers(
            shape.reduce((a, b) => a * b, 1),
            i + 1,
          ).map(drawn),
        },
      ];
    }),
  );
  const want = [
    ...evaluate(
      e.program,
      new Map<Source, readonly number[]>(e.inputs.map((x) => [x.source, inputs[x.name]!.data])),
      dims,
    ).outputs.values(),
  ];
  const model = await load(plan, { device });
  try {
    const got = await model.run(e.name, inputs);
    return want.map((w, k) => {
      const { data } = got[plan.exports[0]!.outputs[k]!.name]!;
      return Math.max(...w.map((v, i) => Math.abs(data[i]! - v))) / Math.max(1, ...w.map(Math.abs));
    });
  } finally {
    model.close();
  }
}
