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

/** log |gamma(x)|; Stirling's series after shifting x above 10, reflection for x < 0.5. */
export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - logGamma(1 - x);
  let shift = 0;
  while (x < 10) shift += Math.log(x++);
  const r = 1 / (x * x);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** Derivative of logGamma. */
export function digamma(x: number): number {
  if (x < 0.5) return digamma(1 - x) - Math.PI / Math.tan(Math.PI * x);
  let shift = 0;
  while (x < 10) shift += 1 / x++;
  const r = 1 / (x * x);
  return Math.log(x) - 0.5 / x - r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r / 132)))) - shift;
}

/** The n-th derivative of digamma for a whole n >= 1 and x > 0: terms n! / x^(n + 1) up to x >= 16, then the asymptotic series (Abramowitz and Stegun 6.4.11). */
export function polygamma(n: number, x: number): number {
  let factorial = 1;
  for (let k = 2; k <= n; k++) factorial *= k;
  let sum = 0;
  for (; x < 16; x++) sum += factorial / Math.pow(x, n + 1);
  const r = 1 / (x * x);
  const series = 1 + n / (2 * x) + ((n * (n + 1)) / 12) * r * (1 - (((n + 2) * (n + 3)) / 60) * r * (1 - (((n + 4) * (n + 5)) / 42) * r * (1 - (((n + 6) * (n + 7)) / 40) * r)));
  return (n % 2 ? 1 : -1) * (sum + (factorial / n) * Math.pow(x, -n) * series);
}

/** Half to even, as WGSL and PyTorch round. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
