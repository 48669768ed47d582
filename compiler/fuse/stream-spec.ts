// A group of folds as one step: contractions of an element of a tile, what is summed or compared of them, stores of the results to their homes.
import { baseOf, tensorsOf } from "../graph/node.ts";
import {
  axis,
  contains,
  extentKey,
  holdsLoad,
  inRange,
  integer,
  isTrue,
  load,
  local,
  substitute,
  variable,
} from "../graph/scalar.ts";
import type { Compute, Integer, Load, Local, Node, Scalar, Shape, Variable } from "../graph/types.ts";
import type { StreamFold, StreamStep } from "../kernel/graph.ts";
import type { Stage, Store } from "../kernel/kernel.ts";
import { wgslName } from "../wgsl/names.ts";
import type { Group } from "./group.ts";
import { fromMemory, homesOf } from "./homes.ts";
import { foldLike, freshAxes, ontoAxes, type StreamAxes } from "./merge-streams.ts";
import { purposeOf, purposeText } from "./purpose.ts";
import { keepRoundings } from "./rounding.ts";
import { seenBy } from "./seen.ts";
import { foldedInto, isRead } from "./spec.ts";
import type { Fusion } from "./state.ts";
import type { Fold } from "./streams.ts";

export function specifyStream(f: Fusion, g: Group): StreamStep {
  const first = g.nodes.map((x) => f.streams.folds.get(x)).find((x) => x !== undefined)!;
  const w: Writing = {
    ...{ f, g, axes: freshAxes(first) },
    ...{ contractions: [], locals: new Map(), folds: [], stores: [] },
    ...{ shared: new Map(), values: new Map() },
  };
  for (const x of g.nodes) {
    const fold = f.streams.folds.get(x);
    if (fold) writeFold(w, fold);
    else if (x.kind === "compute") writeEpilogue(w, x);
  }
  const { axes, contractions, folds, stores } = w;
  const seen = seenBy(folds, axes);
  const purpose = purposeOf(f, g);
  const values = [
    ...contractions.map((s) => s.value),
    ...folds.flatMap((x) => [x.wide, ...(x.rest ? [x.rest] : [])]),
    ...stores.flatMap((s) => [s.value, ...s.indices]),
  ];
  return {
    kind: "stream",
    spec: {
      name: purpose.name,
      comment: () => [purposeText(purpose)],
      lines: purpose.lines,
      places: g.nodes.flatMap((x) => x.span ?? []),
      folded: foldedInto(f, g),
      axes: [],
      stages: [],
      stores: [],
    },
    ...axes,
    ...(seen ? { seen } : {}),
    contractions,
    folds,
    stores,
    reads: new Set(tensorsOf(values).map(baseOf)),
    writes: new Set(stores.map((s) => baseOf(s.target))),
  };
}
/** A step on its way from nodes to folds and stores. */
interface Writing {
  readonly f: Fusion;
  readonly g: Group;
  readonly axes: StreamAxes;
  readonly contractions: Stage[];
  readonly locals: Map<Scalar, Local>; // of contractions, by what is read of them
  readonly folds: StreamFold[];
  readonly stores: Store[];
  readonly shared: Map<string, readonly Variable[]>; // by extents: the own axes of results, and those that contractions run over
  readonly values: Map<Node, (indices: readonly Integer[]) => Scalar>; // results
}
function axesLike({ shared }: Writing, extents: Shape, letter: string): readonly Variable[] {
  const key = `${letter}:${extents.map(extentKey).join()}`;
  const own = shared.get(key) ?? extents.map((n) => variable(n, letter));
  shared.set(key, own);
  return own;
}
function writeFold(w: Writing, fold: Fold): void {
  const { f, axes } = w;
  const extras = axesLike(
    w,
    fold.extras.map((v) => v.extent),
    "w",
  );
  const map = ontoAxes(fold, axes);
  fold.extras.forEach((v, i) => map.set(v, extras[i]!));
  const over = (e: Scalar): Scalar => keepRoundings(inStep(w, f.inliner.scalar(substitute(e, map))));
  const result = local(wgslName(fold.node.label ?? fold.op), fold.node.dtype);
  const wide = over(fold.wide);
  const most = w.folds.find((x) => x.op === "max" && contains(wide, x.local));
  w.folds.push({
    local: result,
    op: fold.op,
    extras,
    wide,
    rest: fold.rest && over(fold.rest),
    follows: most?.local,
  });
  w.values.set(fold.node, () => result);
  store(w, fold.node, map, extras, result);
}
function writeEpilogue(w: Writing, x: Compute): void {
  const { f, g } = w;
  const fold = foldLike(f, x, g)!;
  const extras = axesLike(
    w,
    fold.extras.map((v) => v.extent),
    "w",
  );
  const known = ontoAxes(fold, w.axes);
  fold.extras.forEach((v, i) => known.set(v, extras[i]!));
  // the axes of x are those of the fold, in their order
  const theirs = fold.node.shape.flatMap((n, i) => (n === 1 ? [] : [known.get(axis(i, n))!]));
  const own = x.shape.flatMap((n, i) => (n === 1 ? [] : [axis(i, n)]));
  const map = new Map(own.map((v, i) => [v as Scalar, theirs[i]!] as const));
  const value = keepRoundings(inStep(w, substitute(f.inliner.compute(x).body, map)));
  w.values.set(x, () => value);
  store(w, x, map, extras, value);
}
function store(
  w: Writing,
  x: Compute,
  map: ReadonlyMap<Scalar, Scalar>,
  over: readonly Variable[],
  value: Scalar,
): void {
  const { f, g, stores } = w;
  if (!isRead(f, x, new Set(g.nodes))) return; // only this step reads it
  const at = x.shape.map((n, i) => (n === 1 ? integer(0) : (map.get(axis(i, n)) as Integer)));
  for (const h of homesOf(f, x)) {
    const indices = h.at(at).map((e) => (holdsLoad(e) ? (inStep(w, e) as Integer) : e));
    stores.push({ target: h.memory, over, indices, value });
  }
}
/** An expression over memory, over contractions and over results. */
function inStep(w: Writing, e: Scalar): Scalar {
  const { f } = w;
  return fromMemory(f, e, (l, indices, outside) => {
    const result = outside ? undefined : w.values.get(l.tensor)?.(indices);
    if (result) return result;
    return f.streams.wide.has(l.tensor) && l.tensor.kind === "compute"
      ? contractionAt(w, l, l.tensor, indices)
      : undefined;
  });
}
function contractionAt(w: Writing, l: Load, x: Compute, indices: readonly Integer[]): Scalar {
  const at = load(l.tensor, indices);
  const known = w.locals.get(at);
  if (known) return known;
  const { op, extents } = x.reduction!;
  const over = axesLike(w, extents, "d");
  const map = new Map(
    [...x.shape, ...extents].map((n, i) => [axis(i, n) as Scalar, [...indices, ...over][i]!] as const),
  );
  const result = local(wgslName(x.label ?? op), x.dtype);
  w.locals.set(at, result);
  const value = fromMemory(w.f, withinBounds(substitute(w.f.inliner.compute(x).body, map)));
  w.contractions.push({ local: result, op, over, value: keepRoundings(value) });
  return result;
}
/** What is read where a choice discards it may lie outside. */
const withinBounds = (e: Scalar): Scalar =>
  substitute(e, new Map(), (l, indices, outside) =>
    outside || l.dtype !== "f32" || isTrue(inRange(l.tensor, indices)) ? undefined : load(l.tensor, indices, 0),
  );
