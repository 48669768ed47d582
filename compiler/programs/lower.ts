// Every kernel of every unit as WGSL. In: units with their kernels. Out: their steps with lowered kernels, or with moves that need no code.
// Kernels that differ only in their tensors are lowered once.
import { hashOfText } from "../../runtime/plan.ts";
import { baseOf, elementCount, source } from "../graph/node.ts";
import { literal, load, local as localScalar } from "../graph/scalar.ts";
import type { Node, Scan, Source } from "../graph/types.ts";
import type { KernelStep, LoopStep, RowwiseStep, Step, View } from "../kernel/graph.ts";
import type { KernelSpec, Stage } from "../kernel/kernel.ts";
import type { Layout } from "../kernel/layout.ts";
import type { Target } from "../kernel/target.ts";
import { bindingAlignment } from "../kernel/sizes.ts";
import { lowerKernel, type Binding, type LoweredKernel } from "../lower/lower.ts";
import { loadsOf, storesOf } from "../lower/procedures.ts";
import { lowerRowwise, regionSpec } from "../lower/rowwise.ts";
import { physical } from "../lower/whole.ts";
import { elements } from "../scalar/dtype.ts";
import { scheduleNamed } from "../schedule/alternatives.ts";
import { nestOf } from "../schedule/nest.ts";
import { kernelsIn } from "../schedule/rows.ts";
import type { FusedUnit } from "./fuse.ts";
import { layoutOfSeldom } from "./layout.ts";
import { movesOf, type Move } from "./moves.ts";
import { extentText, specKey, type SpecKey } from "../kernel/spec-key.ts";

export interface LoweredModel {
  readonly units: readonly LoweredUnit[];
  readonly sites: ReadonlyMap<Source, number>; // memory that holds the site of a draw
  readonly tuned: ReadonlySet<string>; // kernels, by their keys, that have measured schedules
}
/** Measured schedules as they are printed, by the key of their kernel. */
export type Tuned = Readonly<Record<string, string>>;
export interface LoweredUnit extends FusedUnit {
  readonly steps: readonly LoweredStep[];
}
export type LoweredStep = LoweredLaunch | LoweredLoop;
export interface LoweredLaunch {
  readonly kind: "kernel";
  readonly step: KernelStep;
  readonly runs: number; // that are expected
  readonly moves: readonly Move[] | undefined; // what it amounts to, if the addresses allow it ...
  readonly kernel: () => LoweredKernel; // ... else its code; lowered when it is asked for
  readonly asLaunches?: AsLaunches; // where several kernels are one launch, which may cost more
}
/** The kernels of one launch as launches. */
export interface AsLaunches {
  readonly views: ReadonlyMap<Node, View>; // what the one launch has in the buffer that it is part of
  readonly before: string; // the one launch, as it is printed
  readonly schedule: string; // the launches, as they are printed
  readonly launches: () => readonly LoweredLaunch[];
}
export interface LoweredLoop {
  readonly kind: "loop";
  readonly scan: Scan;
  readonly body: readonly LoweredStep[];
}
/** A kernel in a loop is worth more of the driver's time, up to so much. */
const mostRounds = 8;

export function lowerUnits(
  units: readonly FusedUnit[],
  dense: ReadonlyMap<Node, View>,
  layout: Layout,
  target: Target,
  tuned: Tuned = {},
): LoweredModel {
  const seldom = layoutOfSeldom(layout);
  const used = new Set<string>();
  const lower = sharedLowering(layout, target, tuned, used);
  const regions: Regions = new Map();
  const taken = new Set<Step>(); // measured to be faster as launches
  const launch = (unit: FusedUnit, s: KernelStep, rounds: number): LoweredLaunch => {
    const step = physicalStep(s, dense);
    const runs = rounds * (isRunOnce(unit) ? 1 : target.runs);
    const moves = movesOf(step.spec);
    const make = (): LoweredKernel => lower(step.spec, unit.flat ? layout : seldom.layout, runs);
    const made = moves ? undefined : make();
    return { kind: "kernel", step, runs, moves, kernel: () => made ?? make() };
  };
  const region = (unit: FusedUnit, s: RowwiseStep, rounds: number): readonly LoweredLaunch[] => {
    const made = lowerRegion(s, dense, layout, target, rounds * target.runs, regions);
    if (!s.asLaunches) return [made];
    const launches = (): readonly LoweredLaunch[] => s.asLaunches!.map((k) => launch(unit, k, rounds));
    const count = s.asLaunches.length;
    const asLaunches: AsLaunches = {
      views: s.views,
      before: `one launch of ${count} kernels`,
      schedule: `a launch for each of ${count} kernels`,
      launches,
    };
    const { key = "" } = made.kernel();
    if (!Object.hasOwn(tuned, key) || tuned[key] !== asLaunches.schedule) return [{ ...made, asLaunches }];
    used.add(key);
    taken.add(s);
    return launches();
  };
  const steps = (unit: FusedUnit, list: readonly Step[], rounds: number): LoweredStep[] =>
    list.flatMap((s): readonly LoweredStep[] => {
      if (s.kind === "kernel") return [launch(unit, s, rounds)];
      if (s.kind === "rowwise") return region(unit, s, rounds);
      const { scan } = s;
      return [{ kind: "loop", scan, body: steps(unit, s.body, Math.min(mostRounds, rounds * scan.count)) }];
    });
  return {
    units: units.map((u) => {
      if (u.oneLaunch) return { ...u, steps: [] };
      const list = steps(u, u.kernels.steps, 1);
      return {
        ...u,
        kernels: taken.size ? { ...u.kernels, steps: opened(u.kernels.steps, taken) } : u.kernels,
        steps: list,
      };
    }),
    sites: seldom.sites,
    tuned: used,
  };
}
/** With the kernels of these in their place. */
const opened = (list: readonly Step[], taken: ReadonlySet<Step>): readonly Step[] =>
  list.flatMap((s): readonly Step[] =>
    s.kind === "loop"
      ? [{ ...s, body: opened(s.body, taken) }]
      : s.kind === "rowwise" && taken.has(s)
        ? s.asLaunches!
        : [s],
  );
