// Loops that compute the same become one. In: a simplified program. Out: the program with fewer loops.
// Equal nodes are one object, but every loop is its own: a derivative is taken of a stable form of its objective, in which a loop whose body or initial
// values change is made anew, and only simplification brings the objective's own loop to the same form. Without this the rounds would run twice.
import { finalOf, historyOf, levelInputs, rootsOf, stackOf, topological } from "../graph/node.ts";
import { bodyOver, mapProgram, rebuildNode, rebuildNodes, type Rewriting } from "../graph/rebuild.ts";
import type { GraphProgram, Node, Result, Scan } from "../graph/types.ts";
import type { Fired } from "./rewrite.ts";

const unchanged: Omit<Rewriting, "scans"> = { scalar: (e) => e, node: (x) => x };
/** The nodes of b's body in a's. */
const inBodyOf = (a: Scan, b: Scan): ((x: Node) => Node) =>
  bodyOver(
    b,
    { ...unchanged, scans: new Map() },
    a.step,
    a.carries.map((c) => c.incoming),
  );
/** Loops that no other loop holds, with what is read of each. */
function outermost(program: GraphProgram): Map<Scan, Result[]> {
  const found = new Map<Scan, Result[]>();
  for (const x of topological(rootsOf(program), undefined, levelInputs))
    if (x.kind === "result") found.set(x.scan, [...(found.get(x.scan) ?? []), x]);
  return found;
}
/** Do the rounds of both begin with the same values, and may they run together? */
function alike(a: Scan, b: Scan, results: readonly Result[]): boolean {
  const same =
    a.count === b.count &&
    a.reverse === b.reverse &&
    a.carries.length === b.carries.length &&
    a.carries.every((c, j) => {
      const d = b.carries[j]!;
      return (
        c.initial === d.initial &&
        c.incoming.range?.low === d.incoming.range?.low &&
        c.incoming.range?.high === d.incoming.range?.high
      );
    });
  if (!same) return false;
  const below = topological(results.flatMap(levelInputs), undefined, levelInputs);
  return !below.some((x) => x.kind === "result" && (x.scan === a || x.scan === b));
}
/** A pair of equal loops, or undefined. */
function equalLoops(program: GraphProgram): readonly [Scan, Scan] | undefined {
  const results = outermost(program);
  const loops = [...results.keys()];
  for (const [i, b] of loops.entries())
    for (const a of loops.slice(0, i)) {
      if (!alike(a, b, [...results.get(a)!, ...results.get(b)!])) continue;
      const node = inBodyOf(a, b);
      if (b.carries.every((c, j) => node(c.next) === a.carries[j]!.next)) return [a, b];
    }
  return undefined;
}
export function uniteLoops(program: GraphProgram, fired: Fired): GraphProgram {
  let now = program;
  for (let pair = equalLoops(now); pair; pair = equalLoops(now)) {
    const [a, b] = pair;
    const inside = inBodyOf(a, b);
    const resultOf = ({ of }: Result): Node =>
      of.kind === "stack"
        ? stackOf(a, inside(of.node))
        : of.kind === "final"
          ? finalOf(a, of.carry)
          : historyOf(a, of.carry);
    const node = rebuildNodes((x, over) =>
      x.kind === "result" && x.scan === b ? resultOf(x) : over.moves(x) ? rebuildNode(x, over) : x,
    );
    now = mapProgram(now, node);
    fired.set("equal-loops", (fired.get("equal-loops") ?? 0) + 1);
  }
  return now;
}
