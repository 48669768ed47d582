// Rules of sums whose terms are known by themselves: what comes after a sum need not wait for it.
import { remembered } from "../graph/compilation.ts";
import { compute, elementCount, indicesOf, inputs, instantiate, ownAxes, topological } from "../graph/node.ts";
import { add, div, isCall, literal, load, mul, neg, substitute, visit } from "../graph/scalar.ts";
import type { Node, Scalar, Variable } from "../graph/types.ts";
import { metaOf } from "./nodes.ts";
import { look, type NodeRule } from "./rule.ts";

export const sums: readonly NodeRule[] = [
  {
    // sum k: a(k) - m is zero where m is the mean of a
    name: "sum-of-deviations",
    exact: false,
    why: "what is left is rounding",
    rewrite: (x) => {
      if (x.reduction?.op !== "sum" || x.dtype !== "f32") return undefined;
      const { output, over } = ownAxes(x);
      return isDeviation(x.body, over) ? compute(output, undefined, literal(0), metaOf(x)) : undefined;
    },
  },
  {
    // sum k: c a(k) + d b(k) is c (sum k: a(k)) + d (sum k: b(k)), where c or d comes of a reduction that a and b do not wait for
    name: "sum-of-terms",
    exact: false,
    why: "sums are reassociated",
    worse: "more sums, but none of them waits for another: one pass over the data fewer",
    rewrite: (x) => {
      if (x.reduction?.op !== "sum" || x.dtype !== "f32" || !x.shape.length) return undefined;
      const { output, over } = ownAxes(x);
      const opened = look(x.body);
      const terms = termsOf(opened).map((e) => factorsOf(e, over));
      // a term that is the same for all stands beside what it may cancel: sum k: a(k) - b keeps digits that a sum and n b would lose
      if (terms.some((t) => isOne(t.rest)) || terms.every((t) => isOne(t.factor))) return undefined;
      const depth = depthOf(opened);
      if (terms.some((t) => depthOf(t.rest) >= depth)) return undefined;
      const parts = terms
        .filter((t) => !isDeviation(t.rest, over))
        .map((t) =>
          mul(t.factor, load(compute(output, { op: "sum", over }, t.rest, { span: x.span }), indicesOf(output))),
        );
      return compute(
        output,
        undefined,
        parts.reduce((s, p) => add(s, p), literal(0)),
        metaOf(x),
      );
    },
  },
];
/** a(k) - m, where m is the mean of a over these variables. */
function isDeviation(e: Scalar, over: readonly Variable[]): boolean {
  const difference = look(e);
  if (!isCall(difference, "sub")) return false;
  const [a, m] = difference.operands as [Scalar, Scalar];
  return isMean(look(m), a, over);
}
function isMean(mean: Scalar, a: Scalar, over: readonly Variable[]): boolean {
  if (!isCall(mean, "mul") && !isCall(mean, "div") && !isCall(mean, "div_rounded")) return false;
  const [sum, number] = mean.operands as [Scalar, Scalar];
  if (number.kind !== "literal" || sum.kind !== "load" || sum.outside || over.some((v) => sum.variables.has(v)))
    return false;
  const node = sum.tensor;
  if (
    node.kind !== "compute" ||
    node.reduction?.op !== "sum" ||
    node.reduction.extents.some((n, i) => n !== over[i]?.extent) ||
    node.reduction.extents.length !== over.length
  )
    return false;
  const count = elementCount(node.reduction.extents);
  const share = isCall(mean, "mul") ? number.value : 1 / number.value;
  if (!(Math.abs(share * count - 1) < 2 ** -23)) return false; // rounded to f32
  const own = instantiate(node);
  return (
    substitute(
      own.body,
      new Map<Scalar, Scalar>([
        ...own.output.map((v, i) => [v, sum.indices[i]!] as const),
        ...own.over.map((v, i) => [v, over[i]!] as const),
      ]),
    ) === a
  );
}
function termsOf(root: Scalar): Scalar[] {
  const terms: Scalar[] = [];
  const stack: [e: Scalar, negative: boolean][] = [[root, false]];
  while (stack.length) {
    const [e, negative] = stack.pop()!;
    if (e.kind === "call" && e.fn.signs)
      for (let i = e.operands.length; i-- > 0;) stack.push([e.operands[i]!, negative !== e.fn.signs[i]! < 0]);
    else terms.push(negative ? neg(e) : e);
  }
  return terms;
}
/** A load of what is a product or a quotient: only such is worth looking at. */
const isScaled = (e: Scalar): boolean =>
  e.kind === "load" &&
  !e.outside &&
  e.tensor.kind === "compute" &&
  !e.tensor.reduction &&
  (isCall(e.tensor.body, "mul") || isCall(e.tensor.body, "div") || isCall(e.tensor.body, "neg"));
interface Factors {
  readonly factor: Scalar; // does not change with the variables
  readonly rest: Scalar;
}
const deepest = 16; // products of products that are looked into
const isOne = (e: Scalar): boolean => e.kind === "literal" && e.value === 1;
function factorsOf(e: Scalar, over: readonly Variable[], depth = deepest): Factors {
  if (!over.some((v) => e.variables.has(v))) return { factor: e, rest: literal(1) };
  if (!depth) return { factor: literal(1), rest: e };
  if (isCall(e, "neg")) {
    const of = factorsOf(e.operands[0]!, over, depth - 1);
    return { factor: neg(of.factor), rest: of.rest };
  }
  if (isCall(e, "mul")) {
    const [a, b] = e.operands.map((x) => factorsOf(x, over, depth - 1)) as [Factors, Factors];
    return { factor: mul(a.factor, b.factor), rest: mul(a.rest, b.rest) };
  }
  if (isCall(e, "div") && !over.some((v) => e.operands[1]!.variables.has(v))) {
    const of = factorsOf(e.operands[0]!, over, depth - 1);
    return { factor: div(of.factor, e.operands[1]!), rest: of.rest };
  }
  const of = isScaled(e) ? factorsOf(look(e), over, depth - 1) : undefined;
  return of && !isOne(of.factor) ? of : { factor: literal(1), rest: e };
}

const depthsOf = remembered<Node, number>();
/** How many reductions follow one another below a node, itself among them. */
function depthOfNode(root: Node): number {
  const depths = depthsOf();
  for (const x of topological([root], (y) => depths.has(y))) {
    if (depths.has(x)) continue;
    const below = inputs(x).reduce((most, y) => Math.max(most, depths.get(y) ?? 0), 0);
    depths.set(
      x,
      below +
        Number((x.kind === "compute" && x.reduction !== undefined) || x.kind === "scatter" || x.kind === "result"),
    );
  }
  return depths.get(root)!;
}
function depthOf(e: Scalar): number {
  let most = 0;
  visit(e, (x) => {
    if (x.kind === "load") most = Math.max(most, depthOfNode(x.tensor));
  });
  return most;
}
