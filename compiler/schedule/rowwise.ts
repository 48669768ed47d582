// Kernels inside one launch: every workgroup does them one after the other for its own rows. In: steps, their rows, a target. Out: the price of the
// launch with the number of rows that a workgroup best takes, and the schedule of each kernel within it.
import { remembered } from "../graph/compilation.ts";
import type { DType, Extent, Scan, Variable } from "../graph/types.ts";
import type { KernelStep, LoopStep, Step } from "../kernel/graph.ts";
import type { KernelSpec } from "../kernel/kernel.ts";
import { specKey } from "../kernel/spec-key.ts";
import type { Target } from "../kernel/target.ts";
import { elements } from "../scalar/dtype.ts";
import { estimate, nestOf, type Nest } from "./nest.ts";
import { alongOf, contractionOf, scheduledNest, sizeOfBox, stagedLayout } from "./contraction.ts";
import { cheapestOf } from "./least.ts";
import type { Count } from "./gpu-count.ts";
import { compileNs, leastPrice, priceOf } from "./price.ts";
import type { RowAxis } from "./rows.ts";
import { plainSchedule, threadsAlong, type Schedule } from "./schedule.ts";
import type { Candidate, Corner } from "./corner.ts";
import { corners, ofManyRows } from "./space.ts";

/** A kernel as workgroups of `threads` invocations do it, of which a real workgroup does many. */
export interface Placement {
  readonly nest: Nest;
  readonly schedule: Schedule;
  readonly threads: number;
  readonly span: number; // rows of one of them; 0: the kernel has no rows
  readonly others: number; // of them over the same rows
  readonly count?: Count; // what one of its SIMD groups does, on GPUs, among other kernels of its workgroup ...
  readonly countAlone?: Count; // ... and where the workgroup does no other
}
/** An array of workgroup memory. */
interface Turn {
  readonly of: string; // type of an element
  readonly bytes: number;
}
/** What a placement takes. */
export interface Sized extends Pick<Placement, "threads" | "span" | "others" | "count" | "countAlone"> {
  readonly each: number; // ns of one SIMD group
  readonly compileMs: number;
  readonly meets: boolean; // its lanes exchange values ...
}
interface Option extends Placement, Sized {
  readonly inTurn: number; // ... through so many bytes of memory that others may have before and after
  readonly own: boolean; // its lanes are rows
}
export interface RowwisePrice {
  readonly rows: number; // of a workgroup; Infinity: all
  readonly workgroup: number; // invocations
  readonly own: boolean; // each has its own rows: none waits for another
  readonly inTurn: number; // bytes of its memory that the kernels have in turn, at most
  readonly total: number; // ns, with the share of the compilation
}

/** The best way to do all steps in one launch, or undefined where some kernel has no schedule for it. */
export function priceRowwise(
  steps: readonly Step[],
  rows: RowAxis | undefined,
  target: Target,
): RowwisePrice | undefined {
  const runs = runsIn(steps);
  const barriers = [...runs.values()].reduce((sum, n) => sum + n, 0);
  let best: RowwisePrice | undefined;
  for (const launch of launchesOf(rows, target)) {
    const { rows: each, workgroup, own } = launch;
    const barrier = own ? 0 : target.ns.barrier * (workgroup > target.simd ? 1 : aloneBarrier);
    let total = target.launchNs + wavesOf(rows?.extent ?? 1, each, target) * (target.workgroupNs + barriers * barrier);
    for (const [k, times] of runs) {
      total += cheapest(k.spec, rows?.axisOf.get(k), launch, times, target)?.total ?? Infinity;
      if (total >= (best?.total ?? Infinity)) break;
    }
    if (total < (best?.total ?? Infinity)) best = { ...launch, total };
  }
  return best;
}
/** ns of a launch whose workgroups, one for every round of the grid, do all steps each. */
export function priceGrid(
  steps: readonly Step[],
  grid: readonly Scan[],
  { workgroup, inTurn }: Pick<Launch, "workgroup" | "inTurn">,
  target: Target,
): number {
  const runs = runsIn(steps, gridWaves(grid, target));
  const barrier = target.ns.barrier * (workgroup > target.simd ? 1 : aloneBarrier);
  let total = target.launchNs + gridWaves(grid, target) * target.workgroupNs;
  for (const [k, times] of runs)
    total +=
      times * barrier +
      (cheapest(k.spec, undefined, { rows: Infinity, workgroup, own: false, inTurn }, times, target)?.total ??
        Infinity);
  return total;
}
/** How many workgroups of a grid a core does one after the other. */
export const gridWaves = (grid: readonly Scan[], { cores }: Target): number =>
  Math.ceil(grid.reduce((n, s) => n * estimate(s.step.extent), 1) / cores);
