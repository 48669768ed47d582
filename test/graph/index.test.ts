// What an index means where it is constant: only a literal counts from the end, and a quotient that does not come out even is outside.
import { expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { analyse } from "../../compiler/front.ts";
import { programOf } from "./programs.ts";

const value = (body: string): number[] => {
  const { program } = programOf(`export fn f(x: f32[3]) = ${body}`).exports[0]!;
  return [...[...evaluate(program, new Map([[program.inputs[0]!, [1, 2, 3]]])).outputs.values()][0]!];
};
test("an axis of one element does not change the meaning of an index", () => {
  for (const n of [1, 2]) {
    expect(value(`for i in 0..${n}: x[i - 1] ?? 7`)).toEqual([7, 1].slice(0, n));
    expect(value(`for i in 0..${n}: x[(i - 1) / 2] ?? 7`)).toEqual([7, 1].slice(0, n));
    expect(value(`for i in 0..${n}: x[i / 2] ?? 7`)).toEqual([1, 7].slice(0, n));
  }
});
test("a negative literal counts from the end, a computed index never", () => {
  expect(value("x[-1]")).toEqual([3]);
  expect(value("x[0..-1]")).toEqual([1, 2]);
  expect(analyse("const n = 2\nexport fn f(x: f32[3]) = x[n - 3]").diagnostics.map((d) => d.code)).toEqual(["DLM2009"]);
});
