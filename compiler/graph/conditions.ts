// Conditions: comparisons of integers, their conjunctions, and the guards of loads.
import { fn } from "../scalar/table.ts";
import { applied } from "./calls.ts";
import { memoised, working } from "./compilation.ts";
import { conjuncts, constantOf, constantPart, fits, interval, isFalse, isTrue, termsOf } from "./forms.ts";
import {
  asInteger,
  coefficientDivisor,
  exactly,
  extentInteger,
  iadd,
  imul,
  isub,
  linear,
  provedNonNegative,
} from "./integers.ts";
import { boolean, scansOf, variablesOf } from "./leaves.ts";
import type { And, EqualZero, Integer, Node, NonNegative, Not, Scalar, Variable } from "./types.ts";
import { visit } from "./walk.ts";

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
  return working().intern<NonNegative>(`G${e.id}`, (id) => ({
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
  return working().intern<EqualZero>(`E${e.id}`, (id) => ({
    kind: "equal_zero",
    dtype: "bool",
    operand,
    id,
    variables: operand.variables,
    scans: operand.scans,
  }));
}
/** A conjunction of more is one condition within another: a chain of conditions, each with all before it, would be the square of its length. */
const mostTogether = 32;
export function and(...xs: Scalar[]): Scalar {
  const set = new Set<Scalar>();
  for (const x of xs) {
    if (isFalse(x)) return x;
    const parts = conjuncts(x);
    for (const y of parts.length > mostTogether ? [x] : parts) set.add(y);
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
  return working().intern<And>(`&${operands.map((x) => x.id).join(",")}`, (id) => ({
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
  return working().intern<Not>(`!${x.id}`, (id) => ({
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
  return applied(fn("less_integer"), [p, q], "bool");
}
/** What a condition says of integers: this form, of the values without wrapping, is 0 or more, or it is 0. Undefined where it says nothing of one. */
export function saidBy(c: Scalar): { readonly form: Integer; readonly isZero: boolean } | undefined {
  if (c.kind === "non_negative" || c.kind === "equal_zero") return { form: c.operand, isZero: c.kind === "equal_zero" };
  const positive = c.kind === "not" ? c.operand : c;
  if (positive.kind !== "call" || positive.fn !== fn("less_integer")) return undefined;
  const [a, b] = positive.operands as readonly [Integer, Integer];
  const sign = positive === c ? 1 : -1; // a < b is b - a - 1 >= 0; otherwise a - b >= 0
  const form = linear(
    [
      [b, sign],
      [a, -sign],
    ],
    positive === c ? -1 : 0,
  );
  return { form, isZero: false };
}
export function lessEqual(a: Integer | number, b: Integer | number): Scalar {
  const difference = isub(exactly(asInteger(b)), exactly(asInteger(a)));
  return fits(difference) ? nonNegative(difference) : not(less(b, a));
}
export const equal = (a: Integer | number, b: Integer | number): Scalar => equalZero(isub(a, b));
/** The conjuncts of both conditions, and those of each alone. A load that another conjunct may protect keeps its condition where it is. */
export function sharedGuards(a: Scalar, b: Scalar): [common: readonly Scalar[], a: Scalar[], b: Scalar[]] {
  if (a === b) return [conjuncts(a), [], []];
  const [as, bs] = [conjuncts(a), conjuncts(b)];
  const common = as.filter((c) => bs.includes(c) && inRangeAlone(c));
  return [common, as.filter((c) => !common.includes(c)), bs.filter((c) => !common.includes(c))];
}
/** Every load below is proved in range without any guard, or has an outside value. */
export const inRangeAlone = memoised((x: Scalar): boolean => {
  let known = true;
  visit(x, (y) => {
    if (y.kind === "load" && !y.outside && !isTrue(inRange(y.tensor, y.indices))) known = false;
  });
  return known;
});
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
/** Bounds of v by conditions of v alone, within its extent. */
export function constantBounds(conditions: readonly Scalar[], v: Variable): [low: number, high: number] {
  let low = 0;
  let high = (v.extent as number) - 1;
  for (const c of conditions) {
    if (c.kind !== "non_negative") continue;
    const terms = termsOf(c.operand);
    if (terms.length !== 1 || terms[0]![0] !== v) continue;
    const k = terms[0]![1];
    if (k > 0) low = Math.max(low, Math.ceil(-constantPart(c.operand) / k));
    else high = Math.min(high, Math.floor(constantPart(c.operand) / -k));
  }
  return [low, high];
}
