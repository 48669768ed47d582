// Constructors of scalars: the only way to make one. They hash-cons and keep the normal forms of types.ts:
// integers are affine over atoms, guards float outward, loads are in range or have an outside value.
// The table belongs to one compilation (`resetTable`); ids only ever grow, so scalars of two compilations never meet.
import { InternalError } from "../../grammar/diagnostic.ts";
import { fn } from "../scalar/table.ts";
import type { Bounds, DerivativeBuilder, Reach, ScalarFunction } from "../scalar/functions.ts";
import { isI32, largestF32, leastI32, mostI32, mostSize } from "../scalar/range.ts";
import type {
  Affine,
  And,
  Call,
  Dim,
  DType,
  EqualZero,
  Extent,
  FloorDiv,
  Integer,
  Literal,
  Load,
  Local,
  Modulo,
  Node,
  NonNegative,
  Not,
  Random,
  Scalar,
  Scan,
  ScanSet,
  Select,
  Shape,
  Variable,
  VariableSet,
} from "./types.ts";

let table = new Map<string, unknown>();
/** The same for what has one or two operands beside its owner (a row, a tensor, a condition): looked up by number. */
let pairs = new Map<unknown, Map<number, unknown>>();
/** The same for what is told apart by looking: few have one owner. */
let lists = new Map<unknown, unknown[]>();
let pairNumbers = new Map<number, number>();
let constants = new Map<number, Affine>();
let lastId = 0;
export function resetTable(): void {
  table = new Map();
  pairs = new Map();
  lists = new Map();
  pairNumbers = new Map();
  constants = new Map();
}
export const nextId = (): number => ++lastId;
/** The object of this key, made by `make` if it is new. */
export function intern<T>(key: string, make: (id: number) => T): T {
  let found = table.get(key) as T | undefined;
  if (found === undefined) {
    found = make(nextId());
    table.set(key, found);
  }
  return found;
}

const manyIds = 2 ** 26; // two ids make one exact number
/** As `intern`, for an owner and at most two operands. */
function internPair<T>(owner: unknown, a: number, b: number, make: (id: number) => T): T {
  let own = pairs.get(owner);
  if (!own) pairs.set(owner, (own = new Map()));
  const key = a * manyIds + b;
  let found = own.get(key) as T | undefined;
  if (found === undefined) {
    found = make(nextId());
    own.set(key, found);
  }
  return found;
}
/** Two ids as one number. */
function pairNumber(a: number, b: number): number {
  const key = a * manyIds + b;
  let found = pairNumbers.get(key);
  if (found === undefined) pairNumbers.set(key, (found = pairNumbers.size));
  return found;
}
/** As `intern`, for the one of an owner's that `same` knows. */
export function internAmong<T>(owner: unknown, same: (known: T) => boolean, make: (id: number) => T): T {
  const own = lists.get(owner) as T[] | undefined;
  let found = own?.find(same);
  if (found === undefined) {
    found = make(nextId());
    if (own) own.push(found);
    else lists.set(owner, [found]);
  }
  return found;
}

const noVariables: VariableSet = new Set();
const noScans: ScanSet = new Set();
/** a and what else is in b; a itself where it contains b: sets stay few. */
function union<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): ReadonlySet<T> {
  if (b === a || !b.size) return a;
  if (!a.size) return b;
  let own: Set<T> | undefined;
  for (const x of b) if (!a.has(x)) (own ??= new Set(a)).add(x);
  return own ?? a;
}
function variablesOf(parts: readonly Scalar[]): VariableSet {
  let all = noVariables;
  for (const x of parts) all = union(all, x.variables);
  return all;
}
function scansOf(parts: readonly Scalar[]): ScanSet {
  let all = noScans;
  for (const x of parts) all = union(all, x.scans);
  return all;
}
export const unionScans = (sets: readonly ScanSet[]): ScanSet => sets.reduce<ScanSet>(union, noScans);

// ---------------------------------------------------------------- leaves

/** A constant of f32: what lies beyond its range is the largest finite number, as `inf` is. */
export function literal(value: number): Literal {
  value = Math.min(largestF32, Math.max(-largestF32, value));
  const name = Object.is(value, -0) ? "-0" : String(value);
  return intern(`l${name}`, (id) => ({
    kind: "literal",
    dtype: "f32",
    value,
    id,
    variables: noVariables,
    scans: noScans,
  }));
}
export function boolean(value: boolean): Literal {
  return intern(`b${value}`, (id) => ({
    kind: "literal",
    dtype: "bool",
    value: value ? 1 : 0,
    id,
    variables: noVariables,
    scans: noScans,
  }));
}
export const isTrue = (x: Scalar): boolean => x.kind === "literal" && x.dtype === "bool" && x.value === 1;
export const isFalse = (x: Scalar): boolean => x.kind === "literal" && x.dtype === "bool" && x.value === 0;
export function integer(constant: number): Integer {
  let found = constants.get(constant);
  if (!found) constants.set(constant, (found = affine(new Map(), constant) as Affine));
  return found;
}
export const asInteger = (x: Integer | number): Integer => (typeof x === "number" ? integer(x) : x);
export const asScalar = (x: Scalar | number): Scalar => (typeof x === "number" ? literal(x) : x);
export function dim(name: string): Dim {
  return intern(`d${name}`, (id) => ({ kind: "dim", dtype: "i32", name, id, variables: noVariables, scans: noScans }));
}
/** A fresh loop variable. */
export function variable(extent: Extent, name = "i", options: { implied?: boolean; scan?: Scan } = {}): Variable {
  const own = { kind: "variable", dtype: "i32", extent, name, id: nextId(), implied: options.implied ?? false } as {
    -readonly [K in keyof Variable]: Variable[K];
  };
  own.variables = options.scan ? noVariables : new Set([own]);
  own.scans = options.scan ? new Set([options.scan]) : noScans;
  return own;
}
/** The canonical variable of an axis of a finished node. */
export function axis(position: number, extent: Extent): Variable {
  return internPair(extent, position, 0, (id) => {
    const own = {
      kind: "variable",
      dtype: "i32",
      extent,
      name: `a${position}`,
      position,
      id,
      implied: false,
      scans: noScans,
    } as {
      -readonly [K in keyof Variable]: Variable[K];
    };
    own.variables = new Set([own]);
    return own;
  });
}
export function local(name: string, dtype: DType): Local {
  return { kind: "local", name, dtype, id: nextId(), variables: noVariables, scans: noScans };
}
export const extentKey = (extent: Extent): string => (typeof extent === "number" ? String(extent) : `#${extent.id}`);
export const sameExtent = (a: Extent, b: Extent): boolean => a === b;
export const extentInteger = (extent: Extent): Integer => (typeof extent === "number" ? integer(extent) : extent);
/** Normal form of a size: a number where it is one. */
export function asExtent(e: Integer): Extent {
  const constant = constantOf(e);
  if (constant !== undefined) return constant;
  if (e.kind === "dim" || e.kind === "affine") return e;
  throw new InternalError("a size is not affine in the dims");
}

