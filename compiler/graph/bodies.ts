// The body of a node over variables of one's own, and nodes made of bodies.
import { add } from "./arithmetic.ts";
import { compute } from "./compute.ts";
import { integer } from "./integers.ts";
import { axis, boolean, literal, variable } from "./leaves.ts";
import { load } from "./loads.ts";
import type { Meta } from "./shape.ts";
import { substitute } from "./substitute.ts";
import type { Compute, DType, Integer, Node, Scalar, Shape, Variable } from "./types.ts";

/** The node with another body over its own axes; canonical variables serve as loop variables. */
export function withBody(node: Compute, body: Scalar): Node {
  const { output, over } = ownAxes(node);
  return compute(output, node.reduction && { op: node.reduction.op, over, ties: node.reduction.ties }, body, {
    span: node.span,
    label: node.label,
    range: node.range,
  });
}
/** A node's body over fresh variables; axes of extent 1 are the constant 0 in it, their variables are unused. */
export function instantiate(node: Compute): { output: Variable[]; over: Variable[]; body: Scalar } {
  const output = node.shape.map((n) => variable(n, "i"));
  const over = (node.reduction?.extents ?? []).map((n) => variable(n, "k"));
  const map = new Map<Scalar, Scalar>();
  output.forEach((v, i) => map.set(axis(i, v.extent), v));
  over.forEach((v, i) => map.set(axis(output.length + i, v.extent), v));
  return { output, over, body: substitute(node.body, map) };
}
/** The node's own loop variables: canonical, which serve as well as fresh ones. */
export function ownAxes(node: Compute): { output: Variable[]; over: Variable[] } {
  const { shape, reduction } = node;
  return {
    output: shape.map((n, i) => axis(i, n)),
    over: reduction ? reduction.extents.map((n, i) => axis(shape.length + i, n)) : [],
  };
}
/** Variables as indices: an axis of one element is read at 0. */
export const indicesOf = (variables: readonly Variable[]): Integer[] =>
  variables.map((v) => (v.extent === 1 ? integer(0) : v));
/** The body of an unreduced node at these indices. */
export function bodyAt(node: Compute, indices: readonly Integer[]): Scalar {
  return substitute(
    node.body,
    new Map(node.shape.map((n, i) => [axis(i, n), n === 1 ? integer(0) : indices[i]!] as const)),
  );
}
/** The sum in one pointwise body; unreduced terms that are nothing else's value are written out in it. */
export function sumNodes(nodes: readonly Node[], meta: Meta = {}, kept: ReadonlySet<Node> = new Set()): Node {
  if (nodes.length === 1) return nodes[0]!;
  const p = nodes[0]!.shape.map((n, i) => axis(i, n));
  return compute(
    p,
    undefined,
    nodes.map((x) => (kept.has(x) ? load(x, p) : elementOf(x, p))).reduce((a, b) => add(a, b)),
    meta,
  );
}
const elementOf = (x: Node, at: readonly Integer[]): Scalar =>
  x.kind === "compute" && !x.reduction ? bodyAt(x, at) : load(x, at);
/** Zeros of this shape. */
export function zeros(shape: Shape, dtype: DType = "f32"): Node {
  const p = shape.map((n) => variable(n, "p"));
  return compute(p, undefined, dtype === "i32" ? integer(0) : dtype === "bool" ? boolean(false) : literal(0));
}
