// Kernels that only clear a stretch of memory or copy one: the device does that by itself, without code to compile.
import { baseOf } from "../graph/node.ts";
import { constantPart, termsOf } from "../graph/scalar.ts";
import type { Integer, Node, Scalar, Shape, Variable } from "../graph/types.ts";
import type { KernelSpec, Store } from "../kernel/kernel.ts";
import { flatAddress } from "../schedule/nest.ts";

/** `count` elements from element `at` of `target` on become 0, or those of `from.node` from element `from.at` on. */
export interface Move {
  readonly target: Node;
  readonly at: number;
  readonly count: number;
  readonly from?: { readonly node: Node; readonly at: number };
}
/** The moves that a kernel amounts to, or undefined where it computes something. */
export function movesOf(spec: KernelSpec): Move[] | undefined {
  if (spec.stages.length) return undefined;
  const moves = spec.stores.map((s) => moveOf(spec, s));
  return moves.every((m): m is Move => m !== undefined) ? moves : undefined;
}
function moveOf(spec: KernelSpec, store: Store): Move | undefined {
  const loops = [...spec.axes, ...store.over].filter((v) => v.extent !== 1);
  const to = stretch(store.target.shape, store.indices, loops);
  if (!to) return undefined;
  const move = { target: baseOf(store.target), at: to.at, count: to.count };
  const { value } = store;
  if (isZero(value)) return move;
  if (value.kind !== "load" || value.outside || value.dtype !== store.target.dtype) return undefined;
  const from = stretch(value.tensor.shape, value.indices, loops);
  return from && loops.every((v) => from.steps.get(v) === to.steps.get(v))
    ? { ...move, from: { node: baseOf(value.tensor), at: from.at } }
    : undefined;
}
const isZero = (e: Scalar): boolean =>
  (e.kind === "literal" && Object.is(e.value, 0)) || (e.kind === "affine" && !e.terms.length && e.constant === 0);
/** Where the loops walk every element of one stretch of memory once: its first element, and how far each loop steps. */
function stretch(
  shape: Shape,
  indices: readonly Integer[],
  loops: readonly Variable[],
): { at: number; count: number; steps: ReadonlyMap<Integer, number> } | undefined {
  const address = flatAddress(shape, indices);
  if (!address) return undefined;
  const steps = new Map(termsOf(address));
  if (steps.size !== loops.length) return undefined;
  let count = 1;
  for (const v of [...loops].sort((a, b) => (steps.get(a) ?? 0) - (steps.get(b) ?? 0))) {
    if (typeof v.extent !== "number" || steps.get(v) !== count) return undefined;
    count *= v.extent;
  }
  return { at: constantPart(address), count, steps };
}
