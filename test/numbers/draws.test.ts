// Draws against their distributions: frequencies by chi-square, moments, tails, neighbours, and the ends of every range. All of them are functions
// of the seed, so that a bound that holds once holds always; bounds are 5 standard deviations of what is measured.
import { expect, test } from "vitest";
import { generator, shuffle } from "../../runtime/batches.ts";
import { onDevice, ownTarget } from "./long.ts";

const many = 10_000_000;
const draw = async (of: string, n = many, seed = 1, type = "f32"): Promise<ArrayLike<number>> =>
  (await onDevice(`export fn f() -> ${type}[${n}] = ${of}[${n}]`, { seed }, await ownTarget()))["f"]!;

/** Chi-square of counts as standard deviations from its mean, by the approximation of Wilson and Hilferty. */
function deviation(counts: ArrayLike<number>, expected: (k: number) => number): number {
  let x = 0;
  for (let k = 0; k < counts.length; k++) x += (counts[k]! - expected(k)) ** 2 / expected(k);
  const d = counts.length - 1;
  return (Math.cbrt(x / d) - (1 - 2 / (9 * d))) / Math.sqrt(2 / (9 * d));
}
const histogram = (x: ArrayLike<number>, bins: number, of: (v: number) => number): Uint32Array => {
  const counts = new Uint32Array(bins);
  for (let i = 0; i < x.length; i++) counts[of(x[i]!)]!++;
  return counts;
};
const expectFit = (counts: ArrayLike<number>, expected: (k: number) => number, what: string): void =>
  expect(Math.abs(deviation(counts, expected)), what).toBeLessThan(5);
/** The mean of f over x lies within 5 deviations of `want`, where one value deviates by `spread`. */
function expectMean(
  x: ArrayLike<number>,
  f: (v: number, i: number) => number,
  want: number,
  spread: number,
  what: string,
): void {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += f(x[i]!, i);
  expect(Math.abs(sum / x.length - want), what).toBeLessThan((5 * spread) / Math.sqrt(x.length));
}

test("uniform: frequencies, bits, moments, neighbours", async () => {
  const u = await draw("uniform");
  const [high, low, pairs, bits] = [
    new Uint32Array(4096),
    new Uint32Array(4096),
    new Uint32Array(4096),
    new Uint32Array(24),
  ];
  for (let i = 0; i < many; i++) {
    const word = u[i]! * 2 ** 24;
    high[word >> 12]!++;
    low[word & 4095]!++;
    if (i % 2) pairs[((u[i - 1]! * 64) << 6) + ((u[i]! * 64) | 0)]!++;
    if (i % 8 === 0) for (let b = 0; b < 24; b++) bits[b]! += (word >> b) & 1;
  }
  expectFit(high, () => many / 4096, "high bits");
  expectFit(low, () => many / 4096, "low bits");
  expectFit(pairs, () => many / 2 / 4096, "pairs");
  bits.forEach((ones, b) => expect(Math.abs(ones - many / 16), `bit ${b}`).toBeLessThan(2.5 * Math.sqrt(many / 8)));
  const some = (u as Float32Array).subarray(0, 2_000_000);
  expectMean(u, (v) => v, 0.5, Math.sqrt(1 / 12), "mean");
  expectMean(u, (v) => (v - 0.5) ** 2, 1 / 12, Math.sqrt(1 / 180), "variance");
  for (const lag of [1, 2, 4, 64]) expectMean(some, (v, i) => (v - 0.5) * (u[i + lag]! - 0.5), 0, 1 / 12, `lag ${lag}`);
}, 300_000);
test("other seeds, sites and rounds are other streams", async () => {
  const n = 1_000_000;
  const [a] = [await draw("uniform", n)];
  const others = [await draw("uniform", n, 2), await draw("uniform", n, -1)];
  const two = await onDevice(
    `export fn f() -> f32[${n}] { let u = uniform[${n}]  return uniform[${n}] * (u + 1) - uniform[${n}] * u }\nexport fn g() -> f32[4, ${n / 4}] = scan (k in 0..4; h = 0.0) { yield uniform[${n / 4}] }`,
    { seed: 1 },
  );
  others.push(two["g"]!);
  for (const other of others) expectMean(a!, (v, i) => (v - 0.5) * (other[i]! - 0.5), 0, 1 / 12, "correlation");
  const g = two["g"]!;
  for (let k = 1; k < 4; k++)
    expectMean(
      Array.from({ length: n / 4 }, (_, i) => i),
      (i) => (g[i]! - 0.5) * (g[i + (k * n) / 4]! - 0.5),
      0,
      1 / 12,
      `round ${k}`,
    );
}, 300_000);
test.each([
  ["uniform(1, 2)", 1, 2],
  ["uniform(1000, 1001)", 1000, 1001],
  ["uniform(-0.1, 0.1)", -0.1, 0.1],
  ["(uniform() + 1000)", 1000, 1001],
  ["uniform(1, -1000)", 1, -1000],
  ["(-1 * uniform(1000, 1001))", -1000, -1001],
])(
  "%s never gives its upper end",
  async (of, low, high) => {
    const u = await draw(of, 1_000_000);
    const [from, to] = [Math.fround(low), Math.fround(high)];
    let met = 0;
    for (let i = 0; i < u.length; i++)
      if (to > from ? !(u[i]! >= from && u[i]! < to) : !(u[i]! <= from && u[i]! > to)) met++;
    expect(met).toBe(0);
    expectMean(u, (v) => v, (low + high) / 2, Math.abs(high - low) / Math.sqrt(12), "mean");
  },
  300_000,
);

