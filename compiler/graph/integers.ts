// Integers: affine sums over atoms, floor and mod, their bounds, and what is proved of them by bounds alone.
//
// An i32 wraps. An Affine stands for its sum modulo 2^32, so sums and products by constants may be regrouped at will; whatever looks at
// the size of a value (floor, mod, comparisons, indices) may take the sum for the value only where it `fits`. A sum that may
// leave i32 enters such a place as one opaque atom, `wrap_i32(sum)`, of which nothing is known. Index arithmetic over run-time sizes counts as fitting: a tensor
// of such a size would be larger than a device's memory.
import { InternalError } from "../../grammar/diagnostic.ts";
import { isI32, mostSize } from "../scalar/range.ts";
import { fn } from "../scalar/table.ts";
import { applied } from "./calls.ts";
import { working } from "./compilation.ts";
import { constantOf, constantPart, everything, fits, interval, isCall, termsOf } from "./forms.ts";
import { scansOf, variablesOf } from "./leaves.ts";
import type { Affine, Call, Dim, Extent, FloorDiv, Integer, Interval, Modulo } from "./types.ts";

export const integer = (constant: number): Integer => working().constant(constant, () => affine(new Map(), constant));
export const asInteger = (x: Integer | number): Integer => (typeof x === "number" ? integer(x) : x);
export const extentInteger = (extent: Extent): Integer => (typeof extent === "number" ? integer(extent) : extent);
/** Normal form of a size: a number where it is one. */
export function asExtent(e: Integer): Extent {
  const constant = constantOf(e);
  if (constant !== undefined) return constant;
  if (e.kind === "dim" || e.kind === "affine") return e;
  throw new InternalError("a size is not affine in the dims");
}

/** Exact, or congruent modulo 2^32 where a double would round. */
const times = (a: number, b: number): number => (Number.isSafeInteger(a * b) ? a * b : Math.imul(a, b));
const plus = (a: number, b: number): number => (Number.isSafeInteger(a + b) ? a + b : ((a | 0) + (b | 0)) | 0);

const known = (operand: Integer, divisor: number): FloorDiv | undefined =>
  working().known<FloorDiv>(`q${operand.id},${divisor}`);
function affine(coefficients: Map<Integer, number>, constant: number): Integer {
  // c m floor(e / m) + c (e mod m) = c e
  for (let again = true; again;) {
    again = false;
    for (const [atom, coefficient] of coefficients) {
      if (atom.kind !== "modulo") continue;
      // floor(floor(e / a) / m) is written floor(e / (a m))
      const inner =
        atom.operand.kind === "floor_div"
          ? known(atom.operand.operand, atom.operand.divisor * atom.divisor)
          : undefined;
      const quotient = inner ?? known(atom.operand, atom.divisor);
      if (!quotient || coefficients.get(quotient) !== times(coefficient, atom.divisor)) continue;
      coefficients.delete(atom);
      coefficients.delete(quotient);
      for (const [inner, k] of termsOf(atom.operand)) addTo(coefficients, inner, times(coefficient, k));
      constant = plus(constant, times(coefficient, constantPart(atom.operand)));
      again = true;
      break;
    }
  }
  const terms = [...coefficients].sort((a, b) => a[0].id - b[0].id);
  if (constant === 0 && terms.length === 1 && terms[0]![1] === 1) return terms[0]![0];
  let key = `A${constant}`;
  for (const [atom, k] of terms) key += `+${k}*${atom.id}`;
  return working().intern<Affine>(key, (id) => {
    const atoms = terms.map(([atom]) => atom);
    return {
      kind: "affine",
      dtype: "i32",
      terms,
      atoms,
      constant,
      id,
      variables: variablesOf(atoms),
      scans: scansOf(atoms),
      ...boundsOfSum(terms, constant),
    };
  });
}
function addTo(coefficients: Map<Integer, number>, atom: Integer, k: number): void {
  const sum = plus(coefficients.get(atom) ?? 0, k);
  if (sum === 0) coefficients.delete(atom);
  else coefficients.set(atom, sum);
}
/** constant + sum of coefficient * term */
export function linear(terms: Iterable<readonly [Integer, number]>, constant = 0): Integer {
  const coefficients = new Map<Integer, number>();
  for (const [term, k] of terms) {
    if (k === 0) continue;
    constant = plus(constant, times(k, constantPart(term)));
    for (const [atom, inner] of termsOf(term)) addTo(coefficients, atom, times(k, inner));
  }
  return affine(coefficients, constant);
}
export const iadd = (...xs: (Integer | number)[]): Integer => linear(xs.map((x) => [asInteger(x), 1] as const));
export const isub = (a: Integer | number, b: Integer | number): Integer =>
  linear([
    [asInteger(a), 1],
    [asInteger(b), -1],
  ]);
