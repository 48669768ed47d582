// Which steps may change places. In: steps, what lies in flat buffers. Out: yes or no.
import type { Node } from "../graph/types.ts";
import type { Step, View } from "../kernel/graph.ts";

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
