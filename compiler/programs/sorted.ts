// Sums whose places are data, sorted where that is cheaper than every place looking at all updates. In: units. Out: the same with such sums as stretches of
// sorted updates.
import { fuse } from "../fuse/fuse.ts";
import { memoryLike } from "../fuse/state.ts";
import { sizeOf } from "../fuse/storage.ts";
import { compute, rootsOf, topological, withinProgram, type Meta } from "../graph/node.ts";
import { mapProgram, rebuildNode, rebuildNodes, type Rewriting } from "../graph/rebuild.ts";
import { axis, load, substitute } from "../graph/scalar.ts";
import type { GraphProgram, Node, Scalar, Source } from "../graph/types.ts";
import type { Target } from "../kernel/target.ts";
import { mayBePlaced, placedSum, type PlacedSum } from "../rewrite/places.ts";
import { searchedSum, sizesOf, sortedSum, type SortedSum } from "../rewrite/sorted.ts";
import { nestOf } from "../schedule/nest.ts";
import { kernelsIn } from "../schedule/rows.ts";
import { choose } from "../schedule/choose.ts";
import { isRunOnce } from "./lower.ts";
import { placeStreams } from "./streams.ts";
import { touchPlaces, type Touched } from "./touched.ts";
import type { Unit } from "./units.ts";

export const sortedUnits = (units: readonly Unit[], target: Target): readonly Unit[] =>
  units.map((u) => {
    if (isRunOnce(u)) return u;
    return { ...u, graph: sortSums(touched(u, target), byPrice(target)) };
  });
/** What a step gives are gradients, which nobody reads of parameters that are updated here and there. */
function touched({ graph, train }: Unit, target: Target): GraphProgram {
  const made = touchPlaces(graph, !train, (x) => isCheaperTouched(x, target));
  if (made === graph || !train) return made;
  const apart = new Map(made.updates.flatMap((u) => (u.at ? [[u.target, u.value] as const] : [])));
  const parameters = train.groups.flatMap((g) => g.members.map((m) => m.parameter));
  const outputs = made.outputs.map((o, i) => ({ ...o, node: apart.get(parameters[i]!) ?? o.node }));
  return { ...made, outputs };
}

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
    const sorted = priceOf(making(made.node), target) - (orders.has(order) ? priceOf(making(made.order), target) : 0);
    return sorted < mostSorted * priceOf(making(searchedSum(alone, metaOf(x))), target);
  },
});
/** Are the touched places of states cheaper than all of them, with the sum at every place? */
function isCheaperTouched({ sum, placed, updates }: Touched, target: Target): boolean {
  const { places, updates: added } = sizesOf(placed);
  if (places <= added) return false;
  const memory = new Map<Node, Source>(updates.map((u) => [u.target, u.target]));
  const alone = standing(placed, memory);
  const meta = { span: sum.span };
  const searched = searchedSum(alone, meta);
  const axes = sum.shape.map((n, d) => axis(d, n));
  /** The updates over tensors that lie in memory, and the sum as this node. */
  const stepWith = (node: Node): GraphProgram => ({
    ...{ name: "sum", inputs: [], dims: [], outputs: [] },
    updates: updates.map(({ target, element }) => {
      const value = inMemory(element, memory, (x) => (x === sum ? node : undefined));
      return { target, value: compute(axes, undefined, value, meta) };
    }),
  });
  const whole = [searched, sortedSum(alone, meta)?.node ?? searched].map((x) => priceOf(stepWith(x), target));
  const touched = touchPlaces(stepWith(searched), true, () => true);
  return priceOf(touched, target) < mostSorted * Math.min(...whole);
}
const leastLaunches = 4; // that a search must take for a price to be asked
const mostSorted = 0.8; // of the price of the search: more launches must pay
/** Comparisons with additions of a search. */
const stepsOf = (x: Node, s: PlacedSum): number =>
  sizeOf(x.shape) * sizesOf(s).updates * sizeOf(s.over.map((v) => v.extent));
/** About. */
const stepsNs = (steps: number, { ns, simd, cores }: Target): number =>
  (steps * (ns.compare + ns.select + ns.alu)) / (simd * cores);

/** The same over tensors that lie in memory. */
function standing(s: PlacedSum, memory = new Map<Node, Source>()): PlacedSum {
  const go = <T extends Scalar>(e: T): T => inMemory(e, memory);
  return {
    ...s,
    places: s.places.map((p) => ({ ...p, at: go(p.at) })),
    counts: go(s.counts),
    value: go(s.value),
  };
}
function inMemory<T extends Scalar>(
  e: T,
  memory: Map<Node, Source>,
  other: (x: Node) => Node | undefined = () => undefined,
): T {
  const memoryOf = (x: Node): Source => {
    let found = memory.get(x);
    if (!found) memory.set(x, (found = memoryLike(x, x.shape, `memory${memory.size}`)));
    return found;
  };
  return substitute(e, new Map(), (l, indices, outside) =>
    load(other(l.tensor) ?? memoryOf(l.tensor), indices, outside),
  ) as T;
}
const making = (node: Node): GraphProgram => ({
  ...{ name: "sum", inputs: [], dims: [], updates: [] },
  outputs: [{ name: "sum", node }],
});
/** ns of the kernels of a program. */
function priceOf(program: GraphProgram, target: Target): number {
  return kernelsIn(placeStreams(fuse(program, target), target).steps).reduce(
    (ns, k) => ns + choose(nestOf(k.spec), target).total,
    0,
  );
}