export const isRunOnce = (u: Pick<FusedUnit, "kind">): boolean =>
  u.kind === "init" || u.kind === "begin" || u.kind === "late init" || u.kind === "check";

/** Lowered regions of a grid, and of kernels beside one another, by what they compute and how often. */
type Regions = Map<string, { readonly key: SpecKey; readonly kernel: LoweredKernel }>;
/** All steps of a region as one kernel. */
function lowerRegion(
  step: RowwiseStep,
  dense: ReadonlyMap<Node, View>,
  layout: Layout,
  target: Target,
  runs: number,
  regions: Regions,
): LoweredLaunch {
  const isShared = step.grid !== undefined || step.beside === true; // with equal steps
  const parts = isShared ? partsOf(step) : undefined;
  const views = new Map([...dense, ...(parts?.views ?? step.views)]);
  const key = isShared ? regionKey(step, views, layout) : undefined;
  const name = `${runs}|${key?.key}`;
  const lower = (): LoweredKernel => {
    const made = lowerRowwise(step, views, layout, target);
    return key && step.asLaunches && runs === target.runs ? { ...made, key: hashOfText(key.key) } : made;
  };
  const found = key && regions.get(name);
  const made = found ? withTensors(found.kernel, found.key, key) : lower();
  if (key && !found) regions.set(name, { key, kernel: made });
  const kernel = { ...made, bindings: made.bindings.map((b) => withPlace(b, parts?.places)) };
  const bound = (writes: boolean): Set<Node> =>
    new Set(
      kernel.bindings.flatMap((b) =>
        b.node.kind !== "scan" && (b.access === "read_write") === writes ? [b.within?.memory ?? b.node] : [],
      ),
    );
  const launch: KernelStep = { kind: "kernel", spec: regionSpec(step), reads: bound(false), writes: bound(true) };
  return { kind: "kernel", step: launch, runs, moves: undefined, kernel: () => kernel };
}
const withPlace = (b: Binding, places: ReadonlyMap<Node, View> | undefined): Binding => {
  const within = b.node.kind === "scan" ? undefined : places?.get(b.node);
  return within ? { ...b, within } : b;
};
/**
 * Of each buffer that a launch has slices of, the part from the first of them to the last: launches of equal layers differ in where these begin alone.
 * `views`: the slices in these parts; `places`: the parts in their buffers.
 */
function partsOf({ views, reads, writes }: RowwiseStep): {
  readonly views: ReadonlyMap<Node, View>;
  readonly places: ReadonlyMap<Node, View>;
} {
  const slices = new Map<Source, (readonly [Node, number])[]>();
  for (const [x, { memory, offset }] of views) slices.set(memory, [...(slices.get(memory) ?? []), [x, offset]]);
  const own = new Map<Node, View>();
  const places = new Map<Node, View>();
  for (const [memory, list] of slices) {
    const grain = bindingAlignment / elements[memory.dtype].bytes;
    const first = Math.floor(Math.min(...list.map(([, offset]) => offset)) / grain) * grain;
    const end = Math.max(...list.map(([x, offset]) => offset + elementCount(x.shape)));
    const isWhole = reads.has(memory) || writes.has(memory);
    const { path, dtype } = memory;
    const part = isWhole ? memory : source({ role: "scratch", path, shape: [end - first], dtype, label: path });
    for (const [x, offset] of list) own.set(x, { memory: part, offset: isWhole ? offset : offset - first });
    if (!isWhole) places.set(part, { memory, offset: first });
  }
  return { views: own, places };
}
/** A dense slice cannot be bound by itself: its elements are read in the flat buffer. */
function physicalStep(step: KernelStep, dense: ReadonlyMap<Node, View>): KernelStep {
  const spec = dense.size ? physical(step.spec, dense) : step.spec;
  return spec === step.spec ? step : { kind: "kernel", spec, reads: loadsOf(spec), writes: storesOf(spec) };
}

