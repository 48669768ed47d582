// A schedule by the numbers of the axes: where its threads run, how large its tiles are, which loops are left. In: the access analysis of a nest and a
// schedule. Out: what prices are counted from.
import type { Access, Analysis, Part } from "./access.ts";
import { threadsAlong, type Schedule } from "./schedule.ts";
import type { Target } from "../kernel/target.ts";

/** Where the threads of a schedule run, by the numbers of the axes; -1: no axis. */
interface Lanes {
  readonly of: Pick<Schedule, "threads" | "fuse">;
  readonly threads: readonly number[];
  readonly onLanes: readonly boolean[];
  readonly fused: readonly number[];
  readonly lastFused: number;
  readonly fusedThreads: number;
  readonly workgroup: number;
}
/** A schedule by the numbers of the axes. */
export interface Placed extends Omit<Lanes, "of"> {
  readonly schedule: Schedule;
  readonly names: readonly string[]; // of the axes
  readonly target: Target;
  readonly extent: readonly number[];
  readonly outerCount: number;
  readonly tile: readonly number[];
  readonly vector: number;
  readonly rows: number;
  readonly share: readonly number[];
  readonly accumulators: number; // elements of one invocation
  readonly rounds: number; // tiles that it computes after one another
  readonly groups: number; // workgroups
}
export function place(analysis: Analysis, s: Schedule, target: Target): Placed {
  const { axes, outer, extents } = analysis;
  const tile = axes.map((a) => s.tile[a] ?? 1);
  const lanes = lanesOf(analysis, s);
  let rounds = 1;
  let groups = 1;
  let fused = 1;
  for (const a of outer) {
    const serial = s.serial[axes[a]!] ?? 1;
    rounds *= serial;
    const span = tile[a]! * serial;
    if (lanes.fused.includes(a)) fused *= Math.ceil(extents[a]! / span);
    else groups *= Math.ceil(extents[a]! / (span * lanes.threads[a]!));
  }
  if (lanes.fused.length) groups *= Math.ceil(fused / lanes.fusedThreads);
  const { threads, onLanes, lastFused, fusedThreads, workgroup } = lanes;
  return {
    schedule: s,
    names: axes,
    target,
    extent: extents,
    outerCount: outer.length,
    tile,
    threads,
    onLanes,
    fused: lanes.fused,
    lastFused,
    fusedThreads,
    workgroup,
    vector: axes.indexOf(s.vector),
    rows: axes.indexOf(s.rows),
    share: s.share.length ? s.share.map((a) => axes.indexOf(a)) : noAxes,
    accumulators: product(outer, tile),
    rounds,
    groups,
  };
}
const noAxes: readonly number[] = [];
const lastLanes = new WeakMap<Analysis, Lanes>(); // schedules that differ in their tiles alone come one after the other
function lanesOf(analysis: Analysis, s: Schedule): Lanes {
  const last = lastLanes.get(analysis);
  if (last?.of.threads === s.threads && last.of.fuse === s.fuse) return last;
  const { axes } = analysis;
  const fused = s.fuse.map((a) => axes.indexOf(a));
  const lastFused = fused[fused.length - 1] ?? -1;
  const lanes = s.threads.flatMap(([a, n]) => (n > 1 ? a.split("+") : []));
  const made: Lanes = {
    of: s,
    threads: axes.map((a) => threadsAlong(s, a)),
    onLanes: axes.map((a, i) => lanes.includes(a) || fused.includes(i)),
    fused,
    lastFused,
    fusedThreads: threadsAlong(s, "fused"),
    workgroup: s.threads.reduce((p, [, n]) => p * n, 1),
  };
  lastLanes.set(analysis, made);
  return made;
}
export function product(axes: readonly number[], of: readonly number[]): number {
  let p = 1;
  for (const a of axes) p *= of[a]!;
  return p;
}

/** The rolled loops of a part. */
export interface Loops {
  readonly axes: readonly number[]; // outer to inner
  readonly trips: readonly number[]; // of their bodies
  readonly innermost: number; // its axis, or -1
  readonly steps: number; // trips of the innermost body
}
export function loopsOf({ over, stretch }: Pick<Part, "over" | "stretch">, p: Placed): Loops {
  const axes: number[] = [];
  const trips: number[] = [];
  const last = over[over.length - 1];
  let steps = 1;
  for (const a of over) {
    const step = p.tile[a]! * p.threads[a]!;
    if (p.extent[a]! <= step) continue;
    const isCut = stretch && a === last && step === 1 && !p.share.length && stretch.axes.every((b) => p.tile[b] === 1);
    steps *= Math.ceil(p.extent[a]! / step) * (isCut ? stretch.share : 1);
    axes.push(a);
    trips.push(steps);
  }
  return { axes, trips, innermost: axes[axes.length - 1] ?? -1, steps };
}
/** How often a value that depends on these axes is computed. */
export function tripsOf(loops: Loops, axes: readonly number[]): number {
  for (let i = loops.axes.length - 1; i >= 0; i--) if (axes.includes(loops.axes[i]!)) return loops.trips[i]!;
  return 1;
}

/** Distinct elements of a tile: neighbours of a window share theirs. `once`: an axis of which one element counts. */
export function elements(x: Access, tile: readonly number[], once = -1): number {
  let all = 1;
  for (const a of x.axes) if (a !== once) all *= tile[a]!;
  if (!x.windowed) return all;
  let distinct = 1;
  for (const dim of x.indices) {
    let n = 1;
    for (const [a, k] of dim) if (a !== once) n += Math.abs(k) * (tile[a]! - 1);
    distinct *= n;
  }
  return Math.min(all, distinct);
}
