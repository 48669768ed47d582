// Every scalar function and every function of the library at points: value, slope and second derivative at 0, at kinks, at ties and at the ends of f32, by the
// evaluator and on the device, against closed forms in f64. A declaration or a row that is missing here fails; layers, reductions and what has no derivative
// say why they are not in the table.
import { describe, expect, test } from "vitest";
import { digamma, erf, logGamma, polygamma } from "../../compiler/scalar/special.ts";
import { functions } from "../../compiler/scalar/table.ts";
import { libraryDeclarations } from "../../compiler/std/declarations.ts";
import { libraryFiles } from "../../compiler/std/library.ts";
import { valuesOf } from "./values.ts";

type Real = (x: number) => number;
interface Entry {
  readonly call?: string; // in x, and in w, which is `w` at every point; default name(x)
  readonly w?: number;
  readonly points: readonly number[];
  readonly value: Real;
  readonly slope: Real;
  readonly second: Real;
  readonly tolerance?: number; // of each number's size or 1, on the device
}
const max = 3.4028234663852886e38;
const least = 1.1754943508222875e-38; // what is smaller may become 0
const at = (value: Real, slope: Real, second: Real, points: readonly number[], more: Partial<Entry> = {}): Entry => ({
  points: points.map(Math.fround),
  value,
  slope,
  second,
  ...more,
});
const zero: Real = () => 0;
const one: Real = () => 1;
const constant =
  (c: number): Real =>
  () =>
    c;
const sigmoid: Real = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const dsigmoid: Real = (x) => sigmoid(x) * sigmoid(-x);
const d2sigmoid: Real = (x) => dsigmoid(x) * (sigmoid(-x) - sigmoid(x));
const softplus: Real = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sech2: Real = (x) => 1 / Math.cosh(x) ** 2;
const phi: Real = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const Phi: Real = (x) => 0.5 * (1 + erf(x / Math.SQRT2));
const near1 = Math.fround(0.9999);
const around = [0, 1e-3, -1e-3, 0.5, -0.5, 2, -2, 7, -7];
const ends = [...around, 90, -90, 1e10, -1e10, 3e38, -3e38];
/** Slope and second derivative of f(x), where f is a product x s(x). */
const gated = (s: Real, ds: Real, d2s: Real, points: readonly number[], more: Partial<Entry> = {}): Entry =>
  at(
    (x) => x * s(x),
    (x) => s(x) + x * ds(x),
    (x) => 2 * ds(x) + x * d2s(x),
    points,
    more,
  );
/** Of sigmoid(-z)^2 softplus(-z). */
const focalSecond: Real = (z) => {
  const [s, d] = [sigmoid(-z), dsigmoid(z)];
  return d * (2 * d * softplus(-z) - 2 * s * d2(z) * softplus(-z) + 2 * s * s + 3 * s * s);
};
const d2: Real = (z) => sigmoid(-z) - sigmoid(z);
const k = Math.sqrt(2 / Math.PI);
const tanhGate = {
  u: (x: number) => k * (x + 0.044715 * x ** 3),
  du: (x: number) => k * (1 + 3 * 0.044715 * x * x),
  d2u: (x: number) => k * 6 * 0.044715 * x,
};

