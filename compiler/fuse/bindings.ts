// How many buffers a kernel binds. In: nodes that one launch computes. Out: the memory that it reads and writes.
import { InternalError } from "../../grammar/diagnostic.ts";
import { baseOf, sameShape, tensorsOf } from "../graph/node.ts";
import { holdsLoad, integer } from "../graph/scalar.ts";
import type { Node } from "../graph/types.ts";
import type { Home } from "./group.ts";
import { fromMemory, homeOf, homesOf } from "./homes.ts";
import { hasKernel, inputsOf, isCopied, isOutput, readersOf, readsOf, readsOfCopy, type Fusion } from "./state.ts";
import { coreOf, inlinedReads } from "./storage.ts";
import { fitsWorkgroup, smallestTile } from "./worth.ts";

/** The memory that a kernel of these nodes binds. */
export function boundBy(f: Fusion, nodes: readonly Node[]): Set<Node> {
  const inside: ReadonlySet<Node> = new Set(nodes);
  const memory = new Set<Node>();
  for (const x of nodes) {
    for (const y of readsOf(f, x)) if (!inside.has(y)) memory.add(boundFor(f, y));
    if (f.homes.has(x) || isReadOutside(f, x, inside))
      for (const h of homesOf(f, x)) for (const y of boundByHome(f, h, x)) memory.add(y);
  }
  return memory;
}
/** Results of folds that grow in a buffer, because a workgroup has no room for the rows of the smallest tile. */
export const sumsBound = (f: Fusion, nodes: readonly Node[]): number =>
  nodes.filter((x) => {
    const extras = f.streams.folds.get(x)?.extras.map((v) => v.extent) ?? [];
    return !fitsWorkgroup([smallestTile, ...extras], f.target);
  }).length;
/** Is a node's value read by others than these? */
export const isReadOutside = (f: Fusion, x: Node, inside: ReadonlySet<Node>): boolean =>
  f.flat?.views.has(x) === true || isOutput(f, x) || [...readersOf(f, x)].some((y) => !inside.has(y)) || isCopied(f, x);
const boundFor = (f: Fusion, y: Node): Node => baseOf(homeOf(f, y)?.memory ?? y);
/** Where something is written may be data. */
function boundByHome(f: Fusion, h: Home, x: Node): readonly Node[] {
  const data = h.at(x.shape.map(() => integer(0))).filter(holdsLoad);
  const read = data.length ? tensorsOf(data.map((e) => fromMemory(f, e))) : [];
  return [h.memory, ...read].map(baseOf);
}
/** ... that the node alone binds, or a copy of it. */
const boundAlone = (f: Fusion, x: Node, reads: readonly Node[], homes: readonly Home[]): Set<Node> =>
  new Set([...reads.map((y) => boundFor(f, y)), ...homes.flatMap((h) => boundByHome(f, h, x))]);

/**
 * Does every kernel that cannot be smaller (one node, or one copy) bind no more buffers than the target has? Else `found` learns what helps:
 * an input is stored instead of written out in its readers; a second home is written by a copy; a state is not updated in place.
 */
export function smallestKernelsFit(f: Fusion): boolean {
  const most = f.target.storageBuffers;
  const rows = new Set(f.found.rows); // that have their place
  let fit = true;
  for (const x of f.order) {
    if (!hasKernel(f, x)) continue;
    const bound = boundAlone(f, x, readsOf(f, x), homesOf(f, x)).size + sumsBound(f, [x]);
    if (bound <= most) continue;
    fit = false;
    if (f.streams.folds.has(x)) bindLessForFold(f, x, rows);
    else if (!storeWidestInput(f, x) && !giveUpPlaces(f, x))
      throw new InternalError(`fuse: ${x.label ?? x.kind} alone binds ${bound} buffers`);
  }
  for (const { from, home } of f.copies) {
    if (boundAlone(f, from, readsOfCopy(f, from), [home]).size <= most) continue;
    fit = false;
    if (!storeWidestInput(f, from))
      throw new InternalError(`fuse: a copy of ${from.label ?? from.kind} binds too many buffers`);
  }
  return fit;
}
/** What is read of a row joins other such; a narrow input is stored; at last, what is wide is stored. */
function bindLessForFold(f: Fusion, x: Node, rows: ReadonlySet<Node>): void {
  const ofRows = readsOf(f, x).filter((y) => isOfRows(f, y) && !rows.has(y));
  for (const y of ofRows) f.found.rows.add(y);
  if (ofRows.length) return;
  const inlined = new Set(inputsOf(f, x).map(baseOf));
  for (const y of inlined) if (!f.stored.has(y)) for (const z of inputsOf(f, y)) inlined.add(baseOf(z));
  const reads = (y: Node): number => inlinedReads(y, f.stored).length;
  const [widest] = [...inlined]
    .filter((y) => y.kind === "compute" && !y.reduction && !f.stored.has(y) && !f.streams.wide.has(y) && reads(y) > 1)
    .sort((a, b) => reads(b) - reads(a));
  if (widest) f.found.stored.add(widest);
  else f.found.whole.add(x);
}
/** A value for each row of some fold. */
const isOfRows = (f: Fusion, y: Node): boolean =>
  y.kind === "compute" &&
  y.dtype === "f32" &&
  [...f.streams.folds.values()].some(
    (fold) => !fold.extras.length && sameShape(coreOf(fold.node.shape), coreOf(y.shape)),
  );
/** Stores the input of a node that brings most reads with it. */
function storeWidestInput(f: Fusion, x: Node): boolean {
  const inlined = inputsOf(f, x)
    .map(baseOf)
    .filter((y) => y.kind === "compute" && !y.reduction && !f.stored.has(y));
  const [widest] = inlined.sort((a, b) => inlinedReads(b, f.stored).length - inlinedReads(a, f.stored).length);
  if (widest) f.found.stored.add(widest);
  return widest !== undefined;
}
function giveUpPlaces(f: Fusion, x: Node): boolean {
  const { oneHome, uncut, notInPlace } = f.found;
  const owners = f.ownersOf.get(x);
  const alias = f.aliasOf.get(x);
  if (homesOf(f, x).length > 1 && !oneHome.has(x)) oneHome.add(x);
  else if (owners) for (const y of owners) uncut.add(y);
  else if (alias) notInPlace.add(alias);
  else return false;
  return true;
}
