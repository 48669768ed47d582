// What lies in memory: decides for every node of a program whether it is stored or computed where it is read, and answers what a stored
// node then reads and computes.
import { memoised, ownCompilation, remembered } from "../graph/compilation.ts";
import { baseOf, bodyAt, inputs, loadsIn } from "../graph/node.ts";
import { inRange, operandsOf, bottomUp, select, substitute, visit } from "../graph/scalar.ts";
import type { Compute, Extent, Integer, Load, Node, Scalar, Scatter, Shape } from "../graph/types.ts";
import type { ScalarFunction } from "../scalar/functions.ts";
import { prelude } from "../wgsl/prelude.ts";
import { fusionLimits, type FusionLimits } from "../kernel/limits.ts";
import type { Target } from "../kernel/target.ts";

export const estimate = (n: Extent): number => (typeof n === "number" ? n : 64);
export const sizeOf = (shape: Shape): number => shape.reduce<number>((p, n) => p * estimate(n), 1);
/** The shape without axes of extent 1. */
export const coreOf = (shape: Shape): Shape => (shape.includes(1) ? shape.filter((n) => n !== 1) : shape);
const corePositions = (shape: Shape): number[] => shape.flatMap((n, i) => (n === 1 ? [] : [i]));

/** What one evaluation of a scalar takes: how many loads, and a rough cost of all else, in loads. */
const workOf = memoised((body: Scalar): { readonly loads: number; readonly arithmetic: number } => {
  let loads = 0;
  let arithmetic = 0;
  visit(body, (e) => {
    if (e.kind === "load") loads++;
    else if (e.kind === "random") arithmetic += 10;
    else if (e.kind === "call") arithmetic += functionCost(e.fn);
    else if (e.kind === "select" || e.kind === "floor_div" || e.kind === "modulo") arithmetic += 0.1;
  });
  return { loads, arithmetic };
});
/** Cost of one evaluation of a body, in loads. */
export function bodyCost(body: Scalar): number {
  const { loads, arithmetic } = workOf(body);
  return loads + arithmetic;
}

/** By the row's class, and by the length of the helper that it calls. */
function functionCost(fn: ScalarFunction): number {
  const own = fn.cost === "fn" ? 1.2 : fn.cost === "div" ? 0.3 : 0.08;
  if (!fn.helpers) return own;
  return fn.helpers.reduce((sum, h) => sum + (prelude[h]?.code.length ?? 0) / 250, own);
}
const depths = remembered<Scalar, number>();
function depthOf(body: Scalar): number {
  const known = depths();
  return bottomUp(body, known, (e) => 1 + operandsOf(e).reduce((most, x) => Math.max(most, known.get(x)!), 0));
}
/**
 * Of the loads in a node's body, one by one, in loads: a number that does not change along the last axis is loaded once a row. (A place makes a gather of
 * what is read there.)
 */
const loadCosts = memoised((x: Compute): readonly number[] => {
  const last = x.shape.findLastIndex((n) => n !== 1);
  const isAlong = (l: Load): boolean => [...l.variables].some((v) => v.position === last);
  return loadsIn(x).map((l) => (last < 0 || l.dtype !== "f32" || isAlong(l) ? 1 : oncePerRow));
}, ownCompilation);
const oncePerRow = 0.1;

/** What is stored, by two passes: where a node is read often, and where what it writes out has become too much. `wide` is not. */
export function chooseStored(
  order: readonly Node[],
  forced: ReadonlySet<Node>,
  inputsOf: (x: Node) => readonly Node[],
  target: Target,
  wide: ReadonlySet<Node>,
): Set<Node> {
  const stored = new Set(
    order.filter((x) => !wide.has(x) && (isAlwaysStored(x) || (x.kind === "compute" && forced.has(x)))),
  );
  const users = new Map<Node, Node[]>();
  for (const x of order)
    if (x.kind !== "result" && x.kind !== "reshape")
      for (const y of inputsOf(x)) users.get(y)?.push(x) ?? users.set(y, [x]);
  const c: Choosing = {
    limits: fusionLimits[target.class],
    order,
    inputsOf,
    users,
    target,
    stored,
    wide,
    evaluations: new Map(),
    leaves: new Map(),
  };
  storeWhatRepeats(c);
  storeWhatIsLarge(c);
  return stored;
}
interface Choosing {
  readonly limits: FusionLimits;
  readonly order: readonly Node[];
  readonly inputsOf: (x: Node) => readonly Node[];
  readonly users: ReadonlyMap<Node, readonly Node[]>;
  readonly target: Target;
  readonly stored: Set<Node>;
  readonly wide: ReadonlySet<Node>; // computed where they are read, whatever that costs
  readonly evaluations: Map<Node, number>; // of a pointwise node, in all its readers
  readonly leaves: Map<Node, Set<Node>>; // memory that a node reads
}
const isAlwaysStored = (x: Node): boolean =>
  x.kind === "source" ||
  x.kind === "result" ||
  x.kind === "scatter" ||
  (x.kind === "compute" && x.reduction !== undefined);