/** Several entries of one name: other arguments, or the other operand. */
// prettier-ignore
const table: Readonly<Record<string, readonly Entry[]>> = {
  // ---- rows
  add: [at((x) => x + 0.5, one, zero, [0, -0.5, 3e38], { call: "x + 0.5" })],
  sub: [at((x) => 0.5 - x, constant(-1), zero, [0, 0.5, 3e38], { call: "0.5 - x" })],
  mul: [at((x) => x * x, (x) => 2 * x, constant(2), [0, 1e-3, -3, 1e19], { call: "x * x" })],
  div: [at((x) => 3 / x, (x) => -3 / x ** 2, (x) => 6 / x ** 3, [1e-3, -2, 1e3, 41, 1e10], { call: "3 / x" })],
  neg: [at((x) => -x, constant(-1), zero, [0, -3e38], { call: "-x" })],
  min: [at((x) => Math.min(x, 0.5), (x) => (x < 0.5 ? 1 : x > 0.5 ? 0 : 0.5), zero, [0, 0.5, 1, -3e38, 3e38], { call: "min(x, 0.5)" })],
  max: [at((x) => Math.max(x, 0.5), (x) => (x > 0.5 ? 1 : x < 0.5 ? 0 : 0.5), zero, [0, 0.5, 1, -3e38, 3e38], { call: "max(x, 0.5)" })],
  abs: [
    at(Math.abs, Math.sign, zero, [0, -0, 1e-3, -3e38, 3e38]),
    at((x) => x * x, (x) => 2 * x, constant(2), around, { call: "abs(x)^2" }),
    at((x) => x * x, (x) => 2 * x, constant(2), around, { call: "abs(x) * abs(x)" }),
  ],
  sign: [at(Math.sign, zero, zero, [0, -0, 1e-30, -3e38, 3e38])],
  exp: [at(Math.exp, Math.exp, Math.exp, [...around, -87, 80, -1e10, -3e38])],
  log: [at(Math.log, (x) => 1 / x, (x) => -1 / x ** 2, [1e-3, 0.5, 0.99999, 1, 1.00001, 2, 1e10]), at(Math.log, zero, zero, [1.2e-38, 3e38, 1e-40], { call: "log(stop(x))" })],
  log1p: [at(Math.log1p, (x) => 1 / (1 + x), (x) => -1 / (1 + x) ** 2, [0, 1e-20, 1e-3, -0.5, -0.99, 0.39, 0.41, 10, 1e10])],
  expm1: [at(Math.expm1, Math.exp, Math.exp, [0, 1e-20, 1e-3, -0.49, -0.51, 0.51, 10, -90, 80])],
  sqrt: [at(Math.sqrt, (x) => 0.5 / Math.sqrt(x), (x) => -0.25 / x ** 1.5, [1e-3, 1, 4, 1e10])],
  sin: [at(Math.sin, Math.cos, (x) => -Math.sin(x), [...ends, Math.PI, 1e6, 8191.5, 8192.5])],
  cos: [at(Math.cos, (x) => -Math.sin(x), (x) => -Math.cos(x), [...ends, Math.PI / 2, 1e6])],
  tan: [at(Math.tan, (x) => 1 + Math.tan(x) ** 2, (x) => 2 * Math.tan(x) * (1 + Math.tan(x) ** 2), [...around, 1e6, 1e30])],
  asin: [at(Math.asin, (x) => 1 / Math.sqrt(1 - x * x), (x) => x / (1 - x * x) ** 1.5, [0, 1e-3, 0.5, -0.5, 0.999, -0.999]), at(Math.asin, zero, zero, [1, -1], { call: "asin(stop(x))" })],
  acos: [at(Math.acos, (x) => -1 / Math.sqrt(1 - x * x), (x) => -x / (1 - x * x) ** 1.5, [0, 1e-3, 0.5, -0.5, 0.999, -0.999]), at(Math.acos, zero, zero, [1, -1, 0.9999999], { call: "acos(stop(x))" })],
  atan: [at(Math.atan, (x) => 1 / (1 + x * x), (x) => (-2 * x) / (1 + x * x) ** 2, [...around, 1e6, -1e6])],
  sinh: [at(Math.sinh, Math.cosh, Math.sinh, [...around, 20, 88, 89, -89, 89.4])],
  cosh: [at(Math.cosh, Math.sinh, Math.cosh, [...around, 20, 88, 89, -89, 89.4]), at((x) => Math.abs(x) + Math.log1p(Math.exp(-2 * Math.abs(x))) - Math.LN2, Math.tanh, sech2, [...around, 89.2, -89.2, 500], { call: "log(cosh(x))" })],
  tanh: [at(Math.tanh, sech2, (x) => -2 * Math.tanh(x) * sech2(x), ends), at(Math.tanh, sech2, (x) => -2 * Math.tanh(x) * sech2(x), ends, { call: "sinh(x) / cosh(x)" })],
  sigmoid: [at(sigmoid, dsigmoid, d2sigmoid, ends)],
  erf: [at(erf, (x) => 2 / Math.sqrt(Math.PI) * Math.exp(-x * x), (x) => -4 * x / Math.sqrt(Math.PI) * Math.exp(-x * x), [...around, 4.2, -4.2, 1e10])],
  lgamma: [at(logGamma, digamma, (x) => polygamma(1, x), [1e-3, 0.5, 1, 1.5, 2, 7.5, 8, 100, 1e10, -0.5, -1.25, -7.25, -20.5, -1000.25]), at(logGamma, zero, zero, [0, -1, -8], { call: "lgamma(stop(x))" })],
  digamma: [at(digamma, (x) => polygamma(1, x), (x) => polygamma(2, x), [1e-3, 0.5, 1, 1.5, 2, 7.5, 8, 100, 1e10, -0.5, -1.25, -7.25, -20.5, -1000.25]), at(digamma, zero, zero, [0, -1, -8], { call: "digamma(stop(x))" })],
  polygamma: [1, 2, 3].map((n) => at((x) => polygamma(n, x), (x) => polygamma(n + 1, x), (x) => polygamma(n + 2, x), [0.5, 1, 7.5, 100, -0.375, -1.25, -7.25, -1000.25], { call: `polygamma(${n}, x)` })),
  floor: [at(Math.floor, zero, zero, [0, -0.5, 0.99999, 1, -1, 2.5, 3e38, -3e38])],
  ceil: [at(Math.ceil, zero, zero, [0, -0.5, 1.00001, 1, -1, 2.5, 3e38, -3e38])],
  round: [at((x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)), zero, zero, [0, 0.5, 1.5, 2.5, -0.5, -1.5, 3.49, 3e38])],
  stop: [at((x) => x, zero, zero, [0, 1, 3e38], { call: "stop(x)" })],
  pow: [
    at((x) => x ** 2.5, (x) => 2.5 * x ** 1.5, (x) => 3.75 * Math.sqrt(x), [0, 1e-3, 0.99999, 1, 2, 1e10], { call: "x^2.5" }),
    at((x) => x ** 2, (x) => 2 * x, constant(2), [0, 1e-3, 1, -2, 1e10], { call: "x^w", w: 2 }),
    at((x) => x, one, zero, [0, 1e-3, 1, -2, 1e10], { call: "x^w", w: 1 }),
    at(one, zero, zero, [0, 1e-3, 1, -2, 1e10], { call: "x^w", w: 0 }),
    at((x) => x ** -3, (x) => -3 * x ** -4, (x) => 12 * x ** -5, [1e-3, 1, -2, 10], { call: "x^w", w: -3 }),
    at((x) => near1 ** x, (x) => Math.log(near1) * near1 ** x, (x) => Math.log(near1) ** 2 * near1 ** x, [0, 1, 1e5, -1e5], { call: "w^x", w: near1 }),
    at((x) => (x ? 0 : 1), zero, zero, [0, 1, 7.5], { call: "w^x", w: 0 }),
    at((x) => x ** 100, (x) => 100 * x ** 99, (x) => 9900 * x ** 98, [0, 1, -1, 0.5, -1.5], { call: "x^100" }),
  ],
  logaddexp: [
    at((x) => Math.max(x, 0.5) + Math.log1p(Math.exp(-Math.abs(x - 0.5))), (x) => sigmoid(x - 0.5), (x) => dsigmoid(x - 0.5), [...ends, 0.501], { call: "logaddexp(x, w)", w: 0.5 }),
    at((x) => x + Math.LN2, one, zero, ends, { call: "logaddexp(x, x)" }),
    at((x) => x, one, zero, [0, 1, -1e10], { call: "logaddexp(x, -inf)" }),
  ],
  atan2: [
    at((x) => Math.atan2(x, 0.5), (x) => 0.5 / (x * x + 0.25), (x) => -x / (x * x + 0.25) ** 2, [...around, 1e6], { call: "atan2(x, w)", w: 0.5 }),
    at((x) => Math.atan2(0.5, x), (x) => -0.5 / (x * x + 0.25), (x) => x / (x * x + 0.25) ** 2, [...around, 1e6], { call: "atan2(w, x)", w: 0.5 }),
    at((x) => Math.atan2(x, 0), zero, zero, [0, 2, -2], { call: "atan2(x, w)", w: 0 }),
    at((x) => Math.atan2(x, 2e38), zero, zero, [0, 1e38, 3e38, -3e38], { call: "atan2(stop(x), w)", w: 2e38 }),
  ],
  // ---- activations
  relu: [at((x) => Math.max(x, 0), (x) => (x > 0 ? 1 : 0), zero, [0, -0, ...ends])],
  relu6: [at((x) => Math.min(Math.max(x, 0), 6), (x) => (x > 0 && x < 6 ? 1 : 0), zero, [0, 6, 3, -1, 7])],
  leaky_relu: [at((x) => (x > 0 ? x : 0.01 * x), (x) => (x > 0 ? 1 : 0.01), zero, [0, -0, 1, -1, 1e10, -1e10])],
  elu: [at((x) => (x > 0 ? x : Math.expm1(x)), (x) => (x > 0 ? 1 : Math.exp(x)), (x) => (x > 0 ? 0 : Math.exp(x)), ends)],
  celu: [at((x) => (x > 0 ? x : 2 * Math.expm1(x / 2)), (x) => (x > 0 ? 1 : Math.exp(x / 2)), (x) => (x > 0 ? 0 : Math.exp(x / 2) / 2), ends, { call: "celu(x, 2)" })],
  selu: [at((x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)), (x) => 1.0507009873554805 * (x > 0 ? 1 : 1.6732632423543772 * Math.exp(x)), (x) => 1.0507009873554805 * (x > 0 ? 0 : 1.6732632423543772 * Math.exp(x)), [...around, 1e10, -1e10])],
  gelu: [gated(Phi, phi, (x) => -x * phi(x), [...around, 1e10, -1e10])],
  gelu_tanh: [gated((x) => 0.5 * (1 + Math.tanh(tanhGate.u(x))), (x) => 0.5 * sech2(tanhGate.u(x)) * tanhGate.du(x), (x) => 0.5 * sech2(tanhGate.u(x)) * (tanhGate.d2u(x) - 2 * Math.tanh(tanhGate.u(x)) * tanhGate.du(x) ** 2), [0, 1e-3, -1e-3, 0.5, -0.5, 2, -2])],
  quick_gelu: [gated((x) => sigmoid(1.702 * x), (x) => 1.702 * dsigmoid(1.702 * x), (x) => 1.702 ** 2 * d2sigmoid(1.702 * x), [...around, 1e10])],
  silu: [gated(sigmoid, dsigmoid, d2sigmoid, [...around, 1e10])],
  mish: [gated((x) => Math.tanh(softplus(x)), (x) => sech2(softplus(x)) * sigmoid(x), (x) => sech2(softplus(x)) * (dsigmoid(x) - 2 * Math.tanh(softplus(x)) * sigmoid(x) ** 2), [...around, 15])],
  softplus: [
    at(softplus, sigmoid, dsigmoid, [...around, -90, -1e10]),
    at((x) => x, one, zero, [25, 1e10, 3e38]),
    at((x) => softplus(3 * x) / 3, (x) => sigmoid(3 * x), (x) => 3 * dsigmoid(3 * x), around.filter((x) => x < 6), { call: "softplus(x, 3)" }),
  ],
  log_sigmoid: [at((x) => -softplus(-x), (x) => sigmoid(-x), (x) => -dsigmoid(x), ends)],
  softsign: [at((x) => x / (1 + Math.abs(x)), (x) => 1 / (1 + Math.abs(x)) ** 2, (x) => (-2 * Math.sign(x)) / (1 + Math.abs(x)) ** 3, around)],
  tanhshrink: [at((x) => x - Math.tanh(x), (x) => Math.tanh(x) ** 2, (x) => 2 * Math.tanh(x) * sech2(x), ends)],
  hardshrink: [at((x) => (Math.abs(x) > 0.5 ? x : 0), (x) => (Math.abs(x) > 0.5 ? 1 : 0), zero, [0, 0.5, -0.5, 0.6, -3])],
  softshrink: [at((x) => Math.sign(x) * Math.max(Math.abs(x) - 0.5, 0), (x) => (Math.abs(x) > 0.5 ? 1 : 0), zero, [0, 0.5, -0.5, 0.6, -3])],
  hardtanh: [at((x) => Math.min(Math.max(x, -1), 1), (x) => (Math.abs(x) < 1 ? 1 : 0), zero, [0, 1, -1, 0.5, 3, -3])],
  hardsigmoid: [at((x) => Math.min(Math.max(x / 6 + 0.5, 0), 1), (x) => (Math.abs(x) < 3 ? 1 / 6 : 0), zero, [0, 3, -3, 1, 5, -5])],
  hardswish: [at((x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1), (x) => (x < -3 ? 0 : x <= 3 ? (2 * x + 3) / 6 : 1), (x) => (x < -3 || x > 3 ? 0 : 1 / 3), [0, 3, -3, 1, 5, -5])],
  heaviside: [at((x) => (x > 0 ? 1 : x < 0 ? 0 : 0.25), zero, zero, [0, -0, 1, -1], { call: "heaviside(x, 0.25)" })],
  glu: [at((x) => x * sigmoid(0.5), constant(sigmoid(0.5)), zero, [0, 1, -2], { call: "squeeze(glu(transpose([x, w])), -1)", w: 0.5 }), at((x) => 0.5 * sigmoid(x), (x) => 0.5 * dsigmoid(x), (x) => 0.5 * d2sigmoid(x), around, { call: "squeeze(glu(transpose([w, x])), -1)", w: 0.5 })],
  threshold: [at((x) => (x > 0.5 ? x : 20), (x) => (x > 0.5 ? 1 : 0), zero, [0.5, ...ends], { call: "threshold(x, 0.5, 20)" })],
  prelu: [at((x) => (x > 0 ? x : 0.25 * x), (x) => (x > 0 ? 1 : 0.25), zero, [0, -0, ...ends], { call: "prelu(x, 0.25)" })],
  threshold_unit: [at((x) => (x >= 0.5 ? 1 : 0), zero, zero, [0.5, ...ends], { call: "threshold_unit(x, 0.5)" })],
  straight_through: [at((x) => Math.floor(x), one, zero, ends, { call: "straight_through(floor(x), x)" })],
  straight_through_step: [at((x) => (x >= 0 ? 1 : 0), (x) => (Math.abs(x) <= 2 ? 1 : 0), zero, [-0, ...ends], { call: "straight_through_step(x, limit: 2)" })],
  straight_through_sign: [at(Math.sign, one, zero, [-0, ...ends], { call: "straight_through_sign(x)" })],
  reglu: [at((x) => x * 0.5, constant(0.5), zero, [0, 1, -2], { call: "squeeze(reglu(transpose([x, w])), -1)", w: 0.5 }), at((x) => 0.5 * Math.max(x, 0), (x) => (x > 0 ? 0.5 : 0), zero, ends, { call: "squeeze(reglu(transpose([w, x])), -1)", w: 0.5 })],
  geglu: [gated((x) => 0.5 * Phi(x), (x) => 0.5 * phi(x), (x) => -0.5 * x * phi(x), [...around, 1e10, -1e10], { call: "squeeze(geglu(transpose([w, x])), -1)", w: 0.5 })],
  swiglu: [gated((x) => 0.5 * sigmoid(x), (x) => 0.5 * dsigmoid(x), (x) => 0.5 * d2sigmoid(x), [...around, 1e10], { call: "squeeze(swiglu(transpose([w, x])), -1)", w: 0.5 })],
  // of (x, w): the sigmoid of x - w
  softmax: [at((x) => sigmoid(x - 0.5), (x) => dsigmoid(x - 0.5), (x) => d2sigmoid(x - 0.5), ends, { call: "softmax([x, w], axis: 0)[0]", w: 0.5 })],
  softmin: [at((x) => sigmoid(0.5 - x), (x) => -dsigmoid(x - 0.5), (x) => d2sigmoid(0.5 - x), ends, { call: "softmin([x, w], axis: 0)[0]", w: 0.5 })],
  log_softmax: [at((x) => -softplus(0.5 - x), (x) => sigmoid(0.5 - x), (x) => -dsigmoid(x - 0.5), [...ends.filter((x) => Math.abs(x) < 100), 0.5], { call: "log_softmax([x, w], axis: 0)[0]", w: 0.5 })],
  // ---- losses, of a prediction x and a target w
  mse: [at((x) => (x - 0.5) ** 2, (x) => 2 * (x - 0.5), constant(2), [0, 0.5, -7], { call: "mse(x, w, reduce: each)", w: 0.5 })],
  l1: [at((x) => Math.abs(x - 0.5), (x) => Math.sign(x - 0.5), zero, [0, 0.5, -7], { call: "l1(x, w, reduce: each)", w: 0.5 })],
  huber: [at((x) => (Math.abs(x - 0.5) <= 2 ? 0.5 * (x - 0.5) ** 2 : 2 * (Math.abs(x - 0.5) - 1)), (x) => Math.min(Math.max(x - 0.5, -2), 2), (x) => (Math.abs(x - 0.5) <= 2 ? 1 : 0), [0, 0.5, 2.5, -1.5, 7, -7], { call: "huber(x, w, delta: 2, reduce: each)", w: 0.5 })],
  smooth_l1: [at((x) => (Math.abs(x - 0.5) < 2 ? 0.25 * (x - 0.5) ** 2 : Math.abs(x - 0.5) - 1), (x) => Math.min(Math.max((x - 0.5) / 2, -1), 1), (x) => (Math.abs(x - 0.5) < 2 ? 0.5 : 0), [0, 0.5, 2.5, -1.5, 7, -7], { call: "smooth_l1(x, w, beta: 2, reduce: each)", w: 0.5 })],
  bce: [0, 0.25, 1].flatMap((y) => [
    at((p) => -y * Math.log(p) - (1 - y) * Math.log1p(-p), (p) => (p - y) / (p * (1 - p)), (p) => y / p ** 2 + (1 - y) / (1 - p) ** 2, [1e-5, 0.25, 0.5, 0.75, 0.99], { call: "bce(x, w, reduce: each)", w: y }),
    // PyTorch: logarithms of at least -100, the slope divides by max(p (1 - p), 1e-12)
    at((p) => (p ? 100 * (1 - y) : 100 * y), (p) => (p - y) * 1e12, constant(1e12), [0, 1], { call: "bce(x, w, reduce: each)", w: y }),
  ]),
  clamp_log: [at((x) => Math.max(Math.log(x), -100), (x) => 1 / x, (x) => -1 / x ** 2, [1e-3, 0.5, 1, 10]), at(constant(-100), zero, zero, [0, -1])],
  bce_with_logits: [0, 0.25, 1].map((y) => at((z) => (1 - y) * z + (1 + 1.5 * y) * softplus(-z), (z) => 1 - y - (1 + 1.5 * y) * sigmoid(-z), (z) => (1 + 1.5 * y) * dsigmoid(z), [...around, 90, -90], { call: "bce_with_logits(x, w, positive: 2.5, reduce: each)", w: y })),
  bce_logits: [at((z) => softplus(-z), (z) => -sigmoid(-z), dsigmoid, [...around, 90, -90], { call: "bce_logits(x, w, reduce: each)", w: 1 })],
  cross_entropy: [at((x) => softplus(0.5 - x), (x) => -sigmoid(0.5 - x), (x) => dsigmoid(x - 0.5), [...around, 90, -90], { call: "cross_entropy(transpose([x, w]), (for i in 0..len(x): i32(0 * i) % 1), reduce: each)", w: 0.5 })],
  nll: [at((x) => -x, constant(-1), zero, [0, -7], { call: "nll(transpose([x, w]), (for i in 0..len(x): i32(0 * i) % 1), reduce: each)" })],
  // those of log(cosh), quantiles and margins: w is the target, or the class -1 or 1
  log_cosh: [at((x) => Math.abs(x - 0.5) + Math.log1p(Math.exp(-2 * Math.abs(x - 0.5))) - Math.LN2, (x) => Math.tanh(x - 0.5), (x) => sech2(x - 0.5), [...ends, 0.501], { call: "log_cosh(x, w, reduce: each)", w: 0.5 })],
  quantile: [at((x) => (x < 0.5 ? 0.2 * (0.5 - x) : 0.8 * (x - 0.5)), (x) => (x < 0.5 ? -0.2 : 0.8), zero, [0, 0.6, 1e10, -1e10, 3e38, -3e38], { call: "quantile(x, w, q: 0.2, reduce: each)", w: 0.5 }), at(zero, constant(0.8), zero, [0.5], { call: "quantile(x, w, q: 0.2, reduce: each)", w: 0.5 })],
  hinge: [1, -1].map((y) => at((x) => Math.max(0, 1 - y * x), (x) => (1 - y * x > 0 ? -y : 0), zero, [1, -1, ...ends], { call: "hinge(x, w, reduce: each)", w: y })),
  squared_hinge: [1, -1].map((y) => at((x) => Math.max(0, 1 - y * x) ** 2, (x) => -2 * y * Math.max(0, 1 - y * x), (x) => (1 - y * x > 0 ? 2 : 0), [1, -1, ...around], { call: "squared_hinge(x, w, reduce: each)", w: y })),
  hinge_embedding: [at((x) => x, one, zero, [0, 1, -3e38, 3e38], { call: "hinge_embedding(x, w, reduce: each)", w: 1 }), at((x) => Math.max(0, 2 - x), (x) => (x <= 2 ? -1 : 0), zero, [0, 2, 7, -3e38, 3e38], { call: "hinge_embedding(x, w, margin: 2, reduce: each)", w: -1 })],
  soft_margin: [1, -1].map((y) => at((x) => softplus(-y * x), (x) => -y * sigmoid(-y * x), dsigmoid, ends, { call: "soft_margin(x, w, reduce: each)", w: y })),
  multilabel_soft_margin: [1, 0].map((y) => at((x) => softplus(x) - y * x, (x) => sigmoid(x) - y, dsigmoid, ends, { call: "multilabel_soft_margin(transpose([x]), transpose([w]), reduce: each)", w: y })),
  margin_ranking: [1, -1].map((y) => at((x) => Math.max(0, 0.25 - y * (x - 0.5)), (x) => (0.25 - y * (x - 0.5) >= 0 ? -y : 0), zero, [0.75, 0.25, ...ends], { call: `margin_ranking(x, w, ${y} + 0 * w, margin: 0.25, reduce: each)`, w: 0.5 })),
  // of the class 0 of two, whose scores are x and w
  multi_margin: [
    at((x) => Math.max(0, 1.5 - x) / 2, (x) => (x < 1.5 ? -0.5 : 0), zero, [1.5, ...ends], { call: "multi_margin(transpose([x, w]), (for i in 0..len(x): i32(0 * i) % 1), reduce: each)", w: 0.5 }),
    at((x) => Math.max(0, 1.5 - x) ** 2 / 2, (x) => -Math.max(0, 1.5 - x), (x) => (x < 1.5 ? 1 : 0), [1.5, ...around], { call: "multi_margin(transpose([x, w]), (for i in 0..len(x): i32(0 * i) % 1), p: 2, reduce: each)", w: 0.5 }),
  ],
  multilabel_margin: [at((x) => Math.max(0, 1.5 - x) / 2, (x) => (x < 1.5 ? -0.5 : 0), zero, [1.5, ...ends], { call: "multilabel_margin(transpose([x, w]), transpose([0 * w + 1, 0 * w]), reduce: each)", w: 0.5 })],
  perceptron_loss: [1, 0].map((y) => at((x) => ((x >= 0 ? 1 : 0) - y) * x, (x) => (x >= 0 ? 1 : 0) - y, zero, ends, { call: "perceptron_loss(x, w, reduce: each)", w: y })),
  contrastive: [1, 0, 0.25].map((s) => at((d) => 0.5 * (s * d * d + (1 - s) * Math.max(0, 2 - d) ** 2), (d) => s * d - (1 - s) * Math.max(0, 2 - d), (d) => s + (d < 2 ? 1 - s : 0), [0, 2, ...around, 1e10].filter((d) => d !== 2), { call: "contrastive(x, w, margin: 2, reduce: each)", w: s })),
  // (1 - p)^2 cross-entropy, p the probability of what is true: with s = sigmoid(-z), s^2 softplus(-z)
  focal: [
    at((z) => sigmoid(-z) ** 2 * softplus(-z), (z) => -2 * sigmoid(-z) * dsigmoid(z) * softplus(-z) - sigmoid(-z) ** 3, focalSecond, [...around, 90, -90, 1e10], { call: "focal(x, w, reduce: each)", w: 1 }),
    at((z) => 0.75 * sigmoid(z) ** 2 * softplus(z), (z) => 0.75 * (2 * sigmoid(z) * dsigmoid(z) * softplus(z) + sigmoid(z) ** 3), (z) => 0.75 * focalSecond(-z), [...around, 90, -90, -1e10], { call: "focal(x, w, alpha: 0.25, reduce: each)", w: 0 }),
    at((z) => softplus(-z), (z) => -sigmoid(-z), dsigmoid, [...around, 20, -90], { call: "focal(x, w, gamma: 0, reduce: each)", w: 1 }),
  ],
  focal_cross_entropy: [at((x) => sigmoid(0.5 - x) ** 2 * softplus(0.5 - x), (x) => -2 * sigmoid(0.5 - x) * dsigmoid(x - 0.5) * softplus(0.5 - x) - sigmoid(0.5 - x) ** 3, (x) => focalSecond(x - 0.5), [...around, 80, -90, -1e10], { call: "focal_cross_entropy(transpose([x, w]), (for i in 0..len(x): i32(0 * i) % 1), reduce: each)", w: 0.5 })],
  cross_entropy_probs: [at((x) => 0.25 * softplus(0.5 - x) + 0.75 * softplus(x - 0.5), (x) => sigmoid(x - 0.5) - 0.25, (x) => dsigmoid(x - 0.5), [...around, 90, -90, 1e10, -1e10], { call: "cross_entropy_probs(transpose([x, w]), transpose([0 * w + 0.25, 0 * w + 0.75]), reduce: each)", w: 0.5 })],
  kl_div: [
    at((x) => 0.25 * (Math.log(0.25) - x), constant(-0.25), zero, [0, -1, -90, -3e38], { call: "kl_div(x, w, reduce: each)", w: 0.25 }),
    at(zero, zero, zero, [0, -1, -3e38], { call: "kl_div(x, w, reduce: each)", w: 0 }),
    at((q) => (q ? q * Math.log(q) : 0) + q, (q) => (q ? Math.log(q) + 2 : 1), (q) => (q ? 1 / q : 0), [0, 1e-3, 0.5, 1], { call: "kl_div(w, x, reduce: each)", w: -1 }),
    at((q) => Math.exp(q) * (q + 1), (q) => Math.exp(q) * (q + 2), (q) => Math.exp(q) * (q + 3), [0, -1, -20, -90, -1e10, -3e38], { call: "kl_div(w, x, log_target: true, reduce: each)", w: -1 }),
  ],
  kl_normal: [
    at((x) => 0.5 * (x * x + 0.25), (x) => x, one, around, { call: "kl_normal(transpose([x]), transpose([0 * w]), reduce: each) + w", w: 0.125 }),
    at((v) => 0.5 * (Math.exp(v) - 1 - v), (v) => 0.5 * Math.expm1(v), (v) => 0.5 * Math.exp(v), [0, 1e-3, 2, -7, -90, -1e10, 80], { call: "kl_normal(transpose([0 * w]), transpose([x]), reduce: each)" }),
  ],
  poisson_nll: [
    at((x) => Math.exp(x) - 3 * x, (x) => Math.exp(x) - 3, Math.exp, [...around, -90, 80, -1e10], { call: "poisson_nll(x, w, reduce: each)", w: 3 }),
    at((x) => x - 3 * Math.log(x + 1e-8), (x) => 1 - 3 / (x + 1e-8), (x) => 3 / (x + 1e-8) ** 2, [1e-3, 0.5, 2, 1e10], { call: "poisson_nll(x, w, log_input: false, reduce: each)", w: 3 }),
    at((x) => x, one, zero, [0, 2, 1e10], { call: "poisson_nll(x, w, log_input: false, full: true, reduce: each)", w: 0 }),
    at((x) => Math.exp(x) - 3 * x + 3 * Math.log(3) - 3 + 0.5 * Math.log(6 * Math.PI), (x) => Math.exp(x) - 3, Math.exp, [0, 2], { call: "poisson_nll(x, w, full: true, reduce: each)", w: 3 }),
  ],
  gaussian_nll: [
    at((x) => 0.5 * (Math.log(0.5) + 2 * x * x), (x) => 2 * x, constant(2), [...around, 1e10], { call: "gaussian_nll(x, 0 * w, w, reduce: each)", w: 0.5 }),
    at((v) => 0.5 * (Math.log(v) + 0.25 / v), (v) => 0.5 * (1 / v - 0.25 / v ** 2), (v) => 0.5 * (-1 / v ** 2 + 0.5 / v ** 3), [1e-3, 0.5, 2, 1e10], { call: "gaussian_nll(w, 0 * w, x, reduce: each)", w: 0.5 }),
    at(constant(0.5 * Math.log(1e-2)), constant(50), constant(-5000), [0, -3, 1e-3], { call: "gaussian_nll(w, w, x, eps: 1e-2, reduce: each)", w: 0.5 }),
  ],
  dice: [at((x) => 1 - (x + 1) / (x + 1.5), (x) => -0.5 / (x + 1.5) ** 2, (x) => 1 / (x + 1.5) ** 3, [0, 0.5, 1, 7, 1e10], { call: "dice(transpose([x]), transpose([w]), reduce: each)", w: 0.5 })],
  // near and far of one dimension: |x - 0.5| - |x - 2| + 1
  triplet_margin: [at((x) => Math.max(0, Math.abs(x - 0.5 + 1e-6) - Math.abs(x - 2 + 1e-6) + 1), (x) => (x > 0.75 && x < 2 ? 2 : 0), zero, [0, 1, 1.5, 7, -7], { call: "triplet_margin(transpose([x]), transpose([w]), transpose([0 * w + 2]), reduce: each)", w: 0.5, tolerance: 1e-4 })],
  cosine_embedding: [
    at((x) => 1 - 0.5 / Math.hypot(x, 0.5), (x) => (0.5 * x) / Math.hypot(x, 0.5) ** 3, (x) => (-0.5 * (2 * x * x - 0.25)) / Math.hypot(x, 0.5) ** 5, around, { call: "cosine_embedding(transpose([x, w]), transpose([0 * w, 2 * w]), 0 * w + 1, reduce: each)", w: 0.5 }),
    at(constant(1), zero, zero, [0], { call: "cosine_embedding(transpose([x, x]), transpose([w, w]), 0 * w + 1, reduce: each)" }),
  ],
  // ---- tensors
  rsqrt: [at((x) => 1 / Math.sqrt(x), (x) => -0.5 * x ** -1.5, (x) => 0.75 * x ** -2.5, [1e-3, 0.5, 1, 1e10])],
  square: [at((x) => x * x, (x) => 2 * x, constant(2), around)],
  reciprocal: [at((x) => 1 / x, (x) => -1 / x ** 2, (x) => 2 / x ** 3, [1e-3, -0.5, 1, 1e10])],
  exp2: [at((x) => 2 ** x, (x) => Math.LN2 * 2 ** x, (x) => Math.LN2 ** 2 * 2 ** x, [...around, -126, 127])],
  log2: [at(Math.log2, (x) => 1 / (x * Math.LN2), (x) => -1 / (x * x * Math.LN2), [1e-3, 0.5, 1, 8, 1e10])],
  log10: [at(Math.log10, (x) => 1 / (x * Math.LN10), (x) => -1 / (x * x * Math.LN10), [1e-3, 0.5, 1, 1000, 1e10])],
  clamp: [
    at((x) => Math.min(Math.max(x, -1), 2), (x) => (x >= -1 && x <= 2 ? 1 : 0), zero, [0, -1, 2, -3, 3], { call: "clamp(x, -1, 2)" }),
    at(constant(1), zero, zero, [0, 1, 2, 3], { call: "clamp(x, 2, 1)" }),
    at((x) => Math.max(x, 0), (x) => (x >= 0 ? 1 : 0), zero, [0, 1, -1], { call: "clamp(x, 0)" }),
  ],
  lerp: [at((x) => x + 0.25 * (2 - x), constant(0.75), zero, [0, 3], { call: "lerp(x, for i in 0..len(x): 2.0, w)", w: 0.25 })],
  // of (x, 0.5)
  var: [
    at((x) => (x - 0.5) ** 2 / 2, (x) => x - 0.5, one, [0.5, 0, 3, -7], { call: "var([x, w], axis: 0)", w: 0.5 }),
    at(zero, zero, zero, [0, 3], { call: "var([x], axis: 0)" }),
  ],
  std: [
    at((x) => Math.abs(x - 0.5) * Math.SQRT1_2, (x) => Math.sign(x - 0.5) * Math.SQRT1_2, zero, [0.5, 0, 3, -7], { call: "std([x, w], axis: 0)", w: 0.5 }),
    at(zero, zero, zero, [0, 1, 1e10], { call: "std([x, x, x], axis: 0)" }),
    at(zero, zero, zero, [0, 3], { call: "std([x], axis: 0)" }),
  ],
  norm: [
    at((x) => Math.hypot(x, 0.5), (x) => x / Math.hypot(x, 0.5), (x) => 0.25 / Math.hypot(x, 0.5) ** 3, around, { call: "norm([x, w], axis: 0)", w: 0.5 }),
    at(Math.abs, Math.sign, zero, [0, 2, -2], { call: "norm([x, w], axis: 0)" }),
    at((x) => Math.abs(x) + 0.5, Math.sign, zero, [0, 2, -2], { call: "norm([x, w], axis: 0, p: 1)", w: 0.5 }),
    at((x) => Math.max(Math.abs(x), 0.5), (x) => (Math.abs(x) > 0.5 ? Math.sign(x) : Math.abs(x) < 0.5 ? 0 : Math.sign(x) / 2), zero, [0, 0.5, 2, -2], { call: "norm([x, w], axis: 0, p: inf)", w: 0.5 }),
    ...[0.5, 1.5, 3].flatMap((p) => [
      at((x) => (Math.abs(x) ** p + 1) ** (1 / p), (x) => (x ? (Math.abs(x) ** p + 1) ** (1 / p - 1) * Math.abs(x) ** (p - 1) * Math.sign(x) : 0), (x) => (x ? (p - 1) * Math.abs(x) ** (p - 2) * (Math.abs(x) ** p + 1) ** (1 / p - 2) : 0), [0, 0.5, 2, -2], { call: `norm([x, w], axis: 0, p: ${p})`, w: 1 }),
      at(zero, zero, zero, [0], { call: `norm([x, w], axis: 0, p: ${p})` }),
    ]),
  ],
  safe_sqrt: [at(Math.sqrt, (x) => (x ? 0.5 / Math.sqrt(x) : 0), (x) => (x ? -0.25 * x ** -1.5 : 0), [0, 1e-3, 1, 4, 1e10])],
  safe_pow: [at((x) => x ** 0.25, (x) => (x ? 0.25 * x ** -0.75 : 0), (x) => (x ? -0.1875 * x ** -1.75 : 0), [0, 1e-3, 1, 4, 1e10], { call: "safe_pow(x, 0.25)" })],
  l2_normalize: [
    at((x) => x / Math.hypot(x, 0.5), (x) => 0.25 / Math.hypot(x, 0.5) ** 3, (x) => (-0.75 * x) / Math.hypot(x, 0.5) ** 5, around, { call: "l2_normalize([x, w], axis: 0)[0]", w: 0.5 }),
    at(zero, constant(1e12), zero, [0], { call: "l2_normalize([x, w], axis: 0)[0]" }),
  ],
  // of (x, 0.5) and (0, 1)
  cosine_similarity: [
    at((x) => 0.5 / Math.hypot(x, 0.5), (x) => (-0.5 * x) / Math.hypot(x, 0.5) ** 3, (x) => (0.5 * (2 * x * x - 0.25)) / Math.hypot(x, 0.5) ** 5, around, { call: "cosine_similarity([x, w], [0 * w, 2 * w], axis: 0)", w: 0.5 }),
    at(zero, zero, zero, [0], { call: "cosine_similarity([x, w], [w, x], axis: 0)" }),
  ],
  pairwise_distance: [at((x) => Math.abs(x - 0.5 + 1e-6), (x) => Math.sign(x - 0.5 + 1e-6), zero, [0.5, 2, -2], { call: "pairwise_distance(transpose([x]), transpose([w]))", w: 0.5, tolerance: 1e-4 })],
  // ---- metrics that are functions of numbers
  mae: [at((x) => Math.abs(x - 0.5) / 4, (x) => Math.sign(x - 0.5) / 4, zero, [0.5, 0.5, 3, -2], { call: "(for i in 0..4: abs(x[i] - w[i]) / 4) + 0 * mae(x, w)", w: 0.5 })],
  rmse: [at(constant(0), zero, zero, [0.5, 0.5], { call: "(for i in 0..2: rmse(x, w))", w: 0.5 })],
};
/** Where the values of a library file's declarations are held that are not in the table: test/std. */
const filesElsewhere: Readonly<Record<string, string>> = {
  activation: "values.test.ts, golden.test.ts",
  attention: "sequence-golden.test.ts, sequence-reference.test.ts",
  augmentation: "values.test.ts, training.test.ts",
  convolution: "images.test.ts, images.golden.test.ts",
  data: "data.test.ts",
  embedding: "sequence-golden.test.ts, sequence-reference.test.ts",
  initialiser: "training.test.ts",
  layer: "images.golden.test.ts",
  linear_algebra: "linear-algebra.test.ts",
  loss: "values.test.ts, golden.test.ts",
  metric: "values.test.ts, golden.test.ts",
  normalisation: "normalisation.test.ts",
  optimizer: "training.test.ts, golden.test.ts",
  pooling: "images.test.ts, images.golden.test.ts",
  recurrent: "sequence-golden.test.ts, sequence-reference.test.ts",
  regularisation: "normalisation.test.ts",
  resampling: "images.test.ts, images.golden.test.ts",
  schedule: "golden.test.ts",
  sequence: "sequence-golden.test.ts, sequence-reference.test.ts",
  sorting: "values.test.ts",
  tensor: "values.test.ts",
  transformer: "sequence-golden.test.ts, sequence-reference.test.ts",
};
const inFiles = libraryFiles
  .filter(({ name }) => name.replace(/^std\/|\.dlm$/g, "") in filesElsewhere)
  .flatMap(({ text }) =>
    [...text.matchAll(/^(?:fn|layer|init|optimizer|const) ([A-Za-z_]\w*)/gm)].map(([, name]) => name!),
  );
