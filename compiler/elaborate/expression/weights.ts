// `param`: a tensor of an instance that training updates, and its initial value.
import type * as ast from "../../../grammar/ast.ts";
import { compute, source } from "../../graph/node.ts";
import { shapeText } from "../../graph/print.ts";
import type { Node } from "../../graph/types.ts";
import { apply, baseContext, type Context, evaluate, Scope, type Value } from "../context.ts";
import { drawTensor, hashSite } from "../draws.ts";
import * as errors from "../errors.ts";
import { axesOf } from "../tensors.ts";
import { asTensor, isPlain, number, plainScalar, tensor } from "../values.ts";
import { genericSource, parameterValue } from "./instances.ts";
import { spreadsOf } from "./parameters.ts";
import { initialiser, statedShape, typeSource } from "./types.ts";

export function declareParameter(s: ast.ParamStatement, scope: Scope, ctx: Context): void {
  const owner = ctx.instance;
  if (!owner || ctx.declared || owner.declaration.kind === "train")
    throw errors.misplaced(
      s.span,
      "`param`",
      ctx.declared ? `in a ${ctx.declared}` : "here",
      "parameters belong to layers and models",
    );
  const force = (): Value => {
    if (s.type.kind !== "tensor_type" || s.type.element.text !== "f32")
      throw errors.wrongKind(s.type.span, "f32 with a shape", typeSource(s.type));
    if (s.type.range)
      throw errors.wrongKind(s.type.range.span, "i32 before `in`", "f32", "only whole numbers carry a range");
    const shape = statedShape(s.type, { scope, dims: new Map(), spreads: spreadsOf(scope) }, ctx);
    if (ctx.isGeneric) return tensor(genericSource(owner, s.name.text, "parameter", shape, "f32", s.span));
    if (shape.some((n) => typeof n !== "number"))
      throw errors.runTimeDim(
        s.type.span,
        `the shape of the parameter ${s.name.text}`,
        "a parameter has one size for every call: use the dims that are known, not that of the rows",
      );
    let p = owner.parameters.get(s.name.text);
    if (!p) {
      const path = `${owner.path}.${s.name.text}`;
      p = source({ role: "parameter", path, shape, dtype: "f32", span: s.span, label: path });
      owner.parameters.set(s.name.text, p);
      const initial = initialValue(s.initial, scope, shape as number[], path, ctx);
      ctx.interpreter.parameters.set(path, { source: p, initial, span: s.span });
    } else if (shape.some((n, d) => n !== p!.shape[d])) {
      throw errors.shapeMismatch(
        s.span,
        `the parameter ${p.path}`,
        errors.typeText("f32", p.shape),
        errors.typeText("f32", shape),
        {
          notes: [
            `${typeSource(s.type)}: ${owner.path} was applied before, where this was ${shapeText(p.shape)}; now it would be ${shapeText(shape)}`,
          ],
          hint: "one instance has one shape; make a second one for inputs of another size",
        },
      );
    }
    return tensor(parameterValue(p, ctx));
  };
  scope.bind(s.name.text, { kind: "lazy", force }, s.name.span);
}
function initialValue(e: ast.Expr, scope: Scope, shape: readonly number[], path: string, ctx: Context): Node {
  const inner = new Scope(scope);
  inner.bind("fan_in", number(shape.slice(0, -1).reduce((a, b) => a * b, 1)));
  inner.bind("fan_out", number(shape.at(-1) ?? 1));
  inner.bind("shape", { kind: "list", elements: shape.map((n) => number(n)) });
  const base = baseContext(ctx.interpreter, new Scope(), path);
  const ambient = new Scope(ctx.ambient);
  for (const name of ["fan_in", "fan_out", "shape"]) ambient.bind(name, inner.own(name)!);
  const initContext: Context = { ...base, ambient, instance: ctx.instance, stackPosition: ctx.stackPosition };
  let v = evaluate(e, inner, initContext);
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
