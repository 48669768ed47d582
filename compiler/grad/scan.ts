// The derivative of a Scan: a Scan in the other direction over the cotangents of its carries. What the body contributes to tensors outside
// is not accumulated in the loop: each contribution is solved outside, over stacked values, with the step as one more unknown, so that
// weight gradients are one contraction and scanned inputs need no rule of their own.
import {
  bodyAt,
  compute,
  finalOf,
  levelInputs,
  scan as makeScan,
  stackOf,
  sumNodes,
  topological,
  zeros,
} from "../graph/node.ts";
import { derivativeOf } from "../graph/origin.ts";
import { mapNodes, reading, rebuildNode, type Rewriting } from "../graph/rebuild.ts";
import { iadd, inRange, integer, load, select, substitute, variable } from "../graph/scalar.ts";
import type { Integer, Load, Node, Result, Scalar, Scan, Variable } from "../graph/types.ts";
import type { Contribution } from "./solve.ts";

/** Where a pass runs: over a whole graph, or over the body of a loop. */
export interface Level {
  /** Is the node differentiated here? Others belong to an enclosing level. */
  readonly inside: (node: Node) => boolean;
  /** Is a node of an enclosing level wanted there? */
  readonly wantedOutside: (node: Node) => boolean;
  readonly contribute: (contribution: Contribution) => void;
}
/** Cotangents of the wanted nodes of a level, given those of the seeds. */
export type Backpropagate = (
  seeds: ReadonlyMap<Node, Node>,
  wrt: ReadonlySet<Node>,
  level: Level,
) => ReadonlyMap<Node, Node>;

const identity = (shape: Node["shape"]): Variable[] => shape.map((n) => variable(n, "p"));

export function scanVjp(
  s: Scan,
  seeds: readonly { result: Result; g: Node }[],
  wanted: (node: Node) => boolean,
  contribute: (c: Contribution) => void,
  backpropagate: Backpropagate,
): void {
  const inside = (x: Node): boolean => x.scans.has(s);
  // 1: active carries, the least set whose initial value is wanted or whose next is reached from a wanted tensor or an active carry
  const active = s.carries.map((c) => c.initial.dtype === "f32" && wanted(c.initial));
  for (let changed = true; changed;) {
    changed = false;
    s.carries.forEach((c, j) => {
      if (active[j] || c.next.dtype !== "f32") return;
      const reached = reachableFrom(c.next, s).some((x) =>
        inside(x) ? s.carries.some((d, k) => active[k] && d.incoming === x) : x.dtype === "f32" && wanted(x),
      );
      if (reached) changed = active[j] = true;
    });
  }
  const carried = s.carries.map((_, j) => j).filter((j) => active[j]);

  // cotangents of finals, histories and stacks
  const finals = new Map<number, Node[]>();
  const stacks: { node: Node; g: Node }[] = [];
  const histories = new Map<number, Node[]>();
  for (const { result, g } of seeds) {
    if (result.of.kind === "stack") stacks.push({ node: result.of.node, g });
    else {
      const map = result.of.kind === "final" ? finals : histories;
      map.set(result.of.carry, [...(map.get(result.of.carry) ?? []), g]);
    }
  }
  const historyRow = (g: Node, row: Integer): Node => {
    const p = identity(g.shape.slice(1));
    return compute(p, undefined, load(g, [row, ...p]));
  };
  const last = s.reverse ? 0 : s.count;
  const initialCotangents = carried.map((j) => {
    const parts = [...(finals.get(j) ?? []), ...(histories.get(j) ?? []).map((g) => historyRow(g, iadd(last)))];
    return parts.length ? sumNodes(parts) : zeros(s.carries[j]!.next.shape);
  });

  // 2, 3: the backward scan
  const contributions: Contribution[] = [];
  let forwardClone: Cloner | undefined;
  const backward = makeScan(
    {
      count: s.count,
      initial: initialCotangents,
      names: carried.map((j) => `d_${s.carries[j]!.incoming.path}`),
      reverse: !s.reverse,
      span: derivativeOf(s.span),
    },
    (t, lambda) => {
      const bodySeeds = new Map<Node, Node>();
      const put = (node: Node, g: Node): void => {
        const before = bodySeeds.get(node);
        const span = derivativeOf(node.span, node.label);
        bodySeeds.set(node, before ? sumNodes([before, g], { span }) : g);
      };
      const seed = (node: Node, g: Node): void => {
        if (node.dtype !== "f32") return;
        if (inside(node)) put(node, g);
        else if (wanted(node)) {
          const p = identity(node.shape);
          contributions.push({ tensor: node, unknowns: p, indices: p, value: load(g, p) });
        }
      };
      carried.forEach((j, a) => seed(s.carries[j]!.next, lambda[a]!));
      for (const { node, g } of stacks) seed(node, historyRow(g, t));
      const found = backpropagate(bodySeeds, new Set(carried.map((j) => s.carries[j]!.incoming)), {
        inside,
        wantedOutside: wanted,
        contribute: (c) => contributions.push(c),
      });
      forwardClone = cloner(s, t);
      return carried.map((j) => {
        const own = found.get(s.carries[j]!.incoming) ?? zeros(s.carries[j]!.initial.shape);
        // incoming at t is row t of the history (reverse: row t + 1)
        const rows = (histories.get(j) ?? []).map((g) => historyRow(g, s.reverse ? iadd(t, 1) : t));
        return forwardClone!.node(sumNodes([own, ...rows]));
      });
    },
  );

  // 5: contributions to tensors outside, with the step as one more unknown
  for (const c of contributions) {
    const t = variable(s.count, "t");
    const lift = lifter(s, backward, s.count === 1 ? integer(0) : t, forwardClone!);
    contribute({
      ...c,
      unknowns: [t, ...c.unknowns],
      indices: c.indices.map((e) => lift(e) as Integer),
      value: lift(c.value),
    });
  }
  carried.forEach((j, a) => {
    const { initial } = s.carries[j]!;
    if (!wanted(initial)) return;
    const g = finalOf(backward, a);
    const p = identity(initial.shape);
    contribute({ tensor: initial, unknowns: p, indices: p, value: load(g, p) });
  });
}

