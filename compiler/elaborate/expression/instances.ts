// Instances: layers and models with parameters of their own, and which parameters they and those below them have.
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { compute, indicesOf, source } from "../../graph/node.ts";
import { call as callScalar, load } from "../../graph/scalar.ts";
import type { DType, Node, Shape, Source } from "../../graph/types.ts";
import { type Context, type Instance, type Interpreter, Scope, type Value } from "../context.ts";
import * as errors from "../errors.ts";
import { axesOf, stopGradient } from "../tensors.ts";

export function newInstance(path: string, declaration: Instance["declaration"], scope: Scope, pass = 0): Instance {
  return {
    path,
    declaration,
    scope,
    parameters: new Map(),
    states: new Map(),
    children: new Map(),
    names: new Map(),
    siteNames: new Map(),
    taken: new Set(),
    uses: new Set(),
    pass,
    applied: declaration.kind === "train",
    asked: { parameters: Infinity, missing: new Set() },
    copies: new Map(),
  };
}
export function modelInstance(self: Interpreter, declaration: ast.ModelDeclaration, scope: Scope): Instance {
  let found = self.models.get(declaration);
  if (!found) self.models.set(declaration, (found = newInstance(declaration.name.text, declaration, scope)));
  return found;
}
export function trainInstance(self: Interpreter, declaration: ast.Train, scope: Scope): Instance {
  let found = self.trains.get(declaration);
  if (!found) self.trains.set(declaration, (found = newInstance(declaration.name.text, declaration, scope)));
  return found;
}
/** A parameter or state of an instance that is checked on its own dims: of any shape, and of no program. */
export function genericSource(
  owner: Instance,
  name: string,
  role: "parameter" | "state",
  shape: Shape,
  dtype: DType,
  span: Span,
): Source {
  const held = role === "parameter" ? owner.parameters : owner.states;
  const path = `${owner.path}.${name}`;
  const found = held.get(name) ?? source({ role, path, shape, dtype, span, label: path });
  held.set(name, found);
  return found;
}
/** Is it a parameter, a state, or a layer within (or the layers of a stack)? */
const ownMember = (i: Instance, name: string): boolean =>
  i.parameters.has(name) ||
  i.states.has(name) ||
  [...i.children.values()].some((c) => `${c.path}.`.startsWith(`${i.path}.${name}.`));
export function parameterValue(p: Source, ctx: Context): Node {
  const now = ctx.current.get(p) ?? p;
  if (!ctx.frozen) return now;
  const axes = axesOf(p.shape);
  return compute(axes, undefined, callScalar("stop", load(now, indicesOf(axes))), { label: p.label });
}
/** A parameter as it is seen through this value of its instance. */
export function parameterOf(v: Extract<Value, { kind: "instance" | "gradient" }>, p: Source, ctx: Context): Node {
  const own = v.values?.get(p);
  if (v.kind === "gradient" || !v.frozen) return own ?? parameterValue(p, ctx);
  return own ? stopGradient(own) : parameterValue(p, { ...ctx, frozen: true });
}
/**
 * All parameters that an instance reaches, in order of their making. A line may ask for them before the instance is applied: on the first reading
 * of the file it gets those that are there, and the file is read again if they were not all.
 */
export function parametersOf(instance: Instance, ctx: Context, span?: Span): Source[] {
  const found = parametersSoFar(instance);
  instance.asked.parameters = Math.min(instance.asked.parameters, found.length);
  if (span && !instance.applied && !found.length && ctx.interpreter.pass.number > 0)
    throw errors.neverApplied(span, instance.path);
  return found;
}
export const parametersSoFar = (instance: Instance): Source[] => [
  ...new Set(reachedFrom(instance).flatMap((i) => [...i.parameters.values()])),
];
/** The instance and all below it, in order of their making. */
function reachedFrom(instance: Instance, seen: Set<Instance> = new Set()): Instance[] {
  if (seen.has(instance)) return [];
  seen.add(instance);
  return [instance, ...[...instance.children.values(), ...instance.uses].flatMap((c) => reachedFrom(c, seen))];
}
const everyInstance = (roots: Iterable<Instance>): Instance[] => [
  ...new Set([...roots].flatMap((r) => reachedFrom(r))),
];
/** Was one of them asked for something that was made further below, or for what nothing has made? */
export const askedEarly = (self: Interpreter, roots: Iterable<Instance>): boolean =>
  everyInstance(roots).some((i) => {
    if (!i.applied && self.pass.number === 0) return wasAsked(i);
    return (
      (i.applied && i.asked.parameters < parametersSoFar(i).length) ||
      [...i.asked.missing].some((name) => ownMember(i, name))
    );
  });
export const wasAsked = (i: Instance): boolean => Number.isFinite(i.asked.parameters) || i.asked.missing.size > 0;
/** All but the known ones. */
export function forgetParameters(self: Interpreter, roots: Iterable<Instance>, known: ReadonlySet<string>): void {
  for (const i of everyInstance(roots))
    for (const [name, p] of i.parameters) if (!known.has(p.path)) i.parameters.delete(name);
  for (const path of [...self.parameters.keys()]) if (!known.has(path)) self.parameters.delete(path);
}
/** Before the file is read again: what instances there are stays, values of the reading before do not. */
export function forgetValues(roots: Iterable<Instance>): void {
  for (const i of everyInstance(roots)) {
    i.names.clear();
    i.asked.parameters = Infinity;
    i.asked.missing.clear();
    i.copies.clear();
  }
}
