// Memory planner: live ranges to shared buffers. In: the steps of a program. Out: a slot for every tensor that lives only within it.
// Two tensors share a slot where their live ranges do not meet: greedy by size, best fit. A range covers the dispatch that writes a tensor
// first and the last that reads it, both included, so a slot is never read and written in one dispatch.
import { InternalError } from "../../grammar/diagnostic.ts";
import type { Node } from "../graph/types.ts";
import type { Step } from "../kernel/graph.ts";

export interface LiveRange {
  readonly node: Node;
  readonly first: number;
  readonly last: number;
  readonly written: boolean; // before it is read
}
/** Live ranges over the dispatches in order, loops once. What a loop reads from before it lives to its end; what is read after it, from its beginning. */
export function liveRanges(steps: readonly Step[]): LiveRange[] {
  interface Use {
    readonly at: number;
    readonly loops: readonly (readonly [number, number])[];
    readonly write: boolean;
  }
  const uses = new Map<Node, Use[]>();
  let at = 0;
  const count = (list: readonly Step[]): number =>
    list.reduce((n, s) => n + (s.kind === "loop" ? count(s.body) : 1), 0);
  const walk = (list: readonly Step[], loops: readonly (readonly [number, number])[]): void => {
    for (const s of list) {
      if (s.kind === "loop") {
        walk(s.body, [...loops, [at, at + Math.max(0, count(s.body) - 1)]]);
        continue;
      }
      const note = (node: Node, write: boolean): void => {
        const use = { at, loops, write };
        const own = uses.get(node);
        if (own) own.push(use);
        else uses.set(node, [use]);
      };
      for (const n of s.reads) note(n, false);
      for (const n of s.writes) note(n, true);
      at++;
    }
  };
  walk(steps, []);
  return [...uses].map(([node, list]) => {
    let first = Math.min(...list.map((u) => u.at));
    const written = list.some((u) => u.write && u.at === first);
    let last = Math.max(...list.map((u) => u.at));
    // a loop that only some of the uses lie in runs as a whole between them; so does one whose rounds hand the value on
    const loops = new Map<string, readonly [number, number]>();
    for (const u of list) for (const l of u.loops) loops.set(l.join(), l);
    for (const l of loops.values()) {
      const inside = list.filter((u) => u.loops.some((k) => k[0] === l[0] && k[1] === l[1]));
      const start = inside.reduce((a, b) => (b.at < a.at || (b.at === a.at && b.write && !a.write) ? b : a));
      if (inside.length < list.length || !start.write || inside.some((u) => u.at === start.at && !u.write))
        [first, last] = [Math.min(first, l[0]), Math.max(last, l[1])];
    }
    return { node, first, last, written };
  });
}

/** Slots by size; bytes of a slot is that of its largest tensor. */
export function assignSlots(
  ranges: readonly LiveRange[],
  bytesOf: (node: Node) => number,
): { slotOf: Map<Node, number>; bytes: number[] } {
  const slotOf = new Map<Node, number>();
  const bytes: number[] = [];
  const held: LiveRange[][] = []; // by slot, in the order of time
  const order = ranges.map((r, i) => ({ r, i, size: bytesOf(r.node) })).sort((a, b) => b.size - a.size || a.i - b.i);
  for (const { r, size } of order) {
    let best = -1;
    for (let k = 0; k < bytes.length; k++) {
      const next = held[k]![placeIn(held[k]!, r)];
      if (next && next.first <= r.last) continue;
      // a tiny tensor does not take a large slot out of use for others of its size
      if (best < 0 || bytes[k]! < bytes[best]!) best = k;
    }
    if (best < 0) {
      best = bytes.length;
      bytes.push(size);
      held.push([]);
    }
    held[best]!.splice(placeIn(held[best]!, r), 0, r);
    slotOf.set(r.node, best);
  }
  return { slotOf, bytes };
}
/** How many of these, which do not meet, end before r begins. */
function placeIn(held: readonly LiveRange[], r: LiveRange): number {
  let [low, high] = [0, held.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (held[middle]!.last < r.first) low = middle + 1;
    else high = middle;
  }
  return low;
}
/** Nothing is read before it is written, and no two tensors of one slot are alive at once. */
export function verifySlots(ranges: readonly LiveRange[], slotOf: ReadonlyMap<Node, number>): void {
  const early = ranges.find((r) => !r.written);
  if (early) throw new InternalError(`memory: ${early.node.label ?? early.node.kind} is read before it is written`);
  const sharing = new Map<number, LiveRange[]>();
  for (const r of ranges) {
    const slot = slotOf.get(r.node);
    if (slot === undefined) continue;
    const own = sharing.get(slot);
    if (own) own.push(r);
    else sharing.set(slot, [r]);
  }
  for (const list of sharing.values()) {
    let before: LiveRange | undefined;
    for (const r of list.sort((a, b) => a.first - b.first)) {
      if (before && r.first <= before.last)
        throw new InternalError(
          `memory: ${before.node.label ?? before.node.kind} and ${r.node.label ?? r.node.kind} share a buffer and are alive at once`,
        );
      before = r;
    }
  }
}
