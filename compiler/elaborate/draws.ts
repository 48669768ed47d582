// Draws: every place of text, per instance path and call, is its own stream, keyed by seed, step, round of a loop and element.
import type { Span } from "../../grammar/diagnostic.ts";
import { compute, indicesOf } from "../graph/node.ts";
import {
  add,
  and,
  call,
  floorDiv,
  iadd,
  imul,
  integer,
  interval,
  literal,
  load,
  modulo,
  mul,
  random,
  select,
  sub,
  toF32,
} from "../graph/scalar.ts";
import type { Integer, Literal, Node, Random, Scalar, Shape } from "../graph/types.ts";
import type { Context, Distribution, Value } from "./context.ts";
import { differing, needed, shapeMismatch, typeText } from "./errors.ts";
import { axesOf } from "./tensors.ts";
import { asScalarValue, isPlain, kindText } from "./values.ts";

/** FNV-1a of a path, 32 bits: stable under edits elsewhere. */
export function hashSite(path: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) h = Math.imul(h ^ path.charCodeAt(i), 0x01000193) >>> 0;
  return h >>> 0;
}
/**
 * Where the elements of a tensor stand among the draws of their place of text: row-major over the rounds of the loops around and the shape. The first
 * extent never enters such a position, so a run-time axis that stands first in the shape comes before the rounds.
 */
