// Rules of scalar arithmetic. The constructors of scalars already fold constants, drop 0 and 1, move negations and guards outward and keep
// operands in order; these are the rest. Commutative operands match in both orders, constants stand last.
// Left out on purpose: `a / b -> a * (1 / b)` for a b that varies over fewer axes. It rounds twice, and only the schedule knows whether 1 / b would
// really be computed less often.
import { and, boolean, interval, literal, select as selectOf } from "../graph/scalar.ts";
import type { Integer, Scalar } from "../graph/types.ts";
import { any, build, call, number, select, value, where, type Bindings, type ScalarRule } from "./rule.ts";

const get = (bound: Bindings, name: string): Scalar => bound[name]!;
const numberOf = (bound: Bindings, name: string): number => (bound[name] as { value: number }).value;
const x = any("x");
const y = any("y");
const z = any("z");
const rounding = "one rounding fewer";
/** Whole numbers of this size are exact in f32. */
const exactInF32 = (e: Scalar): boolean => {
  const { low, high } = interval(e as Integer);
  return low >= -(2 ** 24) && high <= 2 ** 24;
};

export const arithmetic: readonly ScalarRule[] = [
  { name: "stop", exact: true, match: call("stop", x), replace: ({ x }) => x! },
  { name: "abs-abs", exact: true, match: call("abs", call("abs", x)), replace: (b) => build("abs", get(b, "x")) },
  { name: "abs-neg", exact: true, match: call("abs", call("neg", x)), replace: (b) => build("abs", get(b, "x")) },
  {
    name: "square-abs",
    exact: true,
    match: call("mul", call("abs", x), call("abs", x)),
    replace: (b) => build("mul", get(b, "x"), get(b, "x")),
  },
  ...["min", "max"].flatMap((fn): ScalarRule[] => [
    { name: `${fn}-same`, exact: true, match: call(fn, x, x), replace: ({ x }) => x! },
    {
      name: `${fn}-constants`,
      exact: true,
      match: call(fn, call(fn, x, number("a")), number("b")),
      replace: (b) => build(fn, get(b, "x"), build(fn, get(b, "a"), get(b, "b"))),
    },
  ]),
  { name: "less-same", exact: true, match: call("less", x, x), replace: () => boolean(false) },
  ...["floor", "ceil", "round"].map((fn): ScalarRule => ({
    name: `${fn}-whole`,
    exact: true,
    match: call(fn, call("to_f32", x)),
    replace: (b) => build("to_f32", get(b, "x")),
  })),
  {
    name: "to_i32-whole",
    exact: true,
    match: where(call("to_i32", call("to_f32", x)), (b) => exactInF32(get(b, "x"))),
    replace: ({ x }) => x!,
  },
  {
    name: "bool-as-select",
    exact: true,
    match: call("bool_to_f32", x),
    replace: (b) => selectOf(get(b, "x"), literal(1), literal(0)),
  },
  {
    name: "select-both",
    exact: true,
    match: select(x, select(y, z, any("w")), any("w")),
    replace: (b) => selectOf(and(get(b, "x"), get(b, "y")), get(b, "z"), get(b, "w")),
  },
  { name: "pow-zero", exact: true, match: call("pow", x, value(0)), replace: () => literal(1) },
  {
    name: "neg-constant-quotient",
    exact: true,
    match: call("neg", call("div", number("a"), x)),
    replace: (b) => build("div", -numberOf(b, "a"), get(b, "x")),
  },

  {
    name: "pow-one",
    exact: false,
    why: "pow of a device is not exact",
    match: call("pow", x, value(1)),
    replace: ({ x }) => x!,
  },
  {
    name: "pow-two",
    exact: false,
    why: "the product rounds once",
    match: call("pow", x, value(2)),
    replace: (b) => build("mul", get(b, "x"), get(b, "x")),
  },
  {
    name: "pow-half",
    exact: false,
    why: "the root rounds once; differs at -0 and -inf",
    match: call("pow", x, value(0.5)),
    replace: (b) => build("sqrt", get(b, "x")),
  },
  {
    name: "pow-minus-one",
    exact: false,
    why: "the quotient rounds once",
    match: call("pow", x, value(-1)),
    replace: (b) => build("div", 1, get(b, "x")),
  },
  {
    name: "sub-same",
    exact: false,
    why: "inf - inf has no value worth keeping",
    match: call("sub", x, x),
    replace: () => literal(0),
  },
  // only where nothing is left to gain from moving 1 / b out of a loop
  {
    name: "times-reciprocal",
    exact: false,
    why: rounding,
    match: where(call("mul", x, call("div", value(1), y)), (b) =>
      [...get(b, "x").variables].every((v) => get(b, "y").variables.has(v)),
    ),
    replace: (b) => build("div", get(b, "x"), get(b, "y")),
  },
  {
    name: "divide-back",
    exact: false,
    why: "differs only where the divisor is 0 or infinite",
    match: call("mul", call("div", x, y), y),
    replace: ({ x }) => x!,
  },
  {
    name: "multiply-back",
    exact: false,
    why: "differs only where the factor is 0 or infinite",
    match: call("div", call("mul", x, y), y),
    replace: ({ x }) => x!,
  },
  {
    name: "by-root",
    exact: false,
    why: rounding,
    match: call("div", x, call("sqrt", x)),
    replace: (b) => build("sqrt", get(b, "x")),
  },
  {
    name: "root-times-root",
    exact: false,
    why: rounding,
    match: call("mul", call("sqrt", x), call("sqrt", x)),
    replace: ({ x }) => x!,
  },
  {
    name: "root-of-square",
    exact: false,
    why: "the square may leave the range of f32, the magnitude does not",
    match: call("sqrt", call("mul", x, x)),
    replace: (b) => build("abs", get(b, "x")),
  },
];
