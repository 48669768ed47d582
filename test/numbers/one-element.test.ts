// Reads with `??` of tensors that have axes of one element, or that hold a scalar: what lies outside of the tensor is what the text says, wherever
// fusion keeps the value (a register, the vector of numbers, a row of a history, a part of a larger tensor). Random programs, linear in x, so that
// the gradient is known as well; the values wanted are computed here.
import { describe, expect, test } from "vitest";
import { random, type Random } from "../fuzz/random.ts";
import { expectValues, valuesOf } from "./values.ts";

type Tensor = { readonly shape: readonly number[]; readonly data: readonly number[] };
const columns = 3;
const total = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);
const row = (x: readonly number[], i: number): number[] => x.slice(columns * i, columns * (i + 1));
const column = (x: readonly number[], j: number): number[] => [x[j]!, x[columns + j]!];
/** Formulas of x: f32[2, 3], each with what it is. */
const makers: readonly (readonly [text: string, (x: readonly number[]) => Tensor])[] = [
  ["sum(x, axis: [0, 1], keep: true)", (x) => ({ shape: [1, 1], data: [total(x)] })],
  ["sum(x, axis: 0, keep: true)", (x) => ({ shape: [1, 3], data: [0, 1, 2].map((j) => total(column(x, j))) })],
  ["mean(x, axis: 1, keep: true)", (x) => ({ shape: [2, 1], data: [0, 1].map((i) => total(row(x, i)) / 3) })],
  ["reshape[1](sum(x))", (x) => ({ shape: [1], data: [total(x)] })],
  ["reshape[1, 1, 1](2 * sum(x))", (x) => ({ shape: [1, 1, 1], data: [2 * total(x)] })],
  ["for i in 0..1: sum over a, b: x[a, b]", (x) => ({ shape: [1], data: [total(x)] })],
  ["for i in 0..1: x[1, 2]", (x) => ({ shape: [1], data: [x[5]!] })],
  ["for i in 0..1: -x[1, 2]", (x) => ({ shape: [1], data: [-x[5]!] })],
  ["for i in 0..1: 7.0", () => ({ shape: [1], data: [7] })],
  ["concat([reshape[1](sum(x)), x[0]])", (x) => ({ shape: [4], data: [total(x), ...row(x, 0)] })],
  ["concat([reshape[1](sum(x)), reshape[1](x[1, 1])])[1..2]", (x) => ({ shape: [1], data: [x[4]!] })],
  ["x[1..2]", (x) => ({ shape: [1, 3], data: row(x, 1) })],
  ["x[:, 2..3]", (x) => ({ shape: [2, 1], data: column(x, 2) })],
  [
    "fold (k in 0..3; h = zeros[1]) { next h = 0.5 * h + reshape[1](sum(x)) }",
    (x) => ({ shape: [1], data: [1.75 * total(x)] }),
  ],
  [
    "scan (k in 0..1; h = zeros[2]) { next h = x[:, 1]  yield 3 * x[:, 0] }",
    (x) => ({ shape: [1, 2], data: column(x, 0).map((v) => 3 * v) }),
  ],
  ["x[0..1] @ ones[3, 1]", (x) => ({ shape: [1, 1], data: [total(row(x, 0))] })],
];
const data = [0, -1, 1, 3, 0, 2];

