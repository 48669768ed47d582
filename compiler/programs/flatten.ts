// Steps over flat buffers: what one optimizer line updates by the same formula lies in one buffer, and a step so small that launches cost more
// than its work becomes one launch. In: units. Out: units, and where each tensor lies in the flat buffers.
import { flatten, type Flattened } from "../fuse/flat.ts";
import { fuse } from "../fuse/fuse.ts";
import { sizeOf } from "../fuse/storage.ts";
import type { OptimizerGroup, TrainProgram } from "../elaborate/program.ts";
import { topological, zeros } from "../graph/node.ts";
import { constantOf } from "../graph/scalar.ts";
import type { GraphProgram, Node, Source } from "../graph/types.ts";
import type { KernelGraph, View } from "../kernel/graph.ts";
import type { Layout } from "../kernel/layout.ts";
import type { Target } from "../kernel/target.ts";
import { lowerWhole, type WholeKernel } from "../lower/whole.ts";
import { isPersistent } from "./layout.ts";
import { placeStreams } from "./streams.ts";
import type { Unit } from "./units.ts";

export interface FlatModel {
  readonly units: readonly FlatUnit[];
  readonly views: ReadonlyMap<Node, View>;
  readonly dense: ReadonlyMap<Node, View>; // slices that begin anywhere, and so cannot be bound by themselves
}
export interface FlatUnit extends Unit {
  readonly flat?: Flattened; // of a step
  readonly oneLaunch?: OneLaunch;
}
/** A step's kernels, and the one launch that does them all. */
export interface OneLaunch {
  readonly kernels: KernelGraph;
  readonly whole: WholeKernel;
}

export function flattenUnits(units: readonly Unit[], layout: Layout, target: Target): FlatModel {
  const views = new Map<Node, View>();
  const dense = new Map<Node, View>();
  const steps = new Map<Unit, FlatUnit>();
  for (const unit of units) {
    if (!unit.train) continue;
    const made = flatStep(unit, unit.train, views, layout, target);
    steps.set(unit, made);
    for (const [x, v] of made.flat.views) views.set(x, v);
    if (made.oneLaunch) for (const [x, v] of made.flat.views) dense.set(x, v);
  }
  const flat = (u: Unit): FlatUnit =>
    steps.get(u) ??
    (u.kind === "init" ? { ...u, graph: { ...u.graph, updates: joinZeros(u.graph.updates, views) } } : u);
  return { units: units.map(flat), views, dense };
}

/** `views`: of the train blocks before; what lies in a flat buffer already stays there. */
function flatStep(
  unit: Unit,
  train: TrainProgram,
  views: ReadonlyMap<Node, View>,
  layout: Layout,
  target: Target,
): FlatUnit & { readonly flat: Flattened } {
  const free = groupsIn(unit.graph, train).map((g) => ({
    ...g,
    members: g.members.filter((m) => !views.has(m.parameter)),
  }));
  const step: GraphProgram = { ...unit.graph, outputs: [] };
  if (!target.apart && isSmall(step)) {
    // a step that fits in one launch needs no slices that can be bound by themselves
    const flat = flatten(step, free, target.binding, 1);
    const oneLaunch = inOneLaunch(flat, views, layout, target);
    if (oneLaunch) return { ...unit, graph: flat.step, flat, oneLaunch };
  }
  const flat = flatten(step, free, target.binding);
  return { ...unit, graph: flat.step, flat };
}
/** The optimizer groups in the nodes of the simplified step, whose outputs are their gradients. */
function groupsIn(step: GraphProgram, train: TrainProgram): readonly OptimizerGroup[] {
  const valueOf = new Map(step.updates.map((u) => [u.target, u.value]));
  const apart = new Set(step.updates.flatMap((u) => (u.at ? [u.target] : []))); // written here and there
  const gradients = step.outputs.map((o) => o.node).values();
  return train.groups.map((g) => ({
    ...g,
    members: g.members
      .map((m) => ({
        ...m,
        gradient: gradients.next().value!,
        updated: valueOf.get(m.parameter) ?? m.updated,
      }))
      .filter((m) => !apart.has(m.parameter)),
  }));
}
/** Could all of it be done by one workgroup in less time than launches take? A rough look, before any kernel is made. */
function isSmall(program: GraphProgram): boolean {
  let iterations = 0;
  for (const x of topological(program.updates.map((u) => u.value))) {
    if (x.kind === "compute") iterations += sizeOf([...x.shape, ...(x.reduction?.extents ?? [])]);
    if (iterations > 1 << 20) return false;
  }
  return true;
}
function inOneLaunch(
  flat: Flattened,
  views: ReadonlyMap<Node, View>,
  layout: Layout,
  target: Target,
): OneLaunch | undefined {
  const kernels = placeStreams(fuse(flat.step, target, flat), target);
  if (kernels.steps.some((s) => s.kind === "rowwise")) return undefined;
  const { name } = flat.step;
  const whole = lowerWhole(kernels.steps, layout, target, {
    name,
    comment: [`${name}: as many whole steps as \`rounds\` says, in one launch`],
    views: new Map([...views, ...flat.views]),
    isScratch: (x) => !isPersistent(x) || (x.kind === "source" && flat.assembled.has(x)),
  });
  return whole && { kernels, whole };
}
/** States that begin as zeros and share a flat buffer begin together. */
function joinZeros(updates: GraphProgram["updates"], views: ReadonlyMap<Node, View>): GraphProgram["updates"] {
  const isZero = (x: Node): boolean =>
    x.kind === "compute" && !x.reduction && (x.body.kind === "literal" ? x.body.value === 0 : constantOf(x.body) === 0);
  const byMemory = new Map<Source, { target: Source; value: Node }[]>();
  for (const u of updates) {
    const v = views.get(u.target);
    if (v) byMemory.set(v.memory, [...(byMemory.get(v.memory) ?? []), u]);
  }
  const joined = new Set<Source>();
  const result: { target: Source; value: Node }[] = [];
  for (const [memory, list] of byMemory) {
    if (!list.every((u) => isZero(u.value))) continue;
    for (const u of list) joined.add(u.target);
    result.push({ target: memory, value: zeros(memory.shape, memory.dtype) });
  }
  return [...updates.filter((u) => !joined.has(u.target)), ...result];
}
