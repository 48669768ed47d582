// `param`: a tensor of an instance that training updates, and its initial value.
import type * as ast from "../../../grammar/ast.ts";
import { compute, source } from "../../graph/node.ts";

import type { Node } from "../../graph/types.ts";
import { apply, baseContext, type Context, evaluate, Scope, type Value } from "../context.ts";
import { drawTensor, hashSite } from "../draws.ts";
import * as errors from "../errors.ts";
import { axesOf } from "../tensors.ts";
import { asTensor, isPlain, number, plainScalar, tensor } from "../values.ts";
import { genericSource, parameterValue } from "./instances.ts";
import { spreadsOf } from "./parameters.ts";
import { expecting, initialiser, statedShape, typeSource } from "./types.ts";

export function declareParameter(s: ast.ParamStatement, scope: Scope, ctx: Context): void {
  const owner = ctx.instance;
  if (!owner || ctx.declared || owner.declaration.kind === "train")
    throw errors.withoutOwner(s.span, "param", ctx.declared);
  const force = (): Value => {
    if (s.type.kind !== "tensor_type" || s.type.element.text !== "f32")
      throw errors.needed(s.type.span, "shapedFloat", typeSource(s.type));
    if (s.type.range) throw errors.rangeOfFloats(s.type.range.span, "f32");
    const shape = statedShape(s.type, { scope, dims: new Map(), spreads: spreadsOf(scope) }, ctx);
    if (ctx.generic) return tensor(genericSource(owner, s.name.text, "parameter", shape, "f32", s.span));
    if (shape.some((n) => typeof n !== "number"))
      throw errors.heldOfRunTimeShape(s.type.span, "parameter", s.name.text);
    let p = owner.parameters.get(s.name.text);
    if (!p) {
      const path = `${owner.path}.${s.name.text}`;
      p = source({ role: "parameter", path, shape, dtype: "f32", span: s.span, label: path });
      owner.parameters.set(s.name.text, p);
      const initial = initialValue(s.initial, scope, shape as number[], path, ctx);
      ctx.interpreter.parameters.set(path, { source: p, initial, span: s.span });
    } else if (shape.some((n, d) => n !== p!.shape[d])) {
      throw errors.parameterOfTwoShapes(s.span, p.path, owner.path, typeSource(s.type), p.shape, shape);
    }
    const value = tensor(parameterValue(p, ctx));
    ctx.interpreter.log?.named(s.name, value, scope);
    return value;
  };
  scope.bind(s.name.text, { kind: "lazy", force }, s.name.span);
}
function initialValue(e: ast.Expr, scope: Scope, shape: readonly number[], path: string, ctx: Context): Node {
  const inner = new Scope(scope);
  // what the layer says of its fans counts: a bias has those of the weights, and theirs may lie in other axes
  inner.bind("fan_in", scope.find("fan_in") ?? number(shape.slice(0, -1).reduce((a, b) => a * b, 1)));
  inner.bind("fan_out", scope.find("fan_out") ?? number(shape.at(-1) ?? 1));
  inner.bind("shape", { kind: "list", elements: shape.map((n) => number(n)) });
  const base = baseContext(ctx.interpreter, new Scope(), path);
  const ambient = new Scope(ctx.ambient);
  for (const name of ["fan_in", "fan_out", "shape"]) ambient.bind(name, inner.own(name)!);
  const initContext: Context = { ...base, ambient, instance: ctx.instance, stackPosition: ctx.stackPosition };
  let v = evaluate(e, inner, expecting(e, shape, initContext));
  v = initialiser(v, e.span, initContext) ?? v;
  if (v.kind === "fn" || v.kind === "builtin") v = apply(v, [], e.span, initContext);
  if (v.kind === "deferred") v = v.run(initContext);
  if (v.kind === "distribution") return drawTensor(v, shape, hashSite(path), initContext, e.span);
  const node = asTensor(
    isPlain(v) ? tensor(compute(axesOf(shape), undefined, plainScalar(v, "f32", e.span))) : v,
    e.span,
    "f32",
  );
  if (node.shape.length !== shape.length || node.shape.some((n, d) => n !== shape[d]))
    throw errors.shapeMismatch(
      e.span,
      `the initial value of ${path}`,
      errors.typeText("f32", shape),
      errors.typeText(node.dtype, node.shape),
    );
  return node;
}