const aloneBarrier = 0.1; // of a barrier's cost, where one SIMD group waits for itself

export type Launch = Omit<RowwisePrice, "total">;
function launchesOf(rows: RowAxis | undefined, target: Target): Launch[] {
  return target.together.flatMap((workgroup) =>
    (rows ? rowCounts(rows, target) : [Infinity]).flatMap((each) => {
      const launch = { rows: each, workgroup, own: false, inTurn: target.inTurn };
      return rows && (each === Infinity || each % workgroup === 0) ? [launch, { ...launch, own: true }] : [launch];
    }),
  );
}
/** How often each kernel runs. */
export function runsIn(
  steps: readonly Step[],
  times = 1,
  found = new Map<KernelStep, number>(),
): Map<KernelStep, number> {
  for (const s of steps)
    if (s.kind === "kernel") found.set(s, times);
    else runsIn(s.body, s.kind === "loop" ? times * roundsOf(s) : times, found);
  return found;
}
/** Where some change nothing, about half of them do. */
const roundsOf = ({ scan, within }: LoopStep): number => (within ? (scan.count + 1) / 2 : scan.count);
/** How many workgroups a core does one after the other. */
const wavesOf = (extent: Extent, each: number, { cores }: Target): number =>
  Math.ceil(Math.max(1, Math.ceil(estimate(extent) / each)) / cores);
/** How many rows a workgroup may take. */
function rowCounts({ extent }: RowAxis, target: Target): number[] {
  const even = [1, 2, 4, 8, 16, 32, 64];
  if (typeof extent !== "number") return even.filter((n) => n <= 16);
  const fair = Math.ceil(extent / target.cores);
  return [...new Set([...even.filter((n) => n < extent), ...(fair < extent ? [fair] : []), Infinity])];
}
export interface Chosen {
  readonly placement: Placement;
  readonly total: number;
}
/** The best schedule of a kernel that runs so often in a launch, and its part of the launch's price. */
export function cheapest(
  spec: KernelSpec,
  axis: Variable | undefined,
  launch: Launch,
  times: number,
  target: Target,
): Chosen | undefined {
  const { rows, workgroup, own, inTurn } = launch;
  const { nest, space } = spaceOf(spec, axis, target);
  const key = `${rows} ${workgroup} ${own} ${inTurn} ${times}`;
  const chosen = entry(space.found, key, () => cheapestFor(space, axis, launch, times, target) ?? none);
  return chosen === none ? undefined : onNest(chosen, nest);
}
function cheapestFor(
  space: Space,
  axis: Variable | undefined,
  { rows, workgroup, own, inTurn }: Launch,
  times: number,
  target: Target,
): Chosen | undefined {
  const all = axis ? estimate(axis.extent) : 1;
  const often = times * wavesOf(axis?.extent ?? 1, rows, target) * (own ? 1 : target.besideBarriers);
  const totalOf = (o: Sized): number => {
    const tiles = o.span ? Math.ceil(Math.min(rows, all) / o.span) : 1;
    return often * timeOf(o, tiles, workgroup, target) + compileNs(o.compileMs, target);
  };
  const fits = (o: Option): boolean =>
    fitsLaunch(o, { workgroup, inTurn }) &&
    (!own || (o.own && o.threads === workgroup)) &&
    (rows === Infinity || !o.span || rows % o.span === 0);
  return bestOf(space, workgroup, fits, totalOf);
}
/** May a launch of so many invocations do it so? */
const fitsLaunch = (o: Option, { workgroup, inTurn }: Pick<Launch, "workgroup" | "inTurn">): boolean =>
  workgroup % o.threads === 0 && (!o.meets || o.threads === workgroup) && o.inTurn <= inTurn;
