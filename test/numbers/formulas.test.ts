// Formulas come out as f32 computes what the text says: nothing overflows that did not, no rounding is lost, at the ends of the range and in cancellations.
// The evaluator counts in f64: values at the ends of f32 are compared where f64 agrees, roundings on the device alone, with f32 imitated here.
import { describe, expect, test } from "vitest";
import { expectValues, valuesOf, type Rows } from "./values.ts";

const f = Math.fround;
const big = f(3e38);
const tiny = 2 ** -126;
const device = async (text: string, inputs: Record<string, Rows>): Promise<number[]> =>
  (await valuesOf(text, inputs)).device.flat();

describe("nothing leaves the range of f32 that stays in it as written", () => {
  const two: readonly (readonly [string, (a: number, b: number) => number])[] = [
    ["0.5 * a + 0.5 * b", (a, b) => 0.5 * a + 0.5 * b],
    ["0.3 * a + 0.3 * b", (a, b) => 0.3 * a + 0.3 * b],
    ["a * 0.5 - b * -0.5", (a, b) => 0.5 * a + 0.5 * b],
    ["0.5 * a - 0.5 * -b", (a, b) => 0.5 * a + 0.5 * b],
    ["a / 2 + b / 2", (a, b) => a / 2 + b / 2],
    ["a / 3 + b / 3", (a, b) => a / 3 + b / 3],
    ["a / 3 - (-b) / 3", (a, b) => a / 3 + b / 3],
    ["s * a + s * b", (a, b) => 0.25 * a + 0.25 * b],
    ["a * s + b * s", (a, b) => 0.25 * a + 0.25 * b],
    ["a / (4 * s / s) + b / (4 * s / s)", (a, b) => a / 4 + b / 4],
    ["a / d + b / d", (a, b) => a / 4 + b / 4],
    ["0.25 * a + 0.25 * b + 0.25 * a", (a, b) => 0.5 * a + 0.25 * b],
    ["(0.5 * a) + 0.5 * b - 0.25 * a", (a, b) => 0.25 * a + 0.5 * b],
    ["a * (1 - 0.5) + b * 0.5", (a, b) => 0.5 * a + 0.5 * b],
  ];
  const a = [big, -big, big, 1, tiny, -3.4e38];
  const b = [big, -big, f(3.4e38), 2, tiny, -3.4e38];
  test.each(two)("%s", async (text, want) => {
    const given = { a, b, s: 0.25, d: 4 };
    const wanted = a.map((v, i) => want(f(v), f(b[i]!)));
    const types = "a: f32[B], b: f32[B], s: f32, d: f32";
    await expectValues(
      `export fn f(${types}) -> f32[B] = ${text} + 0 * (a * s - a * s)`.replace(" + 0 * (a * s - a * s)", ""),
      given,
      wanted,
      1e-6,
    );
    const named = `export fn f(${types}) -> f32[B] {\n let x = a * s\n let r = ${text}\n return where(x < 0, r, r)\n}`; // the same through names
    await expectValues(named, given, wanted, 1e-6);
  });
  const sums: readonly (readonly [string, (x: readonly number[]) => number])[] = [
    ["sum over i: 0.25 * x[i]", (x) => x.reduce((s, v) => s + 0.25 * v, 0)],
    ["sum over i: x[i] * 0.1", (x) => x.reduce((s, v) => s + 0.1 * v, 0)],
    ["sum over i: x[i] / 5", (x) => x.reduce((s, v) => s + v / 5, 0)],
    ["sum(x / 4)", (x) => x.reduce((s, v) => s + v / 4, 0)],
    ["sum(0.2 * x)", (x) => x.reduce((s, v) => s + 0.2 * v, 0)],
    ["sum(-0.25 * x)", (x) => x.reduce((s, v) => s - 0.25 * v, 0)],
    ["sum over i: 0.25 * (x[i] * y[i])", (x) => x.reduce((s, v) => s + 0.25 * v, 0)],
    ["sum over i: 0.25 * x[i] * y[i]", (x) => x.reduce((s, v) => s + 0.25 * v, 0)],
    ["sum over i: where(i < 9, 0.25 * x[i], 0)", (x) => x.reduce((s, v) => s + 0.25 * v, 0)],
  ];
  test.each(sums)("%s", async (text, want) => {
    const x = [big, big, f(3.4e38), big];
    await expectValues(`export fn f(x: f32[4], y: f32[4]) -> f32 = ${text}`, { x, y: [1, 1, 1, 1] }, want(x), 1e-6);
  });
  const chains: readonly (readonly [string, readonly number[], (x: number) => number])[] = [
    ["x * 1e30 * 1e-30", [1, 1e20, -3e38], (x) => x],
    ["x * 1e-30 * 1e30", [1, 1e-20, -3e38], (x) => x],
    ["x * 1e30 * 1e30", [1e-30, -2e-35], (x) => x * 1e60],
    ["x * 1e-30 * 1e-30", [3e38, -1e35], (x) => x * 1e-60],
    ["x / 1e30 / 1e30", [3e38, -1e35], (x) => x / 1e60],
    ["x / 1e-30 / 1e-30", [1e-30, -2e-35], (x) => x * 1e60],
    ["x / 1e30 * 1e-30", [3e38, -1e35], (x) => x * 1e-60],
    ["x * 1e-20 * 1e-20 * 1e20", [3e38, 1e30], (x) => x * 1e-20],
    ["x / y / z", [3e38, 1e30], (x) => x / 1e25 / 1e25],
    ["x / (y / z)", [3e38, -3e38], (x) => x],
    ["(x / y) / (z / 1e30)", [3e38, 1e30], (x) => x / 1e25 / 1e-5],
    ["sqrt(x * x)", [1e10, -1e15], (x) => Math.abs(x)],
    ["x / 3e38", [3e38, 1e30], (x) => x / 3e38],
    ["x * (1 / y)", [3e38, 1e30], (x) => x / 1e25],
    ["(x * y) / y", [1e5, -1], (x) => x],
    ["exp(x) * exp(-x + 1)", [50, 80, -80], () => Math.E],
    ["exp(x) / exp(x - 1)", [50, 85, -85], () => Math.E],
  ];
  test.each(chains)("%s", async (text, x, want) => {
    const { evaluator, device: got } = await valuesOf("export fn f(x: f32[B], y: f32, z: f32) -> f32[B] = " + text, {
      x,
      y: 1e25,
      z: 1e25,
    });
    for (const values of [evaluator[0]!, got[0]!])
      x.forEach((v, i) =>
        expect(Math.abs(values[i]! / want(f(v)) - 1), `${text} at ${v} is ${values[i]}`).toBeLessThan(1e-4),
      );
  });
});

