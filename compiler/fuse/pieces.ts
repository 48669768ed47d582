// Pieces: a tensor that is another formula on each of a few equal stretches of an axis, as the gradient of `split` or a `concat` is, need not
// be put together by a kernel of its own; nor need one that is another tensor with its axes in another order. Each piece is a node; its
// kernel stores it to its place in the tensor's memory.
import { bodyAt, compute } from "../graph/node.ts";
import {
  axis,
  constantPart,
  iadd,
  imul,
  integer,
  isub,
  substitute,
  termsOf,
  variable,
  visit,
} from "../graph/scalar.ts";
import type { Compute, Integer, Node, Scalar } from "../graph/types.ts";
import { sizeOf } from "./storage.ts";

export interface Piece {
  readonly node: Compute;
  readonly at: (own: readonly Integer[]) => readonly Integer[]; // where an element of the node lies in the tensor
}
const most = 8;

/** The tensor's pieces, where it is made of such: what a piece reads of its size it reads in its own order, so that one kernel may compute both. */
export function piecesOf(x: Node): readonly Piece[] | undefined {
  if (x.kind !== "compute" || x.reduction) return undefined;
  const limits = limitsIn(x.body);
  for (let d = x.shape.length - 1; d >= 0 && limits.length; d--) {
    const n = x.shape[d]!;
    if (typeof n !== "number") continue;
    const cuts = cutsAmong(limits, d, n);
    const size = Math.min(...cuts);
    if (!cuts.size || n % size || n / size > most || cuts.size !== n / size - 1 || [...cuts].some((c) => c % size))
      continue;
    const pieces = Array.from({ length: n / size }, (_, q) => piece(x, d, size, q * size));
    if (pieces.every((p): p is Piece => p !== undefined)) return pieces;
  }
  const whole = renamed(x);
  return whole && [whole];
}
/** What has to be 0 or more where the formula is one of its two. */
function limitsIn(body: Scalar): Integer[] {
  const limits: Integer[] = [];
  visit(body, (e) => {
    if (e.kind === "non_negative") limits.push(e.operand);
    if (e.kind === "equal_zero") limits.push(e.operand, isub(0, e.operand));
    if (e.kind !== "load" || !e.outside) return;
    e.indices.forEach((index, i) => {
      const extent = e.tensor.shape[i]!;
      limits.push(index);
      if (typeof extent === "number") limits.push(isub(extent - 1, index));
    });
  });
  return limits;
}
/** Where along axis d of n the formula changes: at the ends of what is guarded, if the guard asks for nothing else. */
function cutsAmong(limits: readonly Integer[], d: number, n: number): Set<number> {
  const cuts = new Set<number>();
  for (const e of limits) {
    // e >= 0 holds on one side of a cut; e may count blocks of the axis
    const [term, ...others] = termsOf(e);
    if (!term || others.length || Math.abs(term[1]) !== 1) continue;
    const [of, sign] = term;
    const [inner, block] = of.kind === "floor_div" ? [of.operand, of.divisor] : [of, 1];
    const [own, ...more] = termsOf(inner);
    if (!own || more.length || own[0].kind !== "variable" || own[0].position !== d || own[1] !== 1) continue;
    const at = (sign === 1 ? -constantPart(e) : constantPart(e) + 1) * block - constantPart(inner);
    if (at > 0 && at < n) cuts.add(at);
  }
  return cuts;
}
/** The formula on one stretch: maybe a node that is there already. */
function piece(x: Compute, d: number, size: number, low: number): Piece | undefined {
  const output = x.shape.map((n, i) => variable(i === d ? size : n));
  const shifted = (own: readonly Integer[]): Integer[] => own.map((e, i) => (i === d ? iadd(e, low) : e));
  const node = compute(output, undefined, bodyAt(x, shifted(output)), { span: x.span, label: x.label });
  if (node.kind !== "compute") return undefined;
  const other = node.reduction ? undefined : renamed(node);
  if (other) return { node: other.node, at: (own) => shifted(other.at(own)) };
  return !node.reduction && readsOthers(node) ? undefined : { node, at: shifted };
}
/** Does it read anything of its size in another order than its own? */
function readsOthers(x: Compute): boolean {
  let others = false;
  const along = (index: Integer, i: number): boolean =>
    termsOf(index).every(([atom, k]) => atom === axis(i, x.shape[i]!) && k === 1);
  visit(x.body, (e) => {
    if (
      e.kind === "load" &&
      sizeOf(e.tensor.shape) >= sizeOf(x.shape) &&
      (e.tensor.shape.length !== x.shape.length || !e.indices.every(along))
    )
      others = true;
  });
  return others;
}
/** The tensor that x is with its axes in another order, split or joined; its last axis stays last, so that its kernel stores what lies side by side. */
function renamed(x: Compute): Piece | undefined {
  const { body } = x;
  if (body.kind !== "load" || body.outside || body.tensor.kind !== "compute" || body.tensor.dtype !== x.dtype)
    return undefined;
  const { tensor: node, indices } = body;
  if (![...x.shape, ...node.shape].every((n) => typeof n === "number") || sizeOf(node.shape) !== sizeOf(x.shape))
    return undefined;
  // an axis of x is the sum of the axes of the node that are parts of it
  const parts = new Map<number, { readonly dim: number; readonly weight: number }[]>();
  for (const [dim, index] of indices.entries()) {
    if (node.shape[dim] === 1) continue;
    const part = partOf(index);
    if (!part) return undefined;
    parts.set(part.position, [...(parts.get(part.position) ?? []), { dim, weight: part.weight }]);
  }
  const at = (own: readonly Integer[]): Integer[] =>
    x.shape.map((n, i) =>
      n === 1
        ? integer(0)
        : (parts.get(i) ?? []).reduce<Integer>(
            (sum, { dim, weight }) => iadd(sum, imul(own[dim]!, weight)),
            integer(0),
          ),
    );
  const own = node.shape.map((n): Integer => (n === 1 ? integer(0) : variable(n)));
  const there = at(own);
  const back = new Map(x.shape.map((n, i) => [axis(i, n) as Scalar, there[i]!] as const));
  if (!indices.every((index, dim) => substitute(index, back) === own[dim])) return undefined;
  const last = (parts.get(x.shape.length - 1) ?? []).some(
    ({ dim, weight }) => dim === node.shape.length - 1 && weight === 1,
  );
  return last ? { node, at } : undefined;
}
/** Of which axis an index is a part, and what one step of it is worth there. */
function partOf(index: Integer): { readonly position: number; readonly weight: number } | undefined {
  if (index.kind === "variable")
    return index.position === undefined ? undefined : { position: index.position, weight: 1 };
  if (index.kind !== "floor_div" && index.kind !== "modulo") return undefined;
  const part = partOf(index.operand);
  return part && { position: part.position, weight: part.weight * (index.kind === "floor_div" ? index.divisor : 1) };
}
