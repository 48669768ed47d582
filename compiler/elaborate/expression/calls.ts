// Calls: `f(x)`, `x |> f`, and what the callee makes of its arguments.
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { conjuncts } from "../../graph/forms.ts";
import { callOrigin } from "../../graph/origin.ts";
import { not } from "../../graph/scalar.ts";
import {
  apply,
  type Argument,
  type Callable,
  type Context,
  evaluate,
  type OptimizerValue,
  Scope,
  type Value,
} from "../context.ts";
import * as errors from "../errors.ts";
import { isCallable, kindText } from "../values.ts";
import { runBody } from "./bodies.ts";
import { construct, keeperOf } from "./construct.ts";
import { inCall, resultSpan, within } from "./faults.ts";
import { gradExpression } from "./gradients.ts";
import { argumentsOf, bindParameters, checkResult } from "./parameters.ts";
import { shapeSoFar } from "./types.ts";

export function pipe(e: Extract<ast.Expr, { kind: "binary" }>, scope: Scope, ctx: Context): Value {
  const { left, right } = e;
  // grad takes its value as it is written
  if (right.kind === "call" && right.callee.kind === "name" && right.callee.text === "grad") {
    const args = [{ value: left, span: left.span }, ...right.args];
    if (isGrad(evaluate(right.callee, scope, ctx))) return gradExpression({ ...right, args, span: e.span }, scope, ctx);
  }
  const input = evaluate(left, scope, ctx);
  const spread: Argument[] = (input.kind === "tuple" ? input.elements : [input]).map((value) => ({
    value,
    span: e.left.span,
  }));
  // x |> Layer(hyper), x |> callable, x |> f(a)
  if (right.kind === "call") {
    const callee = evaluate(right.callee, scope, ctx);
    if (callee.kind === "layer") return apply(construct(callee, right, scope, ctx), spread, e.span, ctx, right.span);
    if (
      callee.kind === "instance" ||
      callee.kind === "fn" ||
      callee.kind === "builtin" ||
      callee.kind === "lambda" ||
      callee.kind === "shaped"
    ) {
      const args = argumentsOf(right.args, scope, ctx);
      // a call that gives a callable is applied; otherwise x becomes its first argument
      return apply(callee, [...spread, ...args], e.span, ctx, right.span);
    }
  }
  const target = evaluate(right, scope, ctx);
  if (target.kind === "layer") throw errors.bareLayer(right.span, kindText(target), target.declaration.name.text);
  if (!isCallable(target)) throw errors.needed(right.span, "applicable", kindText(target));
  return apply(target, spread, e.span, ctx, right.span);
}
const isGrad = (callee: Value): boolean => callee.kind === "builtin" && callee.name === "grad";
export function callExpression(e: Extract<ast.Expr, { kind: "call" }>, scope: Scope, ctx: Context): Value {
  const callee = evaluate(e.callee, scope, ctx);
  if (isGrad(callee)) return gradExpression(e, scope, ctx);
  if (callee.kind === "layer") return construct(callee, e, scope, ctx);
  if (callee.kind === "optimizer") return bindOptimizer(callee, argumentsOf(e.args, scope, ctx), e.span, ctx);
  const isChoice = callee.kind === "builtin" && callee.name === "where";
  const within = isChoice ? (values: readonly Value[]) => branchContext(values, ctx) : undefined;
  return apply(callee, argumentsOf(e.args, scope, ctx, within), e.span, ctx);
}
/** In a branch of `where(condition, a, b)` its condition holds, or does not. */
function branchContext([condition, ...branches]: readonly Value[], ctx: Context): Context {
  if (!condition || branches.length > 1) return ctx;
  const v = condition.kind === "lazy" ? condition.force() : condition;
  const single = v.kind === "tensor" && v.node.kind === "compute" && !v.node.reduction && !v.node.shape.length;
  const known = v.kind === "scalar" ? v.scalar : single ? v.node.body : undefined;
  if (known?.dtype !== "bool") return ctx;
  return { ...ctx, holds: [...(ctx.holds ?? []), ...conjuncts(branches.length ? not(known) : known)] };
}
function bindOptimizer(
  callee: Extract<Callable, { kind: "optimizer" }>,
  args: readonly Argument[],
  span: Span,
  ctx: Context,
): Value {
  const d = callee.declaration;
  const bound = within(span, d.name.text, () => bindParameters(d, d.hyper, args, callee.scope, span, ctx));
  const value: OptimizerValue = { declaration: d, scope: bound.scope, name: d.name.text };
  return { kind: "optimizers", chain: [value] };
}
export function applyLambda(
  callee: Extract<Callable, { kind: "lambda" }>,
  args: readonly Argument[],
  span: Span,
  ctx: Context,
): Value {
  const wanted = callee.params.length;
  if (args.length !== wanted) throw errors.tooManyArguments(span, "this function", wanted, args.length);
  const inner = new Scope(callee.scope);
  callee.params.forEach((p, i) => inner.bind(p.text, args[i]!.value));
  return evaluate(callee.body, inner, ctx);
}
/** A function is inlined: its body is evaluated over what it is given. */
export function applyFunction(
  callee: Extract<Callable, { kind: "fn" }>,
  args: readonly Argument[],
  span: Span,
  ctx: Context,
  written: Span,
): Value {
  const d = callee.declaration;
  // an initialiser waits for the parameter that it is for
  if (d.kind === "init" && ctx.ambient.find("fan_in") === undefined)
    return { kind: "deferred", run: (later) => apply(callee, args, span, later) };
  const { calls, applied } = ctx.interpreter;
  (ctx.generic?.applied ?? applied).add(d);
  if (d.kind === "fn") {
    if (calls.includes(d)) throw errors.recursion(span, d.name.text, "fn");
    calls.push(d);
  }
  try {
    const origin = callOrigin(d.kind, d.name.text, undefined, written);
    return inCall(origin, span, () => {
      const bound = bindParameters(d, d.params, args, callee.scope, span, ctx);
      const keeper = d.kind === "fn" ? keeperOf(d, written, bound.scope, ctx) : undefined;
      const kept = keeper ? { instance: keeper, stackPosition: "" } : {};
      const value = runBody(
        d.body,
        bound.scope,
        { ...ctx, ...kept, declared: ctx.declared ?? "fn" },
        d.kind === "fn" ? shapeSoFar(d.result, bound, ctx) : undefined,
      );
      const result =
        d.kind === "fn" && d.result ? checkResult(value, d.result, bound, d.name.text, resultSpan(d.body), ctx) : value;
      ctx.generic?.right.add(d);
      ctx.interpreter.log?.called(origin, d, bound.scope, result, undefined);
      return result;
    });
  } finally {
    if (d.kind === "fn") calls.pop();
  }
}