/** The normal distribution function's upper tail. */
const tail = (z: number): number => {
  // continued fraction for z > 2, else Simpson
  if (z > 2) {
    let f = z;
    for (let k = 60; k > 0; k--) f = z + k / f;
    return Math.exp((-z * z) / 2) / (Math.sqrt(2 * Math.PI) * f);
  }
  const density = (t: number): number => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  const steps = 2000;
  let sum = density(0) + density(z);
  for (let i = 1; i < steps; i++) sum += density((z * i) / steps) * (i % 2 ? 4 : 2);
  return 0.5 - (sum * z) / steps / 3;
};
test("normal: moments, frequencies, tails to 5 deviations, neighbours", async () => {
  const x = await draw("normal");
  expectMean(x, (v) => v, 0, 1, "mean");
  expectMean(x, (v) => v * v, 1, Math.SQRT2, "variance");
  expectMean(x, (v) => v * v * v, 0, Math.sqrt(15), "third moment");
  expectMean(x, (v) => v * v * v * v, 3, Math.sqrt(96), "fourth moment");
  const edges = Array.from({ length: 81 }, (_, k) => (k - 40) / 10);
  const above = edges.map((z) => (z >= 0 ? tail(z) : 1 - tail(-z)));
  expectFit(
    histogram(x, 82, (v) => Math.max(0, Math.min(81, Math.floor(v * 10 + 41)))),
    (k) => many * ((k ? above[k - 1]! : 1) - (k < 81 ? above[k]! : 0)),
    "frequencies",
  );
  const limits = [3, 3.5, 4, 4.5, 5];
  const beyond = limits.map(() => [0, 0] as [number, number]);
  for (let i = 0; i < many; i++) {
    const v = x[i]!;
    if (v > 3 || v < -3) limits.forEach((z, k) => void (Math.abs(v) > z && beyond[k]![v > 0 ? 1 : 0]++));
  }
  limits.forEach((z, k) =>
    beyond[k]!.forEach((n) =>
      expect(Math.abs(n - many * tail(z)), `beyond ${z}: ${n} of ${many * tail(z)}`).toBeLessThan(
        5 * Math.sqrt(many * tail(z)) + 1,
      ),
    ),
  );
  const some = (x as Float32Array).subarray(0, 2_000_000);
  for (const lag of [1, 2, 4]) expectMean(some, (v, i) => v * x[i + lag]!, 0, 1, `lag ${lag}`);
}, 300_000);
test("bernoulli: rates, also those that 24 bits do not resolve; never at 0, always at 1", async () => {
  const rates = [0.5, 0.1, 0.999, 1e-3, 2 ** -16, 1e-5, 1e-6, 0, 1];
  const count = (p: number): number => (p > 0 && p < 1e-4 ? 4_000_000 : 400_000);
  const text = rates.map((p, k) => `export fn f${k}() -> i32 = sum(bernoulli(${p})[${count(p)}] > 0.5)`).join("\n");
  const got = await onDevice(text, { seed: 1 }, await ownTarget());
  rates.forEach((p, k) => {
    const ones = got[`f${k}`]![0]!;
    const n = count(p);
    expect(Math.abs(ones - n * p), `${ones} of ${n * p}`).toBeLessThanOrEqual(
      p === 0 || p === 1 ? 0 : 5 * Math.sqrt(n * p * (1 - p)) + 1,
    );
  });
}, 300_000);
test("randint: ranges from 2 values to all of i32", async () => {
  const ranges: [number, number][] = [
    [0, 2],
    [-3, 4],
    [0, 1000],
    [0, 65536],
    [0, 65537],
    [-500_000, 500_000],
    [0, 16_777_216],
    [0, 33_554_432],
    [0, 1e9],
    [-1_500_000_000, 1_500_000_000],
    [-2147483648, 2147483647],
    [-2147483648, 2147483648],
  ];
  for (const [low, high] of ranges) {
    const x = await draw(`randint(${low}, ${high})`, 400_000, 3, "i32");
    const width = high - low;
    let [least, most] = [Infinity, -Infinity];
    for (let i = 0; i < x.length; i++) [least, most] = [Math.min(least, x[i]!), Math.max(most, x[i]!)];
    expect(least).toBeGreaterThanOrEqual(low);
    expect(most).toBeLessThan(high);
    const bins = Math.min(width, 1000);
    const size = (k: number): number => Math.ceil(((k + 1) * width) / bins) - Math.ceil((k * width) / bins);
    expectFit(
      histogram(x, bins, (v) => Math.floor(((v - low) * bins) / width)),
      (k) => (x.length * size(k)) / width,
      `${low}..${high}: high`,
    );
    // the low bits are no multiples of anything
    if (width >= 65536 * 64)
      expectFit(
        histogram(x, 256, (v) => v & 255),
        () => x.length / 256,
        `${low}..${high}: low bits`,
      );
  }
}, 300_000);
test("randint by bounds that the run knows, and as an index", async () => {
  const n = 100_000;
  const got = await onDevice(
    `export fn f(lo: i32, hi: i32) -> i32[${n}] = randint(lo, hi)[${n}]\nexport fn g(t: f32[100000]) -> f32[${n}] = t[randint(0, 100000)[${n}]]`,
    {
      seed: 5,
      lo: -2_000_000_000,
      hi: 2_000_000_000,
      t: { data: Float32Array.from({ length: 100_000 }, (_, i) => i), shape: [100_000] },
    },
  );
  expectMean(got["f"]!, (v) => v, -0.5, 4e9 / Math.sqrt(12), "mean");
  expectFit(
    histogram(got["f"]!, 100, (v) => Math.floor(((v + 2e9) * 100) / 4e9)),
    () => n / 100,
    "frequencies",
  );
  expectFit(
    histogram(got["g"]!, 100, (v) => Math.floor(v / 1000)),
    () => n / 100,
    "indices",
  );
});
test("categorical: frequencies, classes of probability 0, and long lists", async () => {
  const n = 200_000;
  const p = [0.5, 0, 0.2, 1e-3, 0.299, 0];
  const least = -3.4028234663852886e38;
  const logits = Float32Array.from(p, (v) => (v ? Math.log(v) : least));
  const got = await onDevice(`export fn f(l: f32[6]) -> i32[${n}] = categorical(for b in 0..${n}, k: l[k])`, {
    seed: 7,
    l: { data: logits, shape: [6] },
  });
  const counts = histogram(got["f"]!, 6, (v) => v);
  p.forEach((v, k) =>
    expect(Math.abs(counts[k]! - n * v), `class ${k}: ${counts[k]}`).toBeLessThanOrEqual(
      5 * Math.sqrt(n * v * (1 - v)),
    ),
  );
  const long = await onDevice(`export fn g(l: f32[100000]) -> i32[100] = categorical(for b in 0..100, k: l[k])`, {
    seed: 9,
    l: { data: Float32Array.from({ length: 100_000 }, (_, i) => (i % 2 ? 0 : Math.log(3))), shape: [100_000] },
  });
  const places = long["g"]!;
  expectMean(places, (v) => v % 2, 0.25, Math.sqrt(3) / 4, "odd classes");
  expectMean(places, (v) => v / 100_000, 0.5, Math.sqrt(1 / 12), "places");
}, 300_000);
test("shuffles of the host: every place for every row, and neighbours", () => {
  const [rows, rounds] = [20, 20_000];
  const counts = new Uint32Array(rows * rows);
  const pairs = new Uint32Array(rows * rows);
  for (let e = 0; e < rounds; e++) {
    const order = shuffle(
      Int32Array.from({ length: rows }, (_, i) => i),
      generator(3, e + 0x10001),
    );
    order.forEach((r, i) => counts[i * rows + r]!++);
    for (let i = 0; i + 1 < rows; i++) pairs[order[i]! * rows + order[i + 1]!]!++;
  }
  expectFit(counts, () => rounds / rows, "places");
  const off = [...pairs].filter((_, i) => i % (rows + 1) !== 0);
  expectFit(off, () => rounds / rows, "neighbours");
});
