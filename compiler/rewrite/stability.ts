// Rules of numerical stability: formulas as they stand in books become ones that neither overflow nor cancel. They look through pointwise nodes, since
// a formula written over several tensors is several nodes. None is exact: that is their point.
import { remembered } from "../graph/compilation.ts";
import { boolean, isCall, isFalse, isGuard, isUsed, literal, operandsOf, scalarOrder } from "../graph/scalar.ts";
import type { Literal, Scalar } from "../graph/types.ts";
import { largestF32 } from "../scalar/range.ts";
import { fn } from "../scalar/table.ts";
import {
  any,
  build,
  call,
  look,
  number,
  through,
  value,
  where,
  type Bindings,
  type ScalarProcedure,
  type ScalarRule,
} from "./rule.ts";

const get = (bound: Bindings, name: string): Scalar => bound[name]!;
const x = any("x");
const y = any("y");
export const stability: readonly ScalarRule[] = [
  {
    name: "log-exp",
    exact: false,
    why: "exp overflows",
    match: call("log", through(call("exp", x))),
    replace: ({ x }) => x!,
  },
  {
    name: "exp-log",
    exact: false,
    why: "equal where the logarithm exists",
    match: call("exp", through(call("log", x))),
    replace: ({ x }) => x!,
  },
  {
    name: "log-of-softmax",
    exact: false,
    why: "the quotient underflows to 0 and its logarithm to -inf",
    match: call("log", through(call("div", through(call("exp", x)), y))),
    replace: (b) => build("sub", get(b, "x"), build("log", get(b, "y"))),
  },
  {
    name: "log-of-scaled-exp",
    exact: false,
    why: "the product underflows",
    match: call("log", through(call("mul", through(call("exp", x)), y))),
    replace: (b) => build("add", get(b, "x"), build("log", get(b, "y"))),
  },
  {
    name: "log-of-1-plus",
    exact: false,
    why: "1 + x loses the digits of a small x",
    match: call("log", through(call("add", x, value(1)))),
    replace: (b) => build("log1p", get(b, "x")),
  },
  // Adam's bias correction: at the first steps the power is nearly 1
  {
    name: "one-minus-power",
    exact: false,
    why: "the difference cancels where the power is near 1",
    worse: "one product more",
    match: call(
      "sub",
      value(1),
      through(
        call(
          "pow",
          where(number("c"), ({ c }) => (c as Literal).value > 0),
          x,
        ),
      ),
    ),
    replace: (b) => build("neg", build("expm1", build("mul", get(b, "x"), Math.log((get(b, "c") as Literal).value)))),
  },
  {
    name: "exp-minus-1",
    exact: false,
    why: "the difference cancels near 0",
    worse: "expm1 is a helper on devices",
    match: call("sub", through(call("exp", x)), value(1)),
    replace: (b) => build("expm1", get(b, "x")),
  },
  {
    name: "exp-plus-minus-1",
    exact: false,
    why: "the difference cancels near 0",
    worse: "expm1 is a helper on devices",
    match: call("add", through(call("exp", x)), value(-1)),
    replace: (b) => build("expm1", get(b, "x")),
  },
  {
    name: "sigmoid-of-negated",
    exact: false,
    why: "exp overflows",
    match: call("div", value(1), through(call("add", through(call("exp", x)), value(1)))),
    replace: (b) => build("sigmoid", build("neg", get(b, "x"))),
  },
  {
    name: "sigmoid",
    exact: false,
    why: "exp overflows to inf / inf",
    match: call("div", through(call("exp", x)), through(call("add", through(call("exp", x)), value(1)))),
    replace: (b) => build("sigmoid", get(b, "x")),
  },
  {
    name: "sigmoid-scaled",
    exact: false,
    why: "exp overflows to inf / inf",
    match: call(
      "mul",
      through(call("div", y, through(call("add", through(call("exp", x)), value(1))))),
      through(call("exp", x)),
    ),
    replace: (b) => build("mul", get(b, "y"), build("sigmoid", get(b, "x"))),
  },
  {
    name: "sigmoid-times-exp",
    exact: false,
    why: "exp overflows to 0 * inf",
    match: where(
      call("mul", through(call("sigmoid", y)), through(call("exp", x))),
      (b) => build("neg", get(b, "y")) === get(b, "x"),
    ),
    replace: (b) => build("sigmoid", get(b, "x")),
  },
  {
    name: "exp-times-exp",
    exact: false,
    why: "one of them may overflow where the product does not",
    match: call("mul", call("exp", x), call("exp", y)),
    replace: (b) => build("exp", build("add", get(b, "x"), get(b, "y"))),
  },
  {
    name: "exp-by-exp",
    exact: false,
    why: "both may overflow where the quotient does not",
    match: call("div", call("exp", x), call("exp", y)),
    replace: (b) => build("exp", build("sub", get(b, "x"), get(b, "y"))),
  },
  // softplus and log(exp(x) + exp(y)): smooth, as their rows are differentiated
  {
    name: "softplus",
    exact: false,
    why: "exp overflows",
    worse: "right for every x",
    match: call("log1p", through(call("exp", x))),
    replace: (b) => build("logaddexp", get(b, "x"), 0),
  },
  {
    name: "log-of-two-exps",
    exact: false,
    why: "both may overflow or underflow",
    match: call("log", through(call("add", through(call("exp", x)), through(call("exp", y))))),
    replace: (b) => build("logaddexp", get(b, "x"), get(b, "y")),
  },
  {
    name: "tanh",
    exact: false,
    why: "both overflow",
    match: call("div", through(call("sinh", x)), through(call("cosh", x))),
    replace: (b) => build("tanh", get(b, "x")),
  },
  {
    name: "tanh-by-reciprocal",
    exact: false,
    why: "both overflow",
    match: call("mul", through(call("div", value(1), through(call("cosh", x)))), through(call("sinh", x))),
    replace: (b) => build("tanh", get(b, "x")),
  },
  {
    name: "tanh-scaled",
    exact: false,
    why: "both overflow",
    match: call("mul", through(call("div", y, through(call("cosh", x)))), through(call("sinh", x))),
    replace: (b) => build("mul", get(b, "y"), build("tanh", get(b, "x"))),
  },
  {
    name: "log-cosh",
    exact: false,
    why: "cosh overflows",
    match: call("log", through(call("cosh", x))),
    replace: (b) => build("add", build("logaddexp", get(b, "x"), build("neg", get(b, "x"))), -Math.LN2),
  },
  // `inf` is the largest finite number: clamp with one bound is one comparison
  {
    name: "above-inf",
    exact: false,
    why: "nothing is above it",
    match: call("less", value(largestF32), x),
    replace: () => boolean(false),
  },
  {
    name: "below-minus-inf",
    exact: false,
    why: "nothing is below it",
    match: call("less", x, value(-largestF32)),
    replace: () => boolean(false),
  },
  // a square has no kink: |x|'s slope at 0 would take its second derivative away
  {
    name: "square-of-abs",
    exact: true,
    match: call("mul", through(call("abs", x)), through(call("abs", x))),
    replace: (b) => build("mul", get(b, "x"), get(b, "x")),
  },
  {
    name: "square-of-abs-scaled",
    exact: false,
    why: "another order of factors",
    match: call("mul", through(call("mul", through(call("abs", x)), y)), through(call("abs", x))),
    replace: (b) => build("mul", build("mul", get(b, "x"), get(b, "x")), get(b, "y")),
  },
];

