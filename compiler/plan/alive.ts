// A unit's steps as what they read and write, and which of its tensors are alive when. In: kernels in order. Out: a profile of its memory, which says
// where most is needed; an order in which less is.
import { elementCount } from "../graph/node.ts";
import type { Node } from "../graph/types.ts";
import type { KernelGraph, Step, View } from "../kernel/graph.ts";
import { flopsOfSteps } from "../lower/whole.ts";
import { bytesOfShape } from "./buffers.ts";
import { assignSlots, type LiveRange } from "./memory.ts";
import { isPersistent } from "../programs/layout.ts";
import { renamed } from "./renamed.ts";

// ---------------------------------------------------------------- steps as what they read and write

/** A step, with other names for tensors; `only`: of its stores, those to this one. */
export interface Item {
  readonly step: Step;
  readonly names: ReadonlyMap<Node, Node>;
  readonly reads: ReadonlySet<Node>;
  readonly writes: ReadonlySet<Node>;
  readonly flops: number;
}
export function itemOf(step: Step, names: ReadonlyMap<Node, Node> = new Map()): Item {
  const named = (list: ReadonlySet<Node>): ReadonlySet<Node> =>
    names.size ? new Set([...list].map((x) => names.get(x) ?? x)) : list;
  return { step, names, reads: named(step.reads), writes: named(step.writes), flops: flopsOfStep(step) };
}
const flopsKnown = new WeakMap<Step, number>();
function flopsOfStep(step: Step): number {
  let found = flopsKnown.get(step);
  if (found === undefined) {
    const size = flopsOfSteps([step]);
    const grid = step.kind === "rowwise" ? (step.grid ?? []).reduce((n, g) => n * g.count, 1) : 1;
    flopsKnown.set(step, (found = typeof size === "number" ? size * grid : 0));
  }
  return found;
}
export const flopsIn = (items: readonly Item[]): number => items.reduce((sum, i) => sum + i.flops, 0);
/** The same reading `to` instead of `from`. */
export function reading(item: Item, from: Node, to: Node): Item {
  const names = new Map(item.names);
  for (const x of item.step.reads) if ((item.names.get(x) ?? x) === from) names.set(x, to);
  return itemOf(item.step, names);
}
export const stepOf = ({ step, names }: Item): Step => (names.size ? renamed(step, names) : step);

export interface Facts {
  readonly memoryOf: (x: Node) => Node;
  /** Of the elements of its memory. */
  readonly stretchOf: (x: Node) => readonly [from: number, to: number];
  /** May it have another place, from some step on? It lives in the unit alone, by itself, and its size is known. */
  readonly isOwn: (x: Node) => boolean;
  readonly counts: (x: Node) => boolean; // is it among the unit's slots?
  readonly bytesOf: (x: Node) => number;
}
export function factsOf(kernels: KernelGraph, views: ReadonlyMap<Node, View>): Facts {
  const joined = kernels.joined ?? new Map<Node, View>();
  const outputs = new Set(kernels.outputs.map((o) => o.memory));
  const whole = new Set<Node>([...joined.values()].map((v) => v.memory));
  const known = new Map<Node, number>();
  const bytesOf = (x: Node): number => {
    let found = known.get(x);
    if (found === undefined) {
      const size = bytesOfShape(x.shape, x.dtype);
      known.set(x, (found = typeof size === "number" ? size : 0));
    }
    return found;
  };
  const viewOf = (x: Node): View | undefined => views.get(x) ?? joined.get(x);
  const counts = (x: Node): boolean => !isPersistent(x) && !views.has(x) && !outputs.has(x) && !joined.has(x);
  return {
    memoryOf: (x) => viewOf(x)?.memory ?? x,
    stretchOf: (x) => {
      const from = viewOf(x)?.offset;
      const size = elementCount(x.shape); // NaN where only the run knows it
      return from === undefined || !(size >= 0) ? [0, Infinity] : [from, from + size];
    },
    isOwn: (x) => counts(x) && !whole.has(x) && elementCount(x.shape) > 0,
    counts,
    bytesOf,
  };
}

// ---------------------------------------------------------------- what is alive when

