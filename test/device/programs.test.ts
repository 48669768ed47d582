// Random programs through every phase, on a device against the evaluator.
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";
import { randomProgram } from "../fuzz/programs.ts";
import { cases, firstSeed } from "../fuzz/random.ts";
import { numbers } from "../grad/check.ts";

async function check(seed: number, device: GPUDevice): Promise<void> {
  const p = randomProgram(seed);
  const { plan, program, diagnostics } = compile(p.text, { name: "random.dlm" });
  if (!plan || !program) throw new Error(renderDiagnostics(diagnostics));
  const data = new Map(
    p.inputs.map((x, i) => {
      const size = x.shape.reduce((a, b) => a * b, 1);
      return [
        x.name,
        numbers(size, 100 * seed + i).map((v) =>
          Math.fround(x.dtype === "i32" ? Math.min(x.end! - 1, Math.floor(((v + 1) / 2) * x.end!)) : v),
        ),
      ];
    }),
  );
  const model = await load(plan, { device });
  try {
    for (const e of program.exports) {
      const values = new Map<Source, readonly number[]>(e.inputs.map((i) => [i.source, data.get(i.name)!]));
      const want = [...evaluate(e.program, values).outputs.values()];
      const ports = plan.exports.find((x) => x.name === e.name)!.outputs;
      const got = await model.run(
        e.name,
        Object.fromEntries(p.inputs.map((x) => [x.name, { shape: x.shape, data: data.get(x.name)! }])),
      );
      want.forEach((w, k) => {
        const scale = Math.max(1, ...w.map(Math.abs));
        const result = got[ports[k]!.name]!.data;
        w.forEach((v, i) => {
          // a comparison of two nearly equal numbers may come out the other way: such programs say little
          if (Math.abs(result[i]! - v) > 2e-3 * scale && p.smooth)
            throw new Error(`${e.name} output ${k} element ${i}: ${result[i]} instead of ${v}`);
          if (Number.isNaN(result[i]!) && !Number.isNaN(v))
            throw new Error(`${e.name} output ${k} element ${i}: NaN instead of ${v}`);
        });
      });
    }
  } finally {
    model.close();
  }
}
const perTest = 10;
test.each(Array.from({ length: Math.ceil(cases(60) / perTest) }, (_, i) => firstSeed + i * perTest))(
  "programs from %i",
  async (from) => {
    const { device } = await testDevice();
    const failures: string[] = [];
    for (let seed = from; seed < from + perTest && failures.length < 3; seed++)
      try {
        await check(seed, device);
      } catch (error) {
        failures.push(`program ${seed}: ${(error as Error).message.split("\n").slice(0, 5).join(" | ")}`);
      }
    expect(failures).toEqual([]);
  },
  300_000,
);
