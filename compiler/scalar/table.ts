// The rows of the table of scalar functions; functions.ts says what a row is. Derivatives are school calculus unless said otherwise;
// conventions at ties and kinks: pairwise max and min give half to each operand, abs and sign have slope 0 at 0.
import { InternalError } from "../../grammar/diagnostic.ts";
import { digamma, erf, logGamma, polygamma, roundHalfEven } from "./special.ts";
import type { ScalarFunction } from "./functions.ts";

type Derivative = ScalarFunction["derivative"];
const wide: readonly [number, number] = [-3, 3];
const unary = (
  name: string, summary: string, evaluate: (x: number) => number, derivative: Derivative,
  options: { wgsl?: string; sample?: readonly [number, number]; cost?: ScalarFunction["cost"]; exact?: boolean } = {},
): ScalarFunction => {
  const written = options.wgsl ?? name;
  return {
    name, summary, operands: ["f32"], result: "f32", evaluate, derivative,
    wgsl: ([x]) => `${written}(${x})`,
    ...(written.startsWith("dlm_") ? { helpers: [written] } : {}),
    sample: [options.sample ?? wide],
    cost: options.cost ?? "fn",
    ...(options.exact ? { exact: true } : {}),
  };
}; // prettier-ignore
const comparison = (name: string, summary: string, sign: string, evaluate: (a: number, b: number) => boolean): ScalarFunction => ({
  name, summary, operands: ["f32", "f32"], result: "bool", evaluate: (a, b) => Number(evaluate(a!, b!)), wgsl: ([a, b]) => `${a} ${sign} ${b}`, derivative: "zero", sample: [wide, wide], cost: "alu",
}); // prettier-ignore
const wrap = (x: number): number => x | 0;

