// Values that are computed again instead of being kept: what has made a tensor runs once more before it is needed, so that its memory serves others in
// between. In: the kernels of a unit, and the bytes that its own tensors may take. Out: the same values from more steps, with what that costs.
// A step may run again wherever everything that it reads still is what it was. Draws are made of seed, step and position: they come out the same.
import { source } from "../graph/node.ts";
import type { Node } from "../graph/types.ts";
import type { Trade } from "../programs/fuse.ts";
import type { KernelGraph, Step, View } from "../kernel/graph.ts";
import {
  factsOf,
  flopsIn,
  itemOf,
  profileOf,
  rangeOf,
  reading,
  slotBytes,
  soonest,
  stepOf,
  type Facts,
  type Item,
  type Profile,
  type Uses,
} from "./alive.ts";
import { alone } from "./renamed.ts";

export interface Fitted {
  readonly kernels: KernelGraph;
  readonly trade: Trade;
  /** Tensors that are alive together where most is, the largest first. */
  readonly peak: readonly Node[];
}
/** `auto`: as few bytes as little more arithmetic brings. */
export type Room = number | "auto";

export function computeAgain(
  kernels: KernelGraph,
  views: ReadonlyMap<Node, View>,
  room: Room,
  most: number, // tensors that a kernel binds
): Fitted {
  const facts = factsOf(kernels, views);
  const first: readonly Item[] = kernels.steps.map((s) => itemOf(s));
  const flopsBefore = flopsIn(first);
  const mostFlops = room === "auto" ? flopsBefore * (1 + autoShare) : Infinity;
  const wanted = room === "auto" ? 0 : room;
  const start = { items: first, bytes: slotBytes(first, facts) };
  let best = start;
  let items = first;
  if (best.bytes > wanted) {
    const sooner = soonest(first, facts);
    const bytes = slotBytes(sooner, facts);
    if (bytes < best.bytes) best = { items: (items = sooner), bytes };
  }
  for (let k = 0; best.bytes > wanted && k < roundsFor(first.length); k++) {
    const next = improved(items, facts, most, mostFlops - flopsIn(items));
    if (!next) break;
    items = next;
    const bytes = slotBytes(items, facts);
    if (bytes < best.bytes) best = { items, bytes };
  }
  const done = best.items;
  const trade: Trade = {
    bytes: [start.bytes, best.bytes],
    flops: [flopsBefore, flopsIn(done)],
    again: done.length - first.length,
  };
  const profile = profileOf(done, facts);
  return {
    kernels: done === first ? kernels : { ...kernels, steps: done.map(stepOf) },
    trade,
    peak: profile.alive(profile.peak).sort((a, b) => facts.bytesOf(b) - facts.bytesOf(a)),
  };
}
const autoShare = 0.05; // more operations than without
const roundsFor = (steps: number): number => 8 * steps + 64;

// ---------------------------------------------------------------- one tensor less

interface Candidate {
  readonly items: readonly Item[];
  readonly frees: number; // bytes at the peak
  readonly flops: number;
}
/** The list with what frees most bytes per operation where most is alive; undefined where nothing frees any. */
function improved(items: readonly Item[], facts: Facts, most: number, mostFlops: number): readonly Item[] | undefined {
  const profile = profileOf(items, facts);
  const ways = profile
    .alive(profile.peak)
    .flatMap((x) => waysFor(x, items, profile, facts, most))
    .filter((w) => w.flops <= mostFlops)
    .map((w) => ({ ...w, worth: facts.bytesOf(w.tensor) / (w.flops + w.touched) }))
    .sort((a, b) => b.worth - a.worth);
  let best: (Candidate & { readonly worth: number }) | undefined;
  for (const way of ways) {
    if (best && way.worth <= best.worth) break; // keeping inputs alive frees less than the tensor's own bytes
    const made = applied(items, way);
    const next = profileOf(made, facts);
    if (next.most > profile.most || (next.most === profile.most && next.times >= profile.times)) continue;
    // what is alive at the old peak now; steps were put in behind it
    const now = next.alive(profile.peak).reduce((sum, x) => sum + facts.bytesOf(x), 0);
    const worth = (profile.most - now) / (way.flops + way.touched);
    if (worth > 0 && (!best || worth > best.worth))
      best = { items: made, frees: profile.most - now, flops: way.flops, worth };
  }
  return best?.items;
}
/** Steps that make a tensor again before the step `at`, for it and for what comes behind. */
interface Way {
  readonly tensor: Node;
  readonly again: Node;
  readonly at: number;
  readonly steps: readonly Item[];
  readonly flops: number;
  readonly touched: number; // elements, about: a launch is not free
}
const applied = (items: readonly Item[], { tensor, again, at, steps }: Way): readonly Item[] => [
  ...items.slice(0, at),
  ...steps,
  ...items.slice(at).map((i) => (i.reads.has(tensor) ? reading(i, tensor, again) : i)),
];
function waysFor(x: Node, items: readonly Item[], { peak, uses }: Profile, facts: Facts, most: number): readonly Way[] {
  const own = uses.get(x);
  if (!own || !facts.isOwn(x)) return [];
  const { reads, writes } = own;
  const at = reads.find((i) => i > peak);
  const last = writes.at(-1);
  if (at === undefined || last === undefined || last >= peak || reads.includes(peak)) return [];
  // it was made at once, and then only read
  if (reads[0]! < last || (reads[0] === last && items[last]!.step.kind === "kernel")) return [];
  const ways: Way[] = [];
  for (const keeps of [true, false]) {
    const steps: Item[] = [];
    const again = makeAgain(x, { items, uses, at, facts, most, keeps, steps, made: new Map(), depth: 0 });
    if (!again || (ways[0] && ways[0].steps.length === steps.length)) continue;
    const touched = steps.reduce((n, s) => n + [...s.writes].reduce((m, w) => m + facts.bytesOf(w) / 4, launch), 0);
    ways.push({ tensor: x, again, at, steps, flops: flopsIn(steps), touched });
  }
  return ways;
}
const launch = 4096;
const deepest = 24;

