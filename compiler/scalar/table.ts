// The rows of the table of scalar functions; functions.ts says what a row is. Derivatives are school calculus unless said otherwise;
// conventions at ties and kinks: pairwise max and min give half to each operand, abs and sign have slope 0 at 0.
import { InternalError } from "../../grammar/diagnostic.ts";
import { digamma, erf, logAddExp, logGamma, polygamma, roundHalfEven } from "./special.ts";
import { largestF32, leastI32, mostI32, mostSize } from "./range.ts";
import type { Bounds, Reach, Reached, ScalarFunction } from "./functions.ts";

type Derivative = ScalarFunction["derivative"];
const wide: readonly [number, number] = [-3, 3];
const unary = (
  name: string,
  summary: string,
  evaluate: (x: number) => number,
  derivative: Derivative,
  options: {
    helper?: string; // of the prelude, where WGSL has no function of this name that is good enough
    sample?: readonly [number, number];
    cost?: ScalarFunction["cost"];
    exact?: boolean;
    relative?: number;
    absolute?: number;
  } & Pick<ScalarFunction, "digits" | "reach" | "atMost" | "least" | "steep" | "whole"> = {},
): ScalarFunction => {
  return {
    name,
    summary,
    operands: ["f32"],
    result: "f32",
    evaluate,
    derivative,
    ...(options.helper !== undefined
      ? { wgsl: { call: options.helper }, helpers: [options.helper] }
      : { wgsl: { builtin: name } }),
    sample: [options.sample ?? wide],
    cost: options.cost ?? "fn",
    ...(options.digits ? { digits: options.digits } : {}),
    ...(options.reach ? { reach: options.reach } : {}),
    ...(options.atMost ? { atMost: options.atMost } : {}),
    ...(options.least ? { least: options.least } : {}),
    ...(options.steep !== undefined ? { steep: options.steep } : {}),
    ...(options.whole ? { whole: options.whole } : {}),
    ...(options.exact
      ? { exact: true }
      : { error: { relative: options.relative ?? 0, ...(options.absolute ? { absolute: options.absolute } : {}) } }),
  };
};
const comparison = (
  name: string,
  summary: string,
  operator: "<" | "<=" | "==",
  evaluate: (a: number, b: number) => boolean,
): ScalarFunction => ({
  name,
  summary,
  operands: ["f32", "f32"],
  result: "bool",
  evaluate: (a, b) => Number(evaluate(a!, b!)),
  wgsl: { operator },
  derivative: "zero",
  sample: [wide, wide],
  digits: "read",
  cost: "alu",
});
/** What overflows is the largest number: a slope of 0 times an infinity would be no number. */
const bounded =
  (f: (x: number) => number) =>
  (x: number): number =>
    Math.min(Math.max(f(x), -Number.MAX_VALUE), Number.MAX_VALUE);
/** A logarithm at its pole is the least number of f32, as on a device. */
const poled =
  (f: (x: number) => number) =>
  (x: number): number =>
    Math.max(f(x), -largestF32);
const wrap = (x: number): number => x | 0;

const mostF32OfI32 = 2147483520; // the largest f32 that i32 has

// Bounds of i32 results. An operand's upper bound may be Infinity (a run-time size); what may leave i32 is bounded by nothing.
const corners = (a: Bounds, b: Bounds, f: (x: number, y: number) => number): Bounds | undefined => {
  // run-time sizes have a most, but no number is their bound
  const value = (x: number, y: number): number => f(Math.min(x, mostSize), Math.min(y, mostSize));
  const open = a.high === Infinity || b.high === Infinity;
  const [least, ...rest] = (open ? [value, f] : [f]).map((g) =>
    [g(a.low, b.low), g(a.low, b.high), g(a.high, b.low), g(a.high, b.high)].map((x) => (Number.isNaN(x) ? 0 : x)),
  );
  if (!least!.every((x) => x === wrap(x))) return undefined;
  const values = rest[0] ?? least!;
  return { low: Math.min(...values), high: Math.max(...values) };
};
const quotientBounds = (a: Bounds, b: Bounds): Bounds | undefined =>
  b.low > 0 || b.high < 0 ? corners(a, b, (x, y) => Math.floor(x / y)) : undefined;