const rows: readonly ScalarFunction[] = [
  { name: "add", summary: "a + b", operands: ["number", "number"], result: "same", evaluate: (a, b) => a! + b!, wgsl: ([a, b]) => `${a} + ${b}`, derivative: ({ b }) => [b.add(1, 0), b.add(1, 0)], commutative: true, sample: [wide, wide], cost: "alu" },
  { name: "sub", summary: "a - b", operands: ["number", "number"], result: "same", evaluate: (a, b) => a! - b!, wgsl: ([a, b]) => `${a} - ${b}`, derivative: ({ b }) => [b.add(1, 0), b.add(-1, 0)], sample: [wide, wide], cost: "alu" },
  { name: "mul", summary: "a * b", operands: ["number", "number"], result: "same", evaluate: (a, b) => a! * b!, wgsl: ([a, b]) => `${a} * ${b}`, derivative: ({ x: [a, c] }) => [c!, a!], commutative: true, sample: [wide, wide], cost: "alu" },
  { name: "div", summary: "a / b", operands: ["f32", "f32"], result: "f32", evaluate: (a, b) => a! / b!, wgsl: ([a, b]) => `${a} / ${b}`, derivative: ({ b, x: [, d], y }) => [b.div(1, d!), b.neg(b.div(y, d!))], sample: [wide, [0.5, 3]], cost: "div" },
  { name: "neg", summary: "-a", operands: ["number"], result: "same", evaluate: (a) => -a!, wgsl: ([a]) => `-${a}`, derivative: ({ b }) => [b.add(-1, 0)], sample: [wide], cost: "alu", exact: true },
  ...(["min", "max"] as const).map((name): ScalarFunction => ({
    name, summary: `the ${name === "min" ? "smaller" : "larger"} of a and b; the gradient is halved at ties`,
    operands: ["number", "number"], result: "same", evaluate: name === "min" ? (a, b) => Math.min(a!, b!) : (a, b) => Math.max(a!, b!),
    wgsl: ([a, b]) => `${name}(${a}, ${b})`, commutative: true, exact: true,
    derivative: ({ b, x: [p, q] }) => {
      const [first, second] = name === "max" ? [q!, p!] : [p!, q!]; // p wins where first < second
      const tie = b.call("equal", p!, q!);
      return [b.select(tie, 0.5, b.select(b.call("less", first, second), 1, 0)), b.select(tie, 0.5, b.select(b.call("less", second, first), 1, 0))];
    },
    sample: [wide, wide], cost: "alu",
  })),
  { name: "abs", summary: "|a|", operands: ["number"], result: "same", evaluate: (a) => Math.abs(a!), wgsl: ([a]) => `abs(${a})`, derivative: ({ b, x: [a] }) => [b.call("sign", a!)], sample: [[0.2, 3]], cost: "alu", exact: true },
  { name: "sign", summary: "-1, 0 or 1", operands: ["number"], result: "same", evaluate: (a) => Math.sign(a!), wgsl: ([a]) => `sign(${a})`, derivative: "zero", sample: [wide], cost: "alu", exact: true },
  unary("exp", "e to the power a", Math.exp, ({ y }) => [y]),
  unary("log", "natural logarithm", Math.log, ({ b, x: [a] }) => [b.div(1, a!)], { sample: [0.2, 4], wgsl: "dlm_log" }),
  unary("log1p", "log(1 + a), accurate near 0", Math.log1p, ({ b, x: [a] }) => [b.div(1, b.add(1, a!))], { sample: [-0.7, 3], wgsl: "dlm_log1p" }),
  unary("expm1", "exp(a) - 1, accurate near 0", Math.expm1, ({ b, y }) => [b.add(y, 1)], { wgsl: "dlm_expm1" }),
  unary("sqrt", "square root", Math.sqrt, ({ b, y }) => [b.div(0.5, y)], { sample: [0.3, 4], cost: "div" }),
  unary("sin", "sine", Math.sin, ({ b, x: [a] }) => [b.call("cos", a!)], { wgsl: "dlm_sin" }),
  unary("cos", "cosine", Math.cos, ({ b, x: [a] }) => [b.neg(b.call("sin", a!))], { wgsl: "dlm_cos" }),
  unary("tan", "tangent", Math.tan, ({ b, y }) => [b.add(1, b.mul(y, y))], { sample: [-1.2, 1.2], wgsl: "dlm_tan" }),
  unary("asin", "inverse sine", Math.asin, ({ b, x: [a] }) => [b.div(1, b.call("sqrt", b.sub(1, b.mul(a!, a!))))], { sample: [-0.8, 0.8], wgsl: "dlm_asin" }),
  unary("acos", "inverse cosine", Math.acos, ({ b, x: [a] }) => [b.neg(b.div(1, b.call("sqrt", b.sub(1, b.mul(a!, a!)))))], { sample: [-0.8, 0.8], wgsl: "dlm_acos" }),
  unary("atan", "inverse tangent", Math.atan, ({ b, x: [a] }) => [b.div(1, b.add(1, b.mul(a!, a!)))], { wgsl: "dlm_atan" }),
  unary("sinh", "hyperbolic sine", Math.sinh, ({ b, x: [a] }) => [b.call("cosh", a!)], { wgsl: "dlm_sinh" }),
  unary("cosh", "hyperbolic cosine", Math.cosh, ({ b, x: [a] }) => [b.call("sinh", a!)], { wgsl: "dlm_cosh" }),
  unary("tanh", "hyperbolic tangent", Math.tanh, ({ b, y }) => [b.sub(1, b.mul(y, y))], { wgsl: "dlm_tanh" }),
  unary("sigmoid", "1 / (1 + exp(-a))", (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))), ({ b, y }) => [b.mul(y, b.sub(1, y))], { wgsl: "dlm_sigmoid" }),
  unary("erf", "error function", erf, ({ b, x: [a] }) => [b.mul(b.call("exp", b.neg(b.mul(a!, a!))), 2 / Math.sqrt(Math.PI))], { wgsl: "dlm_erf" }),
  unary("lgamma", "logarithm of |gamma(a)|", logGamma, ({ b, x: [a] }) => [b.call("digamma", a!)], { sample: [0.3, 5], wgsl: "dlm_lgamma" }),
  unary("digamma", "derivative of lgamma", digamma, ({ b, x: [a] }) => [b.call("polygamma", 1, a!)], { sample: [0.3, 5], wgsl: "dlm_digamma" }),
  {
    name: "polygamma", summary: "n-th derivative of digamma at a > 0, for a whole n >= 1", operands: ["f32", "f32"], result: "f32", evaluate: (n, a) => polygamma(Math.round(n!), a!),
    wgsl: ([n, a]) => `dlm_polygamma(${n}, ${a})`, helpers: ["dlm_polygamma"],
    derivative: ({ b, x: [n, a] }) => [undefined, b.call("polygamma", b.add(n!, 1), a!)], // n is a whole number: nothing to differentiate by
    sample: [[1, 3], [0.3, 5]], cost: "fn",
  },
  unary("floor", "largest integer not above a", Math.floor, "zero", { cost: "alu", exact: true }),
  unary("ceil", "smallest integer not below a", Math.ceil, "zero", { cost: "alu", exact: true }),
  unary("round", "nearest integer, half to even", roundHalfEven, "zero", { cost: "alu", exact: true }),
  unary("stop", "a, without gradient", (x) => x, "zero", { cost: "alu", wgsl: "", exact: true }),
  {
    name: "pow", summary: "a to the power b; for a < 0 only a whole b has a value", operands: ["f32", "f32"], result: "f32", evaluate: (a, b) => Math.pow(a!, b!),
    wgsl: ([a, b]) => `dlm_pow(${a}, ${b})`, helpers: ["dlm_pow"],
    // d/da = b a^(b - 1), also at a = 0; d/db = a^b log(a), 0 at a = 0 (PyTorch's convention)
    derivative: ({ b, x: [p, q], y }) => [
      b.mul(q!, b.call("pow", p!, b.sub(q!, 1))),
      b.select(b.call("less", 0, p!), b.mul(y, b.call("log", b.select(b.call("less", 0, p!), p!, 1))), 0),
    ],
    sample: [[0.3, 3], wide], cost: "fn",
  },
  {
    name: "atan2", summary: "angle of the point (b, a)", operands: ["f32", "f32"], result: "f32", evaluate: (a, b) => Math.atan2(a!, b!), wgsl: ([a, b]) => `dlm_atan2(${a}, ${b})`, helpers: ["dlm_atan2"],
    derivative: ({ b, x: [p, q] }) => {
      const square = b.add(b.mul(p!, p!), b.mul(q!, q!));
      return [b.div(q!, square), b.neg(b.div(p!, square))];
    },
    sample: [[0.3, 3], wide], cost: "fn",
  },
  comparison("less", "a < b", "<", (a, b) => a < b),
  comparison("less_equal", "a <= b", "<=", (a, b) => a <= b),
  { ...comparison("equal", "a == b", "==", (a, b) => a === b), commutative: true },
  { name: "floor_div_dynamic", summary: "floor(a / b) of integers", operands: ["i32", "i32"], result: "i32", evaluate: (a, b) => Math.floor(a! / b!), wgsl: ([a, b]) => `dlm_floor_div(${a}, ${b})`, helpers: ["dlm_floor_div"], derivative: "zero", sample: [[-9, 9], [1, 5]], cost: "div" },
  { name: "modulo_dynamic", summary: "a - b * floor(a / b) of integers", operands: ["i32", "i32"], result: "i32", evaluate: (a, b) => a! - b! * Math.floor(a! / b!), wgsl: ([a, b]) => `dlm_modulo(${a}, ${b})`, helpers: ["dlm_modulo"], derivative: "zero", sample: [[-9, 9], [1, 5]], cost: "div" },
  { name: "to_f32", summary: "an integer as f32", operands: ["i32"], result: "f32", evaluate: (a) => a!, wgsl: ([a]) => `f32(${a})`, derivative: "zero", sample: [[-9, 9]], cost: "alu" },
  { name: "bool_to_f32", summary: "1 where true, else 0", operands: ["bool"], result: "f32", evaluate: (a) => a!, wgsl: ([a]) => `select(0.0, 1.0, ${a})`, derivative: "zero", sample: [[0, 1]], cost: "alu" },
  { name: "bool_to_i32", summary: "1 where true, else 0", operands: ["bool"], result: "i32", evaluate: (a) => a!, wgsl: ([a]) => `select(0i, 1i, ${a})`, derivative: "zero", sample: [[0, 1]], cost: "alu" },
  {
    name: "random_in", summary: "c + floor(r d / 2^64) of the random words a and b, r = 2^32 a + b; a, b and d without sign, d = 0 for 2^32", operands: ["i32", "i32", "i32", "i32"], result: "i32",
    evaluate: (a, b, c, d) => Number(BigInt.asIntN(32, BigInt(c!) + ((((BigInt(a! >>> 0) << 32n) | BigInt(b! >>> 0)) * (d! >>> 0 ? BigInt(d! >>> 0) : 1n << 32n)) >> 64n))),
    wgsl: (x) => `dlm_random_in(${x.join(", ")})`, helpers: ["dlm_random_in"], derivative: "zero", sample: [[-2e9, 2e9], [-2e9, 2e9], [-9, 9], [1, 2e9]], cost: "fn",
  },
  { name: "to_i32", summary: "a cut towards 0", operands: ["f32"], result: "i32", evaluate: (a) => wrap(Math.trunc(a!)), wgsl: ([a]) => `i32(${a})`, derivative: "zero", sample: [wide], cost: "alu" },
]; // prettier-ignore

export const functions: ReadonlyMap<string, ScalarFunction> = new Map(rows.map((row) => [row.name, row]));
export function fn(name: string): ScalarFunction {
  const row = functions.get(name);
  if (!row) throw new InternalError(`there is no scalar function ${name}`);
  return row;
}