/** Of steps whose launches differ only in their tensors. */
function regionKey(
  { body, grid = [], beside, workgroup, local }: RowwiseStep,
  views: ReadonlyMap<Node, View>,
  layout: Layout,
): SpecKey {
  const shape = (list: readonly Step[]): string =>
    list
      .map((s) =>
        s.kind === "kernel"
          ? "k"
          : `${s.kind === "loop" ? `${s.scan.count} ${boundsText(s, grid)}` : ""}(${shape(s.body)})`,
      )
      .join();
  const kernels = kernelsIn(body).map((k) => (views.size ? physical(k.spec, views) : k.spec));
  const spec: KernelSpec = {
    ...kernels[0]!,
    axes: [],
    stages: kernels.flatMap((k): Stage[] => [
      { local: localScalar("axes", "f32"), op: "sum", over: k.axes, value: literal(0) },
      ...k.stages,
      ...k.stores.map((s): Stage => ({
        local: localScalar("store", "f32"),
        op: "sum",
        over: s.over,
        value: load(s.target, s.indices),
      })),
    ]),
    stores: kernels.flatMap((k) => k.stores),
  };
  const { key, ...rest } = specKey(spec, layout);
  const own = rest.tensors.flatMap((x, i) => (local.has(x) ? [i] : []));
  return {
    key: `${workgroup} ${beside ? "beside" : grid.map((g) => extentText(g.step.extent)).join()} ${shape(body)} ${own.join()}\n${key}`,
    ...rest,
  };
}

const boundsText = ({ within }: LoopStep, grid: readonly Scan[]): string =>
  within ? JSON.stringify([grid.indexOf(within.of), within.low, within.high]) : "";

type Lower = (spec: KernelSpec, layout: Layout, runs: number) => LoweredKernel;
/** Lowers a specification, or takes the code of one that differs from it only in its tensors. `layout`: that of units which run often. */
function sharedLowering(layout: Layout, target: Target, tuned: Tuned, used: Set<string>): Lower {
  const known = new Map<string, { key: SpecKey; kernel: LoweredKernel }>();
  const bindsTooMany = (k: LoweredKernel): boolean =>
    k.bindings.filter((b) => b.access !== "uniform").length > target.storageBuffers ||
    (k.before ?? []).some(bindsTooMany);
  const lower: Lower = (spec, wanted, runs) => {
    let own = wanted;
    let key = specKey(spec, own);
    // sites in memory take bindings, too
    if (own.siteOf && key.tensors.length > target.storageBuffers) key = specKey(spec, (own = layout));
    const name = `${runs}|${key.key}`;
    const found = known.get(name);
    if (found) return withTensors(found.kernel, found.key, key);
    const isOften = runs === target.runs;
    const hash = isOften ? hashOfText(key.key) : "";
    const measured = Object.hasOwn(tuned, hash) ? scheduleNamed(tuned[hash]!, nestOf(spec), target) : undefined;
    if (measured) used.add(hash);
    const made = lowerKernel(spec, own, isOften ? target : { ...target, runs }, measured ? { schedule: measured } : {});
    const kernel = isOften ? { ...made, key: hash } : made;
    if (own.siteOf && bindsTooMany(kernel)) return lower(spec, layout, runs); // so do the parts of a split reduction
    known.set(name, { key, kernel });
    return kernel;
  };
  return lower;
}
/** The kernel of one specification for the tensors of another that differs in these alone. */
export function withTensors(kernel: LoweredKernel, from: SpecKey, to: SpecKey): LoweredKernel {
  const moved = new Map<Node | Scan, Node | Scan>([
    ...from.tensors.map((x, i) => [x, to.tensors[i]!] as const),
    ...from.scans.map((x, i) => [x, to.scans[i]!] as const),
  ]);
  const again = (k: LoweredKernel): LoweredKernel => ({
    ...k,
    bindings: k.bindings.map((b) => ({
      ...b,
      node: moved.get(b.node.kind === "scan" ? b.node : baseOf(b.node)) ?? b.node,
    })),
    ...(k.before ? { before: k.before.map(again) } : {}),
  });
  return again(kernel);
}
