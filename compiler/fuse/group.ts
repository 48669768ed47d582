// A group of nodes that one launch computes, while fusion grows it, and what follows from what.
import type { Integer, Node, Scan, Shape } from "../graph/types.ts";

/** A place that a node's value is written to; `at` turns the node's own indices into the memory's. */
export interface Home {
  readonly memory: Node;
  readonly at: (own: readonly Integer[]) => readonly Integer[];
}
export interface Group {
  readonly kind: "kernel" | "stream" | "scan" | "copy"; // a stream: folds, and what is made of their results
  readonly scan?: Scan;
  readonly copy?: { readonly from: Node; readonly home: Home }; // of a copy
  nodes: Node[]; // in topological order
  domain: Shape; // without axes of extent 1
  rank: number; // of the first node in the order of the program
  place: number; // among all: before what runs later; NaN where groups wait for each other
  readonly before: Set<Group>; // must run earlier
  readonly after: Set<Group>;
  alive: boolean;
  version: number; // rises with every merge
}

export const link = (a: Group, b: Group): void => {
  a.after.add(b);
  b.before.add(a);
};
/** Does b follow from a through other groups? Both are followed in turn: where the smaller part of the graph between them ends, the search does. */
export function reaches(a: Group, b: Group): boolean {
  if (a.place > b.place) return false;
  const after = new Set(laterThan(a, b));
  const before = new Set(earlierThan(b, a));
  const [down, up] = [after.values(), before.values()]; // they see what is added on the way
  for (;;) {
    const g = down.next().value as Group | undefined;
    const h = up.next().value as Group | undefined;
    if (!g || !h) return false;
    if (before.has(g) || after.has(h)) return true;
    for (const n of laterThan(g, b)) after.add(n);
    for (const p of earlierThan(h, a)) before.add(p);
  }
}
/** What follows g at once, but not what lies behind `end`. */
const laterThan = (g: Group, end: Group): Group[] => [...g.after].filter((n) => n !== end && !(n.place > end.place));
const earlierThan = (g: Group, start: Group): Group[] =>
  [...g.before].filter((p) => p !== start && !(p.place < start.place));

/** Gives all of them their places. */
export function putInOrder(groups: readonly Group[]): void {
  const alive = groups.filter((g) => g.alive);
  const order = sorted(alive);
  for (const g of alive) g.place = NaN;
  if (order.length === alive.length) for (const [i, g] of order.entries()) g.place = i;
}
/** a stands for both. Where one reaches the other through a third, as within a cluster, `putInOrder` has to follow. */
export function absorb(a: Group, b: Group): void {
  a.place = placeOfBoth(a, b);
  for (const p of b.before) {
    p.after.delete(b);
    if (p !== a) link(p, a);
  }
  for (const n of b.after) {
    n.before.delete(b);
    if (n !== a) link(a, n);
  }
  a.before.delete(b);
  a.after.delete(b);
  b.alive = false;
}
/** The place of two that become one, neither of which reaches the other: between what the later waits for and what waits for the earlier, which move. */
function placeOfBoth(a: Group, b: Group): number {
  const [first, last] = a.place < b.place ? [a, b] : [b, a];
  const later = new Set(laterThan(first, last));
  if (!later.size || Number.isNaN(last.place)) return last.place;
  for (const g of later) for (const n of laterThan(g, last)) later.add(n);
  const earlier = new Set(earlierThan(last, first));
  for (const g of earlier) for (const p of earlierThan(g, first)) earlier.add(p);
  const inOrder = (set: ReadonlySet<Group>): Group[] => [...set].sort((x, y) => x.place - y.place);
  const moved = [...inOrder(earlier), first, ...inOrder(later)];
  const places = moved.map((g) => g.place).sort((x, y) => x - y);
  for (const [i, g] of moved.entries()) g.place = places[i]!;
  return first.place;
}
/** Does no way lead from the set out and back into it? */
export function convex(set: ReadonlySet<Group>): boolean {
  const outside = new Set([...set].flatMap((g) => [...g.after]).filter((g) => !set.has(g)));
  for (const g of outside)
    for (const n of g.after) {
      if (set.has(n)) return false;
      outside.add(n);
    }
  return true;
}
/** Kahn's algorithm, the earliest in the program first; groups of a cycle, and those behind it, are left out. */
export function sorted(groups: readonly Group[]): Group[] {
  const waiting = new Map(groups.map((g) => [g, [...g.before].filter((p) => p.alive).length]));
  const ready = groups.filter((g) => waiting.get(g) === 0).sort((a, b) => b.rank - a.rank);
  const result: Group[] = [];
  while (ready.length) {
    const g = ready.pop()!;
    result.push(g);
    for (const n of g.after) {
      if (!n.alive) continue;
      const left = waiting.get(n)! - 1;
      waiting.set(n, left);
      if (left) continue;
      let i = ready.length;
      while (i > 0 && ready[i - 1]!.rank < n.rank) i--;
      ready.splice(i, 0, n);
    }
  }
  return result;
}
