// i32 wraps: ranges, proofs and index algebra know it. Expected values are those of two's complement in plain JavaScript.
import { expect, test } from "vitest";
import { errorsOf, expectValues } from "./values.ts";

const ends = [
  -2147483648, -2147483647, -1073741824, -65537, -7, -3, -1, 0, 1, 2, 6, 41, 46341, 65536, 1073741823, 2147483646,
  2147483647,
];
const modulo = (a: number, b: number): number => (a - b * Math.floor(a / b)) | 0;
const divide = (a: number, b: number): number => Math.floor(a / b) | 0;
const wrap = (x: number | bigint): number => Number(BigInt.asIntN(32, BigInt(x)));

// ---------------------------------------------------------------- % and //

const divisors = [1, 2, 3, 7, 10, 64, 97, 65536, 1000003, 2147483647, -1, -2, -4, -7, -2147483648];
test.each(["", " in -5..2147483647", " in -2147483648..0", " in 0..2147483647"])(
  "%% and // by constants of an i32%s",
  async (range) => {
    const [low, end] = /(-?\d+)\.\.(-?\d+)/.exec(range)?.slice(1).map(Number) ?? [-Infinity, Infinity];
    const values = ends.filter((x) => x >= low! && x < end!);
    for (const d of divisors) {
      const text = `export fn f(a: i32[B]${range}) = (a % ${d}, a // ${d})`;
      await expectValues(
        text,
        { a: values },
        [...values.map((a) => modulo(a, d)), ...values.map((a) => divide(a, d))],
        0,
      );
    }
  },
  300_000,
);
test("% and // by data", async () => {
  const pairs = ends.flatMap((a) => [1, 2, 7, 2147483647].map((b) => [a, b] as const));
  const a = pairs.map((p) => p[0]);
  await expectValues(
    "export fn f(a: i32[N], b: i32[N] in 1..2147483648) = (a % b, a // b)",
    { a, b: pairs.map((p) => p[1]) },
    [...pairs.map(([x, y]) => modulo(x, y)), ...pairs.map(([x, y]) => divide(x, y))],
    0,
  );
  await expectValues(
    "export fn f(a: i32[N], b: i32[N] in -2147483648..0) = (a % b, a // b)",
    { a, b: pairs.map((p) => -p[1]) },
    [...pairs.map(([x, y]) => modulo(x, -y)), ...pairs.map(([x, y]) => divide(x, -y))],
    0,
  );
});
test("a remainder has the divisor's sign and is below it in size", async () => {
  const d = [-9, -4, -1, 0, 1, 3, 4, 7];
  const rest = d.map((x) => modulo(x, -4));
  await expectValues(
    "export fn f(d: i32[8]) = (max(d % -4, -1), i32(d % -4 < 0), min(d % -4, -3), abs(d % -4))",
    { d },
    [
      rest.map((x) => Math.max(x, -1)),
      rest.map((x) => Number(x < 0)),
      rest.map((x) => Math.min(x, -3)),
      rest.map(Math.abs),
    ],
    0,
  );
});

// ---------------------------------------------------------------- sums and products that leave i32

