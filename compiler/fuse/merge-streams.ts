// Which folds share a launch: sums that follow a maximum with it, those that read the same tiles, and what is made of their results element by
// element. In: groups of one node each, with their edges. Out: the same groups, of which some have taken others in.
import { baseOf, loadsIn, sameShape } from "../graph/node.ts";
import { axis, contains, load, substitute, variable } from "../graph/scalar.ts";
import type { Compute, Integer, Load, Node, Scalar, Variable } from "../graph/types.ts";
import { boundBy, sumsBound } from "./bindings.ts";
import { reaches, type Group } from "./group.ts";
import { join } from "./merge.ts";
import { partsOf, readsOf, type Fusion } from "./state.ts";
import { coreOf } from "./storage.ts";
import { followsMaximum, wideLoads, type Fold } from "./streams.ts";

export function mergeStreams(f: Fusion, groups: readonly Group[]): void {
  const streams = groups.filter((g) => g.kind === "stream");
  if (!streams.length) return;
  const axesOf = sharedAxes();
  for (const g of streams) if (g.alive) joinFollowers(f, g, axesOf);
  joinThoseThatSeeTheSame(f, streams.filter(isAlive), axesOf);
  for (const g of streams)
    for (let again = g.alive; again;) {
      again = false;
      for (const x of g.after)
        if (x.alive && x.kind === "kernel" && isEpilogue(f, g, x) && tryJoin(f, g, x)) again = true;
    }
}
function tryJoin(f: Fusion, a: Group, b: Group): boolean {
  const nodes = [...a.nodes, ...b.nodes];
  if (reaches(a, b) || reaches(b, a) || !fits(f, nodes)) return false;
  join(f, a, b, a.domain.length < b.domain.length ? a.domain : b.domain);
  return true;
}

const fits = (f: Fusion, nodes: readonly Node[]): boolean =>
  boundBy(f, nodes).size + sumsBound(f, nodes) <= f.target.storageBuffers;

// ---- axes that folds have in common

/** The axes that a tile lies in, by their extents: those of two folds that run over the same are the same variables. */
export interface StreamAxes {
  readonly grid: readonly Variable[];
  readonly row: Variable;
  readonly serial: readonly Variable[];
  readonly stream: Variable;
}
type AxesOf = (fold: Fold) => StreamAxes;
function sharedAxes(): AxesOf {
  const known = new Map<string, StreamAxes>();
  return (fold) => {
    const key = extentsOf(fold);
    let own = known.get(key);
    if (!own) known.set(key, (own = freshAxes(fold)));
    return own;
  };
}
const letters = "bhgpq";
export function freshAxes({ grid, row, serial, stream }: Fold): StreamAxes {
  return {
    grid: grid.map((v, i) => variable(v.extent, letters[i] ?? "b")),
    row: variable(row.extent, "i"),
    serial: serial.map((v) => variable(v.extent, "u")),
    stream: variable(stream.extent, "k"),
  };
}
const extentsOf = ({ grid, row, serial, stream }: Fold): string =>
  [grid, [row], serial, [stream]].map((list) => list.map((v) => String(v.extent)).join()).join(";");
/** A fold's own axes as the common ones. */
export function ontoAxes(fold: Fold, to: StreamAxes): Map<Scalar, Scalar> {
  const from = [...fold.grid, fold.row, ...fold.serial, fold.stream];
  const into = [...to.grid, to.row, ...to.serial, to.stream];
  return new Map(from.map((v, i) => [v as Scalar, into[i]!] as const));
}
const foldsIn = (f: Fusion, g: Group): Fold[] => g.nodes.flatMap((x) => f.streams.folds.get(x) ?? []);
/** What is read of contractions, over the common axes. */
function tilesRead(f: Fusion, g: Group, axesOf: AxesOf): Set<Scalar> {
  const found = new Set<Scalar>();
  for (const fold of foldsIn(f, g)) {
    const map = ontoAxes(fold, axesOf(fold));
    for (const l of wideLoads(fold.wide, f.streams.wide)) found.add(substitute(l, map));
  }
  return found;
}
/** Where one reads no tile that the other does not read, nothing is computed for one alone. */
function joinThoseThatSeeTheSame(f: Fusion, streams: readonly Group[], axesOf: AxesOf): void {
  const tiles = new Map(streams.map((g) => [g, tilesRead(f, g, axesOf)] as const));
  const byTile = new Map<Scalar, Group[]>();
  for (const g of streams) {
    const own = tiles.get(g)!;
    const before = new Set([...own].flatMap((l) => byTile.get(l) ?? []));
    for (const l of own) byTile.set(l, [...(byTile.get(l) ?? []), g]);
    for (const a of before) {
      const theirs = tiles.get(a)!;
      const isSame = [...own].every((l) => theirs.has(l)) || [...theirs].every((l) => own.has(l));
      const waits = a.after.has(g) || g.after.has(a); // one needs what the other has summed up
      if (a.alive && g.alive && isSame && !waits) tryJoin(f, a, g);
    }
  }
}
const isAlive = (g: Group): boolean => g.alive;