const callers = remembered<Scalar, boolean>();
/** Is logaddexp called in the scalar, or behind the loads of pointwise nodes in it? Most programs have none, and no need to open their sums. */
function callsLogaddexp(e: Scalar): boolean {
  const known = callers();
  const parts = (x: Scalar): readonly Scalar[] =>
    x.kind === "load" && x.tensor.kind === "compute" && !x.tensor.reduction ? [x.tensor.body] : operandsOf(x);
  for (const x of scalarOrder([e], (y) => (known.has(y) ? [] : parts(y))))
    if (!known.has(x)) known.set(x, isCall(x, "logaddexp") || parts(x).some((y) => known.get(y)));
  return known.get(e)!;
}

/** A product with a sign: its factors in order, so that equal products are one scalar. */
interface Term {
  readonly scale: number;
  readonly factors: readonly Scalar[];
}
const mostTerms = 24;
/** As `look`, also through a `where` whose condition is false: what is left of a clamp with one bound. */
function see(x: Scalar): Scalar {
  let y = look(x);
  while (y.kind === "select" && isFalse(look(y.condition))) y = look(y.otherwise);
  return y;
}
/** The terms of a sum and their factors, also behind pointwise nodes; undefined where they are many. */
function termsOf(e: Scalar): Term[] | undefined {
  const terms: Term[] = [];
  let opened = 0;
  const open = (x: Scalar, scale: number): void => {
    if (++opened > 4 * mostTerms) return;
    const y = see(x);
    if (y.kind === "call" && y.fn.signs) y.operands.forEach((operand, i) => open(operand, scale * y.fn.signs![i]!));
    else if (isCall(y, "mul") && y.operands[1]!.kind === "literal") open(y.operands[0]!, scale * y.operands[1]!.value);
    else terms.push(product(x, scale));
  };
  open(e, 1);
  return opened > 4 * mostTerms || terms.length > mostTerms ? undefined : terms;
}
function product(e: Scalar, scale: number): Term {
  const factors: Scalar[] = [];
  const open = (x: Scalar): void => {
    const y = see(x);
    if (isCall(y, "mul")) y.operands.forEach(open);
    else if (isCall(y, "neg")) {
      scale = -scale;
      open(y.operands[0]!);
    } else if (y.kind === "literal") scale *= y.value;
    else factors.push(y);
  };
  open(e);
  return { scale, factors: factors.sort((a, b) => a.id - b.id) };
}
/** A kink written with max, min or `where`: max(p, q) times `sign`. */
function kinkOf(e: Scalar): { p: Scalar; q: Scalar; sign: 1 | -1 } | undefined {
  if (isCall(e, "max")) return { p: e.operands[0]!, q: e.operands[1]!, sign: 1 };
  // min(p, q) = -max(-p, -q)
  if (isCall(e, "min")) return { p: build("neg", e.operands[0]!), q: build("neg", e.operands[1]!), sign: -1 };
  // relu and clamp(x, 0), as they are written with `where`
  return isGuard(e) && isPositive(e.condition, e.then) ? { p: e.then, q: literal(0), sign: 1 } : undefined;
}
/** Is this x > 0, or x >= 0? */
function isPositive(condition: Scalar, x: Scalar): boolean {
  let c = look(condition);
  let negated = false;
  for (; c.kind === "not"; c = look(c.operand)) negated = !negated;
  if (!isCall(c, "less") && !isCall(c, "less_equal")) return false;
  const [small, large] = negated ? [c.operands[1]!, c.operands[0]!] : [c.operands[0]!, c.operands[1]!];
  return look(small) === literal(0) && look(large) === look(x);
}
const without = (all: readonly Scalar[], one: Scalar): Scalar[] => {
  const at = all.indexOf(one);
  return all.filter((_, i) => i !== at);
};
const same = (a: readonly Scalar[], b: readonly Scalar[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);
/** Is u = p - q or q - p? */
function isDifference(u: Scalar, p: Scalar, q: Scalar): boolean {
  const difference = look(build("sub", p, q));
  const isSub = (x: Scalar): boolean =>
    isCall(x, "sub") && look(x.operands[0]!) === look(p) && look(x.operands[1]!) === look(q);
  const at = look(u);
  return [at, look(build("neg", at))].some((x) => x === difference || isSub(x));
}
/** logaddexp(-c |u|, 0) and `scale` times the kink, as one smooth function; undefined where they do not belong together. */
function joined(u: Scalar, c: number, kink: Scalar, scale: number): Scalar | undefined {
  const known = kinkOf(kink);
  if (known) {
    const { p, q, sign } = known;
    if (scale !== c * sign || !isDifference(u, p, q)) return undefined;
    return build("logaddexp", build("mul", p, c), build("mul", q, c));
  }
  // max(u, 0) = (u + |u|) / 2
  if (!isCall(kink, "abs") || scale !== c / 2 || !isDifference(u, kink.operands[0]!, literal(0))) return undefined;
  const cu = build("mul", u, c);
  return build("sub", build("logaddexp", cu, 0), build("mul", cu, 0.5));
}
/** The sum of these terms with one that is logaddexp(-c |u|, 0) and one that is its kink joined. */
function withJoined(terms: readonly Term[]): Scalar | undefined {
  for (const t of terms)
    for (const f of t.factors) {
      const found = isCall(f, "logaddexp") && f.operands[1] === literal(0) ? magnitude(f.operands[0]!) : undefined;
      if (!found) continue;
      const weight = without(t.factors, f);
      for (const other of terms) {
        if (other === t) continue;
        for (const g of other.factors) {
          if (!same(without(other.factors, g), weight)) continue;
          const scale = other.scale / t.scale;
          const to = joined(found.u, found.c, g, scale) ?? joined(build("mul", found.u, found.c), 1, g, scale);
          if (!to) continue;
          const rest = terms.filter((x) => x !== t && x !== other).map(scalarOf);
          return rest.reduce((a, b) => build("add", a, b), scalarOf({ scale: t.scale, factors: [...weight, to] }));
        }
      }
    }
  return undefined;
}
/**
 * log(1 + exp(-c |u|)) = logaddexp(-c |u|, 0) in a sum with c times max(p, q) of the same weight, u = p - q or q - p:
 * together logaddexp(c p, c q). This is how books write softplus and log(exp(p) + exp(q)) without overflow; as it stands
 * its kinks cancel in the value and the slope, not in the second derivative.
 */
export const smooth: ScalarProcedure = {
  name: "smooth-softplus",
  exact: false,
  why: "one function for three",
  kinds: ["call"],
  rewrite: (e) => {
    if (!isUsed(fn("logaddexp")) || (!isCall(e, "add") && !isCall(e, "sub")) || e.dtype !== "f32") return undefined;
    if (!callsLogaddexp(e)) return undefined;
    const terms = termsOf(e);
    return terms && withJoined(terms);
  },
};
const scalarOf = ({ scale, factors }: Term): Scalar => factors.reduce((a, b) => build("mul", a, b), literal(scale));
/** u and c of -c |u|, c > 0. */
function magnitude(e: Scalar): { u: Scalar; c: number } | undefined {
  const { scale, factors } = product(e, 1);
  const [f] = factors;
  return scale < 0 && factors.length === 1 && isCall(f!, "abs") ? { u: f.operands[0]!, c: -scale } : undefined;
}
