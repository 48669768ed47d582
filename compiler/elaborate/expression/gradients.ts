// `grad(e, wrt: x)`, and which values are out of date after an update.
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { inputs, levelInputs, topological, zeros } from "../../graph/node.ts";
import { isCall, operandsOf } from "../../graph/scalar.ts";
import type { Node, Scalar, Source } from "../../graph/types.ts";
import { type Context, evaluate, Scope, type Value } from "../context.ts";
import { derivatives } from "../derivatives.ts";
import * as errors from "../errors.ts";
import { asTensor, isBundle, tensor } from "../values.ts";
import { parametersOf } from "./instances.ts";

/** Is the derivative by new values of parameters, of a value that was computed with old ones? */
function checkFresh(root: Node, wrt: readonly Node[], span: Span, ctx: Context): void {
  const stale = ctx.updated?.find(
    (u) => wrt.includes(ctx.current.get(u.parameter)!) && dependsOutsideStop(root, u.before, ctx.current),
  );
  if (stale) throw errors.staleValue(span, "derivative", stale.parameter.path, stale.span);
}
/** Does the value reach the old value of a parameter, neither through its new value nor only through stop? */
export function dependsOutsideStop(root: Node, before: Node, current: ReadonlyMap<Source, Node>): boolean {
  const updated = new Set(current.values());
  return topological([root], (n) => updated.has(n), inputsOutsideStop).includes(before);
}
/** What a node reads with a gradient: not what stands inside stop. */
function inputsOutsideStop(n: Node): readonly Node[] {
  if (n.kind !== "compute") return inputs(n);
  const found = new Set<Node>();
  const seen = new Set<Scalar>();
  const queue: Scalar[] = [n.body];
  while (queue.length) {
    const e = queue.pop()!;
    if (seen.has(e) || isCall(e, "stop")) continue;
    seen.add(e);
    if (e.kind === "load") found.add(e.tensor);
    queue.push(...operandsOf(e));
  }
  return [...found];
}
export function gradExpression(e: Extract<ast.Expr, { kind: "call" }>, scope: Scope, ctx: Context): Value {
  if (ctx.element) throw errors.notInFor(e.span, "grad");
  const wrtArg = e.args.find((a) => a.name?.text === "wrt");
  const ofArg = e.args.find((a) => !a.name);
  if (!wrtArg || !ofArg || e.args.length !== 2) throw errors.gradArguments(e.span);
  const root = asTensor(evaluate(ofArg.value, scope, ctx), ofArg.span, "f32");
  if (root.shape.length)
    throw errors.notScalar(ofArg.span, "what grad differentiates", errors.typeText(root.dtype, root.shape));
  const one = (x: ast.Expr): Value => {
    const v = evaluate(x, scope, ctx);
    if (isBundle(v)) {
      const parameters = parametersOf(v.instance, ctx, x.span);
      const nodes = parameters.map((p) => v.values?.get(p) ?? ctx.current.get(p) ?? p);
      checkFresh(root, nodes, ofArg.span, ctx);
      const found = derivatives(root, nodes, ctx.interpreter.forms);
      if (found.every((g) => g === undefined))
        throw errors.noDependence(x.span, `the parameters of ${v.instance.path}`);
      return {
        kind: "gradient",
        instance: v.instance,
        values: new Map(parameters.map((p, i) => [p, found[i] ?? zeros(p.shape)])),
      };
    }
    const node = asTensor(v, x.span);
    if (node.dtype !== "f32") throw errors.needed(x.span, "float", errors.typeText(node.dtype, node.shape));
    checkFresh(root, [node], ofArg.span, ctx);
    const [g] = derivatives(root, [node], ctx.interpreter.forms);
    if (g) return tensor(g);
    // reached, but with slope 0 everywhere (sign, comparisons, stop): zero is the answer
    if (topological([root], undefined, levelInputs).includes(node)) return tensor(zeros(node.shape));
    throw errors.noDependence(x.span, x.span.file.text.slice(x.span.start, x.span.end));
  };
  const w = wrtArg.value;
  return w.kind === "tuple" ? { kind: "tuple", elements: w.elements.map(one) } : one(w);
}
