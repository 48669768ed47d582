// A call of a function below the library: its arguments by position and by name. In: what was written. Out: values, or a fault that says what is missing.
import type { Span } from "../../../grammar/diagnostic.ts";
import type { Node } from "../../graph/types.ts";
import type { Argument, Context, Value } from "../context.ts";
import { constantOf } from "../../graph/scalar.ts";
import { axisByPlace, needed, noAxes, noAxis, tooFewArguments, tooManyArguments, unknownName } from "../errors.ts";
import { asTensor, kindText } from "../values.ts";

/** One function: what it takes, and what it gives. */
export interface Builtin {
  readonly summary: string; // for the reference and lints: how it is called, and what it gives
  /** The fewest arguments, the most by position, and names. Whatever else is given is an error; without it the function looks itself. */
  readonly takes?: readonly [fewest: number, most: number, names: readonly string[]];
  /** How a number too many by position is meant: `sum(x, axis: 1)`. */
  readonly axisByName?: boolean;
  /** Of two arguments by position it is the function of the scalar table of that name: `max(a, b)`. */
  readonly pairwise?: boolean;
  readonly apply: (call: Call) => Value;
}
export type Builtins = Readonly<Record<string, Builtin>>;

export interface Call {
  readonly name: string;
  readonly args: readonly Argument[]; // as written
  readonly positional: readonly Argument[];
  readonly named: ReadonlyMap<string, Argument>;
  readonly span: Span;
  readonly ctx: Context;
  /** The argument at a position, or of this name. */
  readonly at: (i: number) => Argument;
  /** The same, as a tensor. */
  readonly node: (i: number) => Node;
  /** The value of this name, or at a position; undefined where neither is given. */
  readonly option: (name: string, i?: number) => Value | undefined;
}
export function callOf(name: string, args: readonly Argument[], span: Span, ctx: Context): Call {
  const positional = args.filter((a) => a.name === undefined);
  const named = new Map(args.flatMap((a) => (a.name === undefined ? [] : [[a.name, a] as const])));
  const at = (i: number): Argument => {
    const found = positional[i];
    if (!found) throw tooFewArguments(span, name, i + 1, args.length);
    return found;
  };
  return {
    name,
    args,
    positional,
    named,
    span,
    ctx,
    at,
    node: (i) => asTensor(at(i).value, at(i).span),
    option: (own, i) => (named.get(own) ?? (i !== undefined ? positional[i] : undefined))?.value,
  };
}
/** Does the call give what the function takes? */
export function checkArguments(
  { name, args, positional, named, span }: Call,
  { takes, axisByName }: Omit<Builtin, "summary" | "apply">,
): void {
  if (!takes) return;
  const [fewest, most, names] = takes;
  for (const [own, a] of named)
    if (!names.includes(own))
      throw unknownName(a.nameSpan ?? a.span, own, names, { kind: "argument", place: `of ${name}` });
  if (positional.length <= most) {
    const count = args.length;
    if (positional.length < fewest && count < fewest) throw tooFewArguments(span, name, fewest, count);
    return;
  }
  const extra = positional[most]!.span;
  if (axisByName) throw axisByPlace(extra, name);
  throw tooManyArguments(extra, name, most, positional.length);
}

/** An axis of a tensor of this rank; negative ones count from the end. */
export function axisNumber(v: Value, rank: number, span: Span): number {
  const n = v.kind === "number" ? v.value : undefined;
  if (n === undefined || !Number.isInteger(n)) throw needed(span, "axis", kindText(v));
  const d = n < 0 ? n + rank : n;
  if (d < 0 || d >= rank) throw noAxis(span, n, rank);
  return d;
}
/** Axes as one number, a list or a range. */
export function axisList(v: Value, rank: number, span: Span): number[] {
  if (v.kind === "list" || v.kind === "tuple") return v.elements.map((x) => axisNumber(x, rank, span));
  if (v.kind !== "range") return [axisNumber(v, rank, span)];
  const low = constantOf(v.low);
  let end = constantOf(v.end);
  if (low === undefined || end === undefined) throw needed(span, "knownAxes", kindText(v));
  if (end < 0) end += rank;
  if (low < 0 || end > rank) throw noAxes(span, low, end, rank);
  return Array.from({ length: Math.max(0, end - low) }, (_, i) => low + i);
}
