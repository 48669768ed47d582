// Sorting by merging, on axes of known and of run-time length, and the metrics of ranks that stand on it, against comparisons of all pairs in plain
// arithmetic: lengths around runs and powers of two, ties, one value throughout, the largest numbers.
import { describe, expect, test } from "vitest";
import { made, withModel } from "../model.ts";
import { expectValues, valuesOfAll, valuesOfEach, type Values } from "./values.ts";

const lengths = [1, 2, 63, 64, 65, 128, 129, 200, 513];
/** Numbers with ties: fewer values than elements. */
const tied = (n: number, seed = 1, values = Math.max(1, n >> 1)): number[] =>
  Array.from({ length: n }, (_, i) => ((((i + 1) * 7919 * seed) % 104729) % values) - (values >> 1));
const orderOf = (x: readonly number[]): number[] => x.map((_, i) => i).sort((a, b) => x[a]! - x[b]! || a - b);
const sum = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);
/** Pairs of a row above 1/2 and another one that are in order; ties count half. */
function areaOf(score: readonly number[], y: readonly number[]): number {
  let [right, pairs] = [0, 0];
  score.forEach((a, i) =>
    score.forEach((b, j) => {
      if (y[i]! <= 0.5 || y[j]! > 0.5) return;
      pairs++;
      right += a > b ? 1 : a === b ? 0.5 : 0;
    }),
  );
  return right / Math.max(pairs, 1);
}
function precisionOf(score: readonly number[], y: readonly number[]): number {
  const positive = score.filter((_, i) => y[i]! > 0.5);
  const shares = positive.map((a) => positive.filter((b) => b >= a).length / score.filter((b) => b >= a).length);
  return sum(shares) / Math.max(positive.length, 1);
}
const sharedRanks = (x: readonly number[]): number[] =>
  x.map((a) => x.filter((b) => b < a).length + x.filter((b) => b === a).length / 2);