const isPointwise = (x: Node): x is Compute => x.kind === "compute" && !x.reduction;

function timesEvaluated({ users, stored, evaluations }: Choosing, x: Node): number {
  let total = 0;
  for (const u of users.get(x) ?? []) {
    const iterations = stored.has(u) ? iterationsOf(u) : (evaluations.get(u) ?? sizeOf(u.shape));
    total += countLoads(u, x) * iterations;
  }
  return total;
}
function isWorthStoring(cost: number, evaluations: number, x: Node): boolean {
  const repeated = evaluations / Math.max(1, sizeOf(x.shape));
  // in memory: one evaluation, a store, a load for each use
  return repeated > 1.01 && cost * repeated > 1.15 * (cost + 1 + repeated);
}
/** Consumers first, assuming that what a node computes costs its own body. */
function storeWhatRepeats(c: Choosing): void {
  const { order, stored, evaluations, wide } = c;
  for (let i = order.length - 1; i >= 0; i--) {
    const x = order[i]!;
    if (!isPointwise(x)) continue;
    if (!stored.has(x) && !wide.has(x)) {
      const total = timesEvaluated(c, x);
      const cost = loadCosts(x).reduce((sum, n) => sum + n, workOf(x.body).arithmetic);
      if (isWorthStoring(cost, total, x)) stored.add(x);
      else evaluations.set(x, total);
    }
    if (stored.has(x)) evaluations.set(x, sizeOf(x.shape));
  }
}
/** Producers first, with what is really written out. */
function storeWhatIsLarge(c: Choosing): void {
  const { order, stored, limits, leaves, wide } = c;
  // of what is not stored
  const costs = new Map<Node, number>();
  const depths = new Map<Node, number>();
  for (const x of order) {
    if (x.kind !== "compute") continue;
    if (!stored.has(x)) {
      let cost = workOf(x.body).arithmetic;
      let depth = 0;
      const own = loadCosts(x);
      for (const [i, { tensor }] of loadsIn(x).entries()) {
        const isStored = stored.has(baseOf(tensor));
        cost += own[i]! * (isStored ? 1 : (costs.get(tensor) ?? 1));
        if (!isStored) depth = Math.max(depth, depths.get(tensor) ?? 0);
      }
      depth += depthOf(x.body);
      const isLarge = cost > limits.longestBody || depth > limits.deepest / 4;
      if (!wide.has(x) && (isLarge || isWorthStoring(cost, timesEvaluated(c, x), x))) stored.add(x);
      costs.set(x, cost);
      depths.set(x, depth);
    }
    if (stored.has(x) && c.inputsOf(x).every((y) => stored.has(baseOf(y)))) continue;
    const own = leavesOf(c, x);
    leaves.set(x, wide.has(x) || inputs(x).some((y) => wide.has(y)) ? own : fewEnough(c, x, own));
  }
}
function leavesOf({ inputsOf, stored, leaves }: Choosing, x: Node): Set<Node> {
  const own = new Set<Node>();
  for (const y of inputsOf(x).map(baseOf)) for (const z of stored.has(y) ? [y] : (leaves.get(y) ?? [])) own.add(z);
  return own;
}
/** No kernel may read more tensors than it can bind: the inputs that bring most with them are stored. */
function fewEnough(c: Choosing, x: Node, all: Set<Node>): Set<Node> {
  const { inputsOf, stored, leaves } = c;
  const most = c.target.storageBuffers - 2;
  if (boundBy(all) <= most) return all;
  const inlined = inputsOf(x)
    .map(baseOf)
    .filter((y) => isPointwise(y) && !stored.has(y) && !c.wide.has(y))
    .sort((a, b) => (leaves.get(b)?.size ?? 0) - (leaves.get(a)?.size ?? 0));
  let own = all;
  for (const y of inlined) {
    if (boundBy(own) <= most) break;
    stored.add(y);
    own = leavesOf(c, x);
  }
  return own;
}
/** Numbers share one binding. */
function boundBy(leaves: ReadonlySet<Node>): number {
  const isWide = (y: Node): boolean => y.kind === "source" || y.dtype !== "f32" || !y.shape.every((n) => n === 1);
  const wide = [...leaves].filter(isWide).length;
  return wide + Number(wide < leaves.size);
}
function iterationsOf(user: Node): number {
  if (user.kind === "compute") return sizeOf(user.shape) * sizeOf(user.reduction?.extents ?? []);
  if (user.kind === "scatter") return sizeOf(user.over) * estimate(user.shape[0] ?? 1);
  return sizeOf(user.shape);
}
function countLoads(user: Node, x: Node): number {
  let count = 0;
  for (const l of loadsIn(user)) if (l.tensor === x) count++;
  return Math.max(1, count);
}

