// Faults and where they are told: at the user's call of what went wrong inside, and what stands after them is still read once.
import type * as ast from "../../../grammar/ast.ts";
import { place, type Span } from "../../../grammar/diagnostic.ts";
import { type Origin, withOrigin } from "../../graph/origin.ts";
import { extentText } from "../../graph/print.ts";
import { constantOf, termsOf } from "../../graph/scalar.ts";
import type { Extent, Integer } from "../../graph/types.ts";
import { type Context, evaluate, Scope, type Value } from "../context.ts";
import * as errors from "../errors.ts";
import { kindText } from "../values.ts";

/** On the first reading, what stands after a fault is still evaluated: it may apply the instance whose member is missing. */
export function readOn(error: unknown, rest: readonly ast.Expr[], scope: Scope, ctx: Context): never {
  const known = (e: unknown): boolean => e instanceof errors.Fault || e instanceof errors.Quiet;
  if (ctx.interpreter.pass.number === 0 && known(error))
    for (const e of rest) {
      try {
        evaluate(e, scope, ctx);
      } catch (second) {
        if (!known(second)) throw second;
      }
    }
  throw error;
}
/** Runs what a call at `span` stands for: faults inside tell of the call. */
export function within<T>(span: Span, name: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof errors.Fault ? errors.atCall(error, span, name) : error;
  }
}
/** The same, and what is made inside belongs to the call. */
export const inCall = <T>(origin: Origin, span: Span, run: () => T): T =>
  withOrigin(origin, () => within(span, origin.callee, run));
/** The expression that a body returns. */
export const resultSpan = (b: ast.Body): Span =>
  b.kind === "expression" ? b.value.span : (b.statements.find((s) => s.kind === "return")?.value.span ?? b.span);
/** The type of a value, and where it was made if that is elsewhere in the user's text. */
export function described(v: Value, at: Span, ctx: Context): string {
  const node = v.kind === "tensor" ? v.node : undefined;
  const model = node && ctx.interpreter.madeBy.get(node);
  if (model) return `${kindText(v)}, from model ${model.text} (${place(model.span)})`;
  const from =
    node?.label !== undefined &&
    node.span &&
    !node.span.file.library &&
    !(node.span.start <= at.start && node.span.end >= at.end && node.span.file === at.file) &&
    !node.label.startsWith("%")
      ? `, from ${node.label} (${place(node.span)})`
      : "";
  return kindText(v) + from;
}
export const integerText = (e: Integer): string =>
  constantOf(e) !== undefined
    ? String(constantOf(e))
    : termsOf(e).every(([x]) => x.kind === "dim")
      ? extentText(e as Extent)
      : "a value";
