// A group of nodes as one kernel specification: reductions become stages over the group's domain, stored values become stores to their homes.
import { place as placeOf } from "../../grammar/diagnostic.ts";
import { baseOf, bodyAt, inputs, tensorsOf } from "../graph/node.ts";
import {
  and,
  axis,
  equal,
  extentKey,
  holdsLoad,
  integer,
  load,
  local,
  select,
  substitute,
  variable,
  visit,
} from "../graph/scalar.ts";
import type { Compute, Integer, Node, Reduction, Scalar, Scatter, Shape, Variable } from "../graph/types.ts";
import type { KernelStep } from "../kernel/graph.ts";
import { isReadOutside } from "./bindings.ts";
import type { Group, Home } from "./group.ts";
import { purposeOf, purposeText } from "./purpose.ts";
import { fromMemory, homeOf, homesOf, isAmongNumbers } from "./homes.ts";
import type { Folded, KernelSpec, Stage, Store } from "../kernel/kernel.ts";
import { wgslName } from "../wgsl/names.ts";
import { keepRoundings } from "./rounding.ts";
import { readsOf, type Fusion } from "./state.ts";

const letters = "ijlmnpqr";

export function specify(f: Fusion, g: Group): KernelStep {
  const axes = g.domain.map((n, i) => variable(n, letters[i] ?? "i"));
  const inside = new Set(g.nodes);
  const w: Writing = { f, g, inside, axes, stages: [], stores: [], shared: new Map(), values: new Map() };
  for (const x of g.nodes) {
    if (x.kind === "scatter") writeScatter(w, x);
    else if (x.kind === "compute" && x.reduction) writeReduction(w, x, x.reduction);
    else if (x.kind === "compute") writePointwise(w, x);
  }
  if (g.copy) writeCopy(w, g.copy);
  const { stores } = w;
  const stages = liveStages(w.stages, stores);
  const values = [...stages.map((s) => s.value), ...stores.flatMap((s) => [s.value, ...s.indices])];
  const purpose = purposeOf(f, g);
  const spec: KernelSpec = {
    name: purpose.name,
    comment: () => [purposeText(purpose)],
    lines: purpose.lines,
    places: g.nodes.flatMap((x) => x.span ?? []),
    folded: foldedInto(f, g),
    axes,
    stages: stages.map((s) => ({ ...s, value: keepRoundings(s.value) })),
    stores: stores.map((s) => ({ ...s, value: keepRoundings(s.value) })),
  };
  const reads = new Set(tensorsOf(values).map(baseOf));
  const writes = new Set(stores.map((s) => baseOf(s.target)));
  return { kind: "kernel", spec, reads, writes };
}
/** A kernel on its way from nodes to stages and stores. */
interface Writing {
  readonly f: Fusion;
  readonly g: Group;
  readonly inside: ReadonlySet<Node>; // the group's nodes
  readonly axes: readonly Variable[];
  readonly stages: Stage[];
  readonly stores: Store[];
  readonly shared: Map<string, readonly Variable[]>; // by extents: reductions of one extent share their loop
  readonly values: Map<Node, (indices: readonly Integer[]) => Scalar>; // at a position: results of stages, or computed again
}
/** A node's own indices: its leading axes are the kernel's, later ones are loops of a row. */
function indicesOf({ axes }: Writing, shape: Shape): { readonly at: Integer[]; readonly extra: Variable[] } {
  const extra: Variable[] = [];
  let next = 0;
  const at = shape.map((n): Integer => {
    if (n === 1) return integer(0);
    if (next < axes.length) return axes[next++]!;
    const v = variable(n, "w");
    extra.push(v);
    return v;
  });
  return { at, extra };
}
/** Is all that x reads in memory of its own? */
const readsAsIs = ({ f, values }: Writing, x: Node): boolean =>
  readsOf(f, x).every((y) => !values.has(y) && !homeOf(f, y));
/** An expression over memory and over values of the kernel. */
function inKernel({ f, values }: Writing, e: Scalar): Scalar {
  return fromMemory(f, e, (l, indices, outside) => (outside ? undefined : values.get(l.tensor)?.(indices)));
}
/** Where it is written, which may be data. */
const placesIn = (w: Writing, home: Home, own: readonly Integer[]): readonly Integer[] =>
  home.at(own).map((e) => (holdsLoad(e) ? (inKernel(w, e) as Integer) : e));
