// Draws over run-time axes, wherever they stand: the numbers of the same text with sizes written in it, by the evaluator and on the device, every run.
import { describe, expect, test } from "vitest";
import { valuesOf, type Rows, type Values } from "./values.ts";

const [B, T, N] = [3, 5, 6];
const zeros = (...shape: readonly number[]): Rows =>
  shape.length === 1
    ? new Array<number>(shape[0]!).fill(0)
    : Array.from({ length: shape[0]! }, () => zeros(...shape.slice(1)));
const inputs = { seed: 7, x: zeros(B, T), y: zeros(N), l: zeros(B, T, 4) };
const values = (body: string, sizes: readonly [string, string, string]): Promise<Values> => {
  const [b, t, n] = sizes;
  const text = body.replace(/\b[BTN]\b/g, (name) => ({ B: b, T: t, N: n })[name]!);
  return valuesOf(
    `export fn f(x: f32[${b}, ${t}], y: f32[${n}], l: f32[${b}, ${t}, 4]) = ${text} + 0 * (sum(x) + sum(y) + sum(l))\n`,
    inputs,
  );
};
/** Both give the numbers of the text with sizes in it, and the device those of the evaluator. */
async function expectSame(body: string): Promise<void> {
  const want = (await values(body, ["3", "5", "6"])).evaluator.flat();
  const got = await values(body, ["B", "T", "N"]);
  expect(new Set(want).size, "different numbers").toBeGreaterThan(1);
  for (const x of [got.evaluator.flat(), got.device.flat()]) {
    expect(x.length).toBe(want.length);
    x.forEach((v, i) =>
      expect(Math.abs(v - want[i]!), `element ${i} of ${body}: ${v}, not ${want[i]}`).toBeLessThan(
        2e-6 * Math.max(1, Math.abs(want[i]!)),
      ),
    );
  }
}
describe("sizes written and sizes known by the run", () => {
  test.each([
    "normal[4, B]",
    "normal[T, N]",
    "uniform[B, T, N]",
    "uniform(-1, 3)[2, 3, N]",
    "bernoulli(0.5)[4, B, 2, N]",
    "bernoulli(0.00001)[4, N] + uniform[4, N]",
    "f32(randint(0, 10)[5, T])",
    "f32(randint(-2000000000, 2000000000)[2, B + 1])",
    "normal[2 * B + 1, T + N, 4]",
    "normal[B, 1, T, 4]",
    "uniform[1, B]",
    "(normal(0, 1) * (x + 2))[B, T]",
    "f32(categorical(l))",
    "f32(categorical(for i in 0..3, b in 0..B, k: l[b, 0, k]))",
    "scan (k in 0..3; h = 0.0) { yield normal[4, B] + uniform[2, N][1, 0] }",
    "scan (k in 0..3; h = 0.0) { yield f32(randint(0, 100)[2, T]) }",
    "for i in 0..N: normal[4]",
    "for i in 0..2: normal[T, B]",
    "for i in 0..T: for j in 0..B: bernoulli(0.5)[7]",
  ])("%s", expectSame);
});
test("vectors of four: run-time axes beside one whose length is a multiple of four", async () => {
  for (const body of ["normal[N, B, 8]", "uniform[2, T, 4]", "normal[2, 16, T]"]) await expectSame(body);
});
test("another seed, another place of text and another place in the tensor draw other numbers", async () => {
  const of = async (seed: number): Promise<readonly number[]> =>
    (
      await valuesOf("export fn f(x: f32[B]) = (normal[3, B], normal[3, B] + 0 * x)\n", { seed, x: zeros(40) })
    ).device.flat();
  const [one, again, two] = [await of(1), await of(1), await of(2)];
  expect(again).toEqual(one);
  expect(new Set([...one, ...two]).size).toBe(480);
});
test("large tensors: moments", async () => {
  const { device } = await valuesOf("export fn f(x: f32[B]) = normal[100, B] + 0 * x\n", { seed: 3, x: zeros(1000) });
  const x = device[0]!;
  const mean = (f: (v: number) => number): number => x.reduce((s, v) => s + f(v), 0) / x.length;
  expect(Math.abs(mean((v) => v))).toBeLessThan(5 / Math.sqrt(x.length));
  expect(Math.abs(mean((v) => v * v) - 1)).toBeLessThan((5 * Math.SQRT2) / Math.sqrt(x.length));
});
