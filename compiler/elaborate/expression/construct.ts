// Layers and models: a constructor's place makes an instance, with hyper-parameters bound; applying it evaluates its body within it.
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { callOrigin } from "../../graph/origin.ts";
import {
  type Argument,
  type Callable,
  type Context,
  type Generic,
  type Instance,
  Scope,
  type Value,
} from "../context.ts";
import * as errors from "../errors.ts";
import { kindText } from "../values.ts";
import { runBody } from "./bodies.ts";
import { hintedChannels } from "./elsewhere.ts";
import { inCall, resultSpan, within } from "./faults.ts";
import { newInstance } from "./instances.ts";
import { argumentsOf, bindParameters, checkResult } from "./parameters.ts";
import { shapeSoFar } from "./types.ts";

// Instances: layers and models with parameters of their own. A constructor's place makes one; applying it evaluates its body within it.
/** A layer's name as a part of paths: `BatchNorm2d` is batch_norm2d, `GRUCell` gru_cell, and `PReLU`, whose one small letter makes no word, prelu. */
const snake = (name: string): string =>
  name
    .replace(/[A-Z]+[a-z][A-Z]+(?![a-z])/g, (word) => word.toUpperCase())
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .toLowerCase();
/** The number of a constructor's place. */
function siteOf(place: Span, sites: Map<Span, number>): number {
  let found = sites.get(place);
  if (found === undefined) sites.set(place, (found = sites.size));
  return found;
}
/** The name that its let gave it, or its declaration's, and a number where that is taken. */
function nameOf(owner: Instance, place: Span, site: number, declared: string): string {
  const given = owner.siteNames.get(place);
  if (given !== undefined && owner.taken.has(`#${site}`)) return given;
  const base = given ?? snake(declared);
  let name = base;
  for (let n = 2; owner.taken.has(name); n++) name = `${base}${n}`;
  owner.taken.add(name).add(`#${site}`);
  owner.siteNames.set(place, name);
  return name;
}
export function construct(
  layer: Extract<Callable, { kind: "layer" }>,
  e: Extract<ast.Expr, { kind: "call" }>,
  scope: Scope,
  ctx: Context,
): Value {
  const owner = ctx.instance;
  if (!owner || ctx.declared) throw errors.instanceWithoutOwner(e.span, layer.declaration.name.text, ctx.declared);
  const bind = (): Scope => {
    const args = argumentsOf(e.args, scope, ctx);
    return within(e.span, layer.declaration.name.text, () =>
      bindParameters(layer.declaration, layer.declaration.hyper, args, layer.scope, e.span, {
        ...ctx,
        declared: undefined,
      }),
    ).scope;
  };
  return { kind: "instance", instance: instanceAt(e.span, layer.declaration, owner, bind, ctx) };
}
/** The instance of a place, made when it is first come to, with what is bound anew in every pass. */
function instanceAt(
  place: Span,
  d: ast.LayerDeclaration | ast.Fn,
  owner: Instance,
  bind: () => Scope,
  ctx: Context,
): Instance {
  const { sites, pass } = ctx.interpreter;
  const site = siteOf(place, sites);
  const key = `${site}${ctx.stackPosition}`;
  const found = owner.children.get(key);
  if (found && found.pass !== pass.number) Object.assign(found, { scope: bind(), pass: pass.number });
  if (found) return found;
  const name = nameOf(owner, place, site, d.name.text);
  const made = newInstance(`${owner.path}.${name}${ctx.stackPosition}`, d, bind(), pass.number);
  owner.children.set(key, made);
  return made;
}
/** Who holds the state of a function that declares one: an instance of its own at every place where a layer or train block calls it. */
export function keeperOf(d: ast.Fn, place: Span, scope: Scope, ctx: Context): Instance | undefined {
  if (d.body.kind !== "block" || !d.body.statements.some((s) => s.kind === "state")) return undefined;
  const owner = ctx.instance;
  if (!owner || ctx.declared || owner.declaration.kind === "optimizer")
    throw errors.stateWithoutOwner(place, d.name.text, ctx.declared);
  return instanceAt(place, d, owner, () => scope, ctx);
}
/** Layers may stand in one another as values: one that goes on in itself is deeper than any such. */
const mostWithin = 32;
/** A model that nothing applies has parameters of the checked declaration's dims, for this check alone. */
function genericModel(instance: Instance, d: ast.ModelDeclaration, { models }: Generic): Instance {
  if (instance.applied) return instance;
  const found = models.get(d) ?? newInstance(instance.path, d, instance.scope);
  models.set(d, found);
  return found;
}
export function applyInstance(
  callee: Extract<Value, { kind: "instance" }>,
  args: readonly Argument[],
  span: Span,
  ctx: Context,
  written: Span,
): Value {
  const { declaration: d } = callee.instance;
  if (d.kind !== "layer" && d.kind !== "model") throw errors.needed(span, "layer", kindText(callee));
  const { calls, applied } = ctx.interpreter;
  const within = calls.filter((x) => x === d).length;
  if (within >= (d.kind === "model" ? 1 : mostWithin)) throw errors.recursion(span, d.name.text, d.kind);
  (ctx.generic?.applied ?? applied).add(d);
  const instance = d.kind === "model" && ctx.generic ? genericModel(callee.instance, d, ctx.generic) : callee.instance;
  if (d.kind === "model" && !ctx.generic) ctx.instance?.uses.add(instance);
  const current = callee.values ? new Map([...ctx.current, ...callee.values]) : ctx.current;
  const frozen = ctx.frozen || (callee.frozen ?? false);
  let ambient = ctx.ambient;
  if (callee.frozen) {
    ambient = new Scope(ctx.ambient);
    ambient.bind("training", { kind: "bool", value: false });
  }
  const inner: Context = {
    ...ctx,
    ambient,
    current,
    frozen,
    instance,
    training: callee.frozen ? false : ctx.training,
    writes: ctx.writes && !frozen,
    stackPosition: "",
    declared: undefined,
    draws: { count: 0, path: `${ctx.draws.path}/${instance.path}#${ctx.draws.count++}` },
  };
  const origin = callOrigin(d.kind, d.name.text, instance.path, written);
  const run = (): Value => {
    const bound = bindParameters(d, d.params, args, instance.scope, span, inner);
    const value = runBody(d.body, bound.scope, inner, shapeSoFar(d.result, bound, inner));
    instance.applied = true;
    if (callee.values) for (const [k, v] of current) if (!callee.values.has(k)) ctx.current.set(k, v); // states written inside
    const made = d.result ? checkResult(value, d.result, bound, d.name.text, resultSpan(d.body), inner) : value;
    ctx.generic?.right.add(d);
    ctx.interpreter.log?.called(origin, d, bound.scope, made, instance);
    return made;
  };
  calls.push(d);
  let result: Value;
  try {
    result = inCall(origin, span, run);
  } catch (error) {
    throw error instanceof errors.Fault ? hintedChannels(error, d) : error;
  } finally {
    calls.pop();
  }
  if (result.kind === "tensor" && d.kind === "model") ctx.interpreter.madeBy.set(result.node, d.name);
  return result;
}