function store(w: Writing, x: Node, at: readonly Integer[], over: readonly Variable[], value: Scalar): void {
  const { f, g, inside, stores } = w;
  if (g.kind === "kernel" && !isRead(f, x, inside)) return; // only this kernel reads it
  for (const h of homesOf(f, x)) stores.push({ target: h.memory, over, indices: placesIn(w, h, at), value });
}
/** A sum over all that might be added to an element. An axis that is an index by itself is the output's axis; the others are searched. */
function writeScatter(w: Writing, x: Scatter): void {
  const { at } = indicesOf(w, x.shape);
  const s = w.f.inliner.scatter(x);
  const fixed = new Map<Scalar, Scalar>();
  s.indices.forEach((e, i) => {
    if (e.kind === "variable" && e.position !== undefined && !fixed.has(e) && e.extent === x.shape[i])
      fixed.set(e, at[i]!);
  });
  const all = s.over.map((n, i) => axis(i, n)).filter((v) => !fixed.has(v) && v.extent !== 1);
  const over = all.map((v) => variable(v.extent, "u"));
  const map = new Map<Scalar, Scalar>([...fixed, ...all.map((v, i) => [v as Scalar, over[i]!] as const)]);
  const hits = s.indices.map((e, i) => equal(substitute(e, map) as Integer, at[i]!));
  const sum = local(wgslName(x.label ?? "sum"), "f32");
  w.stages.push({
    local: sum,
    op: "sum",
    over,
    value: inKernel(w, select(and(...hits), substitute(s.value, map), 0)),
  });
  store(w, x, at, [], sum);
}
function writeReduction(w: Writing, x: Compute, { op, extents }: Reduction): void {
  const { at } = indicesOf(w, x.shape);
  const key = extents.map(extentKey).join(",");
  const over = w.shared.get(key) ?? extents.map((n) => variable(n, "k"));
  w.shared.set(key, over);
  const own = [...at, ...over];
  const map = new Map([...x.shape, ...extents].map((n, i) => [axis(i, n) as Scalar, own[i]!] as const));
  const result = local(wgslName(x.label ?? op), x.dtype);
  const value = substitute(w.f.inliner.compute(x).body, map);
  w.stages.push({ local: result, op, over, value: readsAsIs(w, x) ? value : inKernel(w, value) });
  w.values.set(x, () => result);
  store(w, x, at, [], result);
}
function writePointwise(w: Writing, x: Compute): void {
  const { at, extra } = indicesOf(w, x.shape);
  const written = w.f.inliner.compute(x);
  const asIs = readsAsIs(w, x);
  const known = new Map<string, Scalar>(); // what is read at one place by many is written once
  const valueAt = (indices: readonly Integer[]): Scalar => {
    const key = indices.map((e) => e.id).join();
    let value = known.get(key);
    if (!value) {
      const body = bodyAt(written, indices);
      known.set(key, (value = asIs ? body : inKernel(w, body)));
    }
    return value;
  };
  w.values.set(x, valueAt);
  store(w, x, at, extra, valueAt(at));
}
function writeCopy(w: Writing, { from, home }: NonNullable<Group["copy"]>): void {
  const { at, extra } = indicesOf(w, from.shape);
  const value = inKernel(w, w.f.inliner.scalar(load(from, at)));
  w.stores.push({ target: home.memory, over: extra, indices: placesIn(w, home, at), value });
}
/** Does anything but the kernel itself read it? A slot among the numbers alone is no reader. */
export const isRead = (f: Fusion, x: Node, inside: ReadonlySet<Node>): boolean =>
  f.homes.get(x)?.some((h) => !isAmongNumbers(h)) === true || isReadOutside(f, x, inside);
/** Stages whose result reaches a store. */
function liveStages(stages: readonly Stage[], stores: readonly Store[]): readonly Stage[] {
  if (!stages.length) return stages;
  const used = new Set<Scalar>();
  const use = (e: Scalar): void => visit(e, () => undefined, used);
  for (const s of stores) for (const e of [s.value, ...s.indices]) use(e);
  const result: Stage[] = [];
  for (const s of stages.toReversed()) {
    if (!used.has(s.local)) continue;
    result.unshift(s);
    use(s.value);
  }
  return result;
}
/** Named values of the source that are computed where the group reads them. */
export function foldedInto({ stored, inliner }: Fusion, g: Group): Folded[] {
  const isFolded = (x: Node): boolean => x.kind === "compute" && inliner.isInlined(x);
  const found: Folded[] = [];
  const seen = new Set<Node>();
  const stack = [...g.nodes, ...(g.copy ? [g.copy.from] : [])];
  for (let x = stack.pop(); x; x = stack.pop())
    for (const y of inputs(x)) {
      if (seen.has(y) || !isFolded(y)) continue;
      seen.add(y);
      stack.push(y);
      if (y.label && y.span)
        found.push({ node: y, line: placeOf(y.span), isPlain: inputs(y).every((z) => stored.has(baseOf(z))) });
    }
  return found;
}
