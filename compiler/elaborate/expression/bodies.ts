// Bodies of functions, layers and loops: statements in order, up to `return`.
import { nameNode } from "../../graph/node.ts";
import type * as ast from "../../../grammar/ast.ts";
import { type Context, type Expected, Scope, type Value } from "../context.ts";
import * as errors from "../errors.ts";
import { evaluate } from "../context.ts";
import { kindText } from "../values.ts";
import { readOn } from "./faults.ts";
import { spreadsOf } from "./parameters.ts";
import { declareState, runNext } from "./states.ts";
import { type Bound, checkType, expecting, shapeSoFar } from "./types.ts";
import { declareParameter } from "./weights.ts";

/** A body: an expression, or statements up to `return`. */
export function runBody(body: ast.Body, scope: Scope, ctx: Context, expected?: Expected["shape"]): Value {
  if (body.kind === "expression") return evaluate(body.value, scope, expecting(body.value, expected, ctx));
  const end = body.statements.findIndex((x) => x.kind === "return");
  const beyond = end >= 0 ? body.statements[end + 1] : undefined;
  if (beyond) throw errors.afterReturn(beyond.span);
  const returned = body.statements[end];
  const own = returned?.kind === "return" ? expecting(returned.value, expected, ctx) : ctx;
  const result = runStatements(body.statements, new Scope(scope), own);
  if (result.kind !== "returned") throw errors.noReturn(body.span);
  return result.value;
}
type Outcome = { readonly kind: "returned"; readonly value: Value } | { readonly kind: "ended" };
export function runStatements(statements: readonly ast.Statement[], scope: Scope, ctx: Context): Outcome {
  for (const [i, s] of statements.entries()) {
    switch (s.kind) {
      case "let":
        try {
          bindLet(s, scope, ctx);
        } catch (error) {
          readOn(
            error,
            statements.slice(i + 1).flatMap((x) => (x.kind === "let" || x.kind === "return" ? [x.value] : [])),
            scope,
            ctx,
          );
        }
        break;
      case "return":
        return { kind: "returned", value: evaluate(s.value, scope, ctx) };
      case "param":
        declareParameter(s, scope, ctx);
        break;
      case "state":
        declareState(s, scope, ctx);
        break;
      case "next":
        runNext(s, scope, ctx);
        break;
      case "yield":
        throw errors.yieldOutside(s.span);
      default:
        s satisfies never;
    }
  }
  return { kind: "ended" };
}
export function bindLet(s: ast.Let, scope: Scope, ctx: Context): void {
  const before = ctx.instance;
  // an instance that is the whole right side takes the let's name
  if (before && s.names.length === 1 && s.value.kind === "call") before.siteNames.set(s.value.span, s.names[0]!.text);
  const bound: Bound = { scope, dims: new Map(), spreads: spreadsOf(scope) };
  let value = evaluate(s.value, scope, expecting(s.value, shapeSoFar(s.type, bound, ctx), ctx));
  if (s.type) value = checkType(value, s.type, bound, s.names[0]!.text, s.value.span, ctx);
  if (!s.tuple) {
    ctx.interpreter.log?.named(s.names[0]!, value, scope);
    scope.bind(s.names[0]!.text, label(value, s.names[0]!.text), s.names[0]!.span);
    before?.names.set(s.names[0]!.text, value);
    return;
  }
  const parts = value.kind === "tuple" || value.kind === "list" ? value.elements : undefined;
  if (!parts || parts.length !== s.names.length) throw errors.notTuple(s.value.span, s.names.length, kindText(value));
  s.names.forEach((n, i) => {
    ctx.interpreter.log?.named(n, parts[i]!, scope);
    scope.bind(n.text, label(parts[i]!, n.text), n.span);
  });
}
/** Gives a node its name from the source where it has none yet. */
export function label(v: Value, name: string): Value {
  if (v.kind === "tensor" && v.node.kind !== "source") nameNode(v.node, name);
  return v;
}