/**
 * The best way of a kernel inside a launch without rows, if it costs less than `most`, by another price, which `key` names: it rises with the count and
 * the compilation of a way.
 */
export function cheapestBy(
  spec: KernelSpec,
  key: string,
  launch: Pick<Launch, "workgroup" | "inTurn">,
  target: Target,
  totalOf: (o: Sized) => number,
  most = Infinity,
): Chosen | undefined {
  const { nest, space } = spaceOf(spec, undefined, target);
  const fits = (o: Option): boolean => fitsLaunch(o, launch);
  let chosen = space.found.get(key);
  if (chosen === undefined) {
    chosen = bestOf(space, launch.workgroup, fits, totalOf, most);
    if (chosen === undefined && most < Infinity) return undefined; // there may be a dearer one
    space.found.set(key, (chosen ??= none));
  }
  return chosen === none || chosen.total >= most ? undefined : onNest(chosen, nest);
}
/** The first of those that cost least. */
function bestOf(
  { parts }: Space,
  workgroup: number,
  fits: (o: Option) => boolean,
  totalOf: (o: Sized) => number,
  most = Infinity,
): Chosen | undefined {
  const likely = parts.filter(
    ({ least }) => !least || !(least.meets ? workgroup !== least.threads : workgroup % least.threads),
  );
  const best = cheapestOf(
    likely,
    ({ least }) => (least ? totalOf(least) : 0),
    ({ options }) => options().flatMap((o) => (fits(o) ? [{ of: o, total: totalOf(o) }] : [])),
    most,
  );
  return best && { placement: best.of, total: best.total };
}
const onNest = ({ placement, total }: Chosen, nest: Nest): Chosen => ({
  placement: { ...placement, nest: scheduledNest(nest, placement.schedule) },
  total,
});
/** ns of one run of a kernel in one workgroup. */
function timeOf(o: Sized, tiles: number, workgroup: number, target: Target): number {
  const together = workgroup / o.threads;
  const count = tiles * o.others;
  const busy = Math.ceil((Math.min(count, together) * o.threads) / target.simd);
  const round = Math.max(target.latency * o.each, Math.ceil(busy / target.resident) * o.each);
  return Math.ceil(count / together) * (round + target.ns.loop);
}

// ---------------------------------------------------------------- the space