/** Memory that a node reads once its pointwise inputs are written out. */
const readCache = new WeakMap<ReadonlySet<Node>, Map<Node, readonly Node[]>>();
export function inlinedReads(x: Node, stored: ReadonlySet<Node>): readonly Node[] {
  let cache = readCache.get(stored);
  if (!cache) readCache.set(stored, (cache = new Map()));
  const known = cache.get(x);
  if (known) return known;
  const found = new Set<Node>();
  const seen = new Set<Node>();
  const stack = [...inputs(x)];
  while (stack.length) {
    const base = baseOf(stack.pop()!);
    if (seen.has(base)) continue;
    seen.add(base);
    if (stored.has(base) || base.kind === "source" || base.kind === "result") found.add(base);
    else stack.push(...inputs(base));
  }
  const result = [...found];
  cache.set(x, result);
  return result;
}

/** Nodes with every pointwise input that has no memory written out in their bodies. */
export class Inliner {
  private readonly stored: Pick<ReadonlySet<Node>, "has">;
  private readonly computes = new Map<Compute, Compute>();
  constructor(stored: Pick<ReadonlySet<Node>, "has">) {
    this.stored = stored;
  }
  scalar(e: Scalar, memo = new Map<Scalar, Scalar>()): Scalar {
    return substitute(
      e,
      new Map(),
      (l, indices, outside) => {
        const x = l.tensor;
        if (!this.isInlined(x)) return undefined;
        const inner = bodyAt(this.compute(x), indices);
        return outside ? select(inRange(x, indices), inner, outside) : inner;
      },
      memo,
    );
  }
  isInlined(x: Node): x is Compute {
    return x.kind === "compute" && !x.reduction && !this.stored.has(x);
  }
  compute(x: Compute): Compute {
    let found = this.computes.get(x);
    if (!found) {
      const body = loadsIn(x).some((l) => this.isInlined(l.tensor)) ? this.scalar(x.body) : x.body;
      this.computes.set(x, (found = body === x.body ? x : { ...x, body }));
    }
    return found;
  }
  scatter(x: Scatter): Scatter {
    return { ...x, value: this.scalar(x.value), indices: x.indices.map((e) => this.scalar(e) as Integer) };
  }
  cost(x: Node): number {
    return x.kind === "compute" ? bodyCost(this.compute(x).body) : 1;
  }
  /** How deep the functions of a body lie within one another. */
  depth(x: Compute): number {
    return depthOf(this.compute(x).body);
  }
  /** Cost of what a body computes, loads left out: what an epilogue repeats for every element of a register tile. */
  arithmeticCost(x: Compute): number {
    return workOf(this.compute(x).body).arithmetic;
  }
}

/** Are all reads of y by x at x's own leading axes (axes of extent 1 left out)? */
export function aligned(x: Compute, y: Node, axes: number): boolean {
  const own = corePositions(x.shape);
  const theirs = corePositions(y.shape);
  for (const l of loadsIn(x)) {
    if (baseOf(l.tensor) !== y) continue;
    if (l.tensor !== y || l.outside) return false;
    for (let i = 0; i < axes; i++) {
      const at = l.indices[theirs[i]!];
      if (!at || at.kind !== "variable" || at.position !== own[i]) return false;
    }
  }
  return true;
}

/** The axes that one kernel of these nodes runs over: those of its reductions, else of all; later axes are loops of a row. */
export function mergedDomain(nodes: readonly Compute[]): Shape | undefined {
  const reduced = nodes.filter((x) => x.reduction);
  const domain = coreOf((reduced[0] ?? nodes[0]!).shape);
  for (const x of nodes) {
    const own = coreOf(x.shape);
    if (own.length < domain.length || domain.some((n, i) => own[i] !== n)) return undefined;
    if (own.length > domain.length && (x.reduction || !reduced.length)) return undefined;
  }
  return domain;
}

/** A sum of products where each operand serves several outputs. */
export const isContraction = memoised((x: Node): boolean => {
  if (x.kind !== "compute" || x.reduction?.op !== "sum") return false;
  const loads = loadsIn(x).filter((l) => l.dtype === "f32");
  if (loads.length < 2 || sizeOf(x.reduction.extents) < 4) return false;
  return loads.some((l) => x.shape.some((n, i) => n !== 1 && ![...l.variables].some((v) => v.position === i)));
}, ownCompilation);