describe("roundings that the text writes are kept, on the device", () => {
  const x = [0.3, 0.5, 1.5, 2.5, -7.7, 1e-8, 123.4999, 4194304.5, 0.1, -0.2, 1e6 + 0.3, 1];
  const y = [1e8, -3, 1e-8, 7.25, 33554432, 1, 0.0001, 1, 1e7, 3e-7, 1e-3, 2 ** -24];
  const formulas: readonly (readonly [string, string, (x: number, y: number) => number])[] = [
    ["to a whole number", "(x + 12582912) - 12582912", (x) => f(f(x + 12582912) - 12582912)],
    ["to a whole number, by names", "let t = x + 12582912\n return t - 12582912", (x) => f(f(x + 12582912) - 12582912)],
    ["to a whole number, the other way", "(x - 12582912) + 12582912", (x) => f(f(x - 12582912) + 12582912)],
    ["constants first", "(12582912 + x) + -12582912", (x) => f(f(x + 12582912) - 12582912)],
    ["to multiples of 1/8", "(x + 1572864) - 1572864", (x) => f(f(x + 1572864) - 1572864)],
    ["by a number of run time", "(x + c) - c", (x) => f(f(x + 12582912) - 12582912)],
    ["a constant in two steps", "x + 16777216 + 1 - 16777216", (x) => f(f(f(x + 16777216) + 1) - 16777216)],
    ["what is lost of y", "(x + y) - x", (x, y) => f(f(x + y) - x)],
    ["what is lost of x", "(x + y) - y", (x, y) => f(f(x + y) - y)],
    [
      "the error of a sum (Knuth)",
      "let s = x + y\n let b = s - x\n return (x - (s - b)) + (y - b)",
      (x, y) => {
        const s = f(x + y);
        const b = f(s - x);
        return f(f(x - f(s - b)) + f(y - b));
      },
    ],
    [
      "the high half (Veltkamp)",
      "let c = 4097 * x\n return c - (c - x)",
      (x) => {
        const c = f(4097 * x);
        return f(c - f(c - x));
      },
    ],
    [
      "one step of Kahan's sum",
      "let t = x + y\n let e = (t - x) - y\n return t - e",
      (x, y) => {
        const t = f(x + y);
        return f(t - f(f(t - x) - y));
      },
    ],
    ["1 + x, then without the 1", "(1 + x) - 1", (x) => f(f(1 + x) - 1)],
  ];
  test.each(formulas)("%s", async (_, text, want) => {
    const body = text.startsWith("let") ? `{\n ${text}\n}` : `= ${text}`;
    const got = await device(`export fn f(x: f32[B], y: f32[B], c: f32) -> f32[B] ${body}`, { x, y, c: 12582912 });
    expect(got.map((v) => v + 0)).toEqual(x.map((v, i) => want(f(v), f(y[i]!)) + 0));
  });
  test("Kahan's sum in a loop finds what single additions lose", async () => {
    const x = [1e8, ...Array.from({ length: 999 }, () => 1.5)];
    const text = `export fn f(x: f32[1000]) -> (f32, f32) {
  let (s, c) = fold (v in x; s = 0.0, c = 0.0) {
    let y = v - c
    let t = s + y
    next c = (t - s) - y
    next s = t
  }
  return (s, c)
}`;
    const [s, c] = await device(text, { x });
    expect(Math.abs(s! - c! - (1e8 + 1498.5))).toBeLessThanOrEqual(8);
    expect(Math.abs(s! - (1e8 + 1498.5))).toBeLessThanOrEqual(8);
  });
});

test("constants are put together as f32 holds them", async () => {
  await expectValues("export fn f(x: f32[1]) -> f32[1] = x + 3e38 * 10", { x: [0] }, [3.4028234663852886e38], 1e-6);
  await expectValues("export fn f(x: f32[1]) -> f32[1] = x * exp(100.0)", { x: [1] }, [3.4028234663852886e38], 1e-6);
  await expectValues("export fn f(x: f32[1]) -> f32[1] = x + floor(164.0 / 41.0)", { x: [0] }, [4], 0);
});