/** The sign of the divisor, and below it in size; also no larger than a dividend of the same sign. */
const remainderBounds = (a: Bounds, b: Bounds): Bounds => {
  const low = b.low < 0 ? b.low + 1 : 0;
  const high = b.high > 0 ? b.high - 1 : 0;
  return {
    low: a.low >= 0 && b.low > 0 ? 0 : a.high <= 0 && b.high < 0 ? Math.max(low, a.low) : low,
    high: a.low >= 0 && b.low > 0 ? Math.min(high, a.high) : a.high <= 0 && b.high < 0 ? 0 : high,
  };
};

// Reaches of f32 results.
const same = ({ up, down }: Reached): Reach => ({ up, down });
const isMasked = ({ up, down }: Reach): boolean => up > 0 || down > 0;
/** a times what lies in low..high. */
function scaled({ up, down }: Reach, { low, high }: Bounds): Reach {
  const times = (m: number, k: number): number => (m === 0 || k <= 0 ? 0 : m * k);
  return { up: Math.max(times(up, high), times(down, -low)), down: Math.max(times(up, -low), times(down, high)) };
}
const reciprocal = ({ low, high }: Bounds): Bounds =>
  low === high && low !== 0 ? { low: 1 / low, high: 1 / low } : { low: -Infinity, high: Infinity };
const floorRemainder = (a: number, b: number): number => {
  const r = a % b;
  return r !== 0 && r < 0 !== b < 0 ? r + b : r + 0;
};

// What f32 results are never below, by the bounds of the operands.
type Least = NonNullable<ScalarFunction["least"]>;
const ofLeast: Least = ([a]) => a!.low;
const never =
  (below: number): Least =>
  () =>
    below;

