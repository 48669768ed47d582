// Graphs with a purpose, from the nodes that they give: what they read, their dims, and initial values in full.
import type { Span } from "../../grammar/diagnostic.ts";
import { topological } from "../graph/node.ts";
import { visit } from "../graph/scalar.ts";
import type { Dim, Extent, GraphProgram, Node, Scalar, Source } from "../graph/types.ts";
import type { Interpreter } from "./context.ts";
import { overSources } from "./vmap.ts";

export function program(
  name: string,
  outputs: readonly { name: string; node: Node }[],
  updates: readonly { target: Source; value: Node }[],
): GraphProgram {
  const sources = new Set<Source>();
  const extents = new Set<Extent>();
  const seen = new Set<Scalar>();
  for (const n of topological([...outputs.map((o) => o.node), ...updates.map((u) => u.value)])) {
    if (n.kind === "source" && n.role !== "constant" && n.role !== "carry") sources.add(n);
    for (const extent of n.shape) extents.add(extent);
    if (n.kind === "compute") for (const extent of n.reduction?.extents ?? []) extents.add(extent);
    for (const e of n.kind === "compute" ? [n.body] : n.kind === "scatter" ? [n.value, ...n.indices] : [])
      visit(e, (x) => x.kind === "dim" && extents.add(x), seen);
  }
  return { name, inputs: [...sources], dims: dimsOf([...extents]), outputs, updates };
}
export const dimsOf = (extents: readonly Extent[]): Dim[] => {
  const found = new Set<Dim>();
  for (const n of extents) {
    if (typeof n === "number") continue;
    if (n.kind === "dim") found.add(n);
    else for (const [atom] of n.terms) if (atom.kind === "dim") found.add(atom);
  }
  return [...found];
};
export interface Initialised {
  readonly source: Source;
  readonly initial: Node;
  readonly span: Span;
}
/**
 * Initial values in full: one that reads parameters or states (`state first = net(d.x)`) reads their initial values, which are written at the same time.
 * `written`: those which are; all others keep what they have.
 */
export function initialValues(
  self: Interpreter,
  written: readonly Initialised[] = [...self.parameters.values(), ...self.states.values()],
): (x: Initialised) => Node {
  const all = new Map<Node, Initialised>(written.map((x) => [x.source, x]));
  const known = new Map<Initialised, Node>();
  const value = (x: Initialised): Node => {
    const before = known.get(x);
    if (before) return before;
    known.set(x, x.initial);
    const read = topological([x.initial]).filter((y) => all.has(y));
    const full = read.length ? overSources(x.initial, new Map(read.map((y) => [y, value(all.get(y)!)]))) : x.initial;
    known.set(x, full);
    return full;
  };
  return value;
}
