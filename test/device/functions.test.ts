// Every scalar function that rounds, on the device and against f64: within the bound of its row for random operands over the exponents of f32 where it has a
// value, and exact where it saturates.
import { describe, expect, test } from "vitest";
import { functions } from "../../compiler/scalar/table.ts";
import { valuesOf } from "../numbers/values.ts";
import { numbers } from "../grad/check.ts";

const count = 4096;
const max = 3.4028234663852886e38;
const least = 1.1754943508222875e-38; // what is smaller may become 0
const unit = (seed: number): number[] => numbers(count, seed);
const from = (low: number, high: number, seed: number): number[] =>
  unit(seed).map((u) => Math.fround(low + ((u + 1) / 2) * (high - low)));
/** Magnitudes of 2^low to 2^high, each exponent as often as another. */
const magnitudes = (low: number, high: number, seed: number): number[] =>
  unit(seed).map((u) => Math.fround(2 ** (low + ((u + 1) / 2) * (high - low))));
const signed = (low: number, high: number, seed: number): number[] =>
  magnitudes(low, high, seed).map((x, i) => (unit(seed + 1)[i]! < 0 ? -x : x));
const wide = (seed: number): number[] => signed(-126, 127.9, seed);
/** Numbers within -1 and 1, also close to these. */
const within = (seed: number): number[] =>
  signed(-24, 0, seed).map((x, i) => (i % 2 ? Math.fround(Math.sign(x) * (1 - Math.abs(x))) : x));
/** Powers of every size below the largest number; bases of all sizes, then bases near 1. */
const powers = (bases: readonly number[]): number[][] => [
  [...bases],
  bases.map((x, i) => Math.fround((88 * unit(77)[i]!) / Math.log(x))),
];
const wholes = (seed: number, largest: number): number[] => from(-largest, largest, seed).map(Math.round);

