// Ranges of indices that are written nowhere: the extents of what stands before the brackets, named or computed.
import { expect, test } from "vitest";
import { evaluateNodes, sizeOfShape } from "../../compiler/evaluate/evaluate.ts";
import { analyse } from "../../compiler/front.ts";
import { topological } from "../../compiler/graph/node.ts";
import type { Node } from "../../compiler/graph/types.ts";
import { programOf } from "../graph/programs.ts";

const net = "model net(x: f32[B, 3]) -> f32[B, 4] = x |> Linear(4) |> Dropout(0.5)\n";
test("of what is computed: calls, operators, brackets, layers that are made there", () => {
  for (const e of ["net(x)[b, k]", "(2 * x)[b, k]", "exp(x)[b, k]", "(for i: x[i])[b, k]", "(x |> net)[b, k]"]) {
    const { diagnostics } = analyse(`${net}export fn f(x: f32[B, 3]) -> f32[B] {
  let largest = for b: max over k: ${e}
  return largest
}`);
    expect(diagnostics.filter((d) => d.severity === "error")).toEqual([]);
  }
});
test("draws and parameters are those of the same text with ranges", () => {
  const valuesOf = (binders: string): Record<string, number[]> => {
    const { parameters, trains, seed } =
      programOf(`data d { rows: 20 field x: f32[3] = normal[3] }\n${net}train fit on d(batch: 10) {
  let h = for ${binders}: net(x)[b, k] * (normal[batch, 4] + uniform[batch, 4])[b, k] + (x |> Linear(4) |> Dropout(0.5))[b, k]
  let behind = normal[batch, 4]
  minimize sum(h * behind) by sgd(lr: 0.1)
  steps: 2
}`);
    const formulas = [...parameters.map((p) => p.initial), trains[0]!.objectives[0]!.loss];
    const given = topological(formulas).filter((x) => x.kind === "source");
    const numbers = given.map((x) => Float64Array.from({ length: sizeOfShape(x.shape, {}) }, (_, i) => valueAt(x, i)));
    expect(given).toContain(seed);
    const values = evaluateNodes(formulas, new Map(given.map((x, i) => [x, numbers[i]!])));
    return Object.fromEntries(
      [...parameters.map((p) => p.path), "loss"].map((name, i) => [name, Array.from(values[i]!)]),
    );
  };
  const valueAt = ({ dtype }: Node, i: number): number => (dtype === "f32" ? Math.sin(i + 1) : 0);
  const values = valuesOf("b, k");
  expect(Object.keys(values)).toHaveLength(5);
  expect(values["loss"]![0]).not.toBe(0);
  expect(values).toEqual(valuesOf("b in 0..batch, k in 0..4"));
});
test("a fault of what stands before the brackets is told, not that the range is unknown", () => {
  const { diagnostics } = analyse("export fn f(x: f32[B, 3]) -> (f32[B], f32) = (for b: nope(x)[b, 0], 1.0)");
  expect(diagnostics.map((d) => d.code)).toEqual(["DLM2001"]);
});
test("what an index is part of tells nothing of its range", () => {
  const { diagnostics } = analyse("export fn f(x: f32[3]) -> f32 = sum over k: sum(for i: x[i] * k)");
  expect(diagnostics.map((d) => d.code)).toContain("DLM2007");
});
test("what is computed for ranges alone is done once, however deep the brackets are in one another", () => {
  const deep = Array.from(
    { length: 16 },
    (_, k) => `fn f${k + 1}(x: f32[3]) -> f32[3] = x * (sum over i: f${k}(x)[i])\n`,
  ).join("");
  const { diagnostics } = analyse(`fn f0(x: f32[3]) -> f32[3] = x\n${deep}export fn f(x: f32[3]) -> f32[3] = f16(x)`);
  expect(diagnostics).toEqual([]);
});
test("it is not told to whoever asks what was called", () => {
  const called = (binders: string): unknown => {
    const text = `fn g(x: f32[3, 4]) -> f32[3, 4] {
  let y = exp(2 * x)
  return y
}
export fn f(x: f32[3, 4]) -> f32[3, 4] = for ${binders}: g(x)[b, k]`;
    const { knowledge } = analyse(text, { name: "test.dlm", keep: true });
    return knowledge?.calls.map((c) => c.origin.callee);
  };
  expect(called("b, k")).toEqual(called("b in 0..3, k in 0..4"));
});