/** What is not in the table, and why. */
const elsewhere: Readonly<Record<string, string>> = {
  less: "a comparison",
  less_equal: "a comparison",
  equal: "a comparison",
  div_rounded: "quotients.test.ts",
  floor_remainder: "quotients.test.ts",
  keep_finite: "masks.test.ts",
  keep_rounding: "formulas.test.ts",
  random_in: "draws.test.ts",
  deviations: "variance.test.ts",
  wrap_i32: "wrapping.test.ts",
  less_integer: "wrapping.test.ts",
  floor_div_dynamic: "of integers",
  modulo_dynamic: "of integers",
  to_f32: "a conversion",
  bool_to_f32: "a conversion",
  bool_to_i32: "a conversion",
  to_i32: "a conversion",
  average: "a reduction of what a loss gives",
  total: "a reduction of what a loss gives",
  each: "what it is given",
  l2: "of an instance; the square is in the table",
  l1_penalty: "of an instance; abs is in the table",
  accuracy: "counts",
  confusion: "counts",
  f1_macro: "counts",
  r2: "mse is in the table",
  perplexity: "exp of cross_entropy",
  pairwise_sqdist: "sums of squares",
  flatten: "a shape",
  outer: "products",
  last: "a shape",
  cumsum: "sums",
  cumprod: "points.test.ts",
  eye: "a constant",
  tril: "moves numbers",
  triu: "moves numbers",
  diagonal: "moves numbers",
  trace: "a sum",
  roll: "moves numbers",
  repeat_interleave: "moves numbers",
  one_hot: "of integers",
  take_along: "moves numbers",
  scatter_add: "sums",
  ranks: "integers",
  sort_descending: "moves numbers",
  order_descending: "integers",
  top_k: "moves numbers",
  causal_mask: "a constant",
  random_shift: "moves numbers",
  descend: "a loop",
  window_out: "of integers",
  constant: "a schedule",
  warmup_cosine: "a schedule",
  step_decay: "a schedule",
  exponential: "a schedule",
  linear_default: "draws",
  glorot_uniform: "draws",
  glorot_normal: "draws",
  he_normal: "draws",
  he_uniform: "draws",
  clip_norm: "steps.test.ts",
  clip_value: "steps.test.ts",
  sgd: "steps.test.ts",
  adam: "steps.test.ts",
  adamw: "steps.test.ts",
  rmsprop: "steps.test.ts",
  Linear: "products",
  Embedding: "moves numbers",
  Dropout: "draws",
  LayerNorm: "points.test.ts",
  RMSNorm: "a quotient by a root",
  BatchNorm: "a quotient by a root",
  Conv2d: "products",
  MaxPool2d: "moves numbers",
  AvgPool2d: "sums",
  Standardise: "a mean and a deviation",
};

