// Sums whose places are data, sorted where that is cheaper than every place looking at all updates. In: units. Out: the same with such sums as stretches of
// sorted updates.
import { fuse } from "../fuse/fuse.ts";
import { memoryLike } from "../fuse/state.ts";
import { sizeOf } from "../fuse/storage.ts";
import { rootsOf, topological, withinProgram, type Meta } from "../graph/node.ts";
import { mapProgram, rebuildNode, rebuildNodes, type Rewriting } from "../graph/rebuild.ts";
import { load, substitute } from "../graph/scalar.ts";
import type { GraphProgram, Node, Scalar, Source } from "../graph/types.ts";
import type { Target } from "../kernel/target.ts";
import { mayBePlaced, placedSum, type PlacedSum } from "../rewrite/places.ts";
import { searchedSum, sizesOf, sortedSum, type SortedSum } from "../rewrite/sorted.ts";
import { nestOf } from "../schedule/nest.ts";
import { kernelsIn } from "../schedule/rows.ts";
import { choose } from "../schedule/choose.ts";
import { isRunOnce } from "./lower.ts";
import { placeStreams } from "./streams.ts";
import type { Unit } from "./units.ts";

export const sortedUnits = (units: readonly Unit[], target: Target): readonly Unit[] =>
  units.map((u) => (isRunOnce(u) ? u : { ...u, graph: sortSums(u.graph, byPrice(target)) }));

/** Is it worth sorting? `orders`: those that sums before have. */
interface Worth {
  readonly mayBe: (x: Node, sum: PlacedSum) => boolean; // before anything is made of it
  readonly is: (x: Node, sum: PlacedSum, sorted: SortedSum, orders: ReadonlySet<Node>) => boolean;
}
export function sortSums(program: GraphProgram, worth: Worth): GraphProgram {
  if (!topological(rootsOf(program)).some(mayBePlaced)) return program;
  const orders = new Set<Node>();
  const sorted = (x: Node): Node => {
    const sum = mayBePlaced(x) ? placedSum(x) : undefined;
    const made = sum && worth.mayBe(x, sum) ? sortedSum(sum, metaOf(x)) : undefined;
    if (!sum || !made || !worth.is(x, sum, made, orders)) return x;
    orders.add(made.order);
    return made.node;
  };
  const inBody = (x: Node, over: Rewriting): Node => sorted(rebuildNode(x, { ...over, inBody }));
  const swap = rebuildNodes((x, over) => (x.kind === "result" || over.moves(x) ? inBody(x, over) : sorted(x)));
  return withinProgram(program, () => mapProgram(program, swap));
}
const metaOf = (x: Node): Meta => ({ span: x.span, label: x.label, range: x.range });
const byPrice = (target: Target): Worth => ({
  mayBe: (x, sum) => stepsNs(stepsOf(x, sum), target) >= leastLaunches * target.launchNs,
  is: (x, sum, { order }, orders) => {
    // the same over tensors that lie in memory
    const alone = standing(sum);
    const made = sortedSum(alone, metaOf(x));
    if (!made) return false;
    const sorted = priceOf([made.node], target) - (orders.has(order) ? priceOf([made.order], target) : 0);
    return sorted < mostSorted * priceOf([searchedSum(alone, metaOf(x))], target);
  },
});
const leastLaunches = 4; // that a search must take for a price to be asked
const mostSorted = 0.8; // of the price of the search: more launches must pay
/** Comparisons with additions of a search. */
const stepsOf = (x: Node, s: PlacedSum): number =>
  sizeOf(x.shape) * sizesOf(s).updates * sizeOf(s.over.map((v) => v.extent));
/** About. */
const stepsNs = (steps: number, { ns, simd, cores }: Target): number =>
  (steps * (ns.compare + ns.select + ns.alu)) / (simd * cores);

/** The same over tensors that lie in memory. */
function standing(s: PlacedSum): PlacedSum {
  const memory = new Map<Node, Source>();
  const memoryOf = (x: Node): Source => {
    let found = memory.get(x);
    if (!found) memory.set(x, (found = memoryLike(x, x.shape, `memory${memory.size}`)));
    return found;
  };
  const go = <T extends Scalar>(e: T): T =>
    substitute(e, new Map(), (l, indices, outside) => load(memoryOf(l.tensor), indices, outside)) as T;
  return {
    ...s,
    places: s.places.map((p) => ({ ...p, at: go(p.at) })),
    counts: go(s.counts),
    value: go(s.value),
  };
}
/** ns of the kernels that make these nodes. */
function priceOf(nodes: readonly Node[], target: Target): number {
  const program: GraphProgram = {
    name: "sum",
    inputs: [],
    dims: [],
    outputs: nodes.map((node, i) => ({ name: `sum${i}`, node })),
    updates: [],
  };
  return kernelsIn(placeStreams(fuse(program, target), target).steps).reduce(
    (ns, k) => ns + choose(nestOf(k.spec), target).total,
    0,
  );
}
