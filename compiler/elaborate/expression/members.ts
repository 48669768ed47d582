// `a.b`: columns of data, parameters, states, layers and names of an instance.
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { shaped } from "../builtins/shaped.ts";
import { type Bundle, type Context, evaluate, type Instance, Scope, type Value } from "../context.ts";
import * as errors from "../errors.ts";
import { isBundle, isCallable, kindText, tensor } from "../values.ts";
import { parameterOf, parametersSoFar } from "./instances.ts";
import { instanceValue } from "./states.ts";

export function member(e: Extract<ast.Expr, { kind: "member" }>, scope: Scope, ctx: Context): Value {
  if (e.operand.kind === "name") {
    const joined =
      scope.find(`${e.operand.text}.${e.name.text}`) ?? ctx.ambient.find(`${e.operand.text}.${e.name.text}`);
    if (joined) return joined;
  }
  const v = evaluate(e.operand, scope, ctx);
  if (v.kind === "dataset") {
    const column = ctx.interpreter.data.get(v.name);
    if (!column) throw new errors.Quiet(); // the block has errors of its own
    return column(e.name.text, e.name.span);
  }
  if (isBundle(v)) return memberOf(v, e.name.text, e.name.span, ctx);
  throw errors.noMembers(e.operand.span, kindText(v), e.name.text, {
    tensor: v.kind === "tensor" || v.kind === "scalar",
    applied: (text) => howApplied({ kind: "name", text, span: e.name.span }, scope, ctx),
  });
}
function howApplied(
  e: ast.Expr & { readonly kind: "name" },
  scope: Scope,
  ctx: Context,
): "in brackets" | "plain" | undefined {
  if (shaped.has(e.text)) return shaped.get(e.text)!.gives.kind === "tensor" ? "in brackets" : undefined;
  try {
    return isCallable(evaluate(e, scope, ctx)) ? "plain" : undefined;
  } catch (error) {
    if (error instanceof errors.Fault) return undefined;
    throw error;
  }
}
/** A layer within, with its part of the parameters. */
function within(v: Bundle, child: Instance): Bundle {
  const own = new Set(parametersSoFar(child));
  const values = v.values && new Map([...v.values].filter(([p]) => own.has(p)));
  return { ...v, instance: child, ...(values ? { values } : {}) } as Bundle;
}
function memberOf(v: Bundle, name: string, span: Span, ctx: Context): Value {
  const { instance } = v;
  const p = instance.parameters.get(name);
  if (p) return tensor(parameterOf(v, p, ctx));
  const held = v.kind === "instance" && instance.states.get(name);
  if (held) return tensor(ctx.current.get(held) ?? held);
  const copy = v.kind === "instance" && instance.copies.get(name);
  if (copy) return instanceValue(copy, ctx);
  for (const child of instance.children.values())
    if (child.path === `${instance.path}.${name}`) return within(v, child);
  // a stack: net.block[3] is net.block.3
  const stacked = [...instance.children.values()].filter((c) => c.path.startsWith(`${instance.path}.${name}.`));
  if (stacked.length) return { kind: "list", elements: stacked.map((child) => within(v, child)) };
  const bound = instance.names.get(name);
  if (bound) return bound.kind === "lazy" ? bound.force() : bound;
  instance.asked.missing.add(name);
  throw errors.unknownName(
    span,
    name,
    [
      ...instance.parameters.keys(),
      ...instance.states.keys(),
      ...[...instance.children.values()].map((c) => c.path.split(".").at(-1)!),
      ...instance.names.keys(),
    ],
    { kind: "member", place: `in ${instance.path}` },
  );
}
