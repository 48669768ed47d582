// `reshape` over run-time sizes whose constant factors lie elsewhere before and after: `[B, N, 3]` and `[B, 3 * N]` have equally many elements.
import { describe, expect, test } from "vitest";
import { errorsOf, expectValues, type Rows, valuesOf } from "./values.ts";

const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => ((i * 7) % 11) - 4);
const rows = (data: readonly number[], ...shape: readonly number[]): Rows =>
  shape.length < 2
    ? data
    : Array.from({ length: shape[0]! }, (_, i) => {
        const size = data.length / shape[0]!;
        return rows(data.slice(i * size, (i + 1) * size), ...shape.slice(1));
      });
const [b, n] = [2, 4];
const flat = numbers(b * n * 3);
const at = (i: number, j: number, k: number): number => flat[(i * n + j) * 3 + k]!;
const input = { x: rows(flat, b, n, 3) };

describe("the same elements in the same order", () => {
  test.each([
    ["x: f32[B, N, 3]", "reshape[B, 3 * N](x)"],
    ["x: f32[B, N, 3]", "reshape[B, size(x[0])](x)"],
    ["x: f32[B, N, 3]", "reshape[3 * B, N](x)"],
    ["x: f32[2, N, 3]", "reshape[6 * N](x)"],
    ["x: f32[B, N, 3], y: f32[B]", "reshape[B, 3 * N](x) + 0 * unsqueeze(y, -1)"],
    ["x: f32[B, 4, 3]", "reshape[12 * B](x)"],
    ["x: f32[B, 4, 3]", "reshape[4 * B, 3](reshape[6 * B, 2](x))"],
    ["x: f32[B, 4, 3]", "reshape[2 * B, 2, 3](x)"],
    ["x: f32[B, N, 3]", "reshape[B, N, 3](reshape[B, 3 * N](x) * 1)"],
    ["x: f32[B, N, 3]", "relu(reshape[B, 3 * N](x)) - relu(-reshape[B, 3 * N](x))"],
  ])("%s: %s", async (params, formula) => {
    await expectValues(`export fn f(${params}) = ${formula}\n`, { ...input, y: numbers(b) }, rows(flat, b * n * 3));
  });
});
test("read by index, summed, multiplied, differentiated", async () => {
  const f = (formula: string): string => `export fn f(x: f32[B, N, 3]) = ${formula}\n`;
  const places = Array.from({ length: b * n }, (_, i) => [Math.floor(i / n), i % n] as const);
  await expectValues(f("reshape[B, 3 * N](x)[:, 2]"), input, [at(0, 0, 2), at(1, 0, 2)]);
  await expectValues(f("sum(reshape[B, 3 * N](x), axis: 1)"), input, [
    flat.slice(0, 12).reduce((s, v) => s + v),
    flat.slice(12).reduce((s, v) => s + v),
  ]);
  // interleaved and taken apart again
  const twice = "reshape[B, N, 6](reshape[B, 6 * N](concat([x, 2 * x], axis: 2)))";
  await expectValues(
    f(`${twice}[:, :, 5]`),
    input,
    rows(
      places.map(([i, j]) => 2 * at(i, j, 2)),
      b,
      n,
    ),
  );
  const square = "sum(reshape[B, 3 * N](x)[:, 0..3]^2)";
  const slope = places.flatMap(([i, j]) => [0, 1, 2].map((k) => (j === 0 ? 2 * at(i, j, k) : 0)));
  await expectValues(f(`grad(${square}, wrt: x)`), input, rows(slope, b, n, 3));
});
test("affine sizes with a factor, and a factor that stands alone", async () => {
  const x = numbers(3 * 10); // B = 4
  const text = "export fn f(x: f32[N, 2 * B + 2], y: f32[B]) = reshape[2 * N, B + 1](x)\n";
  await expectValues(text, { x: rows(x, 3, 10), y: [0, 0, 0, 0] }, x);
  await expectValues(
    "export fn f(x: f32[B, 2 * N], y: f32[N]) = reshape[B, 2, N](x)[:, 1]\n",
    { x: rows(numbers(8), 2, 4), y: [0, 0] },
    [numbers(8).slice(2, 4), numbers(8).slice(6)],
  );
});
test.each([
  "reshape[B, 2 * N](x)",
  "reshape[B, N, 3, 2](x)",
  "reshape[B, N + 3](x)",
  "reshape[2 * B, 3 * N](x)",
  "reshape[N, N, 3](x)",
])("%s has another number of elements", (formula) =>
  expect(errorsOf(`export fn f(x: f32[B, N, 3]) = ${formula}\n`)).toEqual(["DLM2003"]),
);
describe("over some of several run-time axes", () => {
  const mean = (v: readonly number[]): number => v.reduce((s, x) => s + x, 0) / v.length;
  const variance = (v: readonly number[], less = 1): number =>
    v.reduce((s, x) => s + (x - mean(v)) ** 2, 0) / (v.length - less);
  const triples = Array.from({ length: b * n }, (_, p) => flat.slice(3 * p, 3 * p + 3));
  const row = (i: number): number[] => flat.slice(i * 3 * n, (i + 1) * 3 * n);
  const column = (i: number, k: number): number[] => Array.from({ length: n }, (_, j) => at(i, j, k));
  const of = (formula: string): string =>
    `model whole(x: f32[B, N, 3]) = x |> GroupNorm(1)\nmodel each(x: f32[B, N, 3]) = x |> InstanceNorm()\nexport fn f(x: f32[B, N, 3]) = ${formula}\n`;
  test.each<[string, number[]]>([
    ["size(x, axis: [1, 2]) + 10 * size(x, axis: 0..1) + 100 * size(x, axis: [])", [12 + 20 + 100]],
    ["var(x, axis: -1)", triples.map((v) => variance(v))],
    ["std(x, axis: [1, 2])", [0, 1].map((i) => Math.sqrt(variance(row(i))))],
    ["var(x, axis: 1, correction: 0)", [0, 1].flatMap((i) => [0, 1, 2].map((k) => variance(column(i, k), 0)))],
    ["flatten(x)", flat],
    [
      "whole(x)",
      flat.map((v, p) => (v - mean(row(Math.floor(p / 12)))) / Math.sqrt(variance(row(Math.floor(p / 12)), 0) + 1e-5)),
    ],
    [
      "each(x)",
      flat.map((v, p) => {
        const own = column(Math.floor(p / 12), p % 3);
        return (v - mean(own)) / Math.sqrt(variance(own, 0) + 1e-5);
      }),
    ],
  ])("%s", async (formula, expected) => {
    const { evaluator, device } = await valuesOf(of(formula), input, "f");
    for (const found of [evaluator, device]) {
      expect(found[0]).toHaveLength(expected.length);
      found[0]!.forEach((v, p) => expect(v).toBeCloseTo(expected[p]!, 4));
    }
  });
});
