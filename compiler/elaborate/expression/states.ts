// `state` and `next`: tensors that an instance, an optimizer or a train block keeps from step to step.
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { compute, indicesOf, source } from "../../graph/node.ts";
import { equal, select, constantOf, interval, load } from "../../graph/scalar.ts";
import type { DType, Integer, Node, Range, Shape, Source } from "../../graph/types.ts";
import { leastI32, mostI32 } from "../../scalar/range.ts";
import {
  baseContext,
  type CarriedState,
  type Context,
  evaluate,
  type Instance,
  type InstanceState,
  Scope,
  type Value,
} from "../context.ts";
import * as errors from "../errors.ts";
import { axesOf, stopGradient } from "../tensors.ts";
import { asTensor, filling, isBundle, isPlain, kindText, tensor } from "../values.ts";
import { genericSource, parametersOf, parameterValue } from "./instances.ts";
import { spreadsOf } from "./parameters.ts";
import { type Bound, checkType, declaredRange, elementType, expecting, shapeSoFar } from "./types.ts";

/** Does a function stand here that holds no state of its own? */
const isWithinFn = (owner: Instance, ctx: Context): boolean =>
  ctx.declared !== undefined && owner.declaration.kind !== "fn";
export function declareState(s: ast.State, scope: Scope, ctx: Context): void {
  const owner = ctx.instance;
  if (!owner || isWithinFn(owner, ctx)) throw errors.withoutOwner(s.span, "state", ctx.declared);
  const force = (): Value => {
    const value = valueNow();
    ctx.interpreter.log?.named(s.name, value, scope);
    return value;
  };
  const valueNow = (): Value => {
    const path = `${owner.path}.${s.name.text}`;
    if (!owner.states.has(s.name.text)) {
      const copy = instanceStateOf(s, scope, ctx, owner, path);
      if (copy) return instanceValue(copy, ctx);
    }
    const held = stateOf(s, scope, ctx, owner, path, "state");
    const carried = ctx.carried && carriedState(s, held, scope, ctx);
    return tensor(ctx.current.get(held) ?? carried?.value ?? held);
  };
  scope.bind(s.name.text, { kind: "lazy", force }, s.name.span);
  owner.names.set(s.name.text, { kind: "lazy", force });
}
/** A state whose shape has the rows of the batch, where these are the rows of an evaluation. */
function carriedState(s: ast.State, held: Source, scope: Scope, ctx: Context): CarriedState | undefined {
  const known = ctx.carried!.get(held);
  if (known) return known;
  const bound: Bound = { scope, dims: new Map(), spreads: spreadsOf(scope) };
  const own: Context = {
    ...baseContext(ctx.interpreter, new Scope(), held.path),
    ambient: ctx.ambient,
    instance: ctx.instance,
  };
  const first = evaluate(s.value, scope, expecting(s.value, shapeSoFar(s.type, bound, own), own));
  const typed = s.type ? checkType(first, s.type, bound, `the state ${held.path}`, s.value.span, own) : first;
  const initial = asTensor(typed, s.value.span, held.dtype);
  if (initial.shape.every((n) => typeof n === "number")) return undefined;
  const { shape, dtype, range } = initial;
  const path = `${held.path}.before`;
  const before = source({
    role: "input",
    path,
    shape,
    dtype,
    label: path,
    ...(held.range ? { range: held.range } : range ? { range } : {}),
  });
  const begins = source({
    role: "input",
    path: "evaluation.begins",
    shape: [],
    dtype: "i32",
    range: { low: 0, high: 1 },
  });
  const axes = axesOf(shape);
  const at = indicesOf(axes);
  const value = compute(
    axes,
    undefined,
    select(equal(load(begins, []) as Integer, 0), load(before, at), load(initial, at)),
  );
  const made = { before, value };
  ctx.carried!.set(held, made);
  return made;
}
function instanceStateOf(
  s: ast.State,
  scope: Scope,
  ctx: Context,
  owner: Instance,
  path: string,
): InstanceState | undefined {
  const known = owner.copies.get(s.name.text);
  if (known) return known;
  const initContext: Context = {
    ...baseContext(ctx.interpreter, new Scope(), path),
    ambient: ctx.ambient,
    instance: ctx.instance,
  };
  const shape = shapeSoFar(s.type, { scope, dims: new Map(), spreads: spreadsOf(scope) }, initContext);
  const v = evaluate(s.value, scope, expecting(s.value, shape, initContext));
  if (!isBundle(v)) return undefined;
  if (s.type) throw errors.typedInstanceState(s.type.span);
  const held = new Map<Source, Source>();
  for (const p of parametersOf(v.instance, ctx, s.value.span)) {
    const own = source({
      role: "state",
      path: `${path}.${p.path}`,
      shape: p.shape,
      dtype: "f32",
      span: s.span,
      label: `${path}.${p.path}`,
    });
    held.set(p, own);
    if (!ctx.interpreter.parameters.has(p.path)) throw new errors.Quiet(); // its size is an error of its own
    ctx.interpreter.states.set(own.path, {
      source: own,
      initial: ofParameter(v.values?.get(p) ?? p, s.value.span),
      span: s.span,
      kind: "state",
    });
  }
  if (!held.size) throw errors.unappliedInstance(s.value.span, kindText(v));
  const made = { instance: v.instance, held };
  owner.copies.set(s.name.text, made);
  return made;
}
export const instanceValue = ({ instance, held }: InstanceState, ctx: Context): Value => ({
  kind: "instance",
  instance,
  values: new Map([...held].map(([p, own]) => [p, ctx.current.get(own) ?? own])),
});
/** `next` of such a state: an instance with its parameters, or arithmetic of instances. */
export function writeInstanceState({ instance, held }: InstanceState, value: Value, span: Span, ctx: Context): void {
  if (!isBundle(value) || value.instance !== instance)
    throw errors.notParametersOf(span, instance.path, kindText(value));
  for (const [p, own] of held)
    ctx.current.set(own, stopGradient(ofParameter(value.values?.get(p) ?? parameterValue(p, ctx), span)));
}
function ofParameter(x: Node, span: Span): Node {
  if (x.dtype !== "f32") throw errors.parametersOfType(span, x.dtype);
  return x;
}
export function stateOf(
  s: ast.State,
  scope: Scope,
  ctx: Context,
  owner: Instance,
  path: string,
  kind: "state" | "optimizer",
): Source {
  let held = owner.states.get(s.name.text);
  if (held && (ctx.generic || ctx.interpreter.states.has(path))) return held;
  const base = baseContext(ctx.interpreter, new Scope(), path);
  const initContext: Context = {
    ...base,
    ambient: ctx.ambient,
    instance: ctx.instance,
    ...(ctx.generic ? { generic: ctx.generic } : {}),
  };
  const bound: Bound = { scope, dims: new Map(), spreads: spreadsOf(scope) };
  let value = evaluate(s.value, scope, expecting(s.value, shapeSoFar(s.type, bound, initContext), initContext));
  if (s.type) value = checkType(value, s.type, bound, `the state ${path}`, s.value.span, initContext);
  const wanted = s.type?.kind === "tensor_type" ? elementType(s.type) : undefined;
  const node = asTensor(value, s.value.span, wanted ?? (value.kind === "number" && !value.whole ? "f32" : undefined));
  if (ctx.generic) return genericSource(owner, s.name.text, "state", node.shape, node.dtype, s.span);
  if (node.shape.some((n) => typeof n !== "number")) throw errors.heldOfRunTimeShape(s.span, "state", path);
  let range: Range | undefined = node.dtype === "i32" ? { low: -Infinity, high: Infinity } : undefined;
  if (s.type?.kind === "tensor_type" && s.type.range) {
    const r = declaredRange(s.type.range, scope, s.type.range.span, initContext);
    const [low, end] = [constantOf(r.low), constantOf(r.end)];
    if (low === undefined || end === undefined) throw errors.runTimeRange(s.type.range.span);
    range = { low, high: end - 1 };
  }
  held = source({
    role: "state",
    path,
    shape: node.shape,
    dtype: node.dtype,
    span: s.span,
    label: path,
    ...(range ? { range } : {}),
  });
  owner.states.set(s.name.text, held);
  ctx.interpreter.states.set(path, { source: held, initial: node, span: s.span, kind });
  return held;
}
/** What `next` gives each name, as the shape of its state asks. */
export function nextValues(s: ast.Next, scope: Scope, ctx: Context): { name: ast.Name; value: Value; span: Span }[] {
  for (const a of s.assignments) scope.find(a.name.text); // a state is made where it is read first
  return s.assignments.map((a) => ({
    name: a.name,
    value: evaluate(a.value, scope, expecting(a.value, ctx.instance?.states.get(a.name.text)?.shape, ctx)),
    span: a.value.span,
  }));
}
export function runNext(s: ast.Next, scope: Scope, ctx: Context): void {
  const values = nextValues(s, scope, ctx);
  const owner = ctx.instance;
  if (!owner || isWithinFn(owner, ctx)) throw errors.withoutOwner(s.span, "next", ctx.declared);
  for (const { name, value, span } of values) {
    if (scope.find(name.text) === undefined)
      throw errors.unknownName(name.span, name.text, owner.states.keys(), { kind: "state" });
    const held = owner.states.get(name.text);
    if (!held) throw errors.undeclaredState(name.span, name.text);
    if (!ctx.writes && !ctx.carried?.has(held)) continue;
    ctx.current.set(held, stopGradient(nextValue(held, value, span, name.text, ctx)));
  }
}
/** The next value of a state, which must lie in the range that the state declares. */
export function nextValue(held: Source, value: Value, span: Span, name: string, ctx: Context): Node {
  const like = ctx.carried?.get(held)?.before ?? held;
  const node = fitTo(like, value, span, name);
  if (held.range && held.range.low !== -Infinity && held.dtype === "i32" && !ctx.trial) {
    const { low, high } = held.range as { low: number; high: number };
    const own = interval(load(node, indicesOf(axesOf(node.shape))) as Integer);
    if (own.low < low || own.high > high)
      throw errors.nextOutOfRange(
        span,
        name,
        own.low <= leastI32 || own.high >= mostI32 ? "any i32" : `in ${own.low}..${own.high + 1}`,
        low,
        high + 1,
        held.span && !held.span.file.library ? { span: held.span, text: "declared here" } : undefined,
      );
  }
  return node;
}
/** A value as the next one of a carried tensor: same dtype and shape; a plain number fills it. */
export function fitTo(
  held: { readonly shape: Shape; readonly dtype: DType; readonly span?: Span | undefined },
  value: Value,
  span: Span,
  name: string,
): Node {
  const node =
    isPlain(value) || value.kind === "bool"
      ? compute(axesOf(held.shape), undefined, filling(value, span, held.dtype))
      : asTensor(value, span, held.dtype);
  if (
    node.dtype !== held.dtype ||
    node.shape.length !== held.shape.length ||
    node.shape.some((n, d) => n !== held.shape[d])
  )
    throw errors.shapeMismatch(
      span,
      `the next value of ${name}`,
      errors.typeText(held.dtype, held.shape),
      errors.typeText(node.dtype, node.shape),
      {
        labels: [
          { span, text: errors.typeText(node.dtype, node.shape) },
          ...(held.span && !held.span.file.library
            ? [{ span: held.span, text: `${errors.typeText(held.dtype, held.shape)} by this` }]
            : []),
        ],
        unequal: node.dtype === held.dtype ? errors.differing(held.shape, node.shape) : [],
      },
    );
  return node;
}
