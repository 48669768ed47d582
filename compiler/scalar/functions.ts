// The table of scalar functions: one row each. Type checking, differentiation, constant folding, the reference evaluator, WGSL,
// the gradient check and the reference page are loops over it. Keep it small: what can be a composition is one, in the library.

/** The type of an element. */
export type DType = "f32" | "i32" | "bool";

/** What a derivative is built with; a number stands for a constant of f32. */
export interface DerivativeBuilder<Scalar> {
  add(a: Scalar | number, b: Scalar | number): Scalar;
  sub(a: Scalar | number, b: Scalar | number): Scalar;
  mul(a: Scalar | number, b: Scalar | number): Scalar;
  div(a: Scalar | number, b: Scalar | number): Scalar;
  neg(a: Scalar | number): Scalar;
  select(condition: Scalar, then: Scalar | number, otherwise: Scalar | number): Scalar;
  call(name: string, ...operands: (Scalar | number)[]): Scalar; // any row of the table, also comparisons
}

/** Inclusive; a bound of run-time sizes alone is Infinity. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}
/** How far masks (`inf` and what is of its size) may take a value, above and below 0; ordinary numbers count as 0. */
export interface Reach {
  readonly up: number;
  readonly down: number;
}
/** An operand: its reach, and the value's bounds as far as what stands there says them. */
export interface Reached extends Reach, Bounds {}
/**
 * How WGSL has a function: an operator; a function of its own, of vectors too; one of numbers alone, the prelude's or a conversion; or one of two
 * numbers, the second where the operand is true.
 */
export type WrittenAs =
  | { readonly operator: "+" | "-" | "*" | "/" | "<" | "<=" | "==" }
  | { readonly builtin: string }
  | { readonly call: string }
  | { readonly select: readonly [number, number] };
export interface ScalarFunction {
  readonly name: string;
  readonly summary: string;
  readonly operands: readonly (DType | "number")[]; // "number": f32 or i32, all of them the same
  readonly result: DType | "same"; // "same": as the "number" operands
  readonly evaluate: (...x: number[]) => number; // reference semantics in f64; bool is 0 or 1; i32 wraps
  readonly evaluateI32?: (...x: number[]) => number; // the same of i32, where f64 would round; congruent modulo 2^32
  readonly bounds?: (...x: Bounds[]) => Bounds | undefined; // of an i32 result by those of its i32 operands; undefined: any i32
  readonly wgsl: WrittenAs | "operand"; // the operand itself
  readonly helpers?: readonly string[]; // names of functions of wgsl/prelude.ts that it calls
  readonly derivative:
    | "zero"
    | "none"
    | (<Scalar>(args: {
        b: DerivativeBuilder<Scalar>;
        x: readonly Scalar[];
        y: Scalar;
      }) => readonly (Scalar | undefined)[]); // one partial per operand; undefined = zero
  readonly commutative?: boolean;
  readonly signs?: readonly (1 | -1)[]; // the result is the sum of the operands, each with its sign
  readonly picks?: "larger" | "smaller"; // the result is this one of two operands
  readonly whole?: true; // an f32 result is a whole number
  readonly exact?: boolean; // never rounds: the same bits wherever it is computed
  /** The last digits of the result are those of its operands; more, which it makes of them; or, at a step, their reading. None: it rounds more than a quotient. */
  readonly digits?: "kept" | "more" | "read";
  readonly reach?: (...x: Reached[]) => Reach; // of an f32 result; none: no mask gets through
  readonly atMost?: number; // the magnitude of the result, on every device
  /** What `evaluate` of f32 operands within these bounds is never below; `same`: its operands are one value. None: nothing is known. */
  readonly least?: (x: readonly Bounds[], same: boolean) => number;
  readonly steep?: number; // the operand at whose 0 the slope has no bound
  readonly sample: readonly (readonly [number, number])[]; // per operand: where tests draw, off poles and kinks
  /** How far a device may be from `evaluate`: by this part of the value, plus `absolute`; none: it rounds once, or never. A test holds every device to it. */
  readonly error?: { readonly relative: number; readonly absolute?: number };
  readonly cost: "alu" | "div" | "fn"; // class in the cost model
}