export const imul = (a: Integer | number, k: number): Integer => linear([[asInteger(a), k]]);
export const positiveModulo = (a: number, m: number): number => ((a % m) + m) % m;
export function greatestCommonDivisor(a: number, b: number): number {
  a = Math.abs(a);
  b = Math.abs(b);
  while (b) [a, b] = [b, a % b];
  return a;
}
export const coefficientDivisor = (e: Integer, start: number): number =>
  termsOf(e).reduce((g, [, k]) => greatestCommonDivisor(g, k), start);

/** The interval of a sum, and whether it fits. */
function boundsOfSum(terms: Affine["terms"], constant: number): Pick<Affine, "interval" | "fits"> {
  const sum = sumBounds(terms, constant, 0);
  const stays = ({ low, high }: Interval): boolean => isI32(low) && isI32(high);
  const isShort = stays(sum);
  const isKnown =
    (isShort && terms.every(([atom]) => atom.kind === "dim")) || stays(sumBounds(terms, constant, mostSize));
  return { interval: isKnown ? sumBounds(terms, constant, Infinity) : everything, fits: isShort };
}
/** A formula of run-time sizes alone: the runtime refuses sizes that take it out of i32. */
export const isSize = (e: Affine): boolean => e.fits && e.atoms.every((atom) => atom.kind === "dim");
/** Does the sum never leave i32, however large the sizes? */
export function fitsAnySize(e: Affine): boolean {
  const { low, high } = sumBounds(e.terms, e.constant, mostSize);
  return isI32(low) && isI32(high);
}
/** The value of e as one thing: e itself where it fits, else the sum as it wraps. */
export function exactly(e: Integer): Integer {
  if (fits(e)) return e;
  const constant = constantOf(e);
  return constant !== undefined ? integer(constant | 0) : (applied(fn("wrap_i32"), [e], "i32") as Integer);
}
/** Bounds of a sum over the integers; a bound that depends on run-time sizes counts as `size`. */
function sumBounds(terms: Affine["terms"], constant: number, size: number): Interval {
  let low = constant;
  let high = constant;
  for (const [atom, k] of terms) {
    const x = interval(atom);
    const most = x.high === Infinity ? Math.max(size, x.low) : x.high;
    low += k > 0 ? k * x.low : k * most;
    high += k > 0 ? k * most : k * x.low;
  }
  return { low, high };
}

/** floor(e / m), m a positive number */
export function floorDiv(e: Integer | number, m: number): Integer {
  e = exactly(asInteger(e));
  if (m === 1) return e;
  const high: [Integer, number][] = [];
  const low: [Integer, number][] = [];
  for (const [atom, k] of termsOf(e)) (k % m === 0 ? high : low).push([atom, k % m === 0 ? k / m : k]);
  const constant = constantPart(e);
  const quotient = Math.floor(constant / m);
  let outer = linear(high, quotient);
  let rest = linear(low, constant - quotient * m);
  if (!fits(rest)) [outer, rest] = [integer(0), e];
  const { low: a, high: b } = interval(rest);
  if (Math.floor(a / m) === Math.floor(b / m) && Number.isFinite(a)) return iadd(outer, Math.floor(a / m));
  if (rest.kind === "floor_div" && isI32(rest.divisor * m))
    return iadd(outer, floorDiv(rest.operand, rest.divisor * m));
  const g = coefficientDivisor(rest, m);
  if (g > 1) {
    const reduced = linear(
      termsOf(rest).map(([atom, k]) => [atom, k / g] as const),
      Math.floor(constantPart(rest) / g),
    );
    return iadd(outer, floorDiv(reduced, m / g));
  }
  return iadd(outer, quotientOf(rest, m));
}
const quotientOf = (operand: Integer, divisor: number): FloorDiv =>
  working().intern<FloorDiv>(`q${operand.id},${divisor}`, (id) => ({
    kind: "floor_div",
    dtype: "i32",
    operand,
    divisor,
    id,
    variables: operand.variables,
    scans: operand.scans,
    interval: intervalOfQuotient(interval(operand), divisor),
  }));
