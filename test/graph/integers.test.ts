// Integer algebra against two's complement: whatever the constructors make of a formula has the formula's value, and bounds hold it.
// Brute force over all small ranges, and values at the ends of i32.
import fc from "fast-check";
import { expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { compute, source } from "../../compiler/graph/node.ts";
import {
  add,
  call,
  equal,
  exactly,
  fits,
  floorDiv,
  integer,
  interval,
  less,
  lessEqual,
  load,
  modulo,
  mul,
  neg,
  not,
  provedNonNegative,
  select,
  sub,
  variable,
} from "../../compiler/graph/scalar.ts";
import { simplify } from "../../compiler/rewrite/simplify.ts";
import type { GraphProgram, Integer, Scalar, Source } from "../../compiler/graph/types.ts";
import { functions } from "../../compiler/scalar/table.ts";
import { cases } from "../fuzz/random.ts";
import "./by-hand.ts";

const [least, most] = [-2147483648, 2147483647];
const wrap = (x: bigint): number => Number(BigInt.asIntN(32, x));
const floorOf = (a: number, b: number): number => Math.floor(a / b);

// ---------------------------------------------------------------- bounds of functions

const rows = [...functions.values()].filter(
  (row) => row.bounds && row.operands.every((o) => o === "number" || o === "i32"),
);
const value = (row: (typeof rows)[number], xs: readonly number[]): number =>
  (row.evaluateI32 ?? row.evaluate)(...xs) | 0;
test("functions of i32 have bounds", () =>
  expect(rows.map((r) => r.name).sort()).toEqual([
    "abs",
    "floor_div_dynamic",
    "max",
    "min",
    "modulo_dynamic",
    "mul",
    "sign",
  ]));
test.each(rows)("bounds of $name over all ranges within -5..5, and at the ends of i32", (row) => {
  const small = Array.from({ length: 11 }, (_, i) => i - 5);
  const points = [least, least + 1, least + 2, -46341, -2, -1, 0, 1, 2, 46341, most - 1, most];
  const rangesOf = (xs: readonly number[]): [number, number][] =>
    xs.flatMap((low) => xs.filter((high) => high >= low).map((high): [number, number] => [low, high]));
  for (const xs of [small, points]) {
    const all = rangesOf(xs);
    for (const a of all)
      for (const b of row.operands.length > 1 ? all : [[0, 0] as [number, number]]) {
        if (row.operands[1] === "i32" && b[0] <= 0 && b[1] >= 0) continue; // a divisor that may be 0 is an error
        const found = row.bounds!({ low: a[0], high: a[1] }, { low: b[0], high: b[1] });
        if (!found) continue;
        for (const x of xs.filter((v) => v >= a[0] && v <= a[1]))
          for (const y of row.operands.length > 1 ? xs.filter((v) => v >= b[0] && v <= b[1]) : [0]) {
            const v = value(row, [x, y]);
            if (v < found.low || v > found.high)
              expect.fail(`${row.name}(${x}, ${y}) is ${v}, outside of ${found.low}..${found.high} for ${a} and ${b}`);
          }
      }
  }
});
test("a run-time size has no number for its bound", () => {
  const size = { low: 1, high: Infinity };
  expect(functions.get("mul")!.bounds!(size, { low: 2, high: 2 })).toEqual({ low: 2, high: Infinity });
  expect(functions.get("mul")!.bounds!(size, { low: 100, high: 100 })).toBeUndefined(); // 2^28 * 100 is no i32
  expect(functions.get("mul")!.bounds!(size, size)).toBeUndefined();
  expect(functions.get("modulo_dynamic")!.bounds!({ low: 0, high: 9 }, size)).toEqual({ low: 0, high: 9 });
});

// ---------------------------------------------------------------- formulas

interface Formula {
  readonly e: Scalar;
  readonly want: (at: (leaf: number) => number) => number; // bool: 0 or 1
  readonly text: string;
}
type Build = (leaves: readonly Integer[]) => Formula;
const leaf = fc.nat({ max: 2 }).map((i): Build => (leaves) => ({
  e: leaves[i % leaves.length]!,
  want: (at) => at(i % leaves.length),
  text: "xyz"[i % leaves.length]!,
}));
const constant = fc
  .oneof(
    fc.integer({ min: -9, max: 9 }),
    fc.constantFrom(-64, 16, 97, 65536, 48271, 1 << 30, most, least, least + 1, most - 1),
  )
  .map((k): Build => () => ({ e: integer(k), want: () => k, text: String(k) }));
const divisor = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(10, 16, 64, 97, 65536, 1000003, most));
const formula: fc.Arbitrary<Build> = fc.letrec<{ f: Build }>((tie) => {
  const two = (
    text: string,
    make: (a: Integer, b: Integer) => Scalar,
    want: (a: number, b: number) => number,
  ): fc.Arbitrary<Build> =>
    fc.tuple(tie("f"), tie("f")).map(([f, g]) => (leaves) => {
      const [a, b] = [f(leaves), g(leaves)];
      return {
        e: make(a.e as Integer, b.e as Integer),
        want: (at) => want(a.want(at), b.want(at)),
        text: `(${a.text} ${text} ${b.text})`,
      };
    });
  const one = (text: string, make: (a: Integer) => Scalar, want: (a: number) => number): fc.Arbitrary<Build> =>
    tie("f").map((f) => (leaves) => {
      const a = f(leaves);
      return { e: make(a.e as Integer), want: (at) => want(a.want(at)), text: `${text}(${a.text})` };
    });
  const by = (
    text: string,
    make: (a: Integer, m: number) => Scalar,
    want: (a: number, m: number) => number,
  ): fc.Arbitrary<Build> =>
    fc.tuple(tie("f"), divisor).map(([f, m]) => (leaves) => {
      const a = f(leaves);
      return { e: make(a.e as Integer, m), want: (at) => want(a.want(at), m), text: `(${a.text} ${text} ${m})` };
    });
  const compared = (
    text: string,
    make: (a: Integer, b: Integer) => Scalar,
    want: (a: number, b: number) => boolean,
  ): fc.Arbitrary<Build> =>
    two(
      text,
      (a, b) => call("bool_to_i32", make(a, b)),
      (a, b) => Number(want(a, b)),
    );
  return {
    f: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      leaf,
      constant,
      two("+", add as never, (a, b) => wrap(BigInt(a) + BigInt(b))),
      two("-", sub as never, (a, b) => wrap(BigInt(a) - BigInt(b))),
      two("*", mul as never, (a, b) => wrap(BigInt(a) * BigInt(b))),
      one("-", neg as never, (a) => wrap(-BigInt(a))),
      by("//", floorDiv, floorOf),
      by("%", modulo, (a, m) => a - m * floorOf(a, m)),
      by(
        "// -",
        (a, m) => call("floor_div_dynamic", a, integer(-m)),
        (a, m) => floorOf(a, -m) | 0,
      ),
      by(
        "% -",
        (a, m) => call("modulo_dynamic", a, integer(-m)),
        (a, m) => a + m * floorOf(a, -m),
      ),
      two("max", (a, b) => call("max", a, b), Math.max),
      two("min", (a, b) => call("min", a, b), Math.min),
      one(
        "abs",
        (a) => call("abs", a),
        (a) => Math.abs(a) | 0,
      ),
      compared("<", less, (a, b) => a < b),
      compared("<=", lessEqual, (a, b) => a <= b),
      compared("==", equal, (a, b) => a === b),
      compared(
        "not <",
        (a, b) => not(less(a, b)),
        (a, b) => a >= b,
      ),
      fc.tuple(tie("f"), tie("f"), tie("f"), tie("f")).map(([f, g, h, k]): Build => (leaves) => {
        const [a, b, c, d] = [f(leaves), g(leaves), h(leaves), k(leaves)];
        return {
          e: select(less(a.e as Integer, b.e as Integer), c.e, d.e),
          want: (at) => (a.want(at) < b.want(at) ? c.want(at) : d.want(at)),
          text: `(${a.text} < ${b.text} ? ${c.text} : ${d.text})`,
        };
      }),
    ),
  };
}).f;
const range = fc.oneof(
  fc.tuple(fc.integer({ min: -6, max: 6 }), fc.nat({ max: 7 })).map(([low, n]): [number, number] => [low, low + n]),
  fc.constantFrom<[number, number]>(
    [least, most],
    [0, most],
    [least, 0],
    [most - 3, most],
    [least, least + 3],
    [0, 100000],
    [-65536, 65536],
    [1 << 29, 1 << 30],
  ),
);
const valuesOf = ([low, high]: readonly [number, number]): number[] =>
  high - low < 12
    ? Array.from({ length: high - low + 1 }, (_, i) => low + i)
    : [
        low,
        low + 1,
        high - 1,
        high,
        ...[-46341, -7, -1, 0, 1, 5, 46341, 65535, 50000].filter((x) => x > low && x < high),
      ];