const finite = (x: number): number => Math.min(Math.max(x, -max), max);
async function check(
  name: string,
  { call, w = 0, points, value, slope, second, tolerance = 6e-6 }: Entry,
): Promise<void> {
  const y = call ?? `${name}(x)`;
  // z is 0: what does not depend on x has a gradient too
  const text = `export fn f(x: f32[${points.length}], w: f32[${points.length}], z: f32) -> (f32[${points.length}], f32[${points.length}], f32[${points.length}]) {
  let y = ${y}
  let g = grad(sum(y) + z * sum(x), wrt: x)
  let h = grad(sum(g) + z * sum(x), wrt: x)
  return (y, g, h)
}`;
  const { evaluator, device } = await valuesOf(text, { x: points, w: points.map(() => w), z: 0 });
  [value, slope, second].forEach((f, order) => {
    points.forEach((x, i) => {
      const want = finite(f(x));
      const label = `${["value", "slope", "second derivative"][order]} of ${y} at x = ${x}, w = ${w}`;
      // f64 but for the numbers of f32 that are given
      expect(
        Math.abs(finite(evaluator[order]![i]!) - want),
        `evaluator: ${label}: ${evaluator[order]![i]}, not ${want}`,
      ).toBeLessThanOrEqual(1e-7 * Math.max(1, Math.abs(want)));
      expect(
        Math.abs(finite(device[order]![i]!) - want),
        `device: ${label}: ${device[order]![i]}, not ${want}`,
      ).toBeLessThanOrEqual(Math.max(least, tolerance * Math.max(1, Math.abs(want))));
    });
  });
}
describe.each(Object.entries(table).map(([name, entries]) => [name, entries] as const))("%s", (name, entries) => {
  test.each(entries.map((e) => [e.call ?? `${name}(x)`, e.w ?? 0, e] as const))(
    "%s at its points, w = %d",
    (_, __, entry) => check(name, entry),
  );
});
test("every scalar function and every declaration of the library is in the table, or says why not", () => {
  const all = [...functions.keys(), ...libraryDeclarations.map((d) => d.name)];
  expect(all.filter((name) => !(name in table) && !(name in elsewhere) && !inFiles.includes(name))).toEqual([]);
  expect([...Object.keys(table), ...Object.keys(elsewhere)].filter((name) => !all.includes(name))).toEqual([]);
});