interface Unary {
  readonly text: string;
  readonly want: (x: number) => number;
}
const formulas: Unary[] = [
  { text: "x + 1", want: (x) => wrap(x + 1) },
  { text: "-x", want: (x) => wrap(-x) },
  { text: "x * x", want: (x) => wrap(BigInt(x) * BigInt(x)) },
  { text: "x^3", want: (x) => wrap(BigInt(x) ** 3n) },
  { text: "x * 48271 * 48271 * 48271 * 48271", want: (x) => wrap(BigInt(x) * 48271n ** 4n) },
  { text: "(x * 2) // 2", want: (x) => divide(wrap(x * 2), 2) },
  { text: "(x * 4 + 2) // 4", want: (x) => divide(wrap(x * 4 + 2), 4) },
  { text: "(x * 2) % 4", want: (x) => modulo(wrap(x * 2), 4) },
  { text: "(x + 2147483647) // 10", want: (x) => divide(wrap(x + 2147483647), 10) },
  { text: "(x * 48271) % 97", want: (x) => modulo(wrap(x * 48271), 97) },
  { text: "(x * 48271) // 97", want: (x) => divide(wrap(x * 48271), 97) },
  { text: "(x * x) % 10", want: (x) => modulo(wrap(BigInt(x) * BigInt(x)), 10) },
  { text: "(x * x * x) % 7", want: (x) => modulo(wrap(BigInt(x) ** 3n), 7) },
  { text: "(x - 2147483647) % -7", want: (x) => modulo(wrap(x - 2147483647), -7) },
  { text: "(x // 3 * 3 + x % 3) - x", want: () => 0 },
  { text: "(x + 1) // 3 * 3 + (x + 1) % 3", want: (x) => wrap(x + 1) },
  { text: "((x * 3) // 65536) // 65536", want: (x) => divide(divide(wrap(x * 3), 65536), 65536) },
  { text: "(x // 65536) // 65536", want: (x) => divide(divide(x, 65536), 65536) },
  { text: "i32(x + 1 > x)", want: (x) => Number(wrap(x + 1) > x) },
  { text: "i32(x - 1 < x)", want: (x) => Number(wrap(x - 1) < x) },
  { text: "i32(x * 2 >= x)", want: (x) => Number(wrap(x * 2) >= x) },
  { text: "i32(-x < 0)", want: (x) => Number(wrap(-x) < 0) },
  { text: "i32(-x - 1 >= 0)", want: (x) => Number(wrap(-x - 1) >= 0) },
  { text: "i32(-(x + 1) > 0)", want: (x) => Number(wrap(-wrap(x + 1)) > 0) },
  { text: "i32(x * 2 < 0 or 0 > -1 - x)", want: (x) => Number(wrap(x * 2) < 0 || wrap(-1 - x) < 0) },
  { text: "i32(x > 5)", want: (x) => Number(x > 5) },
  { text: "i32(x < -2147483647)", want: (x) => Number(x < -2147483647) },
  { text: "i32(x >= 5 and x >= -5)", want: (x) => Number(x >= 5) },
  { text: "i32(5 >= x or not (x <= 2147483646))", want: (x) => Number(x <= 5 || x > 2147483646) },
  { text: "i32(x + 1 == -2147483648)", want: (x) => Number(wrap(x + 1) === -2147483648) },
  { text: "i32(2 * x == 4)", want: (x) => Number(wrap(2 * x) === 4) },
  { text: "i32(4 * x == 2)", want: () => 0 },
  { text: "max(x + 1, x)", want: (x) => Math.max(wrap(x + 1), x) },
  { text: "min(x * 2, x)", want: (x) => Math.min(wrap(x * 2), x) },
  { text: "abs(x)", want: (x) => wrap(Math.abs(x)) },
  { text: "abs(x - 1)", want: (x) => wrap(Math.abs(wrap(x - 1))) },
  { text: "sign(x * 3)", want: (x) => Math.sign(wrap(x * 3)) },
  { text: "max(abs(x), 0) % 5", want: (x) => modulo(Math.max(wrap(Math.abs(x)), 0), 5) },
  { text: "min(max(x + x, 0), 9)", want: (x) => Math.min(Math.max(wrap(x + x), 0), 9) },
  { text: "where(x > 0, x + 2147483647, x) // 2", want: (x) => divide(x > 0 ? wrap(x + 2147483647) : x, 2) },
  { text: "i32(f32((x * 2) // 16777216))", want: (x) => divide(wrap(x * 2), 16777216) },
  { text: "-2147483648 - x", want: (x) => wrap(-2147483648 - x) },
  { text: "(x + -2147483648) % 1000", want: (x) => modulo(wrap(x - 2147483648), 1000) },
];
const ranges = ["", " in 0..100000", " in -2147483648..2147483648", " in 0..2147483647", " in -65537..65537"];
test.each(ranges)(
  "formulas of an i32%s",
  async (range) => {
    const [low, end] = /(-?\d+)\.\.(-?\d+)/.exec(range)?.slice(1).map(Number) ?? [-Infinity, Infinity];
    const values = [...ends, 50000, 99999].filter((x) => x >= low! && x < end!);
    const text = `export fn f(x: i32[B]${range}) = (${formulas.map((u) => u.text).join(", ")})`;
    await expectValues(
      text,
      { x: values },
      formulas.map((u) => values.map(u.want)),
      0,
    );
  },
  300_000,
);
test("what is compared or indexed by a name is what wraps, not the formula behind the name", async () => {
  const t = [5, 6, 7, 8];
  const text = `export fn f(x: i32[B], t: f32[4]) {
  let y = -x
  let z = x + 1
  return (sum(y < 0), for b: where(y[b] < 0, 1, 0), for b: where(y[b] > 0 and z[b] > 0, 1, 0), for b: t[min(max(y[b], 0), 3)],
    for b: t[2147483647 + z[b]] ?? -1, for b: where(y[b] >= 0 and y[b] < 4, t[y[b]] ?? 9, -1))
}`;
  await expectValues(
    text,
    { x: ends, t },
    [
      ends.filter((x) => wrap(-x) < 0).length,
      ends.map((x) => Number(wrap(-x) < 0)),
      ends.map((x) => Number(wrap(-x) > 0 && wrap(x + 1) > 0)),
      ends.map((x) => t[Math.min(Math.max(wrap(-x), 0), 3)]!),
      ends.map((x) => t[wrap(2147483647 + wrap(x + 1))] ?? -1),
      ends.map((x) => t[wrap(-x)] ?? -1),
    ],
    0,
  );
});
test("sums of i32 wrap, and those of data at one index", async () => {
  await expectValues(
    "export fn f(x: i32[4], to: i32[4] in 0..2) = (sum(x), for i in 0..2: sum over j in 0..4: where(to[j] == i, x[j], 0))",
    { x: [2147483647, 1, 5, 2147483647], to: [0, 0, 0, 1] },
    [wrap(2147483647 * 2 + 6), wrap(2147483647 + 6), 2147483647],
    0,
  );
});
test("a sum that may have wrapped has no range", async () => {
  await expectValues(
    "export fn f(x: i32[3] in 0..2000000000, t: f32[5]) -> f32 = t[sum(x) % 5]",
    { x: [1999999999, 1999999999, 3], t: [0, 1, 2, 3, 4] },
    modulo(wrap(1999999999 * 2 + 3), 5),
    0,
  );
});

