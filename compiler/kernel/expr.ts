// Expressions of the loop IR: WGSL as trees, built by lowering, changed as trees, written down by wgsl/print.ts alone.
import { elements } from "../scalar/dtype.ts";
import type { DType } from "../scalar/functions.ts";
import { largestF32, leastI32 } from "../scalar/range.ts";

export interface ElementType {
  readonly element: DType | "u32";
  readonly width: 1 | 4;
}
/** One of this type. */
export const typeOf = (element: ElementType["element"]): ElementType => ({ element, width: 1 });
export const f32 = typeOf("f32");
export const i32 = typeOf("i32");
export const u32 = typeOf("u32");
export const bool = typeOf("bool");
export const wide = (t: ElementType): ElementType => (t.width === 4 ? t : { element: t.element, width: 4 });

/** "&&" and "&" take two operands and more, the others two. */
export type Operator = "||" | "&&" | "&" | Comparison | "<<" | ">>" | "+" | "-" | "*" | "/" | "%";
export type Comparison = "<" | "<=" | ">" | ">=" | "==" | "!=";
export type Op = "name" | "number" | "call" | "index" | "member" | "negate" | "not" | Operator;
export interface Expr {
  readonly op: Op;
  readonly text: string; // of a name or number; the function called, the array indexed, the member taken
  readonly args: readonly Expr[];
  readonly type: ElementType;
}

// ---------------------------------------------------------------- building

const none: readonly Expr[] = [];
export const name = (text: string, type: ElementType): Expr => ({ op: "name", text, args: none, type });
const literal = (text: string, type: ElementType): Expr => ({ op: "number", text, args: none, type });
/** A literal of this type. */
export const numberLike = (x: number, { element }: ElementType): Expr =>
  literal(elements[element].text(x), { element, width: 1 });
export const i32Number = (n: number): Expr => literal(elements.i32.text(n), i32);
export const u32Number = (n: number): Expr => literal(elements.u32.text(n), u32);
/** A mask of bits. */
export const u32Bits = (n: number): Expr => literal(`0x${n.toString(16)}u`, u32);
/** A literal whose text says its type, for where nothing beside it does. */
export const typedNumber = (x: number, type: ElementType): Expr =>
  type.element === "i32" ? literal(`${x}i`, i32) : numberLike(x, type);
export const truth = (b: boolean): Expr => (b ? yes : no);
const yes = literal("true", bool);
const no = literal("false", bool);
export const call = (fn: string, args: readonly Expr[], type: ElementType): Expr => ({
  op: "call",
  text: fn,
  args,
  type,
});
/** array[at] */
export const element = (array: string, at: Expr, type: ElementType): Expr => ({
  op: "index",
  text: array,
  args: [at],
  type,
});
export const member = (of: Expr, text: string, type: ElementType): Expr => ({ op: "member", text, args: [of], type });
const comparisons: ReadonlySet<Op> = new Set(["<", "<=", ">", ">=", "==", "!="]);
export const isComparison = (op: Op): op is Comparison => comparisons.has(op);
export function operation(op: Operator, ...args: readonly Expr[]): Expr {
  const width = args.some((a) => a.type.width === 4) ? 4 : 1;
  const own = isComparison(op) || op === "&&" || op === "||" ? "bool" : args[0]!.type.element;
  return { op, text: "", args, type: { element: own, width } };
}
export const negate = (a: Expr): Expr => ({ op: "negate", text: "", args: [a], type: a.type });
export const not = (a: Expr): Expr => ({ op: "not", text: "", args: [a], type: a.type });
export const components = ["x", "y", "z", "w"] as const;
/** One of the four, or the value itself where it is one wide. */
export const component = (e: Expr, k: number): Expr =>
  e.type.width === 4 ? member(e, components[k]!, { element: e.type.element, width: 1 }) : e;
/** The value four times. */
export const splat = (e: Expr): Expr =>
  e.type.width === 4 ? e : call(elements[e.type.element].vector, [e], wide(e.type));
