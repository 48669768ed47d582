// Which steps may change places. In: steps, what lies in flat buffers. Out: yes or no.
import { elementCount } from "../graph/node.ts";
import type { Node } from "../graph/types.ts";
import type { Step, Touched as Tensors, View } from "../kernel/graph.ts";

/** Must b stay behind a? */
export function dependOn(a: Step, b: Step, views: ReadonlyMap<Node, View>): boolean {
  const touched = new Touched(views);
  touched.add(a);
  return touched.isBefore(b);
}
/** What steps read and write together. */
export class Touched {
  private readonly views: ReadonlyMap<Node, View>;
  private readonly reads = new Set<Node>();
  private readonly writes = new Set<Node>();

  constructor(views: ReadonlyMap<Node, View>) {
    this.views = views;
  }
  add(step: Step): void {
    for (const x of step.reads) this.reads.add(this.memory(x));
    for (const x of step.writes) this.writes.add(this.memory(x));
  }
  /** Must this one stay behind any of them? */
  isBefore(step: Step): boolean {
    for (const x of step.reads) if (this.writes.has(this.memory(x))) return true;
    for (const x of step.writes) {
      const memory = this.memory(x);
      if (this.writes.has(memory) || this.reads.has(memory)) return true;
    }
    return false;
  }
  private memory(x: Node): Node {
    return this.views.get(x)?.memory ?? x;
  }
}

/** What a step reads and writes, slice by slice. */
export const touchedBy = (s: Step): Tensors => (s.kind === "kernel" && s.touches) || s;
export interface Place {
  readonly memory: Node;
  readonly offset: number; // elements
}
/** What steps read and write together, slice by slice. */
export class Stretched {
  private readonly reads: Stretches;
  private readonly writes: Stretches;

  constructor(placeOf: (x: Node) => Place) {
    [this.reads, this.writes] = [new Stretches(placeOf), new Stretches(placeOf)];
  }
  add(step: Step): void {
    const { reads, writes } = touchedBy(step);
    this.reads.add(reads);
    this.writes.add(writes);
  }
  /** Must this one stay behind any of them? */
  isBefore(step: Step): boolean {
    const { reads, writes } = touchedBy(step);
    return this.writes.meet(reads) || this.writes.meet(writes) || this.reads.meet(writes);
  }
}
/** Stretches of memory. */
class Stretches {
  private readonly placeOf: (x: Node) => Place;
  private readonly known = new Map<Node, (readonly [from: number, to: number])[]>();
  constructor(placeOf: (x: Node) => Place) {
    this.placeOf = placeOf;
  }
  add(nodes: ReadonlySet<Node>): void {
    for (const x of nodes) {
      const place = this.placeOf(x);
      const own = this.known.get(place.memory);
      if (own) own.push(stretchOf(x, place));
      else this.known.set(place.memory, [stretchOf(x, place)]);
    }
  }
  meet(nodes: ReadonlySet<Node>): boolean {
    for (const x of nodes) {
      const place = this.placeOf(x);
      const own = this.known.get(place.memory);
      if (!own) continue;
      const [from, to] = stretchOf(x, place);
      if (own.some(([a, b]) => a < to && from < b)) return true;
    }
    return false;
  }
}
function stretchOf(x: Node, { offset }: Place): readonly [number, number] {
  const size = elementCount(x.shape); // NaN where only the run knows it
  return [offset, size >= 0 ? offset + size : Infinity];
}