// ---------------------------------------------------------------- indices

const table = Array.from({ length: 97 }, (_, i) => i);
test.each([
  ["x[b] * x[b]", (x: number) => wrap(BigInt(x) * BigInt(x))],
  ["x[b] * 48271", (x: number) => wrap(BigInt(x) * 48271n)],
  ["x[b] * x[b] * x[b]", (x: number) => wrap(BigInt(x) ** 3n)],
  ["x[b] + 2147483000", (x: number) => wrap(x + 2147483000)],
  ["-x[b] * 30000", (x: number) => wrap(-x * 30000)],
] as const)("an index (%s) %% 97 never leaves the table", async (formula, value) => {
  const x = [0, 1, 777, 50000, 65536, 99999];
  const text = `export fn f(x: i32[B] in 0..100000, t: f32[97]) -> f32[B] = for b: t[(${formula}) % 97]`;
  await expectValues(
    text,
    { x, t: table },
    x.map((v) => modulo(value(v), 97)),
    0,
  );
});
test("an index that may wrap is an error, or says what is outside", async () => {
  expect(
    errorsOf("export fn f(x: i32[B] in 0..100000, t: f32[97]) -> f32[B] = for b: t[max(x[b] * x[b], 0) - 5]"),
  ).toEqual(["DLM2009"]);
  expect(
    errorsOf("export fn f(x: i32[B] in 0..100000, t: f32[97]) -> f32[B] = for b: t[min(x[b] * 30000, 96)]"),
  ).toEqual(["DLM2009"]);
  const x = [0, 1, 2, 46341, 71583, 80000];
  await expectValues(
    "export fn f(x: i32[B] in 0..100000, t: f32[97]) -> f32[B] = for b: t[x[b] * 60000] ?? -1",
    { x, t: table },
    x.map((v) => table[wrap(v * 60000)] ?? -1),
    0,
  );
  const ids = [-2147483648, -1, 0, 96, 97, 2147483647];
  await expectValues(
    "export fn f(x: i32[B], t: f32[97]) = (for b: t[x[b]] ?? -1, for b: t[96 - x[b]] ?? -1, for b: t[x[b] + x[b]] ?? -1)",
    { x: ids, t: table },
    [
      ids.map((v) => table[v] ?? -1),
      ids.map((v) => table[wrap(96 - v)] ?? -1),
      ids.map((v) => table[wrap(v + v)] ?? -1),
    ],
    0,
  );
});
test("loop indices of long loops wrap as data do", async () => {
  const n = 50000;
  const value = (i: number): number => wrap(BigInt(i) * 48271n * 3n);
  const last = [n - 2, n - 1];
  await expectValues(
    `export fn f() = (for i in ${n - 2}..${n}: (i * 48271 * 3) % 97, for i in ${n - 2}..${n}: (i * 48271 * 3) // 97)`,
    {},
    [last.map((i) => modulo(value(i), 97)), last.map((i) => divide(value(i), 97))],
    0,
  );
  await expectValues(
    `export fn f(t: f32[97]) = sum(for i in 0..${n}: t[(i * i) % 97])`,
    { t: table },
    Array.from({ length: n }, (_, i) => modulo(wrap(BigInt(i) * BigInt(i)), 97)).reduce((a, b) => a + b, 0),
    1e-4,
  );
});
test("counters of loops wrap", async () => {
  await expectValues(
    "export fn f(x: i32[2]) = fold (k in 0..40; h = x) { next h = h * 3 + 1 }",
    { x: [1, -7] },
    [1, -7].map((x) => {
      for (let k = 0; k < 40; k++) x = wrap(BigInt(x) * 3n + 1n);
      return x;
    }),
    0,
  );
  const k = [1, 65536, 2147483647];
  await expectValues(
    `export fn f(k: i32[3], t: f32[97]) {
  let powers = fold (j in 0..3; h = k) { next h = h * h }
  return for i in 0..3: t[powers[i] % 97]
}`,
    { k, t: table },
    k.map((x) => {
      for (let j = 0; j < 3; j++) x = wrap(BigInt(x) * BigInt(x));
      return modulo(x, 97);
    }),
    0,
  );
});