function correlationOf(a: readonly number[], b: readonly number[]): number {
  const off = (x: readonly number[]): number[] => x.map((v) => v - sum(x) / x.length);
  const [p, q] = [off(a), off(b)];
  const dot = (u: readonly number[], v: readonly number[]): number => sum(u.map((x, i) => x * v[i]!));
  return dot(p, q) / Math.max(Math.sqrt(dot(p, p) * dot(q, q)), 1e-30);
}
const exportsOf = (n: string): string => `
export fn order(x: f32[${n}]) = argsort(x)
export fn falling(x: f32[${n}]) = argsort(x, descending: true)
export fn values(x: f32[${n}]) = sort(x)
export fn below(x: f32[${n}]) = count_below(x, x)
export fn most(x: f32[${n}]) = count_below(x, x, right: true)
export fn area(x: f32[${n}], y: f32[${n}]) = auroc(x, y)
export fn precise(x: f32[${n}], y: f32[${n}]) = average_precision(x, y)
export fn related(x: f32[${n}], z: f32[${n}]) = spearman(x, z)
`;
type Case = Record<"x" | "y" | "z", readonly number[]>;
async function expectSorted(n: string, cases: readonly Case[]): Promise<void> {
  const got = await valuesOfEach(exportsOf(n), cases);
  cases.forEach((c, k) => expectCase(got[k]!, c));
}
function expectCase(got: Readonly<Record<string, Values>>, { x, y, z }: Case): void {
  const up = orderOf(x);
  const want: Record<string, readonly number[]> = {
    order: up,
    falling: orderOf(x.map((v) => -v)),
    values: up.map((i) => x[i]! + 0),
    below: x.map((v) => x.filter((w) => w < v).length),
    most: x.map((v) => x.filter((w) => w <= v).length),
  };
  for (const [name, numbers] of Object.entries(want))
    for (const who of ["evaluator", "device"] as const)
      expect(
        got[name]![who][0]!.map((v) => v + 0),
        `${name} of ${x.length}, ${who}`,
      ).toEqual(numbers);
  const metrics = {
    area: areaOf(x, y),
    precise: precisionOf(x, y),
    related: correlationOf(sharedRanks(x), sharedRanks(z)),
  };
  for (const [name, number] of Object.entries(metrics))
    for (const who of ["evaluator", "device"] as const)
      expect(Math.abs(got[name]![who][0]![0]! - number), `${name} of ${x.length}, ${who}`).toBeLessThan(2e-6);
}
const caseOf = (n: number): Case => ({
  x: tied(n),
  y: tied(n, 3, 2).map((v) => Number(v >= 0)),
  z: tied(n, 5),
});
test("an axis that only the run knows the length of", async () => {
  const n = 150;
  const many = Array.from({ length: n }, (_, i) => i);
  const y = many.map((i) => Number(i % 3 === 0));
  const most = 3.4028234663852886e38;
  const special = [
    many.map(() => 2),
    many,
    many.map((i) => -i),
    many.map((i) => [most, -most, 1][i % 3]!),
    many.map((i) => (i % 2 ? 0 : -0)),
  ];
  await expectSorted("N", [...lengths.map(caseOf), ...special.map((x) => ({ x, y, z: tied(n) }))]);
}, 300_000);
test("an axis of known length", () => expectSorted("700", [caseOf(700)]), 120_000);
test("several rows, along either axis, of run-time length and of known length", async () => {
  const x = [tied(100), tied(100, 3), tied(100, 5)];
  const across = Array.from({ length: 100 }, (_, i) => x.map((row) => row[i]!));
  for (const type of ["f32[B, N]", "f32[3, N]", "f32[B, 100]"]) {
    const got = await valuesOfAll(`export fn f(x: ${type}) = argsort(x)\n`, { x });
    for (const who of ["evaluator", "device"] as const)
      expect(got["f"]![who][0]).toEqual(x.flatMap((row) => orderOf(row)));
  }
  const got = await valuesOfAll("export fn f(x: f32[N, 3]) = sort(x, axis: 0)\n", { x: across });
  const sorted = x.map((row) => orderOf(row).map((i) => row[i]!));
  for (const who of ["evaluator", "device"] as const)
    expect(got["f"]![who][0]).toEqual(across.flatMap((_, i) => sorted.map((row) => row[i]!)));
});
test("the gradient of what is sorted goes back to its place", async () => {
  const x = tied(70, 1, 1000);
  const got = await valuesOfAll("export fn f(x: f32[N], w: f32[N]) = grad(sum(sort(x) * w), wrt: x)\n", {
    x,
    w: x.map((_, i) => i),
  });
  const place = orderOf(x).reduce<number[]>((to, from, i) => ((to[from] = i), to), []);
  for (const who of ["evaluator", "device"] as const) expect(got["f"]![who][0]).toEqual(place);
});
test("AUROC, average precision and Spearman over a split, in pieces", async () => {
  const n = 3000;
  const [x, z] = [tied(n, 3, 400), tied(n, 5, 700)];
  const y = z.map((v, i) => Number(v + x[i]! > 100));
  const text = `data d {
  field x: f32 = host("x")
  field z: f32 = host("z")
  field y: f32 = host("y")
}
train fit on d(batch: 4, shuffle: false) {
  state seen: f32 = 0.0
  next seen = seen + sum(x)
  metric area every evaluation = auroc(x, y)
  metric precise every evaluation = average_precision(x, y)
  metric related every evaluation = spearman(x, z)
  evaluate: 1
  steps: 1
}
`;
  const result = made(text);
  const host = Object.fromEntries(Object.entries({ x, y, z }).map(([name, v]) => [name, Float32Array.from(v)]));
  const measured = await withModel(result, (model) => model.evaluate("fit", "train"), { host });
  expect(measured["area"]).toBeCloseTo(areaOf(x, y), 6);
  expect(measured["precise"]).toBeCloseTo(precisionOf(x, y), 6);
  expect(measured["related"]).toBeCloseTo(correlationOf(sharedRanks(x), sharedRanks(z)), 6);
}, 120_000);
describe("axes of run-time size", () => {
  test.each([
    [
      "top_k(x, 2)",
      [
        [5, 3],
        [4, 1],
      ],
    ],
    ["top_k(x, 1, axis: 0)", [[4, 5, 1]]],
    [
      "arg_top_k(x, 2)",
      [
        [1, 0],
        [0, 2],
      ],
    ],
    ["median(x)", [3, 1]],
    ["median(x, axis: 0)", [3, -1, 0]],
  ] as const)("%s", async (formula, wanted) => {
    await expectValues(
      `export fn f(x: f32[B, T]) = ${formula}`,
      {
        x: [
          [3, 5, 0],
          [4, -1, 1],
        ],
      },
      wanted.flat(),
    );
  });
});
