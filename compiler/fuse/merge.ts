// Which nodes share a launch. In: groups of one node each, with their edges. Out: the same groups, of which some have taken others in.
// Merging never makes a cycle, and binds no more buffers than the target has.
import { sameShape } from "../graph/node.ts";
import { extentKey } from "../graph/scalar.ts";
import type { Compute, Node, Shape } from "../graph/types.ts";
import { boundBy } from "./bindings.ts";
import { absorb, convex, putInOrder, reaches, type Group } from "./group.ts";
import { unsafeStates } from "./in-place.ts";
import { partsOf, readsOf, type Fusion } from "./state.ts";
import { aligned, coreOf, isContraction, mergedDomain, sizeOf } from "./storage.ts";

export function merge(f: Fusion, groups: readonly Group[]): void {
  mergeClusters(f, groups);
  putInOrder(groups); // the parts of a cluster may have waited for one another
  const tryJoin = joiner(f);
  mergeProducers(groups, tryJoin);
  mergeSiblings(f, groups, tryJoin);
}

// ---- joining two

/** Joins b to a if one launch can do both. */
type TryJoin = (a: Group, b: Group) => boolean;
function joiner(f: Fusion): TryJoin {
  const refused = new Map<Group, Map<Group, number>>(); // pairs that did not fit, by their versions
  return (a, b) => {
    const versions = a.version * 65536 + b.version;
    if (refused.get(a)?.get(b) === versions) return false;
    const nodes = computesOf(f, [...a.nodes, ...b.nodes]);
    const domain = nodes && mergedDomain(nodes);
    if (!domain || reaches(a, b) || !fits(f, nodes, domain)) {
      // a way round stays one until a part of it joins a or b
      if (!refused.has(a)) refused.set(a, new Map());
      refused.get(a)!.set(b, versions);
      return false;
    }
    join(f, a, b, domain);
    return true;
  };
}
export function join(f: Fusion, a: Group, b: Group, domain: Shape): void {
  a.version++;
  a.nodes = inOrder(f, [...a.nodes, ...b.nodes]);
  a.domain = domain;
  a.rank = Math.min(a.rank, b.rank);
  absorb(a, b);
}
const inOrder = (f: Fusion, nodes: Node[]): Node[] => nodes.sort((x, y) => f.rank.get(x)! - f.rank.get(y)!);

// ---- which are tried

const isKernel = (g: Group): boolean => g.alive && g.kind === "kernel";
const isPointwise = (g: Group): boolean =>
  isKernel(g) && g.domain.length > 0 && g.nodes.every((x) => x.kind === "compute" && !x.reduction);
