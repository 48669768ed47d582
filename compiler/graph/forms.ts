// Questions that a scalar answers by what it is.
import type { ScalarFunction } from "../scalar/functions.ts";
import { largestF32, leastI32, mostI32 } from "../scalar/range.ts";
import type { Call, DType, Integer, Interval, Literal, Scalar, Select } from "./types.ts";

export const isTrue = (x: Scalar): boolean => x.kind === "literal" && x.dtype === "bool" && x.value === 1;
export const isFalse = (x: Scalar): boolean => x.kind === "literal" && x.dtype === "bool" && x.value === 0;
export const isLiteral = (x: Scalar, value: number): boolean =>
  x.kind === "literal" && x.dtype === "f32" && x.value === value;
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
/** The conjuncts of a condition. */
export const conjuncts = (x: Scalar): readonly Scalar[] => (isTrue(x) ? [] : x.kind === "and" ? x.operands : [x]);

export const isInteger = (e: Scalar): e is Integer => e.dtype === "i32";
export const termsOf = (e: Integer): readonly (readonly [Integer, number])[] =>
  e.kind === "affine" ? e.terms : [[e, 1]];
export const constantPart = (e: Integer): number => (e.kind === "affine" ? e.constant : 0);
export const constantOf = (e: Scalar): number | undefined =>
  e.kind === "affine" && e.terms.length === 0 ? e.constant : undefined;
/** select(c, e, 0), of integers too. */
export const isGuarded = (x: Scalar): x is Select =>
  isGuard(x) || (x.kind === "select" && constantOf(x.otherwise) === 0);
export const everything: Interval = { low: leastI32, high: mostI32 };
/** Inclusive bounds of the value, after wrapping; no upper bound but that of sizes is Infinity. */
export const interval = (e: Integer): Interval => e.interval ?? everything;
/** Is anything known of it? */
export const isBounded = ({ low, high }: Interval): boolean => low > leastI32 && high < mostI32;
/** Does the sum never leave i32? */
export const fits = (e: Integer): boolean => e.kind !== "affine" || e.fits;

/** The meaning of a row for operands of this dtype; an i32 result is still to be wrapped. */
export const evaluatorOf = (row: ScalarFunction, dtype: DType): ((...x: number[]) => number) =>
  (dtype === "i32" && row.evaluateI32) || row.evaluate;
/** Not 0, and f32 holds it with all its digits. */
export const isNormal = (x: number): boolean => Math.abs(x) >= 2 ** -126 && Math.abs(x) <= largestF32;