/** e mod m in [0, m), m a positive number */
export function modulo(e: Integer | number, m: number): Integer {
  e = exactly(asInteger(e));
  if (m === 1) return integer(0);
  const terms: [Integer, number][] = [];
  for (const [atom, k] of termsOf(e)) {
    const r = positiveModulo(k, m);
    if (r !== 0) terms.push([atom, r > m / 2 ? r - m : r]);
  }
  let rest = linear(terms, positiveModulo(constantPart(e), m));
  if (!fits(rest)) rest = e;
  const { low: a, high: b } = interval(rest);
  if (Math.floor(a / m) === Math.floor(b / m) && Number.isFinite(a)) return iadd(rest, -Math.floor(a / m) * m);
  if (rest.kind === "modulo" && rest.divisor % m === 0) return modulo(rest.operand, m);
  quotientOf(rest, m); // its partner in the rule of `affine`
  const operand = rest;
  return working().intern<Modulo>(`m${rest.id},${m}`, (id) => ({
    kind: "modulo",
    dtype: "i32",
    operand,
    divisor: m,
    id,
    variables: operand.variables,
    scans: operand.scans,
    interval: intervalOfRemainder(interval(operand), m),
  }));
}

const intervalOfQuotient = ({ low, high }: Interval, divisor: number): Interval => ({
  low: Math.floor(low / divisor),
  high: Math.floor(high / divisor),
});
const intervalOfRemainder = ({ low, high }: Interval, divisor: number): Interval =>
  Math.floor(low / divisor) === Math.floor(high / divisor)
    ? { low: positiveModulo(low, divisor), high: positiveModulo(high, divisor) }
    : { low: 0, high: divisor - 1 };
export const hull = (a: Interval, b: Interval): Interval => ({
  low: Math.min(a.low, b.low),
  high: Math.max(a.high, b.high),
});

/**
 * Is the sum >= 0, over the integers, for all values of its variables and dims? (Not its value, where it does not fit; both 0 <= e and e < n together say
 * that it does.) Bounds of variables with run-time extents stay affine in the dims.
 */
export function provedNonNegative(e: Integer): boolean {
  if (leastOf(e) >= 0) return true;
  // replace every variable by the bound that makes e least; what is left is affine in dims >= 1
  let least: Integer = e;
  for (let round = 0; round < 8; round++) {
    const term = termsOf(least).find(([atom]) => symbolicHigh(atom) !== undefined);
    if (!term) break;
    const [atom, k] = term;
    if (k > 0) {
      const low = interval(atom).low;
      if (!Number.isFinite(low)) return false;
      least = linear(
        [
          [least, 1],
          [atom, -k],
        ],
        k * low,
      );
    } else
      least = linear([
        [least, 1],
        [atom, -k],
        [symbolicHigh(atom)!, k],
      ]);
  }
  return leastOf(least) >= 0;
}
const leastOf = (e: Integer): number =>
  e.kind === "affine" ? sumBounds(e.terms, e.constant, Infinity).low : interval(e).low;
/** A size that is known at run time, among the operands. */
export const sizeAmong = (e: Call): Dim | Affine | undefined =>
  e.operands.find((x): x is Dim | Affine => x.kind === "dim" || (x.kind === "affine" && isSize(x)));
function symbolicHigh(atom: Integer): Integer | undefined {
  if (atom.kind === "variable" && typeof atom.extent !== "number") return iadd(atom.extent, -1);
  if (
    isCall(atom, "modulo_dynamic") &&
    interval(atom.operands[1] as Integer).low > 0 &&
    (atom.operands[1]!.kind === "dim" || atom.operands[1]!.kind === "affine")
  )
    return iadd(atom.operands[1] as Integer, -1);
  if (isCall(atom, "min")) return sizeAmong(atom);
  if (atom.kind === "load" && atom.tensor.range && typeof atom.tensor.range.high !== "number" && !atom.outside)
    return atom.tensor.range.high;
  return undefined;
}
