// Reducers whose bounds are data or outer indices: what lies outside takes no part, whatever the sign and the type of
// what lies inside.
import { test } from "vitest";
import { expectValues } from "./values.ts";

/** An export with these results. */
const program = (inputs: string, ...results: string[]): string => `export fn f(${inputs}) = (${results.join(", ")})`;
const n = [1, 2, 3, 4];
const k = [-3, -1, -2, -5];
const first = (better: (a: number, b: number) => boolean, x: readonly number[]): number =>
  x.reduce((best, v, i) => (better(v, x[best]!) ? i : best), 0);
const places = (x: readonly number[]): number[] => n.map((m) => first((a, b) => a > b, x.slice(0, m)));
const least = (x: readonly number[]): number[] => n.map((m) => first((a, b) => a < b, x.slice(0, m)));

test.each(["f32", "i32"])("extremes and their places among negative and positive %s", async (type) => {
  for (const x of [k, k.map((v) => -v)]) {
    const parts = n.map((m) => x.slice(0, m));
    const text = program(
      `x: ${type}[4], n: i32[4] in 0..5`,
      ...["max", "amax", "min", "amin", "argmax", "argmin"].map((word) => `for i: ${word} over j in 0..n[i]: x[j]`),
    );
    const top = parts.map((p) => Math.max(...p));
    const low = parts.map((p) => Math.min(...p));
    await expectValues(text, { x, n }, [top, top, low, low, places(x), least(x)], 0);
    await expectValues(
      text.replaceAll("n[i]", "i + 1").replaceAll("for i:", "for i in 0..4:"),
      { x, n },
      [top, top, low, low, places(x), least(x)],
      0,
    );
  }
});
test("the place of an extreme from an index on", async () => {
  await expectValues(
    "export fn f(x: f32[4]) -> i32[4] = for i in 0..4: argmax over j in i..4: x[j]",
    { x: k },
    [1, 1, 2, 3],
    0,
  );
});
test("any, all and counts", async () => {
  const text = program(
    "x: bool[4], n: i32[4] in 0..5",
    "for i: any over j in 0..n[i]: x[j]",
    "for i: all over j in 0..n[i]: x[j]",
    "for i: sum over j in 0..n[i]: x[j]",
  );
  await expectValues(text, { x: [0, 1, 1, 0], n: [0, 1, 2, 3] }, [0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 2], 0);
});
test("a guard whose data are chosen by the reduced index itself bounds no loop", async () => {
  const [x, at] = [
    [1, 2, 4, 8],
    [2, 0, 3, 1],
  ];
  const sums = (inside: (i: number, k: number) => boolean): number[] =>
    x.map((_, i) => x.reduce((sum, v, k) => sum + (inside(i, k) ? v : 0), 0));
  const text = program(
    "x: f32[4], at: i32[4] in 0..4",
    "for i in 0..4: sum over k in 0..4: where(k >= at[k] - i, x[k], 0.0)",
    "for i in 0..4: sum over k in 0..4: where(at[k] + i >= k, x[k], 0.0)",
    "for i in 0..4: sum over k in 0..4: where(at[i] + at[k] >= k, x[k], 0.0)",
    "for i in 0..4: sum over j in 0..2, k in 0..2: where(k >= at[2 * j + i % 2] - i, x[2 * j + k], 0.0)",
  );
  const last = x.map((_, i) =>
    [0, 1, 2, 3].reduce((sum, n) => {
      const [j, k] = [n >> 1, n & 1];
      return sum + (k >= at[2 * j + (i % 2)]! - i ? x[n]! : 0);
    }, 0),
  );
  const expected = [
    sums((i, k) => k >= at[k]! - i),
    sums((i, k) => at[k]! + i >= k),
    sums((i, k) => at[i]! + at[k]! >= k),
    last,
  ];
  await expectValues(text, { x, at }, expected, 0);
});
test("an extreme of a declared range stays in it, as an index too, and of nothing", async () => {
  const text = program(
    "x: i32[4] in 1..3, t: f32[3], n: i32[4] in 0..5",
    "for i: t[max over j in 0..n[i]: x[j]]",
    "for i: t[min over j in 0..n[i]: x[j]]",
  );
  await expectValues(text, { x: [1, 2, 1, 2], t: [5, 6, 7], n: [0, 1, 2, 4] }, [6, 6, 7, 7, 7, 6, 6, 6], 0);
});
test("places of whole numbers that f32 does not have", async () => {
  const x = [16_777_216, 16_777_217];
  const y = [
    [2147483646, 2147483647],
    [-2147483648, -2147483647],
    [16_777_219, 16_777_218],
  ];
  const text = program(
    "x: i32[2], y: i32[B, 2]",
    "argmax(x)",
    "argmin(-x)",
    "argmax(y, axis: 1)",
    "argmax over i: x[i]",
    "for b: argmin over i: y[b, i]",
    "argmax(y)",
  );
  await expectValues(text, { x, y }, [1, 1, 1, 1, 0, 1, 0, 0, 1, 1], 0);
  const long = Array.from({ length: 100_000 }, (_, i) => 16_777_216 + Number(i === 77_777) - Number(i === 99_000));
  await expectValues(program("x: i32[N]", "argmax(x)", "argmin(x)"), { x: long }, [77_777, 99_000], 0);
});