// ---------------------------------------------------------------- integers
//
// An i32 wraps. An Affine stands for its sum modulo 2^32, so sums and products by constants may be regrouped at will; whatever looks at
// the size of a value (floor, mod, comparisons, indices) may take the sum for the value only where it `fits`. A sum that may
// leave i32 enters such a place as one opaque atom, `wrap_i32(sum)`, of which nothing is known. Index arithmetic over run-time sizes counts as fitting: a tensor
// of such a size would be larger than a device's memory.

/** Exact, or congruent modulo 2^32 where a double would round. */
const times = (a: number, b: number): number => (Number.isSafeInteger(a * b) ? a * b : Math.imul(a, b));
const plus = (a: number, b: number): number => (Number.isSafeInteger(a + b) ? a + b : ((a | 0) + (b | 0)) | 0);

export const termsOf = (e: Integer): readonly (readonly [Integer, number])[] =>
  e.kind === "affine" ? e.terms : [[e, 1]];
export const constantPart = (e: Integer): number => (e.kind === "affine" ? e.constant : 0);
export const constantOf = (e: Scalar): number | undefined =>
  e.kind === "affine" && e.terms.length === 0 ? e.constant : undefined;
export const isInteger = (e: Scalar): e is Integer => e.dtype === "i32";

function affine(coefficients: Map<Integer, number>, constant: number): Integer {
  // c m floor(e / m) + c (e mod m) = c e
  for (let again = true; again;) {
    again = false;
    for (const [atom, coefficient] of coefficients) {
      if (atom.kind !== "modulo") continue;
      // floor(floor(e / a) / m) is written floor(e / (a m))
      const inner =
        atom.operand.kind === "floor_div"
          ? (table.get(`q${atom.operand.operand.id},${atom.operand.divisor * atom.divisor}`) as FloorDiv | undefined)
          : undefined;
      const quotient = inner ?? (table.get(`q${atom.operand.id},${atom.divisor}`) as FloorDiv | undefined);
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
  return intern<Affine>(key, (id) => {
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
const coefficientDivisor = (e: Integer, start: number): number =>
  termsOf(e).reduce((g, [, k]) => greatestCommonDivisor(g, k), start);

/** Does the sum never leave i32? */
export function fits(e: Integer): boolean {
  if (e.kind !== "affine") return true;
  const { low, high } = sumBounds(e, 0);
  return isI32(low) && isI32(high);
}
/** A formula of run-time sizes alone: the runtime refuses sizes that take it out of i32. */
export const isSize = (e: Affine): boolean => e.atoms.every((atom) => atom.kind === "dim") && fits(e);
/** Does the sum never leave i32, however large the sizes? */
export function fitsAnySize(e: Affine): boolean {
  const { low, high } = sumBounds(e, mostSize);
  return isI32(low) && isI32(high);
}
/** The value of e as one thing: e itself where it fits, else the sum as it wraps. */
export function exactly(e: Integer): Integer {
  if (fits(e)) return e;
  const constant = constantOf(e);
  return constant !== undefined ? integer(constant | 0) : (plainCall(fn("wrap_i32"), [e]) as Integer);
}
/** Bounds of a sum over the integers; a bound that depends on run-time sizes counts as `size`. */
function sumBounds(e: Affine, size: number): Interval {
  let low = e.constant;
  let high = e.constant;
  for (const [atom, k] of e.terms) {
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
  intern<FloorDiv>(`q${operand.id},${divisor}`, (id) => ({
    kind: "floor_div",
    dtype: "i32",
    operand,
    divisor,
    id,
    variables: operand.variables,
    scans: operand.scans,
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
  return intern<Modulo>(`m${rest.id},${m}`, (id) => ({
    kind: "modulo",
    dtype: "i32",
    operand,
    divisor: m,
    id,
    variables: operand.variables,
    scans: operand.scans,
  }));
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}
const everything: Interval = { low: leastI32, high: mostI32 };
/** Is anything known of it? */
export const isBounded = ({ low, high }: Interval): boolean => low > leastI32 && high < mostI32;
const intervals = new WeakMap<Scalar, Interval>();
/** Inclusive bounds of the value, after wrapping; no upper bound but that of sizes is Infinity. */
export function interval(e: Integer): Interval {
  let found = intervals.get(e);
  if (!found) intervals.set(e, (found = computeInterval(e)));
  return found;
}
const upper = (e: Extent): number => (typeof e === "number" ? e : Infinity);
function computeInterval(e: Integer): Interval {
  switch (e.kind) {
    case "variable":
      return { low: 0, high: upper(e.extent) - 1 };
    case "dim":
      return { low: 1, high: Infinity };
    case "affine":
      return isSize(e) || fitsAnySize(e) ? sumBounds(e, Infinity) : everything;
    case "floor_div": {
      const x = interval(e.operand);
      return { low: Math.floor(x.low / e.divisor), high: Math.floor(x.high / e.divisor) };
    }
    case "modulo": {
      const x = interval(e.operand);
      return Math.floor(x.low / e.divisor) === Math.floor(x.high / e.divisor)
        ? { low: positiveModulo(x.low, e.divisor), high: positiveModulo(x.high, e.divisor) }
        : { low: 0, high: e.divisor - 1 };
    }
    case "load": {
      const range = e.tensor.range;
      const own = range
        ? {
            low: Math.max(range.low, leastI32),
            high: typeof range.high === "number" ? Math.min(range.high, mostI32) : Infinity,
          }
        : everything;
      return e.outside ? hull(own, interval(e.outside as Integer)) : own;
    }
    case "select":
      return hull(interval(e.then as Integer), interval(e.otherwise as Integer));
    case "call": {
      return e.fn.bounds?.(...e.operands.filter(isInteger).map(interval)) ?? everything;
    }
    case "local":
      return everything;
    default:
      return e satisfies never;
  }
}
const hull = (a: Interval, b: Interval): Interval => ({ low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) });

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
const leastOf = (e: Integer): number => (e.kind === "affine" ? sumBounds(e, Infinity).low : interval(e).low);
function symbolicHigh(atom: Integer): Integer | undefined {
  if (atom.kind === "variable" && typeof atom.extent !== "number") return iadd(atom.extent, -1);
  if (
    isCall(atom, "modulo_dynamic") &&
    interval(atom.operands[1] as Integer).low > 0 &&
    (atom.operands[1]!.kind === "dim" || atom.operands[1]!.kind === "affine")
  )
    return iadd(atom.operands[1] as Integer, -1);
  if (atom.kind === "load" && atom.tensor.range && typeof atom.tensor.range.high !== "number" && !atom.outside)
    return atom.tensor.range.high;
  return undefined;
}

// ---------------------------------------------------------------- conditions

export const FALSE: Literal = boolean(false);
/** e >= 0 of the value: of a difference that may leave i32, `less` is the question. */
export function nonNegative(e: Integer | number): Scalar {
  e = asInteger(e);
  if (constantOf(e) !== undefined) return boolean(constantOf(e)! >= 0);
  const known = fits(e);
  if (known && provedNonNegative(e)) return boolean(true);
  if (known && provedNonNegative(linear([[e, -1]], -1))) return boolean(false);
  const g = coefficientDivisor(e, 0);
  if (g > 1 && known)
    e = linear(
      termsOf(e).map(([atom, k]) => [atom, k / g] as const),
      Math.floor(constantPart(e) / g),
    );
  const operand = e;
  return intern<NonNegative>(`G${e.id}`, (id) => ({
    kind: "non_negative",
    dtype: "bool",
    operand,
    id,
    variables: operand.variables,
    scans: operand.scans,
  }));
}
/** e == 0 */
export function equalZero(e: Integer | number): Scalar {
  e = asInteger(e);
  const constant = constantOf(e);
  if (constant !== undefined) return boolean((constant | 0) === 0);
  const { low, high } = interval(e);
  if (low > 0 || high < 0) return boolean(false);
  if (low === 0 && high === 0) return boolean(true);
  const g = coefficientDivisor(e, 0);
  if (g > 1 && fits(e)) {
    if (constantPart(e) % g !== 0) return boolean(false);
    e = linear(
      termsOf(e).map(([atom, k]) => [atom, k / g] as const),
      constantPart(e) / g,
    );
  }
  if (e.kind === "affine" && e.terms[0]![1] < 0) e = imul(e, -1);
  const operand = e;
  return intern<EqualZero>(`E${e.id}`, (id) => ({
    kind: "equal_zero",
    dtype: "bool",
    operand,
    id,
    variables: operand.variables,
    scans: operand.scans,
  }));
}
/** The conjuncts of a condition. */
export const conjuncts = (x: Scalar): readonly Scalar[] => (isTrue(x) ? [] : x.kind === "and" ? x.operands : [x]);
export function and(...xs: Scalar[]): Scalar {
  const set = new Set<Scalar>();
  for (const x of xs) {
    if (isFalse(x)) return x;
    for (const y of conjuncts(x)) set.add(y);
  }
  // of two bounds with equal variable part the weaker goes
  const strongest = new Map<number, NonNegative>();
  for (const x of [...set]) {
    if (set.has(not(x))) return boolean(false);
    if (x.kind !== "non_negative") continue;
    const key = linear(termsOf(x.operand)).id;
    const other = strongest.get(key);
    if (!other) strongest.set(key, x);
    else if (constantPart(x.operand) < constantPart(other.operand)) {
      set.delete(other);
      strongest.set(key, x);
    } else set.delete(x);
  }
  const operands = [...set].sort((a, b) => a.id - b.id);
  if (operands.length === 0) return boolean(true);
  if (operands.length === 1) return operands[0]!;
  return intern<And>(`&${operands.map((x) => x.id).join(",")}`, (id) => ({
    kind: "and",
    dtype: "bool",
    operands,
    id,
    variables: variablesOf(operands),
    scans: scansOf(operands),
  }));
}
export function not(x: Scalar): Scalar {
  if (x.kind === "literal") return boolean(x.value === 0);
  if (x.kind === "not") return x.operand;
  if (x.kind === "non_negative") return nonNegative(linear([[x.operand, -1]], -1));
  return intern<Not>(`!${x.id}`, (id) => ({
    kind: "not",
    dtype: "bool",
    operand: x,
    id,
    variables: x.variables,
    scans: x.scans,
  }));
}
export const or = (...xs: Scalar[]): Scalar => not(and(...xs.map(not)));
/** a < b; where the difference may leave i32 it is compared as it stands. */
export function less(a: Integer | number, b: Integer | number): Scalar {
  const [p, q] = [exactly(asInteger(a)), exactly(asInteger(b))];
  const difference = iadd(isub(q, p), -1);
  if (fits(difference)) return nonNegative(difference);
  if (interval(p).high < interval(q).low) return boolean(true);
  if (interval(p).low >= interval(q).high) return boolean(false);
  return plainCall(fn("less_integer"), [p, q]);
}
export function lessEqual(a: Integer | number, b: Integer | number): Scalar {
  const difference = isub(exactly(asInteger(b)), exactly(asInteger(a)));
  return fits(difference) ? nonNegative(difference) : not(less(b, a));
}
export const equal = (a: Integer | number, b: Integer | number): Scalar => equalZero(isub(a, b));

// ---------------------------------------------------------------- functions

const valueOf = (x: Scalar): number | undefined => (x.kind === "literal" ? x.value : constantOf(x));
const isLiteral = (x: Scalar, value: number): boolean => x.kind === "literal" && x.dtype === "f32" && x.value === value;
/** select(c, e, 0): the value counts only under its guard. */
export const isGuard = (x: Scalar): x is Select & { readonly otherwise: Literal } =>
  x.kind === "select" && isLiteral(x.otherwise, 0);
export const isCall = <N extends string>(x: Scalar, name: N): x is Call & { readonly fn: { readonly name: N } } =>
  x.kind === "call" && x.fn.name === name;

/** A product of two that are no constants, under its guard: what a contraction sums. */
export function isContracted(body: Scalar): boolean {
  const x = isGuard(body) ? body.then : body;
  return isCall(x, "mul") && x.operands.every((y) => y.kind !== "literal");
}

/** A row of the table applied; f32 arithmetic goes through the simplifying constructors below. */
export function call(name: string | ScalarFunction, ...operands: (Scalar | number)[]): Scalar {
  const row = typeof name === "string" ? fn(name) : name;
  const xs = operands.map(asScalar);
  switch (row.name) {
    case "add":
      return add(xs[0]!, xs[1]!);
    case "sub":
      return sub(xs[0]!, xs[1]!);
    case "mul":
      return mul(xs[0]!, xs[1]!);
    case "div":
      return div(xs[0]!, xs[1]!);
    case "neg":
      return neg(xs[0]!);
    case "wrap_i32":
      return exactly(xs[0] as Integer);
    case "less_integer":
      return less(xs[0] as Integer, xs[1] as Integer);
    case "keep_finite":
      return keepFinite(xs[0]!);
    default:
      return plainCall(row, xs);
  }
}
/** Has any scalar of this compilation called it? Of functions of one or two operands. */
export const isUsed = (row: ScalarFunction): boolean => pairs.has(row);
/** The meaning of a row for operands of this dtype; an i32 result is still to be wrapped. */
export const evaluatorOf = (row: ScalarFunction, dtype: DType): ((...x: number[]) => number) =>
  (dtype === "i32" && row.evaluateI32) || row.evaluate;
function plainCall(row: ScalarFunction, xs: readonly Scalar[]): Scalar {
  const dtype: DType = row.result === "same" ? xs[row.operands.indexOf("number")]!.dtype : row.result;
  const values = xs.map(valueOf);
  if (values.every((v) => v !== undefined) && row.name !== "stop") {
    const value = evaluatorOf(row, dtype)(...(values as number[]));
    if (dtype === "bool") return boolean(value !== 0);
    if (dtype === "f32" && !Number.isNaN(value)) return literal(value);
    if (Number.isFinite(value)) return integer(value | 0);
  }
  if (row.commutative && xs.length === 2 && order(xs[0]!, xs[1]!) > 0) xs = [xs[1]!, xs[0]!];
  if (dtype === "i32" && (row.name === "min" || row.name === "max")) {
    const [a, b] = xs as [Integer, Integer];
    if (a === b) return a;
    const known = fits(a) && fits(b);
    if (known && provedNonNegative(isub(a, b))) return row.name === "max" ? a : b;
    if (known && provedNonNegative(isub(b, a))) return row.name === "max" ? b : a;
  }
  const make = (id: number): Call =>
    withReach({ kind: "call", fn: row, operands: xs, dtype, id, variables: variablesOf(xs), scans: scansOf(xs) });
  if (xs.length <= 2) return internPair<Call>(row, xs[0]!.id, xs[1]?.id ?? 0, make);
  return intern<Call>(`C${row.name}(${xs.map((x) => x.id).join(",")})`, make);
}
// ---------------------------------------------------------------- masks

// `inf` is finite, and stays so: where an operation on masks may leave the range of f32, it is limited to it. The rows of the table say how far
// masks take a result; reaches are kept of scalars and of nodes, and what has none reaches nowhere.
const nowhere: Reach = { up: 0, down: 0 };
const anywhere: Reach = { up: largestF32, down: largestF32 };
const leastMask = 1e37;
const reaches = new WeakMap<Scalar | Node, Reach>();
const isMasked = (x: Scalar): boolean =>
  x.kind === "literal" ? x.dtype === "f32" && Math.abs(x.value) >= leastMask : reaches.has(x);
export function reachOf(x: Scalar | Node): Reach {
  if (x.kind === "literal") return isMasked(x) ? { up: Math.max(x.value, 0), down: Math.max(-x.value, 0) } : nowhere;
  return reaches.get(x) ?? nowhere;
}
export function setReach(x: Scalar | Node, { up, down }: Reach): void {
  if (up > 0 || down > 0) reaches.set(x, { up: Math.min(up, largestF32), down: Math.min(down, largestF32) });
}
const joined = (a: Reach, b: Reach): Reach => ({ up: Math.max(a.up, b.up), down: Math.max(a.down, b.down) });
/** Bounds of an f32 value, by what stands there. */
function boundsOf(e: Scalar): Bounds {
  if (e.kind === "literal") return { low: e.value, high: e.value };
  let most = Infinity;
  if (e.kind === "select" && e.then.kind === "literal" && e.otherwise.kind === "literal")
    most = Math.max(Math.abs(e.then.value), Math.abs(e.otherwise.value));
  if (e.kind === "call" && e.fn.atMost !== undefined) most = e.fn.atMost;
  return { low: -most, high: most };
}
/** A number from elsewhere, or a sum with one, which may be a mask of its own. */
function isGiven(e: Scalar, depth = 4): boolean {
  if (e.kind === "load" && e.tensor.kind === "compute")
    return depth > 0 && !e.tensor.reduction && isGiven(e.tensor.body, depth - 1);
  if (e.kind === "load") return e.tensor.kind === "source" && givenRoles.has(e.tensor.role);
  return depth > 0 && (isSum(e) || isCall(e, "neg")) && e.operands.some((x) => isGiven(x, depth - 1));
}
const givenRoles: ReadonlySet<string> = new Set(["input", "carry", "scratch"]);
const isSum = (e: Scalar): e is Call => isCall(e, "add") || isCall(e, "sub");
function reachOfCall(e: Call): Reach {
  if (!e.fn.reach || !e.operands.some(isMasked)) return nowhere;
  // what is added to a mask may be one, too
  const reach = (x: Scalar): Reach => (isSum(e) && !isMasked(x) && isGiven(x) ? anywhere : reachOf(x));
  return e.fn.reach(...e.operands.map((x) => ({ ...reach(x), ...boundsOf(x) })));
}
function withReach<T extends Scalar>(e: T): T {
  if (e.dtype !== "f32") return e;
  if (e.kind === "call") setReach(e, reachOfCall(e));
  else if (e.kind === "select") {
    if (isMasked(e.then) || isMasked(e.otherwise)) setReach(e, joined(reachOf(e.then), reachOf(e.otherwise)));
  } else if (e.kind === "load")
    setReach(e, e.outside ? joined(reachOf(e.tensor), reachOf(e.outside)) : reachOf(e.tensor));
  return e;
}
/** Arithmetic on masks, limited to f32 where it may leave it. */
function limited(e: Scalar): Scalar {
  if (e.kind !== "call") return e;
  const { up, down } = reachOfCall(e);
  return up > largestF32 || down > largestF32 ? keepFinite(e) : e;
}
function keepFinite(e: Scalar): Scalar {
  return e.kind === "literal" ? literal(e.value) : isCall(e, "keep_finite") ? e : plainCall(fn("keep_finite"), [e]);
}
/** A division by it is a multiplication, to the last bit. */
const isPowerOfTwo = (x: number): boolean => x !== 0 && Number.isInteger(Math.log2(Math.abs(x)));
/** Not 0, and f32 holds it with all its digits. */
export const isNormal = (x: number): boolean => Math.abs(x) >= 2 ** -126 && Math.abs(x) <= largestF32;
/** Canonical order of commutative operands: by entry, constants last. */
const order = (a: Scalar, b: Scalar): number =>
  Number(a.kind === "literal") - Number(b.kind === "literal") || a.id - b.id;

/** Known sums of i32 arithmetic have wrapped. */
const wrapped = (e: Integer): Integer => (constantOf(e) === undefined ? e : integer(constantOf(e)! | 0));

export function mul(a: Scalar | number, b: Scalar | number): Scalar {
  a = asScalar(a);
  b = asScalar(b);
  if (a.dtype === "i32" && b.dtype === "i32") {
    const ka = constantOf(a);
    const kb = constantOf(b);
    if (kb !== undefined) return wrapped(imul(a as Integer, kb));
    if (ka !== undefined) return wrapped(imul(b as Integer, ka));
    return plainCall(fn("mul"), [a, b]);
  }
  if (a.kind === "literal" && b.kind === "literal") return literal(a.value * b.value);
  if (a.kind === "literal") [a, b] = [b, a];
  if (b.kind === "literal") {
    if (b.value === 0) return b;
    if (b.value === 1) return a;
    if (b.value === -1) return neg(a);
    if (isCall(a, "mul") && a.operands[1]!.kind === "literal" && isNormal(b.value * a.operands[1]!.value))
      return mul(a.operands[0]!, b.value * a.operands[1]!.value);
    if (isCall(a, "neg")) return mul(a.operands[0]!, -b.value);
  }
  if (isGuard(a)) return select(a.condition, mul(a.then, b), 0);
  if (isGuard(b)) return select(b.condition, mul(a, b.then), 0);
  if (isCall(a, "neg")) return neg(mul(a.operands[0]!, b));
  if (isCall(b, "neg")) return neg(mul(a, b.operands[0]!));
  return limited(plainCall(fn("mul"), [a, b]));
}
export function add(a: Scalar | number, b: Scalar | number): Scalar {
  a = asScalar(a);
  b = asScalar(b);
  if (a.dtype === "i32" && b.dtype === "i32") return wrapped(iadd(a as Integer, b as Integer));
  if (a.kind === "literal" && b.kind === "literal") return literal(a.value + b.value);
  if (isLiteral(a, 0)) return b;
  if (isLiteral(b, 0)) return a;
  if (a === b) return mul(2, a);
  if (isCall(b, "neg")) return sub(a, b.operands[0]!);
  if (isCall(a, "neg")) return sub(b, a.operands[0]!);
  if (isGuard(a) && isGuard(b)) {
    const [common, restA, restB] = sharedGuards(a.condition, b.condition);
    if (common.length)
      return select(and(...common), add(select(and(...restA), a.then, 0), select(and(...restB), b.then, 0)), 0);
  }
  return limited(plainCall(fn("add"), [a, b]));
}
/** The conjuncts of both conditions, and those of each alone. A load that another conjunct may protect keeps its condition where it is. */
function sharedGuards(a: Scalar, b: Scalar): [common: readonly Scalar[], a: Scalar[], b: Scalar[]] {
  if (a === b) return [conjuncts(a), [], []];
  const [as, bs] = [conjuncts(a), conjuncts(b)];
  const common = as.filter((c) => bs.includes(c) && inRangeAlone(c));
  return [common, as.filter((c) => !common.includes(c)), bs.filter((c) => !common.includes(c))];
}
const alone = new WeakMap<Scalar, boolean>();
/** Every load below is proved in range without any guard, or has an outside value. */
export function inRangeAlone(x: Scalar): boolean {
  let known = alone.get(x);
  if (known === undefined) {
    known = true;
    visit(x, (y) => {
      if (y.kind === "load" && !y.outside && !isTrue(inRange(y.tensor, y.indices))) known = false;
    });
    alone.set(x, known);
  }
  return known;
}
export function neg(a: Scalar | number): Scalar {
  a = asScalar(a);
  if (a.dtype === "i32") return wrapped(imul(a as Integer, -1));
  if (a.kind === "literal") return literal(-a.value);
  if (isCall(a, "neg")) return a.operands[0]!;
  if (isCall(a, "sub")) return sub(a.operands[1]!, a.operands[0]!);
  if (isCall(a, "mul") && a.operands[1]!.kind === "literal") return mul(a.operands[0]!, -a.operands[1]!.value);
  if (isGuard(a)) return select(a.condition, neg(a.then), 0);
  return plainCall(fn("neg"), [a]);
}
export function sub(a: Scalar | number, b: Scalar | number): Scalar {
  a = asScalar(a);
  b = asScalar(b);
  if (a.dtype === "i32" && b.dtype === "i32") return wrapped(isub(a as Integer, b as Integer));
  if (a.kind === "literal" && b.kind === "literal") return literal(a.value - b.value);
  if (isLiteral(b, 0)) return a;
  if (isLiteral(a, 0)) return neg(b);
  if (isCall(b, "neg")) return add(a, b.operands[0]!);
  return limited(plainCall(fn("sub"), [a, b]));
}
export function div(a: Scalar | number, b: Scalar | number): Scalar {
  a = asScalar(a);
  b = asScalar(b);
  if (a.kind === "literal" && b.kind === "literal" && b.value !== 0) return literal(a.value / b.value);
  if (isLiteral(b, 1) || isLiteral(a, 0)) return a;
  if (b.kind === "literal" && isPowerOfTwo(b.value) && isNormal(1 / b.value)) return mul(a, 1 / b.value);
  if (isGuard(a)) return select(a.condition, div(a.then, b), 0);
  if (isCall(a, "neg")) return neg(div(a.operands[0]!, b));
  return limited(plainCall(fn("div"), [a, b]));
}
export function select(condition: Scalar, then: Scalar | number, otherwise: Scalar | number): Scalar {
  const a =
    typeof then === "number" && typeof otherwise !== "number" && otherwise.dtype === "i32"
      ? integer(then)
      : asScalar(then);
  const b = typeof otherwise === "number" && a.dtype === "i32" ? integer(otherwise) : asScalar(otherwise);
  if (isTrue(condition)) return a;
  if (isFalse(condition)) return b;
  if (a === b) return a;
  if (a.dtype !== b.dtype) throw new InternalError(`select of ${a.dtype} and ${b.dtype}`);
  if (a.dtype === "bool") return or(and(condition, a), and(not(condition), b));
  // a guard has its zero last, whatever its condition; else conditions are positive
  if (isLiteral(a, 0)) return isLiteral(b, 0) ? literal(0) : select(not(condition), b, a);
  if (condition.kind === "not" && !isLiteral(b, 0)) return select(condition.operand, b, a);
  if (isGuard(a) && isGuard(b)) {
    const [common, restA, restB] = sharedGuards(a.condition, b.condition);
    if (common.length)
      return select(
        and(...common),
        select(condition, select(and(...restA), a.then, 0), select(and(...restB), b.then, 0)),
        0,
      );
  }
  if (isLiteral(b, 0) && isGuard(a)) return select(and(condition, a.condition), a.then, 0);
  if (a.kind === "select" && a.condition === condition) return select(condition, a.then, b);
  if (b.kind === "select" && b.condition === condition) return select(condition, a, b.otherwise);
  return internPair<Select>(condition, a.id, b.id, (id) => {
    const parts = [condition, a, b];
    return withReach<Select>({
      kind: "select",
      condition,
      then: a,
      otherwise: b,
      dtype: a.dtype,
      id,
      variables: variablesOf(parts),
      scans: scansOf(parts),
    });
  });
}
export function toF32(x: Scalar): Scalar {
  if (x.dtype === "f32") return x;
  if (x.dtype === "bool") return x.kind === "literal" ? literal(x.value) : call("bool_to_f32", x);
  return call("to_f32", x);
}
export const derivativeBuilder: DerivativeBuilder<Scalar> = {
  add,
  sub,
  mul,
  div,
  neg,
  select,
  call: (name, ...xs) => call(name, ...xs),
};

// ---------------------------------------------------------------- loads

/** The condition that indices lie inside the tensor; true where that is proved. */
export function inRange(tensor: Node, indices: readonly Integer[]): Scalar {
  const conditions: Scalar[] = [];
  indices.forEach((e, d) => {
    const n = tensor.shape[d]!;
    const { low, high } = interval(e);
    if (low < 0) conditions.push(nonNegative(e));
    if (typeof n !== "number" || high >= n) conditions.push(nonNegative(iadd(extentInteger(n), -1, imul(e, -1))));
  });
  return and(...conditions);
}
export function load(tensor: Node, indices: readonly (Integer | number)[], outside?: Scalar | number): Scalar {
  const at = indices.map((e, d) => (tensor.shape[d] === 1 && outside === undefined ? integer(0) : asInteger(e)));
  if (at.length !== tensor.shape.length)
    throw new InternalError(`${at.length} indices for rank ${tensor.shape.length}`);
  at.forEach((e, d) => (at[d] = exactly(e)));
  let beyond =
    outside === undefined
      ? undefined
      : tensor.dtype === "i32" && typeof outside === "number"
        ? integer(outside)
        : asScalar(outside);
  if (beyond) {
    const inside = inRange(tensor, at);
    if (isFalse(inside)) return beyond;
    if (isTrue(inside)) beyond = undefined;
  }
  if (
    tensor.kind === "source" &&
    tensor.role === "constant" &&
    tensor.data &&
    !beyond &&
    at.every((e) => constantOf(e) !== undefined)
  ) {
    const offset = at.reduce((sum, e, d) => sum * (tensor.shape[d] as number) + constantOf(e)!, 0);
    const value = tensor.data[offset]!;
    return tensor.dtype === "bool" ? boolean(value !== 0) : tensor.dtype === "i32" ? integer(value) : literal(value);
  }
  if (tensor.kind === "reshape" && !beyond) {
    const seen = throughReshape(tensor.operand, tensor.shape, at);
    if (seen) return load(tensor.operand, seen);
  }
  const make = (id: number): Load => {
    const parts = beyond ? [...at, beyond] : at;
    const made = {
      kind: "load",
      dtype: tensor.dtype,
      tensor,
      indices: at,
      id,
      variables: variablesOf(parts),
      scans: union(scansOf(parts), tensor.scans),
    } as const;
    return withReach<Load>(beyond ? { ...made, outside: beyond } : made);
  };
  if (!beyond && at.length <= 2) return internPair<Load>(tensor, at[0]?.id ?? 0, at[1]?.id ?? 0, make);
  if (!beyond && at.length <= 4)
    return internPair<Load>(tensor, pairNumber(at[0]!.id, at[1]!.id), pairNumber(at[2]!.id, at[3]?.id ?? 0), make);
  return intern<Load>(`L${tensor.id}[${at.map((e) => e.id).join(",")}]${beyond ? `?${beyond.id}` : ""}`, make);
}
/** Indices into `operand` of the element `indices` of its reshape, where no floor or mod is left over. */
function throughReshape(operand: Node, shape: Shape, indices: readonly Integer[]): Integer[] | undefined {
  const from = operand.shape;
  const result: Integer[] = new Array<Integer>(from.length);
  // match groups of axes of equal product from both ends of the shapes
  let i = 0;
  let j = 0;
  while (i < shape.length || j < from.length) {
    if (i < shape.length && shape[i] === 1) {
      i++;
      continue;
    }
    if (j < from.length && from[j] === 1) {
      result[j++] = integer(0);
      continue;
    }
    if (i >= shape.length || j >= from.length) return undefined;
    if (sameExtent(shape[i]!, from[j]!)) {
      result[j++] = indices[i++]!;
      continue;
    }
    let a = shape[i]!;
    let b = from[j]!;
    let ie = i + 1;
    let je = j + 1;
    if (typeof a !== "number" || typeof b !== "number") return undefined;
    while (a !== b) {
      const next: Extent | undefined = a < b ? shape[ie++] : from[je++];
      if (typeof next !== "number") return undefined;
      if (a < b) a *= next;
      else b *= next;
    }
    let position: Integer = integer(0);
    for (let k = i; k < ie; k++) position = iadd(imul(position, shape[k] as number), indices[k]!);
    let inner = 1;
    for (let k = je - 1; k >= j; k--) {
      const n = from[k] as number;
      result[k] = k === j ? floorDiv(position, inner) : modulo(floorDiv(position, inner), n);
      inner *= n;
    }
    const atoms = (xs: readonly Integer[]): number => xs.reduce((sum, x) => sum + countAtoms(x), 0);
    if (atoms(result.slice(j, je)) > atoms(indices.slice(i, ie))) return undefined;
    i = ie;
    j = je;
  }
  return result;
}
/** Number of distinct floor and mod atoms of a scalar. */
export function countAtoms(e: Scalar): number {
  let n = 0;
  visit(e, (x) => {
    if (x.kind === "floor_div" || x.kind === "modulo") n += 1;
  });
  return n;
}
export function random(draw: Omit<Random, "kind" | "dtype" | "id" | "variables" | "scans">): Random {
  const key = `R${draw.distribution},${draw.site},${draw.seed.id},${draw.step.id},${draw.indices.map((e) => e.id).join(",")}:${draw.extents.join(",")}`;
  const parts = [draw.seed, draw.step, ...draw.indices];
  return intern<Random>(key, (id) => ({
    kind: "random",
    dtype: "f32",
    ...draw,
    id,
    variables: variablesOf(parts),
    scans: scansOf(parts),
  }));
}

// ---------------------------------------------------------------- walks

const leaf: readonly Scalar[] = [];
export function operandsOf(e: Scalar): readonly Scalar[] {
  switch (e.kind) {
    case "literal":
    case "dim":
    case "variable":
    case "local":
      return leaf;
    case "affine":
      return e.atoms;
    case "floor_div":
    case "modulo":
    case "non_negative":
    case "equal_zero":
    case "not":
      return [e.operand];
    case "and":
    case "call":
      return e.operands;
    case "select":
      return [e.condition, e.then, e.otherwise];
    case "load":
      return e.outside ? [...e.indices, e.outside] : e.indices;
    case "random":
      return [e.seed, e.step, ...e.indices];
    default:
      return e satisfies never;
  }
}
/** Every distinct scalar below e, e included, each once. */
export function visit(e: Scalar, f: (x: Scalar) => void, seen: Set<Scalar> = new Set()): void {
  const stack = [e];
  while (stack.length) {
    const x = stack.pop()!;
    if (seen.has(x)) continue;
    seen.add(x);
    f(x);
    for (const y of operandsOf(x)) if (!seen.has(y)) stack.push(y);
  }
}
/** Operands before users. */
export function scalarOrder(
  roots: readonly Scalar[],
  operands: (e: Scalar) => readonly Scalar[] = operandsOf,
): Scalar[] {
  const done = new Set<Scalar>();
  const result: Scalar[] = [];
  const stack: { e: Scalar; next: number; operands: readonly Scalar[] }[] = [];
  for (const root of roots) {
    if (done.has(root)) continue;
    done.add(root);
    stack.push({ e: root, next: 0, operands: operands(root) });
    while (stack.length) {
      const top = stack[stack.length - 1]!;
      if (top.next < top.operands.length) {
        const child = top.operands[top.next++]!;
        if (!done.has(child)) {
          done.add(child);
          stack.push({ e: child, next: 0, operands: operands(child) });
        }
      } else {
        result.push(top.e);
        stack.pop();
      }
    }
  }
  return result;
}

export type OnLoad = (load: Load, indices: readonly Integer[], outside: Scalar | undefined) => Scalar | undefined;
/** e with the mapped scalars replaced (outermost match wins) and loads rebuilt by `onLoad` where it answers; everything else through the constructors. */
export function substitute(
  e: Scalar,
  map: ReadonlyMap<Scalar, Scalar>,
  onLoad?: OnLoad,
  memo: Map<Scalar, Scalar> = new Map(),
): Scalar {
  const replaced = onLoad ? undefined : variablesIn(map);
  if (replaced) return substituteVariables(e, map, replaced, memo);
  const done = (x: Scalar): Scalar | undefined => map.get(x) ?? memo.get(x);
  const go = (x: Scalar): Scalar => done(x)!;
  const stack = [e];
  while (stack.length) {
    const x = stack[stack.length - 1]!;
    if (!done(x)) {
      const size = stack.length;
      const operands = operandsOf(x);
      for (let i = operands.length - 1; i >= 0; i--) if (!done(operands[i]!)) stack.push(operands[i]!);
      if (stack.length > size) continue; // operands first
      memo.set(x, rebuild(x, go, onLoad));
    }
    stack.pop();
  }
  return go(e);
}
/** The same where only variables are replaced: what is free of them stays. */
function substituteVariables(
  e: Scalar,
  map: ReadonlyMap<Scalar, Scalar>,
  replaced: readonly Variable[],
  memo: Map<Scalar, Scalar>,
): Scalar {
  const isOpen = (x: Scalar): boolean => x.kind !== "variable" && !memo.has(x) && mentions(x, replaced);
  const go = (x: Scalar): Scalar => (x.kind === "variable" ? map.get(x) : memo.get(x)) ?? x;
  if (!isOpen(e)) return go(e);
  const stack = [e];
  while (stack.length) {
    const x = stack[stack.length - 1]!;
    if (!memo.has(x)) {
      const size = stack.length;
      const operands = operandsOf(x);
      for (let i = operands.length - 1; i >= 0; i--) if (isOpen(operands[i]!)) stack.push(operands[i]!);
      if (stack.length > size) continue; // operands first
      memo.set(x, rebuild(x, go, undefined));
    }
    stack.pop();
  }
  return go(e);
}
function mentions(e: Scalar, variables: readonly Variable[]): boolean {
  if (!e.variables.size) return false;
  for (const v of variables) if (e.variables.has(v)) return true;
  return false;
}
/** The keys, if all are loop variables. */
function variablesIn(map: ReadonlyMap<Scalar, Scalar>): Variable[] | undefined {
  const found: Variable[] = [];
  for (const x of map.keys()) {
    if (x.kind !== "variable" || x.scans.size) return undefined; // the step of a scan is no free variable
    found.push(x);
  }
  return found;
}
/** An integer whose sum was its value, with other atoms: a formula in place of an atom that may leave i32 is there as it wraps. */
function again(e: Integer, go: (x: Scalar) => Scalar): Integer {
  const x = go(e) as Integer;
  if (x === e || fits(x) || !fits(e)) return x;
  const terms = termsOf(e).map(([atom, k]) => [go(atom) as Integer, k] as const);
  if (terms.every(([atom]) => fits(atom))) return x;
  const opaque = terms.map(([atom, k]) => [exactly(atom), k] as const);
  return linear(opaque, constantPart(e));
}
export function rebuild(e: Scalar, go: (x: Scalar) => Scalar, onLoad: OnLoad | undefined): Scalar {
  switch (e.kind) {
    case "literal":
    case "dim":
    case "variable":
    case "local":
      return e;
    case "affine": {
      const atoms = rebuilt(e.atoms, go);
      return atoms === e.atoms
        ? e
        : linear(
            e.terms.map(([, k], i) => [atoms[i]!, k] as const),
            e.constant,
          );
    }
    case "floor_div":
    case "modulo":
    case "non_negative":
    case "equal_zero": {
      const x = again(e.operand, go);
      if (x === e.operand) return e;
      return e.kind === "floor_div"
        ? floorDiv(x, e.divisor)
        : e.kind === "modulo"
          ? modulo(x, e.divisor)
          : e.kind === "non_negative"
            ? nonNegative(x)
            : equalZero(x);
    }
    case "not": {
      const x = go(e.operand);
      return x === e.operand ? e : not(x);
    }
    case "and":
    case "call": {
      const xs = rebuilt(e.operands, go);
      return xs === e.operands ? e : e.kind === "and" ? and(...xs) : call(e.fn, ...xs);
    }
    case "select": {
      const [condition, then, otherwise] = [go(e.condition), go(e.then), go(e.otherwise)];
      return condition === e.condition && then === e.then && otherwise === e.otherwise
        ? e
        : select(condition, then, otherwise);
    }
    case "random": {
      const [seed, step, indices] = [go(e.seed), go(e.step), rebuilt(e.indices, go)];
      return seed === e.seed && step === e.step && indices === e.indices
        ? e
        : random({ ...draw(e), seed, step, indices });
    }
    case "load": {
      const indices = rebuilt(e.indices, (x) => again(x as Integer, go));
      const outside = e.outside && go(e.outside);
      const own = onLoad?.(e, indices, outside);
      if (own) return own;
      return outside === e.outside && indices === e.indices ? e : load(e.tensor, indices, outside);
    }
    default:
      return e satisfies never;
  }
}
/** The scalars after `go`: the same list where nothing changes. Integers stay integers. */
function rebuilt<T extends Scalar>(xs: readonly T[], go: (x: Scalar) => Scalar): readonly T[] {
  for (let i = 0; i < xs.length; i++) if (go(xs[i]!) !== xs[i]) return xs.map((x) => go(x) as T);
  return xs;
}
const draw = (e: Random): Omit<Random, "kind" | "dtype" | "id" | "variables" | "scans"> => ({
  distribution: e.distribution,
  site: e.site,
  seed: e.seed,
  step: e.step,
  indices: e.indices,
  extents: e.extents,
});