const rows: readonly ScalarFunction[] = [
  {
    name: "add",
    summary: "a + b",
    operands: ["number", "number"],
    result: "same",
    evaluate: (a, b) => a! + b!,
    wgsl: { operator: "+" },
    derivative: ({ b }) => [b.add(1, 0), b.add(1, 0)],
    commutative: true,
    signs: [1, 1],
    sample: [wide, wide],
    digits: "kept",
    reach: (a, b) => ({ up: a!.up + b!.up, down: a!.down + b!.down }),
    least: ([a, b]) => a!.low + b!.low,
    cost: "alu",
  },
  {
    name: "sub",
    summary: "a - b",
    operands: ["number", "number"],
    result: "same",
    evaluate: (a, b) => a! - b!,
    wgsl: { operator: "-" },
    signs: [1, -1],
    derivative: ({ b }) => [b.add(1, 0), b.add(-1, 0)],
    sample: [wide, wide],
    digits: "kept",
    reach: (a, b) => ({ up: a!.up + b!.down, down: a!.down + b!.up }),
    cost: "alu",
  },
  {
    name: "mul",
    summary: "a * b",
    operands: ["number", "number"],
    result: "same",
    evaluate: (a, b) => a! * b!,
    evaluateI32: (a, b) => Math.imul(a!, b!),
    bounds: (a, b) => corners(a!, b!, (x, y) => x * y),
    wgsl: { operator: "*" },
    derivative: ({ x: [a, c] }) => [c!, a!],
    commutative: true,
    sample: [wide, wide],
    digits: "kept",
    reach: (a, b) => (isMasked(a!) ? scaled(a!, b!) : scaled(b!, a!)),
    least: ([a, b], same) =>
      same ? Math.max(a!.low, 0) ** 2 : a!.low >= 0 && b!.low >= 0 ? a!.low * b!.low : -Infinity,
    cost: "alu",
  },
  {
    name: "div",
    summary: "a / b",
    operands: ["f32", "f32"],
    result: "f32",
    evaluate: (a, b) => a! / b!,
    wgsl: { operator: "/" },
    derivative: ({ b, x: [, d], y }) => [b.div(1, d!), b.neg(b.div(y, d!))],
    sample: [wide, [0.5, 3]],
    error: { relative: 4e-7 },
    digits: "more",
    reach: (a, b) => scaled(a!, reciprocal(b!)),
    steep: 1,
    least: ([a, b]) => (a!.low >= 0 && b!.low > 0 ? a!.low / b!.high : -Infinity),
    cost: "div",
  },
  {
    name: "neg",
    summary: "-a",
    operands: ["number"],
    result: "same",
    evaluate: (a) => -a!,
    wgsl: { operator: "-" },
    signs: [-1],
    derivative: ({ b }) => [b.add(-1, 0)],
    sample: [wide],
    digits: "kept",
    reach: (a) => ({ up: a!.down, down: a!.up }),
    cost: "alu",
    exact: true,
  },
  ...(["min", "max"] as const).map((name): ScalarFunction => ({
    name,
    summary: `the ${name === "min" ? "smaller" : "larger"} of a and b; the gradient is halved at ties`,
    operands: ["number", "number"],
    result: "same",
    evaluate: name === "min" ? (a, b) => Math.min(a!, b!) : (a, b) => Math.max(a!, b!),
    bounds: (a, b) => ({ low: Math[name](a!.low, b!.low), high: Math[name](a!.high, b!.high) }),
    digits: "kept",
    reach:
      name === "min"
        ? (a, b) => ({ up: Math.min(a!.up, b!.up), down: Math.max(a!.down, b!.down) })
        : (a, b) => ({ up: Math.max(a!.up, b!.up), down: Math.min(a!.down, b!.down) }),
    least: ([a, b]) => Math[name](a!.low, b!.low),
    wgsl: { builtin: name },
    commutative: true,
    picks: name === "min" ? "smaller" : "larger",
    exact: true,
    derivative: ({ b, x: [p, q] }) => {
      const [first, second] = name === "max" ? [q!, p!] : [p!, q!]; // p wins where first < second
      const tie = b.call("equal", p!, q!);
      return [
        b.select(tie, 0.5, b.select(b.call("less", first, second), 1, 0)),
        b.select(tie, 0.5, b.select(b.call("less", second, first), 1, 0)),
      ];
    },
    sample: [wide, wide],
    cost: "alu",
  })),
  {
    name: "abs",
    summary: "|a|",
    operands: ["number"],
    result: "same",
    evaluate: (a) => Math.abs(a!),
    bounds: (a) =>
      a!.low < -mostI32 ? undefined : { low: Math.max(a!.low, -a!.high, 0), high: Math.max(a!.high, -a!.low) },
    wgsl: { builtin: "abs" },
    derivative: ({ b, x: [a] }) => [b.call("sign", a!)],
    sample: [[0.2, 3]],
    digits: "kept",
    reach: (a) => ({ up: Math.max(a!.up, a!.down), down: 0 }),
    least: ([a]) => Math.max(0, a!.low),
    cost: "alu",
    exact: true,
  },
  {
    name: "sign",
    summary: "-1, 0 or 1",
    operands: ["number"],
    result: "same",
    evaluate: (a) => Math.sign(a!),
    bounds: (a) => ({ low: Math.sign(a!.low), high: Math.sign(a!.high) }),
    wgsl: { builtin: "sign" },
    derivative: "zero",
    sample: [wide],
    digits: "read",
    least: never(-1),
    cost: "alu",
    exact: true,
  },
  // WGSL leaves exp (3 + 2 |a|) ulp: it stays the driver's, which is fast everywhere
  unary("exp", "e to the power a", bounded(Math.exp), ({ y }) => [y], {
    least: ([a]) => (a!.low > -80 ? Math.exp(a!.low) : Number.MIN_VALUE),
    relative: 3e-5,
  }),
  unary("log", "natural logarithm", poled(Math.log), ({ b, x: [a] }) => [b.div(1, a!)], {
    sample: [0.2, 4],
    helper: "dlm_log",
    steep: 0,
    relative: 2e-7,
  }),
  unary(
    "log2",
    "logarithm to base 2, exact at powers of 2",
    poled(Math.log2),
    ({ b, x: [a] }) => [b.div(Math.LOG2E, a!)],
    {
      sample: [0.2, 4],
      helper: "dlm_log2",
      steep: 0,
      relative: 3e-7,
    },
  ),
  unary(
    "log10",
    "logarithm to base 10, exact at powers of 10",
    poled(Math.log10),
    ({ b, x: [a] }) => [b.div(Math.LOG10E, a!)],
    { sample: [0.2, 4], helper: "dlm_log10", steep: 0, relative: 4e-7 },
  ),
  unary("log1p", "log(1 + a), accurate near 0", poled(Math.log1p), ({ b, x: [a] }) => [b.div(1, b.add(1, a!))], {
    sample: [-0.7, 3],
    helper: "dlm_log1p",
    least: ([a]) => (a!.low > -1 ? Math.log1p(a!.low) : -Infinity),
    relative: 4e-7,
  }),
  unary("expm1", "exp(a) - 1, accurate near 0", bounded(Math.expm1), ({ b, y }) => [b.add(y, 1)], {
    helper: "dlm_expm1",
    relative: 3e-5,
  }),
  unary("sqrt", "square root", Math.sqrt, ({ b, y }) => [b.div(0.5, y)], {
    sample: [0.3, 4],
    steep: 0,
    least: ([a]) => Math.sqrt(Math.max(a!.low, 0)),
    cost: "div",
    digits: "more",
    relative: 4e-7,
  }),
  unary("sin", "sine", Math.sin, ({ b, x: [a] }) => [b.call("cos", a!)], {
    helper: "dlm_sin",
    least: never(-1),
    relative: 0,
    absolute: 2e-7,
  }),
  unary("cos", "cosine", Math.cos, ({ b, x: [a] }) => [b.neg(b.call("sin", a!))], {
    helper: "dlm_cos",
    least: never(-1),
    relative: 0,
    absolute: 2e-7,
  }),
  unary("tan", "tangent", Math.tan, ({ b, y }) => [b.add(1, b.mul(y, y))], {
    sample: [-1.2, 1.2],
    helper: "dlm_tan",
    relative: 8e-7,
  }),
  unary(
    "asin",
    "inverse sine",
    Math.asin,
    ({ b, x: [a] }) => [b.div(1, b.call("sqrt", b.mul(b.sub(1, a!), b.add(1, a!))))],
    { sample: [-0.8, 0.8], helper: "dlm_asin", relative: 5e-7 },
  ),
  unary(
    "acos",
    "inverse cosine",
    Math.acos,
    ({ b, x: [a] }) => [b.neg(b.div(1, b.call("sqrt", b.mul(b.sub(1, a!), b.add(1, a!)))))],
    { sample: [-0.8, 0.8], helper: "dlm_acos", relative: 6e-7 },
  ),
  unary("atan", "inverse tangent", Math.atan, ({ b, x: [a] }) => [b.div(1, b.add(1, b.mul(a!, a!)))], {
    helper: "dlm_atan",
    relative: 4e-7,
  }),
  unary("sinh", "hyperbolic sine", bounded(Math.sinh), ({ b, x: [a] }) => [b.call("cosh", a!)], {
    helper: "dlm_sinh",
    relative: 3e-5,
  }),
  unary("cosh", "hyperbolic cosine", bounded(Math.cosh), ({ b, x: [a] }) => [b.call("sinh", a!)], {
    helper: "dlm_cosh",
    relative: 3e-5,
  }),
  unary("tanh", "hyperbolic tangent", Math.tanh, ({ b, y }) => [b.sub(1, b.mul(y, y))], {
    helper: "dlm_tanh",
    least: never(-1),
    atMost: 1,
    relative: 6e-7,
  }),
  unary(
    "sigmoid",
    "1 / (1 + exp(-a)). Gives probabilities. Its slope is at most 1/4.",
    (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
    ({ b, y }) => [b.mul(y, b.sub(1, y))],
    { helper: "dlm_sigmoid", least: never(0), atMost: 1, relative: 3e-5 },
  ),
  unary(
    "erf",
    "error function",
    erf,
    ({ b, x: [a] }) => [b.mul(b.call("exp", b.neg(b.mul(a!, a!))), 2 / Math.sqrt(Math.PI))],
    { helper: "dlm_erf", least: never(-1), relative: 6e-7 },
  ),
  unary("lgamma", "logarithm of |gamma(a)|", logGamma, ({ b, x: [a] }) => [b.call("digamma", a!)], {
    sample: [0.3, 5],
    helper: "dlm_lgamma",
    relative: 5e-7,
    absolute: 4e-6,
  }),
  unary("digamma", "derivative of lgamma", digamma, ({ b, x: [a] }) => [b.call("polygamma", 1, a!)], {
    sample: [0.3, 5],
    helper: "dlm_digamma",
    relative: 1e-6,
    absolute: 4e-6,
  }),
  {
    name: "polygamma",
    summary: "n-th derivative of digamma, for a whole n >= 1",
    operands: ["f32", "f32"],
    result: "f32",
    evaluate: (n, a) => polygamma(Math.round(n!), a!),
    wgsl: { call: "dlm_polygamma" },
    helpers: ["dlm_polygamma"],
    derivative: ({ b, x: [n, a] }) => [undefined, b.call("polygamma", b.add(n!, 1), a!)], // n is a whole number: nothing to differentiate by
    sample: [
      [1, 3],
      [0.3, 5],
    ],
    error: { relative: 1e-5 },
    cost: "fn",
  },
  unary("floor", "largest integer not above a", Math.floor, "zero", {
    cost: "alu",
    digits: "read",
    whole: true,
    exact: true,
  }),
  unary("ceil", "smallest integer not below a", Math.ceil, "zero", {
    cost: "alu",
    digits: "read",
    whole: true,
    exact: true,
  }),
  unary("round", "nearest integer, half to even", roundHalfEven, "zero", {
    cost: "alu",
    digits: "read",
    whole: true,
    exact: true,
  }),
  // what the compiler itself puts in; rewrite/rule.ts and fuse/rounding.ts say where
  {
    name: "div_rounded",
    summary: "a / b, rounded correctly on every device",
    operands: ["f32", "f32"],
    result: "f32",
    evaluate: (a, b) => a! / b!,
    wgsl: { call: "dlm_div_rounded" },
    helpers: ["dlm_div_rounded"],
    derivative: ({ b, x: [, d], y }) => [b.div(1, d!), b.neg(b.div(y, d!))],
    sample: [wide, [0.5, 3]],
    digits: "more",
    cost: "fn",
  },
  unary(
    "keep_finite",
    "a, limited to the finite numbers of f32: the gradient is that of a",
    (x) => Math.min(largestF32, Math.max(-largestF32, x)),
    ({ b }) => [b.add(1, 0)],
    { cost: "alu", digits: "kept", reach: same, helper: "dlm_keep_finite", exact: true },
  ),
  unary(
    "keep_rounding",
    "a, as f32 holds it: drivers do not reassociate what it is part of",
    (x) => x,
    ({ b }) => [b.add(1, 0)],
    { cost: "alu", digits: "kept", reach: same, helper: "dlm_keep_rounding", exact: true },
  ),
  {
    ...unary("stop", "a, without gradient", (x) => x, "zero", {
      least: ofLeast,
      cost: "alu",
      digits: "kept",
      reach: same,
      exact: true,
    }),
    wgsl: "operand",
  },
  {
    name: "pow",
    summary: "a to the power b; for a < 0 only a whole b has a value",
    operands: ["f32", "f32"],
    result: "f32",
    evaluate: (a, b) => Math.pow(a!, b!),
    wgsl: { call: "dlm_pow" },
    helpers: ["dlm_pow"],
    // d/da = b a^(b - 1), also at a = 0, and 0 for b = 0; d/db = a^b log(a), 0 at a = 0 (PyTorch's conventions)
    derivative: ({ b, x: [p, q], y }) => [
      b.select(b.call("equal", q!, 0), 0, b.mul(q!, b.call("pow", p!, b.sub(q!, 1)))),
      b.select(b.call("less", 0, p!), b.mul(y, b.call("log", b.select(b.call("less", 0, p!), p!, 1))), 0),
    ],
    sample: [[0.3, 3], wide],
    error: { relative: 4e-7 },
    cost: "fn",
  },
  {
    name: "logaddexp",
    summary: "log(exp(a) + exp(b)) without overflow, and smooth at ties",
    operands: ["f32", "f32"],
    result: "f32",
    evaluate: (a, b) => logAddExp(a!, b!),
    wgsl: { call: "dlm_logaddexp" },
    helpers: ["dlm_logaddexp"],
    // not by max(a, b) and |a - b|: their kinks cancel in the value and the slope, not in the second derivative
    derivative: ({ b, x: [p, q] }) => [b.call("sigmoid", b.sub(p!, q!)), b.call("sigmoid", b.sub(q!, p!))],
    commutative: true,
    sample: [wide, wide],
    error: { relative: 3e-7, absolute: 4e-7 },
    cost: "fn",
  },
  {
    name: "atan2",
    summary: "angle of the point (b, a)",
    operands: ["f32", "f32"],
    result: "f32",
    evaluate: (a, b) => Math.atan2(a!, b!),
    wgsl: { call: "dlm_atan2" },
    helpers: ["dlm_atan2"],
    // 0 at the origin, which has no angle
    derivative: ({ b, x: [p, q] }) => {
      const square = b.add(b.mul(p!, p!), b.mul(q!, q!));
      const away = b.call("less", 0, square);
      const by = (x: typeof square): typeof square => b.select(away, b.div(x, b.select(away, square, 1)), 0);
      return [by(q!), b.neg(by(p!))];
    },
    sample: [[0.3, 3], wide],
    error: { relative: 5e-7 },
    cost: "fn",
  },
  comparison("less", "a < b", "<", (a, b) => a < b),
  comparison("less_equal", "a <= b", "<=", (a, b) => a <= b),
  { ...comparison("equal", "a == b", "==", (a, b) => a === b), commutative: true },
  {
    name: "floor_div_dynamic",
    summary: "floor(a / b) of integers",
    operands: ["i32", "i32"],
    result: "i32",
    evaluate: (a, b) => Math.floor(a! / b!),
    bounds: (a, b) => quotientBounds(a!, b!),
    wgsl: { call: "dlm_floor_div" },
    helpers: ["dlm_floor_div"],
    derivative: "zero",
    sample: [
      [-9, 9],
      [1, 5],
    ],
    cost: "div",
  },
  {
    name: "modulo_dynamic",
    summary: "a - b * floor(a / b) of integers",
    operands: ["i32", "i32"],
    result: "i32",
    evaluate: (a, b) => a! - b! * Math.floor(a! / b!),
    bounds: (a, b) => remainderBounds(a!, b!),
    wgsl: { call: "dlm_modulo" },
    helpers: ["dlm_modulo"],
    derivative: "zero",
    sample: [
      [-9, 9],
      [1, 5],
    ],
    cost: "div",
  },
  {
    name: "floor_remainder",
    summary: "a - b floor(a / b) of the quotient that is not rounded: of b's sign, and below it in size",
    operands: ["f32", "f32"],
    result: "f32",
    evaluate: floorRemainder,
    wgsl: { call: "dlm_floor_remainder" },
    helpers: ["dlm_floor_remainder"],
    derivative: ({ b, x: [p, q], y }) => [b.add(1, 0), b.neg(b.call("round", b.div(b.sub(p!, y), q!)))],
    sample: [wide, [0.5, 3]],
    digits: "read",
    cost: "fn",
  },
  {
    name: "to_f32",
    summary: "an integer as f32",
    operands: ["i32"],
    result: "f32",
    evaluate: (a) => a!,
    wgsl: { call: "f32" },
    derivative: "zero",
    sample: [[-9, 9]],
    least: ofLeast,
    cost: "alu",
  },
  {
    name: "bool_to_f32",
    summary: "1 where true, else 0",
    operands: ["bool"],
    result: "f32",
    evaluate: (a) => a!,
    wgsl: { select: [0, 1] },
    derivative: "zero",
    sample: [[0, 1]],
    atMost: 1,
    least: never(0),
    cost: "alu",
  },
  {
    name: "bool_to_i32",
    summary: "1 where true, else 0",
    operands: ["bool"],
    result: "i32",
    evaluate: (a) => a!,
    bounds: () => ({ low: 0, high: 1 }),
    wgsl: { select: [0, 1] },
    derivative: "zero",
    sample: [[0, 1]],
    cost: "alu",
  },
  {
    name: "to_i32",
    summary: "a cut towards 0; beyond i32 the nearest f32 within it",
    operands: ["f32"],
    result: "i32",
    evaluate: (a) => Math.min(mostF32OfI32, Math.max(leastI32, Math.trunc(a!))),
    wgsl: { call: "i32" },
    derivative: "zero",
    sample: [wide],
    digits: "read",
    cost: "alu",
  },
  // what looks at the size of a sum that may leave i32 looks at this
  {
    name: "wrap_i32",
    summary: "a sum that may leave i32, as it wraps",
    operands: ["i32"],
    result: "i32",
    evaluate: wrap,
    wgsl: { call: "i32" },
    derivative: "zero",
    sample: [[-9, 9]],
    cost: "alu",
    exact: true,
  },
  {
    name: "less_integer",
    summary: "a < b of integers whose difference may leave i32",
    operands: ["i32", "i32"],
    result: "bool",
    evaluate: (a, b) => Number(a! < b!),
    wgsl: { operator: "<" },
    derivative: "zero",
    sample: [
      [-9, 9],
      [-9, 9],
    ],
    cost: "alu",
    exact: true,
  },
  {
    name: "random_in",
    summary:
      "c + floor(r d / 2^64) of the random words a and b, r = 2^32 a + b; a, b and d without sign, d = 0 for 2^32",
    operands: ["i32", "i32", "i32", "i32"],
    result: "i32",
    evaluate: (a, b, c, d) =>
      Number(
        BigInt.asIntN(
          32,
          BigInt(c!) +
            ((((BigInt(a! >>> 0) << 32n) | BigInt(b! >>> 0)) * (d! >>> 0 ? BigInt(d! >>> 0) : 1n << 32n)) >> 64n),
        ),
      ),
    wgsl: { call: "dlm_random_in" },
    helpers: ["dlm_random_in"],
    derivative: "zero",
    sample: [
      [-2e9, 2e9],
      [-2e9, 2e9],
      [-9, 9],
      [1, 2e9],
    ],
    cost: "fn",
  },
];

export const functions: ReadonlyMap<string, ScalarFunction> = new Map(rows.map((row) => [row.name, row]));
/** Those that programs call by name; what the compiler alone writes (operators, conversions) has an underscore in its name. */
export const namedFunctions: ReadonlyMap<string, ScalarFunction> = new Map(
  [...functions].filter(([name]) => !name.includes("_")),
);
export function fn(name: string): ScalarFunction {
  const row = functions.get(name);
  if (!row) throw new InternalError(`there is no scalar function ${name}`);
  return row;
}