/** Pointwise groups that hang together over the same axes, all at once: what only they read needs no memory, so the whole may fit where no half does. */
function mergeClusters(f: Fusion, groups: readonly Group[]): void {
  const seen = new Set<Group>();
  for (const g of groups) {
    if (!isPointwise(g) || seen.has(g)) continue;
    const cluster = new Set([g]);
    for (const x of cluster)
      for (const y of [...x.before, ...x.after]) if (isPointwise(y) && sameShape(y.domain, g.domain)) cluster.add(y);
    for (const x of cluster) seen.add(x);
    if (cluster.size < 3 || !convex(cluster)) continue;
    for (const [first, ...rest] of cutToFit(f, [...cluster])) {
      const all = inOrder(
        f,
        [first!, ...rest].flatMap((x) => x.nodes),
      );
      const nodes = computesOf(f, all);
      const domain = nodes && mergedDomain(nodes);
      if (domain && fits(f, nodes, domain)) for (const x of rest) join(f, first!, x, domain);
    }
  }
}
/** Groups in their order, cut where a kernel would have too many nodes or too deep formulas. */
function cutToFit(f: Fusion, groups: readonly Group[]): readonly Group[][] {
  const { mostNodes, deepest } = f.limits;
  const parts: Group[][] = [];
  let count = Infinity;
  let depths = new Map<Node, number>();
  for (const g of [...groups].sort((a, b) => a.rank - b.rank)) {
    count += g.nodes.length;
    let depth = depthOf(f, g.nodes, depths);
    if (count > mostNodes || depth > deepest) {
      parts.push([]);
      count = g.nodes.length;
      depths = new Map();
      depth = depthOf(f, g.nodes, depths);
    }
    parts.at(-1)!.push(g);
  }
  return parts;
}
/** A producer with its consumer: first where both run over the same axes, then rows, last what a single invocation can do. */
function mergeProducers(groups: readonly Group[], tryJoin: TryJoin): void {
  const rounds: readonly ((a: Group, b: Group) => boolean)[] = [
    (a, b) => sameShape(a.domain, b.domain),
    (a, b) => a.domain.length > 0 && b.domain.length > 0,
    () => true,
  ];
  for (const allowed of rounds) {
    for (let again = true; again;) {
      again = false;
      for (const b of groups.filter(isKernel).sort((x, y) => x.rank - y.rank)) {
        for (const a of [...b.before].sort((x, y) => y.rank - x.rank)) {
          if (!b.alive || !isKernel(a) || !allowed(a, b)) continue;
          if (tryJoin(a, b)) again = true;
        }
      }
    }
  }
}
/** Neighbours over one domain that do not depend on each other: numbers, and reductions that read the same. */
function mergeSiblings(f: Fusion, groups: readonly Group[], tryJoin: TryJoin): void {
  const byDomain = new Map<string, Group[]>();
  for (const g of groups) {
    if (!isKernel(g)) continue;
    const key = g.domain.map(extentKey).join(",");
    byDomain.set(key, [...(byDomain.get(key) ?? []), g]);
  }
  for (const list of byDomain.values()) {
    const kin = list.map((g) => kinOf(f, g));
    for (const [i, a] of list.entries()) {
      if (!a.alive) continue;
      for (let j = i + 1; j < Math.min(list.length, i + furthestSibling); j++) {
        const b = list[j]!;
        if (!b.alive || a.after.has(b) || b.after.has(a) || !areSiblings(kin[i]!, kin[j]!, a.domain)) continue;
        if (!reaches(b, a) && tryJoin(a, b)) kin[i] = kinOf(f, a);
      }
    }
  }
}
const furthestSibling = 40;

/** What makes groups over one domain siblings. */
interface Kin {
  readonly small: boolean;
  readonly owners: ReadonlySet<Node>; // that its nodes are pieces of
  readonly reduced: string; // the extents that all its nodes reduce, none of them a contraction; "" = others
  readonly pointwise: boolean; // its first node
  readonly updates: boolean; // of states in place
  readonly reads: ReadonlySet<Node>; // more than numbers
}
function kinOf(f: Fusion, { nodes }: Group): Kin {
  const reduced = nodes.map((x) =>
    x.kind === "compute" && x.reduction && !isContraction(x) ? x.reduction.extents.join(",") : "",
  );
  return {
    small: nodes.every(
      (x) => x.kind === "compute" && (!x.reduction || sizeOf(x.reduction.extents) <= f.limits.smallReduction),
    ),
    owners: new Set(nodes.flatMap((x) => f.ownersOf.get(x) ?? [])),
    reduced: reduced.every((x) => x === reduced[0]) ? reduced[0]! : "",
    pointwise: nodes[0]!.kind === "compute" && !nodes[0]!.reduction,
    updates: nodes.every((x) => f.aliasOf.has(x)),
    reads: new Set(nodes.flatMap((x) => readsOf(f, x)).filter((y) => sizeOf(y.shape) > 1)),
  };
}
/** May groups over one domain that do not depend on each other share a launch? */
function areSiblings(a: Kin, b: Kin, domain: Shape): boolean {
  if (!domain.length) return a.small && b.small;
  if (meet(a.owners, b.owners)) return true;
  const alike = a.reduced !== "" ? a.reduced === b.reduced : a.pointwise && a.updates && b.updates;
  return alike && meet(a.reads, b.reads);
}
const meet = <T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean => {
  for (const x of a) if (b.has(x)) return true;
  return false;
};