test("random formulas have their values, by their bounds and after simplification", () => {
  fc.assert(
    fc.property(formula, fc.array(range, { minLength: 1, maxLength: 3 }), (build, ranges) => {
      const points = ranges
        .reduce<number[][]>((all, r) => all.flatMap((p) => valuesOf(r).map((v) => [...p, v])), [[]])
        .filter((_, i, { length }) => length <= 400 || i % Math.ceil(length / 400) === 0);
      const sources = ranges.map(([low, high], i) =>
        source({ role: "input", path: `x${i}`, shape: [points.length], dtype: "i32", range: { low, high } }),
      );
      const v = variable(points.length, "p");
      const f = build(sources.map((s) => load(s, [v]) as Integer));
      const e = f.e as Integer;
      const node = compute([v], undefined, e);
      const program: GraphProgram = {
        name: "f",
        inputs: sources,
        dims: [],
        outputs: [{ name: "y", node }],
        updates: [],
      };
      const data = new Map<Source, number[]>(sources.map((s, i) => [s, points.map((p) => p[i]!)]));
      const { low, high } = interval(e);
      const got = [program, simplify(program)].map((p) => evaluate(p, data).outputs.get("y")!);
      points.forEach((p, k) => {
        const want = f.want((i) => p[i]!);
        for (const y of got) if (y[k] !== want) throw new Error(`${f.text} at ${p} is ${y[k]}, not ${want}`);
        if (want < low || want > high) throw new Error(`${f.text} at ${p} is ${want}, outside of ${low}..${high}`);
        if (fits(e) && provedNonNegative(e) && want < 0) throw new Error(`${f.text} at ${p} is ${want}, below 0`);
      });
      if (node.kind === "compute" && node.range && points.some((p) => f.want((i) => p[i]!) < node.range!.low))
        throw new Error(`${f.text}: the node's range`);
      if (!fits(exactly(e))) throw new Error(`${f.text} does not fit even as one thing`);
    }),
    { numRuns: cases(600), seed: 11 },
  );
}, 300_000);
