// Draws: every place of text, per instance path and call, is its own stream, keyed by seed, step, round of a loop and element.
import type { Span } from "../../grammar/diagnostic.ts";
import { compute, indicesOf } from "../graph/node.ts";
import { call, iadd, integer, load, mul, add, random, select, sub, toF32 } from "../graph/scalar.ts";
import type { Integer, Node, Scalar, Shape } from "../graph/types.ts";
import { shapeMismatch, typeText, unsupported, wrongKind } from "./errors.ts";
import type { Context } from "./interpreter.ts";
import { axesOf } from "./tensors.ts";
import { asScalarValue, isPlain, kindText, type Distribution, type Value } from "./values.ts";

/** FNV-1a of a path, 32 bits: stable under edits elsewhere. */
export function hashSite(path: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) h = Math.imul(h ^ path.charCodeAt(i), 0x01000193) >>> 0;
  return h >>> 0;
}
/** A tensor of draws. The element is row-major over the rounds of the loops around and the shape. */
export function drawTensor(d: Distribution, shape: Shape, site: number, ctx: Context, span: Span): Node {
  const axes = axesOf(shape);
  const rounds = ctx.rounds.map((r) => ({ e: r.step as Integer, n: r.count }));
  // the first extent never enters the row-major position, so a run-time axis may stand there: before the rounds of the loops
  const lead = typeof shape[0] === "number" ? 0 : Math.min(1, shape.length);
  const own = indicesOf(axes);
  const at = [...own.slice(0, lead), ...rounds.map((r) => r.e), ...own.slice(lead)];
  const extents = [...shape.slice(0, lead).map(() => 1), ...rounds.map((r) => r.n), ...shape.slice(lead).map((n) => (typeof n === "number" ? n : NaN))];
  if (extents.some(Number.isNaN)) throw unsupported(span, "a draw over several run-time axes, or over one that is not the first");
  return compute(axes, undefined, drawElement(d, site, at.length ? at : [integer(0)], at.length ? extents : [1], shape, own, ctx, span), { span });
}
/** `own`: the place in the drawn tensor, which a tensor of its shape is read at (`normal(0, 1) * mask`). */
function drawElement(
  d: Distribution,
  site: number,
  indices: readonly Integer[],
  extents: readonly number[],
  shape: Shape,
  own: readonly Integer[],
  ctx: Context,
  span: Span,
): Scalar {
  const parameter = (v: Value): Scalar => {
    if (v.kind === "tensor" && v.node.shape.length && v.node.dtype === "f32") {
      if (v.node.shape.length === shape.length && v.node.shape.every((n, i) => n === shape[i]))
        return load(v.node, own);
      throw shapeMismatch(span, "a tensor in a distribution", typeText("f32", shape), typeText("f32", v.node.shape));
    }
    const s = isPlain(v) ? asScalarValue(v, span, "f32") : asScalarValue(v, span);
    if (s.dtype !== "f32") throw wrongKind(span, "an f32 parameter of the distribution", kindText(v));
    return s;
  };
  const leaf = random({
    distribution: d.base === "normal" ? "normal" : "uniform",
    site,
    seed: load(ctx.seed, []),
    step: ctx.step,
    indices,
    extents,
  });
  let x: Scalar;
  if (d.base === "bernoulli") x = select(call("less", leaf, parameter(d.a)), call("add", 1, 0), 0);
  else if (d.base === "randint") {
    // whole numbers lo .. hi - 1
    const lo = asScalarValue(d.a, span, "i32") as Integer;
    const hi = asScalarValue(d.b, span, "i32") as Integer;
    const width = sub(toF32(hi), toF32(lo));
    const offset = call("to_i32", mul(leaf, width)) as Integer;
    const last = iadd(hi, -1, negative(lo));
    return iadd(lo, call("max", integer(0), call("min", offset, last)) as Integer);
  } else if (d.base === "normal") x = add(mul(leaf, parameter(d.b)), parameter(d.a));
  else x = add(mul(leaf, sub(parameter(d.b), parameter(d.a))), parameter(d.a));
  return add(mul(x, parameter(d.scale)), parameter(d.offset));
}
const negative = (e: Integer): Integer => sub(integer(0), e) as Integer;