// ---- what fits

/** The same nodes, if there are not too many for a kernel and no others among them. */
const computesOf = ({ limits }: Fusion, nodes: readonly Node[]): readonly Compute[] | undefined =>
  nodes.length <= limits.mostNodes && nodes.every((x) => x.kind === "compute") ? nodes : undefined;
/** Can one launch over this domain compute all of these? */
function fits(f: Fusion, nodes: readonly Compute[], domain: Shape): boolean {
  const exact = nodes.every((x) => coreOf(x.shape).length === domain.length); // no rows
  return (
    epilogueFits(f, nodes, exact) &&
    (exact || rowsFit(f, nodes, domain)) &&
    (domain.length > 0 || !exact || longSums(f, nodes) < 2) &&
    !unsafeStates(f, nodes, domain).some((s) => !f.found.notInPlace.has(s)) &&
    handsOn(f, nodes, domain, exact) &&
    depthOf(f, nodes, new Map()) <= f.limits.deepest &&
    boundBy(f, nodes).size <= f.target.storageBuffers
  );
}
/** How deep the formulas of nodes are: those of values that are handed on hold those of the values themselves. `depths`: of nodes before, and then of these. */
function depthOf(f: Fusion, nodes: readonly Node[], depths: Map<Node, number>): number {
  let deepest = 0;
  for (const x of nodes) {
    if (x.kind !== "compute") continue;
    const below = readsOf(f, x).reduce((most, y) => Math.max(most, depths.get(y) ?? 0), 0);
    const depth = below + f.inliner.depth(x);
    deepest = Math.max(deepest, depth);
    depths.set(x, x.reduction ? 0 : depth); // the result of a reduction is a name
  }
  return deepest;
}
/** With a contraction goes what is cheap enough for its register tile. */
function epilogueFits(f: Fusion, nodes: readonly Compute[], exact: boolean): boolean {
  if (!nodes.some(isContraction)) return true;
  if (!exact || nodes.filter((x) => x.reduction).length > 1) return false;
  const cost = nodes.reduce((sum, x) => sum + (x.reduction ? 0 : f.inliner.arithmeticCost(x)), 0);
  return cost <= f.limits.longestEpilogue;
}
function rowsFit({ limits }: Fusion, nodes: readonly Compute[], domain: Shape): boolean {
  const widest = Math.max(...nodes.map((x) => sizeOf(x.shape)));
  const rows = sizeOf(domain);
  return rows < limits.leastRows ? widest <= limits.fewRowsLimit : widest / rows <= limits.longestRow;
}
/** Numbers go with numbers: a long sum keeps its launch, and what follows it may join. */
const longSums = ({ limits }: Fusion, nodes: readonly Compute[]): number =>
  nodes.filter((x) => x.reduction && sizeOf(x.reduction.extents) > limits.smallReduction).length;
/** Can every value that another of the nodes reads be handed on within an invocation? */
function handsOn(f: Fusion, nodes: readonly Compute[], domain: Shape, exact: boolean): boolean {
  const inside = new Set<Node>(nodes);
  for (const x of nodes)
    for (const y of readsOf(f, x)) {
      // through a flat buffer a value is handed on in memory only
      const updated = f.flat?.updatedBy.get(y);
      if (partsOf(f, y)?.some((part) => inside.has(part)) || (updated && inside.has(updated))) return false;
      if (!inside.has(y) || y.kind !== "compute") continue;
      if (!aligned(f.inliner.compute(x), y, domain.length)) return false;
      // a value that a reduction or a row computes again must be cheap
      if (!y.reduction && (x.reduction || !exact) && f.inliner.cost(y) > f.limits.recomputeLimit) return false;
    }
  return true;
}
