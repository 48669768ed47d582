// Graphs rebuilt over other nodes: what reads nothing that moved is itself, what does is made once, and loops too.
import { expect, test } from "vitest";
import { Compilation, within } from "../../compiler/graph/compilation.ts";
import { compute, finalOf, scan, source } from "../../compiler/graph/node.ts";
import { rebuildNode, rebuildNodes } from "../../compiler/graph/rebuild.ts";
import { call, load, variable } from "../../compiler/graph/scalar.ts";
import type { Node, Source } from "../../compiler/graph/types.ts";

const input = (path: string): Source => source({ role: "input", path, shape: [4], dtype: "f32" });
const added = (x: Node, y: Node): Node => {
  const i = variable(4, "i");
  return compute([i], undefined, call("add", load(x, [i]), load(y, [i])));
};
/** `s` begins as `from`, and `step` is added to it three times. */
const loop = (from: Node, step: Node): Node =>
  finalOf(
    scan({ count: 3, initial: [from], names: ["s"] }, (_, [s]) => [added(s!, step)]),
    0,
  );

test("what reads nothing that moved is itself; what does reads the other", () =>
  within(new Compilation(), () => {
    const [a, b, c] = [input("a"), input("b"), input("c")];
    const still = added(a, a);
    const moved = added(still, b);
    const around = loop(still, still);
    const top = added(around, moved);
    const met: Node[] = [];
    const swap = rebuildNodes(
      (x, over) => {
        met.push(x);
        return over.moves(x) ? rebuildNode(x, over) : x;
      },
      new Map<Node, Node>([[b, c]]),
    );
    expect(swap(top)).toBe(added(around, added(still, c)));
    expect(swap(still)).toBe(still);
    expect(swap(top)).toBe(swap(top));
    expect(new Set(met).size).toBe(met.length); // each once
  }));
test("a loop is made anew where something outside that it reads has moved", () =>
  within(new Compilation(), () => {
    const [a, b, c] = [input("a"), input("b"), input("c")];
    const swap = rebuildNodes((x, over) => (over.moves(x) ? rebuildNode(x, over) : x), new Map<Node, Node>([[b, c]]));
    const before = loop(a, b);
    const after = swap(before);
    expect(after).not.toBe(before);
    const read = new Set<Node>();
    if (after.kind === "result")
      for (const carry of after.scan.carries) {
        const { next } = carry;
        if (next.kind === "compute" && next.body.kind === "call")
          for (const o of next.body.operands) if (o.kind === "load") read.add(o.tensor);
      }
    expect(read.has(c)).toBe(true);
    expect(read.has(b)).toBe(false);
  }));
test("where it stops, what lies behind is not looked at", () =>
  within(new Compilation(), () => {
    const [a, b] = [input("a"), input("b")];
    const inner = added(a, b);
    const outer = added(inner, inner);
    const met: Node[] = [];
    rebuildNodes(
      (x) => {
        met.push(x);
        return x;
      },
      undefined,
      (x) => x === inner,
    )(outer);
    expect(met).toEqual([inner, outer]);
  }));
