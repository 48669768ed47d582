// Functions of the table as constructors: constants are folded, 0 and 1 dropped, negations and guards move outward, commutative operands are in order.
import { InternalError } from "../../grammar/diagnostic.ts";
import type { DerivativeBuilder, ScalarFunction } from "../scalar/functions.ts";
import { largestF32 } from "../scalar/range.ts";
import { fn } from "../scalar/table.ts";
import { applied } from "./calls.ts";
import { working } from "./compilation.ts";
import { and, less, not, or, sharedGuards } from "./conditions.ts";
import {
  constantOf,
  evaluatorOf,
  fits,
  interval,
  isCall,
  isFalse,
  isGuard,
  isInteger,
  isLiteral,
  isNormal,
  isTrue,
} from "./forms.ts";
import { exactly, hull, iadd, imul, integer, isub, provedNonNegative } from "./integers.ts";
import { asScalar, boolean, literal, scansOf, variablesOf } from "./leaves.ts";
import { reachOfCall, reachOfSelect } from "./masks.ts";
import type { DType, Integer, Scalar, Select } from "./types.ts";

/** A row of the table applied; f32 arithmetic goes through the simplifying constructors below. */
export function call(name: string | ScalarFunction, ...operands: (Scalar | number)[]): Scalar {
  const row = typeof name === "string" ? fn(name) : name;
  const xs = operands.map(asScalar);
  const own = normalised.get(row);
  return own ? own(...xs) : plainCall(row, xs);
}
const valueOf = (x: Scalar): number | undefined => (x.kind === "literal" ? x.value : constantOf(x));
/** Canonical order of commutative operands: by entry, constants last. */
const order = (a: Scalar, b: Scalar): number =>
  Number(a.kind === "literal") - Number(b.kind === "literal") || a.id - b.id;
function plainCall(row: ScalarFunction, xs: readonly Scalar[]): Scalar {
  const dtype: DType = row.result === "same" ? xs[row.operands.indexOf("number")]!.dtype : row.result;
  const values = xs.map(valueOf);
  if (values.every((v) => v !== undefined)) {
    const value = evaluatorOf(row, dtype)(...(values as number[]));
    if (dtype === "bool") return boolean(value !== 0);
    if (dtype === "f32" && !Number.isNaN(value)) return literal(value);
    if (Number.isFinite(value)) return integer(value | 0);
  }
  if (row.commutative && xs.length === 2 && order(xs[0]!, xs[1]!) > 0) xs = [xs[1]!, xs[0]!];
  if (dtype === "i32" && row.picks) {
    const [a, b] = xs as [Integer, Integer];
    if (a === b) return a;
    const known = fits(a) && fits(b);
    if (known && provedNonNegative(isub(a, b))) return row.picks === "larger" ? a : b;
    if (known && provedNonNegative(isub(b, a))) return row.picks === "larger" ? b : a;
  }
  return applied(row, xs, dtype);
}
/** Arithmetic on masks, limited to f32 where it may leave it. */
function limited(e: Scalar): Scalar {
  if (e.kind !== "call") return e;
  const { up, down } = reachOfCall(e.fn, e.operands);
  return up > largestF32 || down > largestF32 ? keepFinite(e) : e;
}
function keepFinite(e: Scalar): Scalar {
  return e.kind === "literal" ? literal(e.value) : isCall(e, "keep_finite") ? e : plainCall(fn("keep_finite"), [e]);
}
/** A division by it is a multiplication, to the last bit. */
const isPowerOfTwo = (x: number): boolean => x !== 0 && Number.isInteger(Math.log2(Math.abs(x)));
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
  return working().internPair<Select>(condition.id, a.id, b.id, (id) => {
    const parts = [condition, a, b];
    return {
      kind: "select",
      condition,
      then: a,
      otherwise: b,
      dtype: a.dtype,
      id,
      variables: variablesOf(parts),
      scans: scansOf(parts),
      interval: isInteger(a) && isInteger(b) ? hull(interval(a), interval(b)) : undefined,
      reach: reachOfSelect(a, b),
    };
  });
}
/** Rows with a constructor of their own. */
const normalised = new Map<ScalarFunction, (...xs: Scalar[]) => Scalar>([
  [fn("add"), (a, b) => add(a!, b!)],
  [fn("sub"), (a, b) => sub(a!, b!)],
  [fn("mul"), (a, b) => mul(a!, b!)],
  [fn("div"), (a, b) => div(a!, b!)],
  [fn("neg"), (a) => neg(a!)],
  [fn("wrap_i32"), (a) => exactly(a as Integer)],
  [fn("less_integer"), (a, b) => less(a as Integer, b as Integer)],
  [fn("keep_finite"), (a) => keepFinite(a!)],
]);
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
