// Contractions as kernels for GPUs compute them, on the device at hand against the evaluator: operands in workgroup memory, positions that are unsigned.
import { expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { load } from "../../runtime/index.ts";
import { testDevice } from "../device.ts";

test.each([
  [
    "integers that are compared, several in one element of workgroup memory",
    "export fn f(a: i32[70, 64] in 0..3, b: i32[64, 65] in 0..3) = for i, j: sum over k: f32(a[i, k] == b[k, j])",
  ],
  [
    "a convolution's gradient, whose positions begin below 0",
    "export fn f(x: f32[3, 7, 9, 5], w: f32[24, 3, 3, 5], g: f32[3, 4, 5, 24]) = grad(sum((for b in 0..3, y in 0..4, z in 0..5, o: sum over u, v, c: (x[b, 2 * y + u - 1, 2 * z + v - 1, c] ?? 0) * w[o, u, v, c]) * g), wrt: x)",
  ],
])("%s", async (_, text) => {
  const { device } = await testDevice();
  const { plan, program, diagnostics } = compile(text, { target: targets["discrete"]! });
  if (!plan || !program) throw new Error(renderDiagnostics(diagnostics));
  const [e] = program.exports;
  const data = e!.inputs.map(({ source: { shape, dtype } }, k) => {
    const size = shape.reduce<number>((n, extent) => n * Number(extent), 1);
    return Array.from({ length: size }, (_, i) =>
      dtype === "i32" ? (i * 17 + (i >> 3) + k) % 3 : Math.fround(Math.sin(i * 1.7 + k)),
    );
  });
  const values = new Map<Source, readonly number[]>(e!.inputs.map(({ source }, k) => [source, data[k]!]));
  const [want] = [...evaluate(e!.program, values).outputs.values()];
  const model = await load(plan, { device });
  try {
    const inputs = e!.inputs.map(({ name, source }, k) => [name, { shape: source.shape.map(Number), data: data[k]! }]);
    const [got] = Object.values(await model.run("f", Object.fromEntries(inputs)));
    want!.forEach((v, i) => expect(Math.abs(got!.data[i]! - v), `element ${i}`).toBeLessThan(1e-3));
  } finally {
    model.close();
  }
});