export function placeOfDraws(shape: Shape, own: readonly Integer[], ctx: Context): Pick<Random, "indices" | "extents"> {
  const lead = typeof shape[0] === "number" ? 0 : Math.min(1, shape.length);
  const indices = [...own.slice(0, lead), ...ctx.rounds.map((r) => r.step), ...own.slice(lead)];
  const extents = [...shape.slice(0, lead).map(() => 1), ...ctx.rounds.map((r) => r.count), ...shape.slice(lead)];
  return indices.length ? { indices, extents } : { indices: [integer(0)], extents: [1] };
}
/** A tensor of draws. */
export function drawTensor(d: Distribution, shape: Shape, site: number, ctx: Context, span: Span): Node {
  const axes = axesOf(shape);
  const own = indicesOf(axes);
  const body = drawElement(d, site, placeOfDraws(shape, own, ctx), shape, own, ctx, span);
  return compute(axes, undefined, body, { span });
}
/** `own`: the place in the drawn tensor, which a tensor of its shape is read at (`normal(0, 1) * mask`). */
function drawElement(
  d: Distribution,
  site: number,
  place: Pick<Random, "indices" | "extents">,
  shape: Shape,
  own: readonly Integer[],
  ctx: Context,
  span: Span,
): Scalar {
  const parameter = (v: Value): Scalar => {
    if (v.kind === "tensor" && v.node.shape.length && v.node.dtype === "f32") {
      if (v.node.shape.length === shape.length && v.node.shape.every((n, i) => n === shape[i]))
        return load(v.node, own);
      throw shapeMismatch(span, "a tensor in a distribution", typeText("f32", shape), typeText("f32", v.node.shape), {
        unequal: differing(shape, v.node.shape),
      });
    }
    const s = isPlain(v) ? asScalarValue(v, span, "f32") : asScalarValue(v, span);
    if (s.dtype !== "f32") throw needed(span, "floatParameter", kindText(v));
    return s;
  };
  const seed = load(ctx.interpreter.seed, []);
  const of = (distribution: "normal" | "uniform", stream: number): Scalar =>
    random({ distribution, site: stream, seed, step: ctx.step, ...place });
  const leaf = of(d.base === "normal" ? "normal" : "uniform", site);
  const scaled = (x: Scalar): Scalar => add(mul(x, parameter(d.scale)), parameter(d.offset));
  switch (d.base) {
    case "bernoulli": {
      const p = parameter(d.a);
      // a uniform has 24 bits: what they do not resolve takes two of them
      const rare = p.kind === "literal" && p.value > 0 && p.value < rarest;
      const happens = rare
        ? and(call("less", leaf, literal(rarest)), call("less", of("uniform", second(site)), literal(p.value / rarest)))
        : call("less", leaf, p);
      return scaled(select(happens, call("add", 1, 0), 0));
    }
    case "randint": {
      // whole numbers lo .. hi - 1
      const lo = asScalarValue(d.a, span, "i32") as Integer;
      // the end is not drawn: it may lie one beyond i32
      const hi =
        d.b.kind === "number" && d.b.value === 2 ** 31
          ? integer(2 ** 31)
          : (asScalarValue(d.b, span, "i32") as Integer);
      const most = interval(hi).high - interval(lo).low;
      if (!(most <= widest24)) {
        // 48 bits: the high word of a product with the width
        const bits = (x: Scalar): Integer => call("to_i32", mul(x, 2 ** 24)) as Integer;
        const rest = bits(of("uniform", second(site)));
        const word = iadd(imul(bits(leaf), 256), floorDiv(rest, 65536));
        const lower = imul(modulo(rest, 65536), 65536);
        const width = iadd(hi, negative(lo));
        const drawn = call(
          "random_in",
          word,
          lower,
          lo,
          width.kind === "affine" && !width.terms.length ? integer(width.constant | 0) : width,
        ) as Integer;
        return call("max", lo, call("min", drawn, iadd(hi, -1))) as Integer; // which says its range
      }
      const width = sub(toF32(hi), toF32(lo));
      const offset = call("to_i32", mul(leaf, width)) as Integer;
      const last = iadd(hi, -1, negative(lo));
      return iadd(lo, call("max", integer(0), call("min", offset, last)) as Integer);
    }
    case "normal":
      return scaled(add(mul(leaf, parameter(d.b)), parameter(d.a)));
    default: {
      const [low, high] = [parameter(d.a), parameter(d.b)];
      const x = scaled(add(mul(leaf, sub(high, low)), low));
      const order = mayRound(low, high, parameter(d.scale), parameter(d.offset));
      if (!order) return x;
      // what rounds to the upper end stands for the lower one
      const [first, last] = [scaled(low), scaled(high)];
      return order === "open"
        ? select(call("equal", x, last), first, x)
        : select(order === "rising" ? call("less", x, last) : call("less", last, x), x, first);
    }
  }
}
const rarest = 2 ** -16; // probabilities below
const widest24 = 65536; // values among which a uniform of 24 bits chooses: their probabilities differ by 2^-8 of each at most
/** Another stream of the same place. */
export const second = (site: number): number => (site ^ 0x9e3779b9) >>> 0;
const negative = (e: Integer): Integer => sub(integer(0), e) as Integer;
/** Can low + u (high - low), scaled and moved, round to its other end, and on which side is that? The largest u is 1 - 2^-24. */
function mayRound(
  ...of: [low: Scalar, high: Scalar, scale: Scalar, offset: Scalar]
): "rising" | "falling" | "open" | undefined {
  if (!of.every((x) => x.kind === "literal")) return "open";
  const [low, high, scale, offset] = of.map((x) => Math.fround((x as Literal).value)) as [
    number,
    number,
    number,
    number,
  ];
  const r = Math.fround;
  const top = 1 - 2 ** -24;
  const end = (x: number): number => r(r(x * scale) + offset);
  const width = r(high - low);
  // products may be fused with the sums that follow, and numbers with one another
  const last = [r(r(top * width) + low), r(top * width + low)];
  const found = [
    ...last.flatMap((x) => [end(x), r(x * scale + offset)]),
    r(r(top * r(width * scale)) + r(low * scale + offset)),
    r(top * r(width * scale) + r(low * scale + offset)),
  ];
  const ends = [end(high), r(high * scale + offset)];
  if (end(high) === end(low)) return undefined;
  const rising = end(high) > end(low);
  return found.some((x) => ends.some((e) => (rising ? x >= e : x <= e))) ? (rising ? "rising" : "falling") : undefined;
}