/** A corner of the space. */
interface Part {
  readonly least: Sized | undefined; // none of them takes less
  readonly options: () => readonly Option[];
}
/** The options of a kernel, and the best of them for each launch that was asked about. */
interface Space {
  readonly parts: readonly Part[];
  readonly found: Map<string, Chosen | typeof none>;
}
const none = "none";
/** Of kernels that differ in their tensors alone. */
const spaces = remembered<Target, Map<string, Space>>();
/** ... with a nest of their own. */
interface Own {
  readonly nest: Nest;
  readonly space: Space;
}
const known = new WeakMap<KernelSpec, Map<Target, Map<Variable | undefined, Own>>>(); // regions that grow ask again
function spaceOf(spec: KernelSpec, axis: Variable | undefined, target: Target): Own {
  const onTarget = entry(
    entry(known, spec, () => new Map()),
    target,
    () => new Map(),
  );
  return entry(onTarget, axis, () => {
    // the tiles of a row lie together in the order of the workgroups
    const nest = nestOf(axis ? { ...spec, axes: [axis, ...spec.axes.filter((v) => v !== axis)] } : spec, axis);
    const row = axis && nest.nameOf.get(axis);
    const key = `${row ?? ""};${nest.outer.join()};${nest.inner.join()}\n${specKey(nest.spec).key}`;
    const ofTarget = entry(spaces(), target, () => new Map<string, Space>());
    return { nest, space: entry(ofTarget, key, () => ({ parts: partsOf(nest, row, target), found: new Map() })) };
  });
}
interface Table<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): unknown;
}
function entry<K, V>(map: Table<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
function partsOf(nest: Nest, row: string | undefined, target: Target): Part[] {
  const { spec } = nest;
  const others = nest.outer.filter((a) => a !== row);
  if (others.some((a) => typeof nest.extentOf.get(a) !== "number")) return [];
  const isElementwise = !spec.stages.length && spec.stores.every((s) => !s.over.length);
  const found = [
    ...(!isElementwise || row === undefined ? corners(nest, target).filter((c) => !c.alone) : []),
    ...(!isElementwise && row !== undefined ? corners(nest, target, row) : []),
    ...target.together.flatMap((workgroup) => ofManyRows(nest, target, workgroup)),
  ];
  const part = (candidates: () => readonly Candidate[], least?: Sized): Part => {
    let options: readonly Option[] | undefined;
    const make = (): readonly Option[] => candidates().flatMap((c) => optionOf(c.nest, c.schedule, row, target) ?? []);
    return { least, options: () => (options ??= make()) };
  };
  const plain = plainOnes(nest, row, others, target).map((schedule) => ({ nest, schedule }));
  return [...found.map((c) => part(c.candidates, c.least && leastOf(c, c.least, row, target))), part(() => plain)];
}
function leastOf({ nest, atOnce }: Corner, schedule: Schedule, row: string | undefined, target: Target): Sized {
  const least = leastPrice(nest, schedule, target, atOnce);
  const counts = least.count
    ? { count: waiting(least.count, nest, schedule.joined, target), countAlone: least.count }
    : {};
  const meets = schedule.joined || sharesSums(nest, schedule);
  return { ...sizesOf(nest, schedule, row), ...least, ...counts, meets };
}
/** Do several of its threads add up one result? */
const sharesSums = ({ inner }: Nest, { threads }: Schedule): boolean =>
  threads.some(([a, n]) => n > 1 && a.split("+").some((x) => inner.includes(x)));
/** An element, or four, of the other axes for each invocation. */
function plainOnes(nest: Nest, row: string | undefined, others: readonly string[], target: Target): Schedule[] {
  const plain = { ...plainSchedule, keepLoops: target.keepLoops };
  const last = others[others.length - 1];
  const single: Schedule = { ...plain, threads: [["", 1]] };
  const rows: Schedule[] = row === undefined ? [] : [{ ...plain, threads: [[row, target.simd]] }];
  if (last === undefined) return [...rows, single];
  const wide = !nest.spec.stages.length && (nest.extentOf.get(last) as number) % 4 === 0;
  return [
    ...[...new Set([target.simd, target.workgroup])].flatMap((n): Schedule[] => {
      const own: Schedule = { ...plain, fuse: others, threads: [["fused", n]] };
      return wide ? [own, { ...own, tile: { [last]: 4 }, vector: last }] : [own];
    }),
    ...rows.flatMap((own) => (wide ? [own, { ...own, tile: { [last]: 4 }, vector: last }] : [own])),
    single,
  ];
}
/** Workgroup memory that kernels of a launch have in turn: what staged operands take, or threads that share reductions. */
export function turnsOf(nest: Nest, schedule: Schedule): readonly Turn[] {
  const { threads, tile, staged, joined, padded, quads, vector, sums, together } = schedule;
  const { spec, outer } = nest;
  const turn = (dtype: DType, width: number, count: number): Turn => ({
    of: `${dtype} ${width}`,
    bytes: count * width * elements[dtype].bytes,
  });
  if (joined && Object.keys(staged).length) {
    const [chunk] = Object.values(staged) as [number];
    const c = contractionOf(nest)!;
    const of = c.operands.map((operand) => {
      const name = operand.along && c.nest.nameOf.get(operand.along)!;
      const along =
        name === undefined ? undefined : alongOf(name, tile[name] ?? 1, threadsAlong(schedule, name), quads);
      const layout = stagedLayout(operand.fast === c.k, chunk, along, padded);
      return turn(operand.value.dtype, layout.width, sizeOfBox(layout));
    });
    return of.sort((a, b) => b.bytes - a.bytes); // as they are declared
  }
  if (!sharesSums(nest, schedule) || together !== "workgroup") return [];
  const all = threads.reduce((n, [, count]) => n * count, 1);
  const width = outer.includes(vector) && sums === "vector" ? 4 : 1;
  const each = outer.reduce((n, a) => n * (tile[a] ?? 1), 1) / width; // sums of an invocation
  return spec.stages.flatMap((s): Turn[] =>
    (s.op === "argmax" || s.op === "argmin" ? [s.value.dtype, "i32" as const] : [s.value.dtype]).flatMap((dtype) =>
      Array.from({ length: each }, () => turn(dtype, width, all)),
    ),
  );
}
/** Bytes that kernels take of a workgroup's memory, each after the other: the first array of a type of one lies where the first of another does. */
export function bytesInTurn(kernels: readonly (readonly Turn[])[]): number {
  const most = new Map<string, number>();
  for (const turns of kernels) {
    const before = new Map<string, number>();
    for (const { of, bytes } of turns) {
      const n = before.get(of) ?? 0;
      before.set(of, n + 1);
      const key = `${of} ${n}`;
      most.set(key, Math.max(most.get(key) ?? 0, bytes));
    }
  }
  return [...most.values()].reduce((n, bytes) => n + bytes, 0);
}
/** Drivers put the loads of a product of matrices that are not staged beside their uses: each is waited for. */
function waiting(count: Count, nest: Nest, staged: boolean, { gpu }: Target): Count {
  if (staged || !contractionOf(nest)) return count;
  const waits = Math.max(count.waits, (count.loads + count.uniform) / loadsOfWait);
  return { ...count, waits, serial: count.serial + (waits - count.waits) * gpu!.latency };
}
const loadsOfWait = 1.5; // Mesa's compiler for RDNA 2 has 1 to 1.8 in flight at a wait in such loops of bench W10
/** Workgroups of a schedule over the same rows, and how many rows they have. */
function sizesOf(
  { outer, extentOf }: Nest,
  schedule: Schedule,
  row: string | undefined,
): Pick<Placement, "threads" | "span" | "others"> {
  const threads = schedule.threads.reduce((p, [, n]) => p * n, 1);
  const tileOf = (a: string): number => (schedule.tile[a] ?? 1) * (schedule.serial[a] ?? 1);
  let others = 1;
  let fused = 1;
  for (const a of outer) {
    const n = extentOf.get(a);
    if (a === row || typeof n !== "number") continue;
    if (schedule.fuse.includes(a)) fused *= Math.ceil(n / tileOf(a));
    else others *= Math.ceil(n / (tileOf(a) * threadsAlong(schedule, a)));
  }
  others *= Math.ceil(fused / (schedule.fuse.length ? threadsAlong(schedule, "fused") : 1));
  const span = row === undefined ? 0 : tileOf(row) * threadsAlong(schedule, row);
  return { threads, span, others };
}
/** A schedule as one inside a launch, unless its threads wait for one another, or its tiles hold parts of several rows. */
function optionOf(nest: Nest, schedule: Schedule, row: string | undefined, target: Target): Option | undefined {
  const { threads, span, others } = sizesOf(nest, schedule, row);
  const staged = Object.keys(schedule.staged).length > 0;
  const meets = schedule.share.length > 0 || sharesSums(nest, schedule) || staged;
  if (schedule.split || schedule.anySize || (staged && row !== undefined)) return undefined;
  const turns = turnsOf(nest, schedule);
  const shares = turns.length > 0;
  if (meets && !target.lanes && !(shares && target.inTurn)) return undefined;
  const bytes = bytesInTurn([turns]);
  if (shares && (!target.together.includes(threads) || bytes > target.workgroupMemory)) return undefined;
  if (row !== undefined && (schedule.flat || schedule.fuse.includes(row))) return undefined;
  const price = priceOf(nest, schedule, target);
  const { compileMs } = price;
  const count = price.count && waiting(price.count, nest, staged, target);
  const each =
    price.count && count
      ? price.each + (count.serial - price.count.serial) / target.latency / target.gpu!.ghz
      : price.each;
  return {
    nest,
    schedule,
    ...(count && price.count ? { count, countAlone: price.count } : {}),
    threads,
    span,
    others,
    each,
    compileMs,
    meets,
    inTurn: bytes,
    own:
      row !== undefined &&
      threadsAlong(schedule, row) > 1 &&
      schedule.threads.every(([a, n]) => a === row || n === 1) &&
      schedule.vector !== row &&
      (schedule.serial[row] ?? 1) === 1,
  };
}
