// Pieces: a tensor that is another formula on each of a few equal stretches of an axis, as the gradient of `split` or a `concat` is, need not
// be put together by a kernel of its own. Each stretch is a node; its kernel stores it to its place in the tensor's memory.
import { bodyAt, compute } from "../graph/node.ts";
import { axis, constantPart, iadd, isub, termsOf, variable, visit } from "../graph/scalar.ts";
import type { Compute, Integer, Node, Scalar } from "../graph/types.ts";
import { sizeOf } from "./storage.ts";

export interface Pieces {
  readonly axis: number;
  readonly size: number; // of each, along the axis
  readonly nodes: readonly Compute[]; // in order
}
const most = 8;
const shortest = 2; // elements along the axis

/** The tensor's pieces, where it is made of such: what a piece reads of its size it reads in its own order, so that one kernel may compute both. */
export function piecesOf(x: Node): Pieces | undefined {
  if (x.kind !== "compute" || x.reduction) return undefined;
  for (let d = x.shape.length - 1; d >= 0; d--) {
    const n = x.shape[d]!;
    if (typeof n !== "number") continue;
    const cuts = cutsOf(x.body, d, n);
    const size = Math.min(...cuts);
    if (!cuts.size || size < shortest || n % size || n / size > most || cuts.size !== n / size - 1 || [...cuts].some((c) => c % size)) continue;
    const nodes = Array.from({ length: n / size }, (_, q) => piece(x, d, size, q * size));
    if (nodes.every((p): p is Compute => p !== undefined)) return { axis: d, size, nodes };
  }
  return undefined;
}
/** Where along axis d the formula changes: at the ends of what is guarded, if the guard asks for nothing else. */
function cutsOf(body: Scalar, d: number, n: number): Set<number> {
  const cuts = new Set<number>();
  /** e >= 0 holds on one side of a cut. */
  const cut = (e: Integer): void => {
    const [term, ...others] = termsOf(e);
    if (!term || others.length || term[0].kind !== "variable" || term[0].position !== d || Math.abs(term[1]) !== 1) return;
    const at = term[1] === 1 ? -constantPart(e) : constantPart(e) + 1;
    if (at > 0 && at < n) cuts.add(at);
  };
  visit(body, (e) => {
    if (e.kind === "non_negative") cut(e.operand);
    if (e.kind !== "load" || !e.outside) return;
    e.indices.forEach((index, i) => {
      const extent = e.tensor.shape[i]!;
      cut(index);
      if (typeof extent === "number") cut(isub(extent - 1, index));
    });
  });
  return cuts;
}
/** The formula on one stretch: maybe a node that is there already. */
function piece(x: Compute, d: number, size: number, low: number): Compute | undefined {
  const output = x.shape.map((n, i) => variable(i === d ? size : n));
  const indices = output.map((v, i): Integer => (i === d ? iadd(v, low) : v));
  const node = compute(output, undefined, bodyAt(x, indices), { span: x.span, label: x.label });
  if (node.kind !== "compute") return undefined;
  return !node.reduction && readsOthers(node) ? undefined : node;
}
/** Does it read anything of its size in another order than its own? */
function readsOthers(x: Compute): boolean {
  let others = false;
  const along = (index: Integer, i: number): boolean => termsOf(index).every(([atom, k]) => atom === axis(i, x.shape[i]!) && k === 1);
  visit(x.body, (e) => {
    if (e.kind === "load" && sizeOf(e.tensor.shape) >= sizeOf(x.shape) && (e.tensor.shape.length !== x.shape.length || !e.indices.every(along))) others = true;
  });
  return others;
}
