// Graphs made anew where parts of them are replaced: nodes over other scalars and tensors, loops with a step and carries of their own, programs.
import { withBody } from "./bodies.ts";
import { axis, variable } from "./leaves.ts";
import { load } from "./loads.ts";
import { finalOf, historyOf, scan, stackOf } from "./scans.ts";
import { scatter } from "./scatter.ts";
import { reshape } from "./sources.ts";
import { substitute, type OnLoad } from "./substitute.ts";
import type { GraphProgram, Integer, Node, Scalar, Scan, Scatter, Update, Variable } from "./types.ts";
import { levelInputs, rootsOf, topological, visit } from "./walk.ts";

/** What a graph becomes. */
export interface Rewriting {
  readonly scalar: (e: Scalar) => Scalar; // of bodies and indices, loads included
  readonly node: (x: Node) => Node; // what is read by reshapes and loops
  readonly scans: Map<Scan, RebuiltScan>; // made so far: one copy of each
  readonly inBody?: (x: Node, inner: Rewriting) => Node; // what a node of a loop's body becomes; default: rebuildNode
}
export interface RebuiltScan {
  readonly scan: Scan;
  readonly node: (x: Node) => Node; // of the body, in the new scan
}

/** A node over rewritten scalars and tensors; itself where nothing changes. */
export function rebuildNode(x: Node, rewriting: Rewriting): Node {
  switch (x.kind) {
    case "source":
      return x;
    case "reshape": {
      const operand = rewriting.node(x.operand);
      return operand === x.operand ? x : reshape(operand, x.shape, { span: x.span, label: x.label });
    }
    case "compute": {
      const body = rewriting.scalar(x.body);
      return body === x.body ? x : withBody(x, body);
    }
    case "scatter": {
      const value = rewriting.scalar(x.value);
      const indices = x.indices.map((e) => rewriting.scalar(e) as Integer);
      return value === x.value && indices.every((e, d) => e === x.indices[d]) ? x : rebuildScatter(x, indices, value);
    }
    case "result": {
      const made = rebuildScan(x.scan, rewriting);
      if (x.of.kind === "stack") return stackOf(made.scan, made.node(x.of.node));
      return x.of.kind === "final" ? finalOf(made.scan, x.of.carry) : historyOf(made.scan, x.of.carry);
    }
    default:
      return x satisfies never;
  }
}
function rebuildScatter(x: Scatter, indices: readonly Integer[], value: Scalar): Node {
  const over = x.over.map((n) => variable(n, "v"));
  const own = new Map(over.map((v, i) => [axis(i, v.extent), v] as const));
  return scatter(
    x.shape,
    over,
    indices.map((e) => substitute(e, own) as Integer),
    substitute(value, own),
    { span: x.span, label: x.label },
  );
}

/**
 * A scan over rewritten values, with a step and carries of its own. `ends`: of its carries, over the old step and carries where they are not
 * the scan's own.
 */
export function rebuildScan(
  s: Scan,
  outer: Rewriting,
  ends: readonly { readonly initial: Node; readonly next: Node }[] = s.carries.map((c) => ({
    initial: outer.node(c.initial),
    next: c.next,
  })),
): RebuiltScan {
  const before = outer.scans.get(s);
  if (before) return before;
  let node: (x: Node) => Node = (x) => x;
  const made = scan(
    {
      count: s.count,
      initial: ends.map((c) => c.initial),
      names: s.carries.map((c) => c.incoming.path),
      ranges: s.carries.map((c) => c.incoming.range),
      reverse: s.reverse,
      span: s.span,
    },
    (t, incoming) => {
      node = bodyOver(s, outer, t, incoming);
      return ends.map((c) => node(c.next));
    },
  );
  const result = { scan: made, node };
  outer.scans.set(s, result);
  return result;
}
/** The nodes of a loop's body over another step and other incoming carries. */
export function bodyOver(s: Scan, outer: Rewriting, t: Variable, incoming: readonly Node[]): (x: Node) => Node {
  const step = new Map<Scalar, Scalar>([[s.step, t]]);
  const memo = new Map<Scalar, Scalar>(); // bodies name their axes alike
  const node = mapNodes(
    new Map(s.carries.map((c, j) => [c.incoming, incoming[j]!])),
    (x) => !x.scans.has(s),
    (x) => (x.scans.has(s) ? inBody(x, inner) : outer.node(x)),
  );
  const { inBody = rebuildNode } = outer;
  const read = reading(node);
  const inner: Rewriting = {
    ...outer,
    scalar: (e) => substitute(outerSteps(e, s, outer), step, read, memo),
    node,
    scans: new Map(),
  };
  return node;
}
/** Steps of enclosing loops inside an inner body are renamed by the outer rewriting; its loads are handled by the inner one. */
function outerSteps(e: Scalar, s: Scan, outer: Rewriting): Scalar {
  if (![...e.scans].some((other) => other !== s)) return e;
  const steps = new Map<Scalar, Scalar>();
  visit(e, (x) => {
    if (x.kind !== "variable" || !x.scans.size || x === s.step) return;
    const to = outer.scalar(x);
    if (to !== x) steps.set(x, to);
  });
  return steps.size ? substitute(e, steps, (l, indices, outside) => load(l.tensor, indices, outside)) : e;
}

/** Nodes to nodes, each once: `to` gives what stands for one, after what stands for its inputs unless `stop` looks no further. `known` grows. */
export function mapNodes(
  known: Map<Node, Node>,
  stop: (x: Node) => boolean,
  to: (x: Node) => Node,
): (root: Node) => Node {
  return (root) => {
    const found = known.get(root);
    if (found) return found;
    for (const x of topological([root], (y) => known.has(y) || stop(y), levelInputs))
      if (!known.has(x)) known.set(x, to(x));
    return known.get(root)!;
  };
}
/** A rewriting of nodes over what stands for their inputs. */
export interface Over extends Rewriting {
  readonly moves: (x: Node) => boolean; // does another node stand for one of its inputs?
}
/** `mapNodes` for nodes that are rebuilt: `to` is given the rewriting of what it has mapped so far. */
export function rebuildNodes(
  to: (x: Node, over: Over) => Node,
  known: Map<Node, Node> = new Map<Node, Node>(),
  stop: (x: Node) => boolean = () => false,
): (root: Node) => Node {
  const node = mapNodes(known, stop, (x) => to(x, over));
  const read = reading((x) => known.get(x));
  const over: Over = {
    scalar: (e) => substitute(e, new Map(), read),
    node,
    scans: new Map(),
    moves: (x) => levelInputs(x).some((y) => (known.get(y) ?? y) !== y),
  };
  return node;
}
/** Loads of other tensors, for `substitute`; undefined: the tensor's own. */
export const reading =
  (node: (x: Node) => Node | undefined): OnLoad =>
  (l, indices, outside) => {
    const to = node(l.tensor);
    return to && to !== l.tensor ? load(to, indices, outside) : undefined;
  };
/** The program over other nodes; itself where they are the same. */
export function mapProgram(program: GraphProgram, node: (x: Node) => Node): GraphProgram {
  if (rootsOf(program).every((x) => node(x) === x)) return program;
  return {
    ...program,
    outputs: program.outputs.map((o) => ({ ...o, node: node(o.node) })),
    updates: program.updates.map((u) => updateOver(u, node)),
  };
}
/** The update over other nodes. */
export const updateOver = (u: Update, node: (x: Node) => Node): Update => ({
  ...u,
  value: node(u.value),
  ...(u.at ? { at: u.at.map((e) => substitute(e, new Map(), reading(node)) as Integer) } : {}),
});
