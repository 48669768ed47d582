// Long reductions of numbers near a large one, against f64 and an error bound: whatever order a kernel sums in, blocked, pairwise or compensated.
import type { ProgramCase } from "./check.ts";
import { random } from "./random.ts";

type Row = readonly number[];
const sum = (x: Row): number => x.reduce((a, b) => a + b, 0);
const mean = (x: Row): number => sum(x) / x.length;
const variance = (x: Row, correction: number): number =>
  ((m) => sum(x.map((v) => (v - m) ** 2)) / (x.length - correction))(mean(x));
const reductions: readonly {
  readonly text: (x: string, axis: number) => string;
  readonly value: (x: Row) => number;
  readonly least?: number;
}[] = [
  { text: (x, axis) => `sum(${x}, axis: ${axis})`, value: sum },
  { text: (x, axis) => `mean(${x}, axis: ${axis})`, value: mean },
  { text: (x, axis) => `mean(${x}^2, axis: ${axis})`, value: (x) => mean(x.map((v) => v * v)) },
  { text: (x, axis) => `var(${x}, axis: ${axis})`, value: (x) => variance(x, 1), least: 2 },
  { text: (x, axis) => `std(${x}, axis: ${axis}, correction: 0)`, value: (x) => Math.sqrt(variance(x, 0)) },
  {
    text: (x, axis) => `logsumexp(${x}, axis: ${axis})`,
    value: (x) =>
      ((m) => m + Math.log(sum(x.map((v) => Math.exp(v - m)))))(x.reduce((a, b) => Math.max(a, b), -Infinity)),
  },
  { text: (x, axis) => `norm(${x}, axis: ${axis})`, value: (x) => Math.sqrt(sum(x.map((v) => v * v))) },
  {
    text: (x, axis) => `sqrt(mean((${x} - mean(${x}, axis: ${axis}, keep: true))^2, axis: ${axis}))`,
    value: (x) => Math.sqrt(variance(x, 0)),
  },
];
export function sumProgram(seed: number): ProgramCase {
  const r = random(seed);
  const length = r.pick([2, 17, 255, 1000, 4096, 5003, 20_001, 68_921]);
  const others = r.pick([[], [], [3], [2], [2, 3]]);
  const axis = r.int(0, others.length);
  const shape = [...others.slice(0, axis), length, ...others.slice(axis)];
  const near = r.pick([0, 1, 1000, -1000, 0.1]);
  const wide = r.pick([0, 1, 0.01]);
  const data = Array.from({ length: shape.reduce((p, n) => p * n, 1) }, () => Math.fround(near + r.real(-wide, wide)));
  const isRunTime = r.chance(0.6);
  const sizes = shape.map((n, d) => (d === axis && isRunTime ? "N" : String(n)));
  const { text, value } = r.pick(reductions);
  const stride = shape.slice(axis + 1).reduce((p, n) => p * n, 1);
  const rows = Array.from({ length: data.length / length }, (_, p) =>
    Array.from({ length }, (_, k) => data[Math.floor(p / stride) * stride * length + k * stride + (p % stride)]!),
  );
  return {
    kind: "sums",
    text: `export fn f(x: f32[${sizes.join(", ")}]) {\n  let v0 = ${text("x", axis)}\n  return v0\n}\n`,
    inputs: { x: { shape, data } },
    expected: { v0: rows.map(value) },
    // of the sum's size, as sums of every length hold it; deviations are below 1 and have the mean's error: 1e-4 covers 1000 * 2^-23 and its square
    tolerance: /var|std|\^2\)?, axis: \d\)\)$/.test(text("x", 0)) ? 2e-4 : 1e-5,
  };
}