// ---- sums that follow a maximum

function joinFollowers(f: Fusion, g: Group, axesOf: AxesOf): void {
  const [most] = foldsIn(f, g);
  if (most?.op !== "max") return;
  for (const x of [...g.after]) {
    const [fold] = foldsIn(f, x);
    if (!x.alive || x.kind !== "stream" || !fold || !isFollower(f, fold, most, axesOf)) continue;
    if (readsOf(f, fold.node).some((y) => y !== most.node && g.nodes.includes(y))) continue; // a sum that is not done yet
    if (!reaches(g, x) && fits(f, [...g.nodes, ...x.nodes]))
      join(f, g, x, most.node.shape.length ? coreOf(most.node.shape) : []);
  }
}
function isFollower(f: Fusion, fold: Fold, most: Fold, axesOf: AxesOf): boolean {
  if (fold.op !== "sum" || extentsOf(fold) !== extentsOf(most)) return false;
  const to = axesOf(most);
  const own = ontoAxes(fold, to);
  const read = maximumRead(most, to);
  return followsMaximum(substitute(fold.wide, own), read) && !(fold.rest && contains(substitute(fold.rest, own), read));
}
/** The load of a fold's result in a row. */
export function maximumRead(fold: Fold, to: StreamAxes): Scalar {
  const map = ontoAxes(fold, to);
  return load(
    fold.node,
    fold.node.shape.map((n, i) => (n === 1 ? 0 : (map.get(axis(i, n)) as Integer))),
  );
}
// ---- what is made of the results

/** One node that is computed of results at its own place, and of others. */
function isEpilogue(f: Fusion, g: Group, { nodes }: Group): boolean {
  const [x] = nodes;
  if (nodes.length !== 1 || x?.kind !== "compute" || x.reduction || f.aliasOf.has(x)) return false;
  const inside = new Set<Node>(g.nodes);
  if (readsOf(f, x).some((y) => partsOf(f, y)?.some((part) => inside.has(part)))) return false;
  const written = f.inliner.compute(x);
  const reads = loadsIn(written).filter((l) => inside.has(baseOf(l.tensor)));
  const base = reads.map((l) => l.tensor).find((y) => sameShape(coreOf(y.shape), coreOf(x.shape)));
  return base !== undefined && reads.every((l) => isOwnPlace(f, l, x, base, g));
}
/** A result is read at the element of x, or at its row. */
function isOwnPlace(f: Fusion, l: Load, x: Compute, base: Node, g: Group): boolean {
  if (l.outside || !g.nodes.includes(l.tensor)) return false;
  const own = x.shape.flatMap((n, i) => (n === 1 ? [] : [axis(i, n)]));
  const at = l.indices.filter((_, d) => l.tensor.shape[d] !== 1);
  if (sameShape(coreOf(l.tensor.shape), coreOf(base.shape)))
    return at.every((e, d) => e === own[d]) && rolesOf(f, l.tensor, g) === rolesOf(f, base, g);
  const roles = rolesOf(f, base, g)?.split("");
  const rowAxes = own.filter((_, d) => roles?.[d] === "w");
  return (
    at.length === rowAxes.length && at.every((e, d) => e === rowAxes[d]) && !rolesOf(f, l.tensor, g)?.includes("e")
  );
}
/** Of each axis of a result: is it one of the tile's rows (w), or the result's own (e)? */
function rolesOf(f: Fusion, x: Node, g: Group): string | undefined {
  const fold = f.streams.folds.get(x) ?? foldLike(f, x, g);
  return fold?.node.shape.flatMap((n, i) => (n === 1 ? [] : [fold.extras.includes(axis(i, n)) ? "e" : "w"])).join("");
}
/** The fold that an epilogue has the axes of. */
export const foldLike = (f: Fusion, x: Node, g: Group): Fold | undefined =>
  foldsIn(f, g).find((fold) => sameShape(coreOf(fold.node.shape), coreOf(x.shape)));
