// Updates of states in place: what must have been read before a state is overwritten, and which kernels would read what they have overwritten.
// In: groups, homes. Out: edges between groups, and states that cannot be updated in place.
import { baseOf, loadsIn, sameShape } from "../graph/node.ts";
import { constantOf } from "../graph/scalar.ts";
import type { Compute, Integer, Node, Shape, Source } from "../graph/types.ts";
import { link, type Group, type Home } from "./group.ts";
import { readsOf, type Fusion } from "./state.ts";
import { coreOf, sizeOf } from "./storage.ts";

/** The range of a flat buffer, or the whole of another source. */
function rangeOf(f: Fusion, x: Node): { readonly memory: Node; readonly low: number; readonly high: number } {
  const v = f.flat?.views.get(x);
  const n = sizeOf(x.shape);
  return v ? { memory: v.memory, low: v.offset, high: v.offset + n } : { memory: x, low: 0, high: n };
}
function overlaps(f: Fusion, a: Node, b: Node): boolean {
  const [x, y] = [rangeOf(f, a), rangeOf(f, b)];
  return x.memory === y.memory && x.low < y.high && y.low < x.high;
}
export const stateIn = (h: Home): Source[] => {
  const base = baseOf(h.memory);
  return base.kind === "source" && (base.role === "parameter" || base.role === "state") ? [base] : [];
};
export function writtenStates(f: Fusion, g: Group): Source[] {
  const written = g.nodes.flatMap((x) => (f.homes.get(x) ?? []).flatMap(stateIn));
  return [...new Set([...written, ...(g.copy ? stateIn(g.copy.home) : [])])];
}
/** What reads a state runs before what overwrites it. */
export function antiEdges(f: Fusion, groups: readonly Group[], readBy: ReadonlyMap<Group, readonly Node[]>): void {
  const readers = new Map<Node, { readonly reader: Group; readonly read: Node }[]>(); // by memory
  for (const [reader, reads] of readBy)
    for (const read of reads) {
      if (read.kind !== "source") continue;
      const { memory } = rangeOf(f, read);
      const list = readers.get(memory);
      if (list) list.push({ reader, read });
      else readers.set(memory, [{ reader, read }]);
    }
  for (const g of groups)
    for (const s of writtenStates(f, g))
      for (const { reader, read } of readers.get(rangeOf(f, s).memory) ?? [])
        if (reader !== g && overlaps(f, read, s)) link(reader, g);
}
/** States that one kernel of these nodes would write before it has read them: it may read only the element that it writes. */
export function unsafeStates(f: Fusion, nodes: readonly Node[], domain: Shape): Source[] {
  const hasRows = nodes.some((x) => coreOf(x.shape).length > domain.length);
  return nodes.flatMap((writer) => {
    const target = f.aliasOf.get(writer);
    if (!target) return [];
    const isUnsafe = nodes.some((x) => {
      if (!readsOf(f, x).some((y) => y.kind === "source" && overlaps(f, y, target))) return false;
      // rows are stored one after the other, after the reductions
      if (hasRows && x !== writer && !(x.kind === "compute" && x.reduction)) return true;
      return (
        x.kind !== "compute" ||
        x.reduction !== undefined ||
        !readsOwnElement(f.inliner.compute(x), target, placesOf(f, target, x), (y) => overlaps(f, y, target))
      );
    });
    return isUnsafe ? [target] : [];
  });
}
/** The places of a state that are written, if a node's elements are those. */
function placesOf(f: Fusion, target: Source, x: Node): readonly Integer[] | undefined {
  const update = f.program.updates.find((u) => u.target === target);
  return update && sameShape(update.value.shape, x.shape) ? update.at : undefined;
}
/** Every load of the state in this body is of the element that is computed, under the state's own name. */
function readsOwnElement(
  x: Compute,
  target: Source,
  places: readonly Integer[] | undefined,
  overlaps: (y: Node) => boolean,
): boolean {
  const own = (e: Integer, d: number): boolean =>
    places ? e === places[d] : x.shape[d] === 1 ? constantOf(e) === 0 : e.kind === "variable" && e.position === d;
  return loadsIn(x).every((l) => {
    const base = baseOf(l.tensor);
    return (
      base.kind !== "source" ||
      !overlaps(base) ||
      (l.tensor === target && !l.outside && (places || sameShape(x.shape, target.shape)) && l.indices.every(own))
    );
  });
}