export const vectorOf = (of: ElementType["element"], parts: readonly Expr[]): Expr =>
  call(elements[of].vector, parts.every((p) => same(p, parts[0]!)) ? [parts[0]!] : parts, { element: of, width: 4 });
/** `otherwise` where the condition does not hold. */
export const choice = (condition: Expr, then: Expr, otherwise: Expr, type = then.type): Expr =>
  call("select", [otherwise, then, condition], type);
/** e + n; what is below 0 is subtracted, but for -2^31, which cannot be. */
export const plus = (e: Expr, n: number): Expr =>
  n >= 0 || n === leastI32 ? operation("+", e, i32Number(n)) : operation("-", e, i32Number(-n));
/** A sum of terms with factors, from left to right; a factor of 1 or -1 is a sign. */
export function sumOf(terms: readonly (readonly [term: Expr, factor: number])[]): Expr {
  let sum: Expr | undefined;
  for (const [term, k] of terms) {
    const number = k === 1 ? numberOf(term) : undefined;
    const size = k === 1 || k === -1 ? term : operation("*", term, i32Number(k));
    if (!sum) sum = k === -1 ? negate(size) : size;
    else if (number !== undefined) sum = plus(sum, number);
    else sum = operation(k === -1 ? "-" : "+", sum, size);
  }
  return sum ?? i32Number(0);
}

// ---------------------------------------------------------------- asking

export const isName = (e: Expr): boolean => e.op === "name";
/** A literal, also of bool. */
export const isNumber = (e: Expr): boolean => e.op === "number";
export const isTrue = (e: Expr): boolean => e.op === "number" && e.text === "true";
export const isFalse = (e: Expr): boolean => e.op === "number" && e.text === "false";
export const isZero = (e: Expr): boolean => e.op === "number" && e.text === "0";
/** The number that a literal of one element is, or undefined for what is computed. */
export function numberOf(e: Expr): number | undefined {
  if (e.op !== "number" || e.type.element === "u32") return undefined;
  if (e.type.element === "bool") return Number(e.text === "true");
  if (e.text === largest) return largestF32;
  if (e.text === `-${largest}`) return -largestF32;
  return Number(e.text);
}
const largest = elements.f32.text(Infinity);
/** Equal for equal expressions, and for these alone. */
export function keyOf(e: Expr): string {
  switch (e.op) {
    case "name":
    case "number":
      return e.text;
    case "call":
    case "index":
    case "member":
      return `${e.op} ${e.text}(${e.args.map(keyOf).join()})`;
    default:
      return `${e.op}(${e.args.map(keyOf).join()})`;
  }
}
export const same = (a: Expr, b: Expr): boolean =>
  a === b ||
  (a.op === b.op &&
    a.text === b.text &&
    a.args.length === b.args.length &&
    a.args.every((x, i) => same(x, b.args[i]!)));
/** Every name in it, arrays included, in the order of the text. */
export function eachName(e: Expr, f: (name: string) => void): void {
  if (e.op === "name" || e.op === "index") f(e.text);
  for (const a of e.args) eachName(a, f);
}
export const calls = (e: Expr, test: (fn: string) => boolean): boolean =>
  (e.op === "call" && test(e.text)) || e.args.some((a) => calls(a, test));

// ---------------------------------------------------------------- changing

/** The expression with other operands; itself where they are the same. */
export function mapArgs(e: Expr, f: (a: Expr, i: number) => Expr): Expr {
  let changed: Expr[] | undefined;
  e.args.forEach((a, i) => {
    const next = f(a, i);
    if (next !== a) (changed ??= [...e.args])[i] = next;
  });
  return changed ? { ...e, args: changed } : e;
}
/** Names become what they stand for. */
export function substitute(e: Expr, known: ReadonlyMap<string, Expr>): Expr {
  if (!known.size) return e;
  if (e.op === "name") return known.get(e.text) ?? e;
  return e.args.length ? mapArgs(e, (a) => substitute(a, known)) : e;
}