/** Body nodes below `node`, and the outer tensors that they read. */
function reachableFrom(node: Node, s: Scan): Node[] {
  return topological([node], (x) => !x.scans.has(s), levelInputs);
}

/** Carries, reductions and inner results are saved; pointwise values and slices by the step alone are recomputed. */
function isSaved(node: Node): boolean {
  return (
    node.kind === "source" ||
    node.kind === "result" ||
    node.kind === "scatter" ||
    (node.kind === "compute" && node.reduction !== undefined)
  );
}
/** Does a node depend on the steps of some loops by their variables alone: no incoming carry below, and no reduction worth saving? Each is looked at once. */
function byStepsAlone(scans: readonly Scan[], canBeRecomputed: (x: Node) => boolean): (node: Node) => boolean {
  const outside = (x: Node): boolean => !scans.some((s) => x.scans.has(s));
  const known = new Map<Node, boolean>();
  return (node) => {
    if (!known.has(node))
      for (const x of topological([node], (y) => outside(y) || known.has(y), levelInputs))
        if (!known.has(x))
          known.set(x, outside(x) || (canBeRecomputed(x) && levelInputs(x).every((y) => known.get(y))));
    return known.get(node)!;
  };
}

interface Cloner {
  readonly node: (node: Node) => Node;
  readonly scalar: (e: Scalar) => Scalar;
}
/** Rebuilds nodes of the body of s over another step variable: forward values are read from saved stacks at t or recomputed. */
function cloner(s: Scan, t: Variable): Cloner {
  const slice = (node: Node): Node => {
    const p = identity(node.shape);
    const stacked = stackOf(s, node);
    return compute(p, undefined, load(stacked, [t, ...p]), { label: node.label, span: node.span });
  };
  const [backward] = [...t.scans] as [Scan];
  const onlyByStep = byStepsAlone([s], (x) => x.kind === "reshape" || (x.kind === "compute" && !x.reduction));
  const clone = (x: Node): Node => {
    if (!x.scans.has(s)) return x;
    const forward = !x.scans.has(backward);
    if (forward && isSaved(x) && !onlyByStep(x)) return slice(x);
    return rebuildNode(x, rewriting);
  };
  const node = mapNodes(new Map(), (x) => !x.scans.has(s), clone);
  const map = new Map<Scalar, Scalar>([[s.step, t]]);
  const scalar = (e: Scalar): Scalar => substitute(e, map, reading(node));
  const rewriting: Rewriting = { scalar, node, scans: new Map() };
  return { node, scalar };
}

/** Replaces body values, forward and backward, by their stacks at t: the relation then holds outside of both loops. */
function lifter(s: Scan, backward: Scan, t: Integer, clone: Cloner): (e: Scalar) => Scalar {
  const map = new Map<Scalar, Scalar>([
    [s.step, t],
    [backward.step, t],
  ]);
  const onlyByEither = byStepsAlone([s, backward], (x) => x.kind === "compute" && !x.reduction);
  const onLoad = (l: Load, indices: readonly Integer[], outside: Scalar | undefined): Scalar | undefined => {
    const x = l.tensor;
    const back = x.scans.has(backward);
    if (!back && !x.scans.has(s)) return undefined;
    if (x.kind === "compute" && onlyByEither(x)) {
      const value = lift(bodyAt(x, indices));
      return outside ? select(inRange(x, indices), value, outside) : value;
    }
    if (back) return load(stackOf(backward, clone.node(x)), [t, ...indices], outside);
    return load(stackOf(s, x), [t, ...indices], outside);
  };
  const lift = (e: Scalar): Scalar => substitute(e, map, onLoad);
  return lift;
}