export interface Uses {
  readonly writes: number[];
  readonly reads: number[];
}
export function usesIn(items: readonly Item[], { memoryOf }: Facts): ReadonlyMap<Node, Uses> {
  const found = new Map<Node, Uses>();
  const of = (x: Node): Uses => {
    const memory = memoryOf(x);
    let own = found.get(memory);
    if (!own) found.set(memory, (own = { writes: [], reads: [] }));
    return own;
  };
  items.forEach((item, i) => {
    for (const x of item.writes) of(x).writes.push(i);
    for (const x of item.reads) of(x).reads.push(i);
  });
  return found;
}
export interface Profile {
  readonly uses: ReadonlyMap<Node, Uses>;
  readonly most: number; // bytes alive in the step `peak`
  readonly peak: number;
  readonly times: number; // steps with as many
  readonly alive: (step: number) => Node[];
}
export const rangeOf = ({ writes, reads }: Uses): readonly [first: number, last: number] => [
  Math.min(writes[0] ?? Infinity, reads[0] ?? Infinity),
  Math.max(writes.at(-1) ?? 0, reads.at(-1) ?? 0),
];
export function profileOf(items: readonly Item[], facts: Facts): Profile {
  const uses = usesIn(items, facts);
  const change = new Array<number>(items.length + 1).fill(0);
  for (const [x, own] of uses) {
    if (!facts.counts(x)) continue;
    const [first, last] = rangeOf(own);
    change[first]! += facts.bytesOf(x);
    change[last + 1]! -= facts.bytesOf(x);
  }
  let [now, most, peak, times] = [0, 0, 0, 0];
  change.slice(0, -1).forEach((by, i) => {
    now += by;
    if (now > most) [most, peak, times] = [now, i, 1];
    else if (now === most) times++;
  });
  const alive = (step: number): Node[] =>
    [...uses].flatMap(([x, own]) => {
      const [first, last] = rangeOf(own);
      return facts.counts(x) && first <= step && step <= last ? [x] : [];
    });
  return { uses, most, peak, times, alive };
}
/** Bytes of the slots that the plan will make. */
export function slotBytes(items: readonly Item[], facts: Facts): number {
  const ranges = [...usesIn(items, facts)].flatMap(([node, own]): LiveRange[] => {
    const [first, last] = rangeOf(own);
    return facts.counts(node) && facts.bytesOf(node) ? [{ node, first, last, written: true }] : [];
  });
  return assignSlots(ranges, facts.bytesOf).bytes.reduce((sum, n) => sum + n, 0);
}

// ---------------------------------------------------------------- order

/** What frees memory, or takes none, runs as soon as it can; else the order stays. */
export function soonest(items: readonly Item[], facts: Facts): readonly Item[] {
  const before = dependencies(items, facts);
  const after = items.map((): number[] => []);
  before.forEach((list, i) => list.forEach((k) => after[k]!.push(i)));
  const waiting = before.map((list) => list.size);
  const readers = new Map<Node, number>();
  for (const item of items)
    for (const x of new Set([...item.reads].map(facts.memoryOf))) readers.set(x, (readers.get(x) ?? 0) + 1);
  const alive = new Set<Node>();
  const bytes = (list: Iterable<Node>): number => {
    let sum = 0;
    for (const x of new Set(list)) if (facts.counts(x)) sum += facts.bytesOf(x);
    return sum;
  };
  const takes = ({ reads, writes }: Item): number =>
    bytes([...writes].map(facts.memoryOf).filter((x) => !alive.has(x))) -
    bytes([...reads].map(facts.memoryOf).filter((x) => readers.get(x) === 1));
  const ready = new Set([...items.keys()].filter((i) => waiting[i] === 0));
  const result: Item[] = [];
  while (ready.size) {
    const list = [...ready].sort((a, b) => a - b);
    const next = list.find((i) => takes(items[i]!) <= 0) ?? list[0]!;
    ready.delete(next);
    const item = items[next]!;
    result.push(item);
    for (const x of item.writes) alive.add(facts.memoryOf(x));
    for (const x of new Set([...item.reads].map(facts.memoryOf))) readers.set(x, readers.get(x)! - 1);
    for (const k of after[next]!) if (--waiting[k]! === 0) ready.add(k);
  }
  return result;
}
/** Which steps each has to wait for: one of them writes what the other touches. */
function dependencies(items: readonly Item[], { memoryOf, stretchOf }: Facts): readonly ReadonlySet<number>[] {
  interface Touch {
    readonly step: number;
    readonly from: number;
    readonly to: number;
  }
  const wrote = new Map<Node, Touch[]>();
  const read = new Map<Node, Touch[]>();
  return items.map(({ reads, writes }, step) => {
    const before = new Set<number>();
    const meet = (x: Node, list: Map<Node, Touch[]>): void => {
      const [from, to] = stretchOf(x);
      for (const t of list.get(memoryOf(x)) ?? [])
        if (t.from < to && from < t.to && t.step !== step) before.add(t.step);
    };
    const note = (x: Node, list: Map<Node, Touch[]>): void => {
      const [from, to] = stretchOf(x);
      const own = list.get(memoryOf(x));
      if (own) own.push({ step, from, to });
      else list.set(memoryOf(x), [{ step, from, to }]);
    };
    for (const x of reads) meet(x, wrote);
    for (const x of writes) {
      meet(x, wrote);
      meet(x, read);
    }
    for (const x of reads) note(x, read);
    for (const x of writes) note(x, wrote);
    return before;
  });
}
