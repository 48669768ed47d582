// Variances and what stands on them, for data far from 0: as exact as the inputs are, by two passes over differences from a value of the data.
import { expect, test } from "vitest";
import { onDevice, ownTarget } from "./long.ts";

/** Normal deviates from `centre` by 1, rounded to f32. */
function around(centre: number, n: number): Float32Array {
  let s = 5;
  const next = (): number => (s = (Math.imul(s, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  for (let i = 0; i < 10; i++) next();
  return Float32Array.from(
    { length: n },
    () => centre + Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  );
}
const means = new WeakMap<readonly number[], number>();
function meanOf(x: readonly number[]): number {
  if (!means.has(x)) means.set(x, x.reduce((a, b) => a + b, 0) / x.length);
  return means.get(x)!;
}
const squaresOf = (x: readonly number[]): number => x.reduce((a, b) => a + (b - meanOf(x)) ** 2, 0);
const close = (got: ArrayLike<number>, want: readonly number[], tolerance: number, what: string): void =>
  want.forEach((w, i) =>
    expect(Math.abs(got[i]! - w), `${what}[${i}]: ${got[i]} for ${w}`).toBeLessThan(
      tolerance * Math.max(1, Math.abs(w)),
    ),
  );

test.each([0, 1e3, 1e4, 1e5, 1e6])(
  "layers and statistics of values around %d",
  async (centre) => {
    const [rows, c] = [24, 96];
    const x = around(centre, rows * c);
    const text = `model ln(x: f32[B, ${c}]) -> f32[B, ${c}] = x |> LayerNorm(affine: false)
export fn norm_rows(x: f32[B, ${c}]) -> f32[B, ${c}] = ln(x)
export fn slope(x: f32[B, ${c}]) -> f32[B, ${c}] = grad(sum(ln(x)[:, 0..3]), wrt: x)
export fn across(x: f32[B, ${c}]) -> f32[B] = var(x, axis: 1)
export fn down(x: f32[B, ${c}]) -> f32[${c}] = std(x, axis: 0)
export fn whole(x: f32[B, ${c}]) -> f32 = std(x, correction: 0)
export fn fit(x: f32[B, ${c}]) -> f32 = r2(x + 0.5, x)`;
    const got = await onDevice(text, { x: { data: x, shape: [rows, c] } }, await ownTarget());
    const row = (r: number): number[] => Array.from(x.subarray(r * c, r * c + c));
    const column = (j: number): number[] => Array.from({ length: rows }, (_, r) => x[r * c + j]!);
    const all = Array.from(x);
    const deviationOf = (v: readonly number[]): number => Math.sqrt(squaresOf(v) / c + 1e-5);
    const normal = Array.from({ length: rows }, (_, r) => row(r)).map(
      (v) => [v, v.map((a) => (a - meanOf(v)) / deviationOf(v))] as const,
    );
    close(
      got["norm_rows"]!,
      normal.flatMap(([, y]) => y),
      2e-5,
      "LayerNorm",
    );
    // dy/dx for the cotangent w: (w - mean(w) - y mean(w y)) / deviation
    const slopes = normal.flatMap(([v, y]) =>
      y.map((a, i) => (Number(i < 3) - 3 / c - a * ((y[0]! + y[1]! + y[2]!) / c)) / deviationOf(v)),
    );
    close(got["slope"]!, slopes, 2e-5, "its gradient");
    close(
      got["across"]!,
      normal.map(([v]) => squaresOf(v) / (c - 1)),
      2e-5,
      "var",
    );
    close(
      got["down"]!,
      Array.from({ length: c }, (_, j) => Math.sqrt(squaresOf(column(j)) / (rows - 1))),
      2e-5,
      "std",
    );
    close(got["whole"]!, [Math.sqrt(squaresOf(all) / all.length)], 2e-5, "std of all");
    const guess = all.map((a) => Math.fround(a + 0.5));
    close(got["fit"]!, [1 - all.reduce((s, a, i) => s + (a - guess[i]!) ** 2, 0) / squaresOf(all)], 1e-4, "r2");
  },
  300_000,
);

test("a deviation over 68,921 values near 1000, and over many rows", async () => {
  const n = 41 ** 3;
  const x = around(1000, n);
  const all = Array.from(x);
  const text = `export fn two_passes(x: f32[${n}]) -> f32 = mean((x - mean(x))^2)
export fn open(x: f32[N]) -> f32 = mean((x - mean(x))^2)`;
  const grouped = "export fn grouped(x: f32[1, 41, 41, 41]) -> f32[1] = std(x, axis: 1..4, correction: 0)";
  const got = {
    ...(await onDevice(text, { x: { data: x, shape: [n] } }, await ownTarget())),
    ...(await onDevice(grouped, { x: { data: x, shape: [1, 41, 41, 41] } }, await ownTarget())),
  };
  const want = squaresOf(all) / n;
  close(got["two_passes"]!, [want], 1e-5, "two passes");
  close(got["open"]!, [want], 1e-5, "two passes, run-time length");
  close(got["grouped"]!, [Math.sqrt(want)], 1e-5, "std");
}, 300_000);

test("Standardise: long columns, constant ones, tiny ones", async () => {
  const rows = 300_000;
  const columns: ((k: number) => number)[] = [
    (k) => 1000 + ((k * 7919) % 1000) / 1000,
    () => 14.62,
    (k) => 1e-9 * (k % 3),
    () => 0,
    (k) => (k === 7 ? 0.1 : Math.fround(0.1) * (1 + 2 ** -23)),
  ];
  const d = columns.length;
  const seen = Float32Array.from({ length: rows * d }, (_, i) => columns[i % d]!(Math.floor(i / d)));
  const text = `data d { field x: f32[${d}] = host() }
model net(x: f32[B, ${d}]) -> f32[B, ${d}] = x |> Standardise(d.x)
export fn f(x: f32[B, ${d}]) -> f32[B, ${d}] = net(x)`;
  const probe = Float32Array.from([1000.5, 14.62, 1e-9, 0, 0.1, 1001, 20, 2e-9, 3, 1]);
  const got = (
    await onDevice(text, { x: { data: probe, shape: [2, d] } }, await ownTarget(), {
      x: { data: seen, shape: [rows, d] },
    })
  )["f"]!;
  const column = (j: number): number[] => Array.from({ length: rows }, (_, k) => seen[k * d + j]!);
  const want = Array.from(probe, (v, i) => {
    const own = column(i % d);
    const sd = Math.sqrt(squaresOf(own) / (rows - 1));
    return (v - meanOf(own)) / (i % d === 0 || i % d === 2 ? sd : 1);
  });
  close(got, want, 2e-4, "standardised");
}, 300_000);