interface Read {
  readonly text: string;
  readonly at: (i: number, k: number) => number;
}
/** An index of an axis that may lie outside. */
function index(r: Random, inner: boolean): Read {
  const c = r.int(-2, 2);
  const shift = c < 0 ? ` - ${-c}` : ` + ${c}`;
  const choices: Read[] = [
    { text: `i${shift}`, at: (i) => i + c },
    { text: `${Math.abs(c)}`, at: () => Math.abs(c) },
    { text: `d[i]${shift}`, at: (i) => data[i]! + c },
    { text: `1 - i`, at: (i) => 1 - i },
    { text: `i / 2`, at: (i) => (i % 2 ? -9 : i / 2) },
    ...(inner
      ? [
          { text: `k${shift}`, at: (_: number, k: number) => k + c },
          { text: `d[k]`, at: (_: number, k: number) => data[k]! },
          { text: "i + k - 1", at: (i: number, k: number) => i + k - 1 },
        ]
      : []),
  ];
  return choices[r.int(0, choices.length - 1)]!;
}
function program(seed: number): { text: string; of: (x: readonly number[]) => number[] } {
  const r = random(seed);
  const [maker, tensorOf] = makers[r.int(0, makers.length - 1)]!;
  const inner = r.chance(0.5);
  const n = r.chance(0.3) ? 1 : r.int(2, 6);
  const m = r.int(2, 5);
  const { shape } = tensorOf([0, 0, 0, 0, 0, 0]);
  const at = shape.map(() => index(r, inner));
  const outside = r.pick(["10", "0", "-2.5", "inf"]);
  const beyond = outside === "inf" ? 3.4028234663852886e38 : Number(outside);
  const scale = outside === "inf" ? "min(3.0, " : "(";
  const limited = (v: number): number => (outside === "inf" ? Math.min(3, v) : v);
  const read = `${scale}p[${at.map((a) => a.text).join(", ")}] ?? ${outside})`;
  const body = inner ? `sum over k in 0..${m}: f32(k + 1) * ${read}` : read;
  const both = r.chance(0.4); // someone else reads it too
  const text = `fn g(x: f32[2, 3], d: i32[6] in -1..4) -> f32[${n}] {
  let p = ${maker}
  let y = for i in 0..${n}: ${body}
  return ${both ? "y + sum(p)" : "y"}
}
export fn f(x: f32[2, 3], d: i32[6] in -1..4) -> (f32[${n}], f32[2, 3]) {
  let y = g(x, d)
  return (y, grad(sum(for i in 0..${n}: f32(i + 1) * y[i]) + sum(x), wrt: x))
}
`;
  const of = (x: readonly number[]): number[] => {
    const p = tensorOf(x);
    const one = (i: number, k: number): number => {
      let place = 0;
      for (const [a, own] of at.entries()) {
        const e = own.at(i, k);
        if (e < 0 || e >= p.shape[a]!) return limited(beyond);
        place = place * p.shape[a]! + e;
      }
      return limited(p.data[place]!);
    };
    return Array.from(
      { length: n },
      (_, i) =>
        (inner ? total(Array.from({ length: m }, (_, k) => (k + 1) * one(i, k))) : one(i, 0)) +
        (both ? total(p.data) : 0),
    );
  };
  return { text, of };
}

describe("random reads of tensors of one element", () => {
  test.each(Array.from({ length: 12 }, (_, block) => block))(
    "block %i",
    async (block) => {
      for (let k = 0; k < 10; k++) {
        const { text, of } = program(1000 * block + k);
        const x = [0.5, 0.25, -1, 2, 0.75, 1.25]; // sums below 3: `min(3, ..)` keeps its slope
        const value = (y: readonly number[]): number => total(of(y).map((v, i) => (i + 1) * v));
        const slope = x.map((_, j) => (value(x.map((v, i) => v + Number(i === j) * 2 ** -10)) - value(x)) * 2 ** 10); // linear: exact
        await expectValues(
          text,
          { x: [x.slice(0, 3), x.slice(3)], d: data },
          [...of(x), ...slope.map((v) => v + 1)],
          1e-5,
        );
      }
    },
    300_000,
  );
});

test("a scalar in a tensor of one element, by constant, loop index and data", async () => {
  const x = Array(9).fill(1) as number[];
  const p = "let p = sum(x, axis: 0, keep: true)";
  await expectValues(
    `export fn f(x: f32[9]) -> f32[1] {\n ${p}\n return for i in 0..1: sum over k in 0..3: p[k - 1] ?? 10\n}`,
    { x },
    [29],
  );
  await expectValues(
    `export fn f(x: f32[9]) -> f32[3] {\n ${p}\n return for i in 0..3: p[i - 1] ?? 10\n}`,
    { x },
    [10, 9, 10],
  );
  await expectValues(
    `export fn f(x: f32[9], d: i32[3]) -> f32[1] {\n ${p}\n return for i in 0..1: sum over k in 0..3: p[d[k]] ?? 10\n}`,
    { x, d: [1, 0, -1] },
    [29],
  );
});
test("a window larger than what it is over: 1x1 with padding, forward and gradient", async () => {
  const text = `fn g(x: f32[2], w: f32[3]) -> f32[3] {
  let m = sum(x, keep: true)
  return for o in 0..3: sum over k in 0..3: w[k] * (m[o + k - 2] ?? 0)
}
export fn f(x: f32[2], w: f32[3]) -> (f32[3], f32[2], f32[3]) = (g(x, w), grad(sum(g(x, w)), wrt: x), grad(sum(g(x, w)), wrt: w))`;
  await expectValues(text, { x: [1, 2], w: [1, 10, 100] }, [300, 30, 3, 111, 111, 3, 3, 3]);
});
test("a part of a larger tensor ends where it ends", async () => {
  const text = `export fn f(x: f32[4]) -> (f32[8], f32[5]) {
  let a = exp(x)
  let b = tanh(x)
  let c = concat([a, b])
  return (c, for i in 0..5: (a[i] ?? 100) + (b[i - 1] ?? 200))
}`;
  const x = [0, 0.5, 1, -1];
  const a = x.map(Math.exp);
  const b = x.map(Math.tanh);
  const { evaluator } = await valuesOf(text, { x });
  expect(evaluator[0]!.length).toBe(8);
  await expectValues(text, { x }, [...a, ...b, ...[0, 1, 2, 3, 4].map((i) => (a[i] ?? 100) + (b[i - 1] ?? 200))]);
});
