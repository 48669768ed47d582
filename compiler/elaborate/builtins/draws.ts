// Distributions, and draws of class numbers.
import type { Span } from "../../../grammar/diagnostic.ts";
import { compute, indicesOf } from "../../graph/node.ts";
import { add, call, literal, load, neg, random } from "../../graph/scalar.ts";
import type { Node } from "../../graph/types.ts";
import type { Context, Distribution, Value } from "../context.ts";
import { hashSite, placeOfDraws } from "../draws.ts";
import { needed, noBounds, noProbability, notInFor, outsideOfRange, typeText } from "../errors.ts";
import { axesOf, someElements } from "../tensors.ts";
import { number, tensor } from "../values.ts";
import type { Builtin, Builtins, Call } from "./call.ts";

const distribution = (summary: string, base: Distribution["base"], ...names: readonly string[]): Builtin => ({
  summary,
  takes: [0, names.length, names],
  apply: ({ name, option, span }): Distribution => {
    const [a, b] = [option(names[0]!, 0), names[1] === undefined ? undefined : option(names[1], 1)];
    if (base === "bernoulli" && !a) throw noProbability(span, name);
    if (base === "randint" && (!a || !b)) throw noBounds(span, name);
    if (base === "bernoulli" && a?.kind === "number" && !(a.value >= 0 && a.value <= 1))
      throw outsideOfRange(span, "bernoulli's p", String(a.value), "0..1", undefined, true);
    if (base === "normal" && b?.kind === "number" && b.value < 0)
      throw outsideOfRange(span, "normal's std", String(b.value), "0..inf", undefined, true);
    return {
      kind: "distribution",
      base,
      a: a ?? number(0, false),
      b: b ?? number(1, false),
      scale: number(1, false),
      offset: number(0, false),
    };
  },
});
export const distributions: Builtins = {
  uniform: distribution("`uniform(lo: 0, hi: 1)`: the uniform distribution", "uniform", "lo", "hi"),
  normal: distribution("`normal(mean: 0, std: 1)`: the normal distribution", "normal", "mean", "std"),
  bernoulli: distribution("`bernoulli(p)`: 1.0 with probability p, else 0.0", "bernoulli", "p"),
  randint: distribution("`randint(lo, hi)`: whole numbers from lo to below hi", "randint", "lo", "hi"),
};

/** A class number for every row of logits. */
export const categorical: Builtin = {
  summary: "`categorical(logits)`: a class number for every row",
  takes: [1, 1, []],
  apply: drawClasses,
};
function drawClasses({ name, at, node, span, ctx }: Call): Value {
  if (ctx.element) throw notInFor(span, "draw");
  const logits = node(0);
  if (logits.dtype !== "f32" || !logits.shape.length)
    throw needed(at(0).span, "logits", typeText(logits.dtype, logits.shape));
  someElements(name, logits.shape.slice(-1), span);
  return tensor(gumbel(logits, ctx, span));
}
/** Gumbel: argmax(logits - log(-log(u))), u drawn for every element. */
function gumbel(logits: Node, ctx: Context, span: Span): Node {
  const axes = axesOf(logits.shape);
  const u = random({
    distribution: "uniform",
    site: hashSite(`${ctx.draws.path}!${ctx.draws.count++}`),
    seed: load(ctx.interpreter.seed, []),
    step: ctx.step,
    ...placeOfDraws(logits.shape, indicesOf(axes), ctx),
  });
  // log(u) by log1p: u near 1 makes the largest of them, and there drivers' logarithms have few digits; u - 1 is exact
  const noise = neg(call("log", neg(call("log1p", add(call("max", u, literal(2 ** -24)), -1)))));
  const body = add(load(logits, indicesOf(axes)), noise);
  const noisy = compute(axes, undefined, body, { span });
  const own = axesOf(logits.shape);
  return compute(own.slice(0, -1), { op: "argmax", over: own.slice(-1) }, load(noisy, indicesOf(own)), { span });
}
