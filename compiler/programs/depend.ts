// Which steps may change places. In: two steps, what lies in flat buffers. Out: yes or no.
import type { Node } from "../graph/types.ts";
import type { Step, View } from "../kernel/graph.ts";

/** Must b stay behind a? */
export function dependOn(a: Step, b: Step, views: ReadonlyMap<Node, View>): boolean {
  const memory = (x: Node): Node => views.get(x)?.memory ?? x;
  const [reads, writes] = [new Set([...a.reads].map(memory)), new Set([...a.writes].map(memory))];
  return (
    [...b.reads].some((x) => writes.has(memory(x))) ||
    [...b.writes].some((x) => writes.has(memory(x)) || reads.has(memory(x)))
  );
}