interface Making {
  readonly items: readonly Item[];
  readonly uses: ReadonlyMap<Node, Uses>;
  readonly at: number;
  readonly facts: Facts;
  readonly most: number; // tensors that a kernel binds
  readonly keeps: boolean; // inputs that are no longer alive live on; otherwise they are made again, too
  readonly steps: Item[];
  readonly made: Map<Node, Node>;
  readonly depth: number;
}
/** Adds to `steps` what makes x again; undefined where something that it is made of has changed since. */
function makeAgain(x: Node, m: Making): Node | undefined {
  const known = m.made.get(x);
  if (known) return known;
  const writes = m.uses.get(x)?.writes ?? [];
  if (!writes.length || m.depth > deepest) return undefined;
  const again = twin(x);
  const own: Item[] = [];
  for (const i of writes) {
    const item = m.items[i]!;
    const original = [...item.step.writes].find((w) => (item.names.get(w) ?? w) === x)!;
    const found = item.step.kind === "kernel" ? alone(item.step, original, m.most) : wholly(item, m.facts);
    const made = found.reduce<Item | undefined>(
      (done, step) => done ?? onceMore(step, item, i, original, m),
      undefined,
    );
    if (!made) return undefined;
    own.push(itemOf(made.step, new Map([...made.names, [original, again]])));
  }
  m.steps.push(...own);
  m.made.set(x, again);
  return again;
}
/** What a step wrote beside x it writes to places that nothing else reads. */
function onceMore(step: Step, item: Item, i: number, x: Node, m: Making): Item | undefined {
  const names = new Map<Node, Node>();
  const [steps, made] = [m.steps.length, new Map(m.made)];
  const fail = (): undefined => {
    m.steps.length = steps;
    m.made.clear();
    for (const [x, y] of made) m.made.set(x, y);
    return undefined;
  };
  for (const r of step.reads) {
    const now = item.names.get(r) ?? r;
    if (step.writes.has(r)) {
      // of a loop: what it hands on from round to round, and another step may have begun
      const isWhole = r === x || m.uses.get(now)?.writes.length === 1;
      if (step.kind === "kernel" || !isWhole) return fail();
      continue;
    }
    const input = inputFor(now, i, m);
    if (!input) return fail();
    if (input !== r) names.set(r, input);
  }
  for (const w of step.writes) names.set(w, twin(item.names.get(w) ?? w));
  return itemOf(step, names);
}
/** What a step that ran at i reads as r, before the step `at`. */
function inputFor(r: Node, i: number, m: Making): Node | undefined {
  const { items, uses, at, facts, keeps } = m;
  const memory = facts.memoryOf(r);
  const own = uses.get(memory);
  if (own?.writes.some((k) => k > i && k < at)) return undefined;
  if (own?.writes.includes(i) && own.reads.includes(i)) return undefined; // it was something else then
  if (!facts.counts(memory)) return r;
  const [, last] = own ? rangeOf(own) : [0, 0];
  if (last >= at) return r;
  if (!keeps && facts.isOwn(r)) {
    const again = makeAgain(r, { ...m, items, depth: m.depth + 1 });
    if (again) return again;
  }
  return r;
}
const twin = (x: Node): Node =>
  source({
    role: "scratch",
    path: x.kind === "source" ? x.path : "again",
    shape: x.shape,
    dtype: x.dtype,
    label: x.label ?? (x.kind === "source" ? x.path : "values"),
    range: x.range,
    ...(x.span ? { span: x.span } : {}),
  });

/** Loops and launches of many kernels run again as a whole, if all that they write is the unit's own. */
const wholly = ({ step }: Item, { isOwn }: Facts): readonly Step[] => ([...step.writes].every(isOwn) ? [step] : []);