// ---------------------------------------------------------------- constants

test.each([
  "x + 3000000000",
  "x * 2147483648",
  "x - 2147483649",
  "where(x > 0, 4294967296, x)",
  "max(x, 100000 * 100000)",
  "x + 2^31",
  "x // 3000000000",
  "x % 3000000000",
])("a constant that i32 does not have: %s", (formula) => {
  expect(errorsOf(`export fn f(x: i32[B]) -> i32[B] = ${formula}`)).toEqual(["DLM2006"]);
});
test("a loop index by more than i32 has", () =>
  expectValues(
    "export fn f() = (for i in 0..4: (i - 2) // 3000000000, for i in 0..4: i // 3000000000)",
    {},
    [-1, -1, 0, 0, 0, 0, 0, 0],
    0,
  ));
test("constants at the ends of i32", async () => {
  await expectValues(
    "export fn f(x: i32[1]) = (x + 2147483647, x + -2147483648, x - 2147483647, x * -2147483648, for i in 0..1: 2147483647 + x[i])",
    { x: [1] },
    [-2147483648, -2147483647, -2147483646, -2147483648, -2147483648],
    0,
  );
});
test("f32 beyond i32 becomes the nearest f32 that i32 has", async () => {
  await expectValues(
    "export fn f(x: f32[5]) = i32(x)",
    { x: [3e9, -3e9, 1e38, -2.5, 2147483520] },
    [2147483520, -2147483648, 2147483520, -2, 2147483520],
    0,
  );
});
test("what the compiler alone writes has no name in programs", () => {
  for (const call of ["floor_div_dynamic(x, 0)", "modulo_dynamic(x, x)", "wrap_i32(x)", "less_integer(x, x)"])
    expect(errorsOf(`export fn f(x: i32[B]) = ${call}`), call).toEqual(["DLM2001"]);
});
test("numbers made of run-time sizes stay in i32, or the run is refused", async () => {
  const t = table.slice(0, 10);
  const text =
    "export fn f(x: f32[B], t: f32[10]) = (t[min(B * 100000, 9)], f32(-100000 * B), t[min(max(B * B, 1), 9)], f32(size(x) // B))";
  await expectValues(text, { x: [1, 2, 3], t }, [9, -300000, 9, 1], 0);
  const many = Array.from({ length: 30000 }, () => 1);
  await expect(expectValues(text, { x: many, t }, [])).rejects.toThrow(
    /100000 \* B comes out as -?3000000000 where B is 30000; it must be an i32/,
  );
});
test("an index that is below 0 wherever it stands, of a run-time axis", async () => {
  const text =
    "export fn f(b: f32[B, B]) -> f32[B, 4] = for i in 0..B, j in 0..4: max over k in 0..11: b[i, j + k - 5] ?? -9";
  const b = [
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 9],
  ];
  const want = b.flatMap((row) =>
    [0, 1, 2, 3].map((j) => Math.max(...Array.from({ length: 11 }, (_, k) => row[j + k - 5] ?? -9))),
  );
  await expectValues(text, { b }, want);
});
