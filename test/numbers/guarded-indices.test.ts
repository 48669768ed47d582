// Indices that a `where` around keeps in range: what its condition says is known in its branches, also to derivatives. On the device and the evaluator.
import { describe, expect, test } from "vitest";
import { errorsOf, expectValues } from "./values.ts";

const x = [1, 2, 3, 4, 5, 6, 7, 8];
describe("in a branch of where", () => {
  test.each([
    ["a loop's index", "export fn f(x: f32[8]) = for i in 0..8: where(i > 0, x[i - 1], 0.0)", [0, 1, 2, 3, 4, 5, 6, 7]],
    [
      "the other branch",
      "export fn f(x: f32[8]) = for i in 0..8: where(i < 2, -1.0, x[i - 2])",
      [-1, -1, 1, 2, 3, 4, 5, 6],
    ],
    [
      "conditions on both sides, of data",
      "export fn f(x: f32[8], k: i32[4] in 0..9) = for i: where(k[i] >= 1 and k[i] < 8, x[k[i] - 1], -1.0)",
      [-1, 3, -1, 7],
    ],
    [
      "branches of branches",
      "export fn f(x: f32[8]) = for i in 0..8: where(i > 1, where(i < 7, x[i + 1] + x[i - 2], 9.0), 0.0)",
      [0, 0, 5, 7, 9, 11, 13, 9],
    ],
    [
      "within a function",
      "fn before(x: f32[8], i: i32 in 0..8) -> f32 = where(i > 0, x[i - 1], 0.0)\nexport fn f(x: f32[8]) = for i in 0..8: before(x, i)",
      [0, 1, 2, 3, 4, 5, 6, 7],
    ],
    [
      "a sum",
      "export fn f(x: f32[8]) = for i in 0..8: sum over d in 0..3: where(i + d < 8, x[i + d], 0.0)",
      [6, 9, 12, 15, 18, 21, 15, 8],
    ],
    [
      "its derivative",
      "export fn f(x: f32[8]) = grad(sum(for i in 0..8: where(i > 0, x[i - 1]^2 * x[i], 0.0)), wrt: x)",
      x.map((v, i) => (i < 7 ? 2 * v * (v + 1) : 0) + (i > 0 ? (v - 1) ** 2 : 0)),
    ],
  ])("%s", (_, text, want) => expectValues(text, { x, ...(text.includes("k:") ? { k: [0, 3, 8, 7] } : {}) }, want));
  test("of a run-time axis", () =>
    expectValues(
      "export fn f(x: f32[B, T]) = for b, t: where(t + 2 < T, x[b, t + 2], x[b, t])",
      { x: [[1, 2, 3, 4]] },
      [3, 4, 3, 4],
    ));
  test("of one number", () =>
    expectValues("export fn f(x: f32[8], n: i32 in 0..9) -> f32 = where(n < 8, x[n], -1.0)", { x, n: 8 }, [-1]));
});
describe("the value of where", () => {
  const k = [0, 3, 8, 7];
  test.each([
    ["of tensors", "export fn f(x: f32[8], k: i32[4] in 0..9) = x[where(k < 8, k, 0)]", [1, 4, 1, 8]],
    [
      "of elements",
      "export fn f(x: f32[8], k: i32[4] in -5..90) = for i: x[where(k[i] >= 1 and k[i] < 8, k[i] - 1, 7)]",
      [8, 3, 8, 7],
    ],
    ["the other branch", "export fn f(x: f32[8], k: i32[4] in 0..90) = x[where(k >= 8, 7, k)]", [1, 4, 8, 8]],
    [
      "by a name",
      "export fn f(x: f32[8], k: i32[4] in 0..90) {\n  let m = where(k > 7, 0, k)\n  return x[m]\n}",
      [1, 4, 1, 8],
    ],
  ])("%s", (_, text, want) => expectValues(text, { x, k }, want));
});
describe("of numbers of which nothing is declared", () => {
  const k = [-2147483648, -1, 0, 3, 7, 8, 2147483640, 2147483647];
  const inside = (i: number, by: number): number => (k[i]! + by >= 0 && k[i]! + by < 8 ? x[k[i]! + by]! : -1);
  test.each([
    ["both bounds", "where(k[i] >= 0 and k[i] < 8, x[k[i]], -1.0)", 0],
    ["in the other order", "where(k[i] < 8 and k[i] >= 0, x[k[i]], -1.0)", 0],
    ["or outside of either", "where(k[i] < 0 or k[i] > 7, -1.0, x[k[i]])", 0],
    ["one within another", "where(k[i] < 8, where(0 <= k[i], x[k[i]], -1.0), -1.0)", 0],
    ["shifted", "where(k[i] > 1 and 10 > k[i], x[k[i] - 2], -1.0)", -2],
  ])("%s", (_, body, by) =>
    expectValues(
      `export fn f(x: f32[8], k: i32[8]) = for i in 0..8: ${body}`,
      { x, k },
      k.map((_, i) => inside(i, by)),
    ),
  );
  test("with a run-time length, and the slope", () =>
    expectValues(
      "export fn f(x: f32[T], k: i32[8]) = grad(sum(for i: where(k[i] >= 0 and k[i] < T, x[k[i]]^2, 0.0)), wrt: x)",
      { x, k },
      x.map((v, i) => (k.includes(i) ? 2 * v : 0)),
    ));
  test("one bound alone is not enough", () => {
    for (const condition of ["k < 8", "k >= 0", "k < 9 and k >= 0", "k < 8 and k > -2", "k < 8 or k >= 0"])
      expect(errorsOf(`export fn f(x: f32[8], k: i32) -> f32 = where(${condition}, x[k], 0.0)`)).toEqual(["DLM2009"]);
  });
});
test("what the condition does not say", () => {
  expect(errorsOf("export fn f(x: f32[8], k: i32[4] in 0..90) = x[where(k < 9, k, 0)]")).toEqual(["DLM2009"]);
  for (const body of [
    "where(i < 1, x[i - 1], 0.0)",
    "where(i > 0, x[i - 2], 0.0)",
    "where(i > 0, 0.0, x[i - 1])",
    "where(x[i] > 0, x[i - 1], 0.0)",
  ])
    expect(errorsOf(`export fn f(x: f32[8]) = for i in 0..8: ${body}`)).toEqual(["DLM2009"]);
});