const operands: Readonly<Record<string, readonly (readonly number[][])[]>> = {
  div: [[signed(-63, 63, 1), signed(-63, 63, 3)]], // WGSL: of divisors from 2^-126 to 2^126
  exp: [[from(-87, 88.7, 1)], [signed(-126, 5, 3)]],
  log: [
    [magnitudes(-126, 127.9, 1)],
    [from(0.5, 2, 2)],
    [magnitudes(-149, -126, 1)],
    [within(5).map((x) => Math.fround(1 + x / 1000))],
  ],
  log2: [[magnitudes(-126, 127.9, 1)], [from(0.5, 2, 2)], [Array.from({ length: 254 }, (_, i) => 2 ** (i - 126))]],
  log10: [[magnitudes(-126, 127.9, 1)], [from(0.5, 2, 2)], [Array.from({ length: 11 }, (_, i) => 10 ** i)]],
  log1p: [[from(-0.99999, 3, 1)], [signed(-126, -1, 2)], [magnitudes(-20, 127.9, 3)]],
  expm1: [[from(-90, 88.7, 1)], [signed(-126, 1, 2)]],
  sqrt: [[magnitudes(-126, 127.9, 1)]],
  sin: [
    [wide(1)],
    [from(-10, 10, 2)],
    [from(-9000, 9000, 3)],
    [wholes(4, 60000).map((k) => Math.fround((k * Math.PI) / 2))],
  ],
  cos: [
    [wide(1)],
    [from(-10, 10, 2)],
    [from(-9000, 9000, 3)],
    [wholes(4, 60000).map((k) => Math.fround((k * Math.PI) / 2))],
  ],
  tan: [
    [wide(1)],
    [from(-10, 10, 2)],
    [from(-9000, 9000, 3)],
    [wholes(4, 60000).map((k) => Math.fround((k * Math.PI) / 2))],
  ],
  asin: [[within(1)]],
  acos: [[within(1)]],
  atan: [[wide(1)], [from(-4, 4, 2)]],
  sinh: [[from(-89.4, 89.4, 1)], [signed(-126, 2, 2)]],
  cosh: [[from(-89.4, 89.4, 1)], [signed(-126, 2, 2)]],
  tanh: [[wide(1)], [from(-12, 12, 2)]],
  sigmoid: [[from(-86, 100, 1)], [wide(2).map((x) => Math.max(x, -86))]],
  erf: [[wide(1)], [from(-12, 12, 2)]],
  lgamma: [
    [from(1e-3, 20, 1)],
    [magnitudes(-100, 121, 2)],
    [from(-9, -1e-3, 3).map((x) => Math.floor(x) + 0.25)],
    [from(-1000, 0, 4).map((x) => Math.floor(x) + 0.625)],
  ],
  digamma: [
    [from(1e-2, 20, 1)],
    [magnitudes(-100, 127, 2)],
    [from(-9, -1e-3, 3).map((x) => Math.floor(x) + 0.25)],
    [from(-1000, 0, 4).map((x) => Math.floor(x) + 0.625)],
  ],
  polygamma: [1, 2, 5].map((n) => [from(1e-2, 30, n).map(() => n), from(1e-2, 30, n)]),
  pow: [
    powers(magnitudes(-126, 127.9, 1)),
    powers(magnitudes(-20, -1, 2).map((x) => Math.fround(1 + x))),
    powers(magnitudes(-20, -1, 3).map((x) => Math.fround(1 - x))),
    [signed(-3, 3, 4), wholes(6, 25)],
    [wide(5), wide(6).map(() => 0)],
    [from(0, 1, 5).map(() => 0), from(-5, 5, 6).map((y) => y || 1)],
    [from(0, 1, 5).map(() => 1), wide(6)],
    [wide(5).map(Math.abs), wide(6)],
  ],
  atan2: [
    [signed(-50, 50, 1), signed(-50, 50, 3)],
    [from(-1, 1, 5), from(-1, 1, 6)],
    [wide(7), wide(8).map(() => 0)],
  ],
  logaddexp: [
    [from(-20, 20, 1), from(-20, 20, 2)],
    [wide(3), wide(4)],
    [from(-3, 3, 5), from(-3, 3, 5)],
  ],
};
const rows = [...functions.values()].filter((f) => f.error);
test("every function that rounds has operands here", () =>
  expect(rows.map((f) => f.name).filter((name) => !operands[name])).toEqual([]));
describe.each(rows.map((f) => [f.name, f] as const))("%s", (name, f) => {
  test.each((operands[name] ?? []).map((xs, i) => [i, xs] as const))(
    "is within the bound of its row: operands %d",
    async (_, xs) => {
      const n = xs[0]!.length;
      const args = xs.map((_, i) => "abc"[i]!);
      const call = name === "div" ? "a / b" : name === "pow" ? "a^b" : `${name}(${args.join(", ")})`;
      const { device } = await valuesOf(
        `export fn f(${args.map((a) => `${a}: f32[${n}]`).join(", ")}) -> f32[${n}] = ${call}`,
        Object.fromEntries(args.map((a, i) => [a, xs[i]!])),
      );
      const { relative, absolute = 0 } = f.error!;
      for (let i = 0; i < n; i++) {
        const exact = f.evaluate(...xs.map((x) => x[i]!));
        const want = Math.min(Math.max(exact, -max), max);
        const error = Math.abs(device[0]![i]! - want);
        const bound = Math.max(2 * least, relative * Math.abs(want) + absolute);
        if (!(error <= bound))
          expect.fail(
            `${name}(${xs.map((x) => x[i]).join(", ")}) is ${device[0]![i]}, not ${exact}: off by ${error}, more than ${bound}`,
          );
      }
    },
  );
});
test.each(["tanh", "erf"])("%s is 1 exactly where it saturates: 1 - y^2 times a large x is 0 there", async (name) => {
  const x = [9.6, -9.6, 30, -1e10];
  const { device } = await valuesOf(`export fn f(x: f32[4]) -> f32[4] = ${name}(x)`, { x });
  expect(device[0]).toEqual(x.map(Math.sign));
});
