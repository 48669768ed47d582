// What `wrt` names counts as independent, a constant too; and indices with two floors are solved for exactly.
import { describe, expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { checkGradient, numbers } from "./check.ts";
import { programOf } from "../graph/programs.ts";

describe("a constant that is differentiated by", () => {
  const x = [1, -2, 3, 0.5];
  test.each([
    ["zeros[4]", "sum((x + d)^2)", x.map((v) => 2 * v)],
    ["ones[4]", "sum((x * d)^2)", x.map((v) => 2 * v * v)],
    ["for i in 0..4: 0.5", "sum(x * d^3)", x.map((v) => 0.75 * v)],
  ])("let d = %s: the slope of %s", (constant, value, wanted) => {
    for (const text of [
      `export fn f(x: f32[4]) {\n  let d = ${constant}\n  return grad(${value}, wrt: d)\n}`,
      `export fn f(x: f32[4]) {\n  let d = ${constant}\n  let e = ${value}\n  return grad(e, wrt: d)\n}`,
      `fn slope(x: f32[4], d: f32[4]) = grad(${value}, wrt: d)\nexport fn f(x: f32[4]) = slope(x, ${constant})`,
    ]) {
      const { program } = programOf(text).exports[0]!;
      const [got] = evaluate(program, new Map([[program.inputs[0]!, x]])).outputs.values();
      expect([...got!]).toEqual(wanted.map((v) => expect.closeTo(v, 6)));
    }
  });
});
// stretches of an axis: from floor(i n / m) to ceil((i + 1) n / m), the element a quotient of one floor under the guard of another
test.each([1, 2, 3, 4, 5, 6, 7].flatMap((n) => [1, 2, 3, 5, 7, 8].map((m) => [n, m] as const)))(
  "%i elements read in %i stretches",
  (n, m) => {
    const { program } = programOf(`export fn f(x: f32[${n}]) -> f32[${m}] = for i in 0..${m}:
  sum over r in 0..${Math.floor(n / m) + 2}: where(i * ${n} // ${m} + r < ((i + 1) * ${n} + ${m - 1}) // ${m}, x[i * ${n} // ${m} + r] ?? 0, 0)\n`)
      .exports[0]!;
    const values = new Map<Source, number[]>([[program.inputs[0]!, numbers(n)]]);
    checkGradient(program.outputs[0]!.node, program.inputs, 1, values);
  },
);
