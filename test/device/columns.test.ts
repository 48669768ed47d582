// Reductions of columns and rows on GPU classes, whose workgroups share them by lanes: every kind, sizes that no number of lanes divides, equal elements.
import { describe, expect, test } from "vitest";
import { targets, type Target } from "../../compiler/kernel/target.ts";
import { made, withModel } from "../model.ts";

const reduced: Readonly<Record<string, (column: readonly number[]) => number>> = {
  sum: (x) => x.reduce((a, b) => a + b, 0),
  prod: (x) => x.reduce((a, b) => a * b, 1),
  max: (x) => Math.max(...x),
  min: (x) => Math.min(...x),
  argmax: (x) => x.indexOf(Math.max(...x)),
  argmin: (x) => x.indexOf(Math.min(...x)),
};
const shapes = [
  [1, 3],
  [7, 1],
  [33, 4],
  [257, 8],
  [300, 33],
  [1000, 12],
  [4096, 2],
] as const;
/** Few different numbers: the first of equal ones is the one to be found. */
const matrix = (rows: number, columns: number): number[][] =>
  Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, j) => 1 + (((i * 7 + j * 5 + ((i * i) % 11)) % 13) - 6) / 4096),
  );
const near = (a: ArrayLike<number>, b: readonly number[]): void => {
  expect(a.length).toBe(b.length);
  for (const [i, x] of b.entries()) expect(Math.abs(a[i]! - x)).toBeLessThanOrEqual(3e-5 * Math.max(1, Math.abs(x)));
};

describe.each(["discrete", "integrated"])("for %s", (target) => {
  test.each(shapes)("of %d rows and %d columns", async (n, m) => {
    const functions = Object.keys(reduced).flatMap((op) => [
      `export fn ${op}_of_columns(a: f32[${n}, ${m}]) = for j in 0..${m}: ${op}(a[:, j])`,
      `export fn ${op}_of_rows(a: f32[${n}, ${m}]) = for i in 0..${n}: ${op}(a[i, :])`,
      `export fn ${op}_of_middles(a: f32[2, ${n}, ${m}]) = for k in 0..2, j in 0..${m}: ${op}(a[k, :, j])`,
    ]);
    const a = matrix(n, m);
    const columns = Array.from({ length: m }, (_, j) => a.map((row) => row[j]!));
    await withModel(made(functions.join("\n"), { target }), async (model) => {
      for (const [op, of] of Object.entries(reduced)) {
        const run = async (name: string, x: unknown): Promise<ArrayLike<number>> =>
          (await model.run(`${op}_of_${name}`, { a: x as number[][] }))[`${op}_of_${name}`]!.data;
        near(await run("columns", a), columns.map(of));
        near(await run("rows", a), a.map(of));
        near(
          await run("middles", [a, [...a].reverse()]),
          [...columns, ...columns.map((x) => [...x].reverse())].map(of),
        );
      }
    });
  });
  test("the place of the largest of several beside one another, by rows of a run-time number", async () => {
    const text = `
export fn moved(a: f32[B, 4]) {
  let v = fold (k in 0..3; y = a) { next y = 0.5 * y }
  let w = for i in 0..B, j in 0..4: max over k in 0..9: v[i, j + k - 4] ?? -9
  return grad(sum(w), wrt: a)
}`;
    await withModel(made(text, { target }), async (model) => {
      const { moved } = await model.run("moved", {
        a: [
          [1, 2, 3, 4],
          [4, 1, 0, 2],
        ],
      });
      near(moved!.data, [0, 0, 0, 0.5, 0.5, 0, 0, 0]);
    });
  });
  test.each(["output", "buffer", "input", "step", "target"])(
    "two tensors in one launch, of the name %s that WGSL has",
    async (name) => {
      const text = (own: string): string => `
fn columns(x: f32[B, D], n: int) -> f32[n] {
  let ${own} = for j in 0..n: sum over b in 0..B: x[b, j] * x[b, j + 1]
  return for j in 0..n: ${own}[j] * tanh(0.01 * ${own}[(j * 3) % n])
}
export fn predict(x: f32[128, 64]) -> f32[30] {
  let y = for i in 0..128, j in 0..128: sum over k in 0..64: x[i, k] * x[j, k]
  let a = columns(y, 50)
  let b = columns(y, 30)
  return for j in 0..30: a[j] - b[j]
}`;
      const x = Array.from({ length: 128 }, (_, i) => Array.from({ length: 64 }, (_, j) => ((i + j) % 5) / 5));
      const predicted = async (own: string, of: string | Target): Promise<number[]> =>
        withModel(made(text(own), { target: of }), async (model) => [
          ...(await model.run("predict", { x }))["predict"]!.data,
        ]);
      // launches cost so much that whatever can be joined is
      near(await predicted(name, { ...targets[target]!, launchNs: 1e7 }), await predicted("hidden", "software"));
    },
  );
});
