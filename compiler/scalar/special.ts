// Special functions in f64, for the reference evaluator.

/** Error function; series for |x| < 3 (Abramowitz and Stegun 7.1.5), continued fraction beyond (7.1.14). */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let term = a;
    let sum = a;
    for (let n = 1; n < 200; n++) {
      term *= (-a * a) / n;
      const next = term / (2 * n + 1);
      sum += next;
      if (Math.abs(next) < 1e-17 * Math.abs(sum)) break;
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  if (a > 6) return Math.sign(x);
  let fraction = 0;
  for (let n = 80; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}

/** log(exp(a) + exp(b)). */
export function logAddExp(a: number, b: number): number {
  return a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}

/** log |gamma(x)|; Stirling's series after shifting x above 10, reflection for x < 0. */
export function logGamma(x: number): number {
  if (x < 0) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * fraction(x)))) - logGamma(1 - x);
  let shift = 0;
  while (x < 10) shift += Math.log(x++);
  const r = 1 / (x * x);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
/** x less its nearest whole number: sines and tangents of pi x have no more digits than that. */
const fraction = (x: number): number => x - Math.round(x);

/** Derivative of logGamma; at a pole the limit from above. */
export function digamma(x: number): number {
  if (x <= 0) return Number.isInteger(x) ? -Infinity : digamma(1 - x) - Math.PI / Math.tan(Math.PI * fraction(x));
  let shift = 0;
  while (x < 10) shift += 1 / x++;
  const r = 1 / (x * x);
  return Math.log(x) - 0.5 / x - r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r / 132)))) - shift;
}

/** k! / x^(k + 1) */
function inversePower(k: number, x: number): number {
  let y = 1 / x;
  for (let i = 1; i <= k; i++) y *= i / x;
  return y;
}
/** n! times Hurwitz' zeta(n + 1, x) for x > 0: terms up to x >= 16, then the asymptotic series (Abramowitz and Stegun 6.4.11). */
function zeta(n: number, x: number): number {
  let sum = 0;
  for (; x < 16; x++) sum += inversePower(n, x);
  const r = 1 / (x * x);
  const series =
    1 +
    n / (2 * x) +
    ((n * (n + 1)) / 12) *
      r *
      (1 -
        (((n + 2) * (n + 3)) / 60) * r * (1 - (((n + 4) * (n + 5)) / 42) * r * (1 - (((n + 6) * (n + 7)) / 40) * r)));
  return sum + inversePower(n - 1, x) * series;
}
/**
 * The n-th derivative of digamma for a whole n >= 1: (-1)^(n + 1) n! times the sum of 1 / (x + k)^(n + 1) over k >= 0. For a negative x that is the sum over
 * all whole k, which has period 1, less the terms of k < 0. At a pole the limit from above.
 */
export function polygamma(n: number, x: number): number {
  const sign = n % 2 ? 1 : -1;
  if (x > 0) return sign * zeta(n, x);
  const r = fraction(x);
  if (r === 0) return sign * Infinity;
  return sign * (inversePower(n, r) + zeta(n, 1 + r)) + zeta(n, 1 - r) - zeta(n, 1 - x);
}

/** Half to even, as WGSL and PyTorch round. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
