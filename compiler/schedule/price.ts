// The price of a schedule in closed form, without making code: instructions of one SIMD group by kind, how often the loops run them, how many
// workgroups a core gets, and what the driver takes to compile, spread over the runs.
import { analyse, type Access, type Analysis, type Part, type Work } from "./access.ts";
import { contractionOf, type Contraction } from "./contraction.ts";
import type { Nest } from "./nest.ts";
import { threadsAlong, type Schedule } from "./schedule.ts";
import type { Target } from "../kernel/target.ts";

export interface Price {
  readonly ns: number; // of one run
  readonly each: number; // ns of one SIMD group
  readonly compileMs: number;
  readonly groups: number;
  readonly total: number; // ns, with the share of the compilation
}
/** Where the threads of a schedule run, by the numbers of the axes; -1: no axis. */
interface Lanes {
  readonly of: Pick<Schedule, "threads" | "fuse">;
  readonly threads: readonly number[];
  readonly onLanes: readonly boolean[];
  readonly fused: readonly number[];
  readonly lastFused: number;
  readonly fusedThreads: number;
  readonly workgroup: number;
  readonly lane: number; // the axis of the innermost threads
}
/** A schedule by the numbers of the axes. */
interface Placed extends Omit<Lanes, "of"> {
  readonly schedule: Schedule;
  readonly target: Target;
  readonly extent: readonly number[];
  readonly outerCount: number;
  readonly tile: readonly number[];
  readonly vector: number;
  readonly rows: number;
  readonly chunk: readonly number[]; // of a reduced axis; 0: not staged
  readonly share: readonly number[];
  readonly accumulators: number; // elements of one invocation
  readonly rounds: number; // tiles that it computes after one another
  readonly groups: number; // workgroups
  readonly contraction: Contraction | undefined; // whose operands lie in workgroup memory
}
function place(nest: Nest, analysis: Analysis, s: Schedule, target: Target): Placed {
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
  const { threads, onLanes, lastFused, fusedThreads, workgroup, lane } = lanes;
  return {
    schedule: s,
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
    lane,
    vector: axes.indexOf(s.vector),
    rows: axes.indexOf(s.rows),
    chunk: s.joined ? axes.map((a) => s.staged[a] ?? 0) : noAxes,
    share: s.share.length ? s.share.map((a) => axes.indexOf(a)) : noAxes,
    accumulators: product(outer, tile),
    rounds,
    groups,
    contraction: s.joined ? contractionOf(nest) : undefined,
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
  const [lane] = s.threads[s.threads.length - 1]!;
  const made: Lanes = {
    of: s,
    threads: axes.map((a) => threadsAlong(s, a)),
    onLanes: axes.map((a, i) => lanes.includes(a) || fused.includes(i)),
    fused,
    lastFused,
    fusedThreads: threadsAlong(s, "fused"),
    workgroup: s.threads.reduce((p, [, n]) => p * n, 1),
    lane: lane === "fused" ? lastFused : axes.indexOf(lane),
  };
  lastLanes.set(analysis, made);
  return made;
}
function product(axes: readonly number[], of: readonly number[]): number {
  let p = 1;
  for (const a of axes) p *= of[a]!;
  return p;
}

/** What is summed up over a kernel, and within one of its parts. */
interface Tally {
  ns: number;
  compile: number;
  time: number; // ns of what is computed and stored
  memory: number; // ns of what is loaded
  bodyLoads: number; // of the innermost loop
  bodyWork: number;
  waiting: number; // ns that each of its steps waits for memory
}
/** The rolled loops of a part. */
interface Loops {
  readonly axes: readonly number[]; // outer to inner
  readonly trips: readonly number[]; // of their bodies
  readonly innermost: number; // its axis, or -1
  readonly steps: number; // trips of the innermost body
}
function loopsOf(over: readonly number[], p: Placed): Loops {
  const axes: number[] = [];
  const trips: number[] = [];
  let steps = 1;
  for (const a of over) {
    const step = p.tile[a]! * p.threads[a]!;
    if (p.extent[a]! <= step) continue;
    steps *= Math.ceil(p.extent[a]! / step);
    axes.push(a);
    trips.push(steps);
  }
  return { axes, trips, innermost: axes[axes.length - 1] ?? -1, steps };
}
/** How often a value that depends on these axes is computed. */
function tripsOf(loops: Loops, axes: readonly number[]): number {
  for (let i = loops.axes.length - 1; i >= 0; i--) if (axes.includes(loops.axes[i]!)) return loops.trips[i]!;
  return 1;
}

/** `limit`: of a price whose reductions alone cost more in total, no more is computed. */
export function priceOf(nest: Nest, s: Schedule, target: Target, limit = Infinity): Price {
  const analysis = analyse(nest);
  const p = place(nest, analysis, s, target);
  const tally: Tally = { ns: 0, compile: 0, time: 0, memory: 0, bodyLoads: 0, bodyWork: 0, waiting: 0 };
  for (const part of analysis.stages) addPart(part, part.ops!.length, p, tally);
  if (limit < Infinity && analysis.stages.length) {
    const least = summed(p, tally);
    if (least.total > limit) return least;
  }
  for (const part of analysis.stores) addPart(part, 0, p, tally);
  return summed(p, tally);
}
/** No schedule with these threads and this tile of output axes costs less: what its reductions must load and add up, at the best width, and nothing else. */
export function leastTotal(nest: Nest, s: Schedule, target: Target): number {
  const analysis = analyse(nest);
  const p = place(nest, analysis, s, target);
  const { ns } = target;
  const tally: Tally = { ns: 0, compile: 0, time: 0, memory: 0, bodyLoads: 0, bodyWork: 0, waiting: 0 };
  for (const part of analysis.stages) {
    const steps = (axes: readonly number[]): number =>
      axes.reduce((n, a) => (a < p.outerCount ? n : (n * p.extent[a]!) / p.threads[a]!), 1);
    let memory = 0;
    for (const { access, axes } of part.work) {
      if (!access || access.windowed) continue;
      let loads = target.lanes && !axes.some((a) => p.onLanes[a]) ? 1 / target.simd : 1; // lanes may share it
      for (const a of access.axes) if (a < p.outerCount) loads *= p.tile[a]!;
      memory += loads * steps(access.axes) * Math.min(ns.load, ns.load4 / 4);
      tally.compile += loads * target.compile.load;
    }
    const sums = part.ops!.length * p.accumulators;
    const time = sums * steps(part.over) * ns.alu;
    tally.compile += sums * (target.compile.operation / 2);
    tally.ns += Math.max(time, memory) + target.overlap * Math.min(time, memory);
  }
  return summed(p, tally).total;
}
const overtime = 50; // how much more a millisecond of compilation beyond the limit counts
/** The price of all invocations; it rises with the tally. */
function summed(p: Placed, tally: Tally): Price {
  const { target, rounds, groups } = p;
  const each = rounds * tally.ns + (rounds > 1 ? rounds * target.ns.loop : 0);
  const perGroup = target.workgroupNs + Math.ceil(p.workgroup / target.simd) * each;
  const waves = Math.ceil(p.workgroup / target.simd);
  const run = p.contraction
    ? Math.ceil((groups * waves) / (target.cores * target.resident)) * (each + target.workgroupNs / waves) // sums that do not wait for one another fill a core alone
    : Math.max(target.latency * each, Math.ceil((groups / target.cores) * (1 / target.resident)) * perGroup);
  const ns = target.launchNs + run;
  const driver = p.schedule.anySize ? 0 : compileNs(tally.compile, target); // the driver knows the text from another kernel
  return { ns, each, compileMs: tally.compile, groups, total: ns + driver };
}
/** The share of one run in what a kernel's compilation costs. */
export const compileNs = (ms: number, { compile, runs }: Target): number =>
  ((ms + overtime * Math.max(0, ms - compile.limit)) * 1e6) / runs;
/** A part on its way to its price. */
interface Pricing {
  readonly p: Placed;
  readonly part: Part;
  readonly sums: number; // reductions that share the loops of the part; 0: it stores
  readonly loops: Loops;
  readonly t: Tally;
}
function addPart(part: Part, sums: number, p: Placed, t: Tally): void {
  const { target } = p;
  const { ns } = target;
  const loops = loopsOf(part.over, p);
  const pricing: Pricing = { p, part, sums, loops, t };
  t.time = t.memory = t.bodyLoads = t.bodyWork = t.waiting = 0;
  if (sums && p.contraction) addStaging(p.contraction, pricing);
  for (const w of part.work) {
    if (sums && p.contraction && isStaged(w, pricing)) continue;
    const shared = sums > 0 && p.share.length ? sharedAxisOf(w, p) : -1;
    if (w.access) addLoad(w, w.access, shared, pricing);
    else if (w.cost !== "none") addWork(w, shared, pricing);
  }
  if (sums) addSums(pricing);
  t.memory += loops.steps * t.waiting;
  if (loops.trips.length) t.time += loops.trips.reduce((sum, trips) => sum + trips, 0) * ns.loop;
  t.time +=
    loops.steps *
    (target.longBody.ns * Math.max(0, t.bodyWork + 8 * t.bodyLoads - target.longBody.operations) +
      target.manyLoads.ns * Math.max(0, t.bodyLoads - target.manyLoads.loads));
  for (const store of part.stores) addStore(store, pricing);
  t.ns += Math.max(t.time, t.memory) + target.overlap * Math.min(t.time, t.memory);
}
/** Is it done once for a workgroup, by the fetches of an operand? */
function isStaged({ axes }: Work, { p, part }: Pricing): boolean {
  const [m, n] = [p.outerCount - 2, p.outerCount - 1];
  return axes.includes(part.over[0]!) && !(axes.includes(m) && axes.includes(n));
}
const banksOfFour = 8; // of workgroup memory, each of four elements
/** Fetches, stores, reads and barriers of the operands of a contraction. */
function addStaging({ operands, k, m }: Contraction, { p, part, t }: Pricing): void {
  const { target, schedule: s } = p;
  const { ns } = target;
  const reduced = part.over[0]!;
  const chunk = p.chunk[reduced]!;
  const chunks = Math.ceil(p.extent[reduced]! / chunk);
  let [fetches, reads, held, ahead] = [0, 0, 0, 0];
  for (const { along, fast, isWide, loads } of operands) {
    const a = along === m ? p.outerCount - 2 : p.outerCount - 1;
    const [own, span] = along ? [p.tile[a]!, p.tile[a]! * p.threads[a]!] : [1, 1];
    const rounds = Math.ceil((chunk * span) / (4 * p.workgroup));
    const scattered = fast !== k && own % 4 ? 4 : 1; // single elements in workgroup memory
    fetches += rounds * (loads * (isWide ? ns.load4 : 4 * ns.load) + scattered * ns.workgroup);
    const lanes = a === p.outerCount - 1 ? p.threads[a]! : target.simd / p.threads[p.outerCount - 1]!; // that read different rows at once
    const clashing = fast === k && along && !s.padded ? Math.min(banksOfFour, Math.max(1, lanes)) : 1; // all of them begin in the same bank
    reads += (own * scattered * chunk * clashing) / 4;
    held = Math.max(held, 4 * own);
    ahead += s.ahead ? 4 * rounds : 0;
    t.compile += rounds * target.compile.load * (isWide ? 1 : 4);
  }
  const meeting = (ns.barrier * p.workgroup) / (2 * target.simd); // the more SIMD groups, the longer until the last one comes
  const waiting = s.ahead ? 0 : target.latency * target.waitNs;
  t.memory += chunks * (fetches + reads * 2 * ns.workgroup + 2 * meeting + waiting); // a read of four takes twice as long
  t.time += chunks * ns.spill * Math.max(0, p.accumulators + held + ahead - target.registers);
}
/** The tiled axis along which lanes share what none of them changes. */
function sharedAxisOf(w: Work, p: Placed): number {
  for (const a of w.axes) if (p.onLanes[a]) return -1;
  return p.share.find((a) => w.axes.includes(a)) ?? -1;
}
function addLoad(w: Work, x: Access, shared: number, { p, sums, loops, t }: Pricing): void {
  const { schedule: s, target, tile } = p;
  const { ns } = target;
  const often = tripsOf(loops, w.axes);
  const vector = sums > 0 && s.sums === "scalar" && p.vector < p.outerCount ? -1 : p.vector;
  const wide = vector >= 0 && vector !== shared && tile[vector]! >= 4 && x.wide[vector]!;
  const count = countLoads(x, wide, shared, loops.innermost, p);
  const clash = (target.clashNs && clashes(x, shared, loops.innermost, p) ? target.clashNs : 0) + apart(x, p);
  t.memory += often * (count * (wide ? ns.load4 + clash : ns.load + clash + (x.guarded ? ns.guard : 0)));
  if (shared >= 0) t.time += often * product(w.axes, tile) * ns.broadcast;
  const written = !sums && p.rows >= 0 && w.axes.includes(p.rows) ? 1 / tile[p.rows]! : 1; // one row's code
  const single = wide ? 4 * count : count;
  t.compile += single * written * target.compile.load;
  if (loops.innermost < 0 || often !== loops.steps) return;
  t.bodyLoads += single;
  // steps of the loop wait for memory, less where the body has several loads on their way; more where the steps are far apart
  const far = Math.abs(x.stride[loops.innermost]!) * tile[loops.innermost]! >= farStep;
  t.waiting = Math.max(
    t.waiting,
    far ? target.waitNs / Math.max(1, single) : target.nearWaitNs / Math.max(1, wide ? 2 * count : count),
  );
}
function addWork(w: Work, shared: number, { p, sums, loops, t }: Pricing): void {
  const { target, tile } = p;
  const often = tripsOf(loops, w.axes);
  const tiled = product(w.axes, tile);
  const count = w.guards
    ? elements(w.guards, tile)
    : shared >= 0
      ? Math.ceil(tiled / target.simd)
      : w.cost === "random" && p.vector >= 0 && w.axes.includes(p.vector)
        ? tiled / 4
        : tiled;
  t.time += often * count * target.ns[w.cost];
  const written = !sums && p.rows >= 0 && w.axes.includes(p.rows) ? count / tile[p.rows]! : count; // one row's code
  t.compile +=
    written *
    (w.cost === "function" || w.cost === "divide"
      ? target.compile.function
      : w.cost === "random"
        ? 20 * target.compile.function
        : target.compile.operation / 2);
  if (loops.innermost >= 0 && often === loops.steps) t.bodyWork += count / 2; // a multiplication and its addition count as one
}
function addSums({ p, part, sums, loops, t }: Pricing): void {
  const { schedule: s, target, tile, accumulators } = p;
  const { ns } = target;
  const points = accumulators * product(part.over, tile);
  t.time += loops.steps * sums * points * ns.alu;
  t.compile +=
    sums * points * (target.compile.operation / 2) +
    sums * accumulators * Math.max(0, loops.axes.length - 1) * target.compile.carried;
  t.bodyWork += (sums * points) / 2;
  const sharing = product(part.over, p.threads);
  if (sharing > 1)
    t.time += sums * accumulators * (s.together === "subgroup" ? ns.reduce : (1 + Math.log2(sharing)) * ns.barrier);
  // a sum out of the registers' reach comes and goes once for all steps of a tile that are written out; at each step of a window, but where single sums keep it
  let window = 1;
  for (const a of part.over) if (tile[a] === p.extent[a]) window *= tile[a]!;
  const spilled = sums * accumulators > target.registers ? sums * accumulators * (s.sums === "scalar" ? 1 : window) : 0;
  t.time += loops.steps * (spilled * ns.spill + sums * accumulators * ns.carried);
}
function addStore(x: Access, { p, part, loops, t }: Pricing): void {
  const { target, tile, vector, rows } = p;
  const { ns } = target;
  const count = p.accumulators * product(part.over, tile);
  const wide = vector >= 0 && tile[vector]! >= 4 && x.stride[vector] === 1 && p.extent[vector]! % 4 === 0;
  const clash = (target.clashNs && clashes(x, -1, -1, p) ? target.clashNs : 0) + apart(x, p);
  t.time += loops.steps * (wide ? (count / 4) * (ns.store4 + clash) : count * (ns.store + clash));
  const rolled = rows >= 0 && !part.over.length ? (count / tile[rows]!) * (rows === vector ? 4 : 1) : count;
  t.compile += rolled * target.compile.store;
}

const farStep = 1024; // elements: beyond what the prefetcher follows
const line = 16; // elements of a cache line
const page = 1024; // elements until the sets of the first cache repeat
/** ns for the lines of memory that the lanes of one access spread over. */
function apart(x: Access, p: Placed): number {
  const { target, lane } = p;
  if (!target.transactionNs) return 0;
  const stride = lane < 0 ? 0 : Math.abs(x.stride[lane]!) * (lane === p.lastFused ? p.tile[lane]! : 1);
  return (
    (Math.min(target.simd, Math.max(1, (target.simd * (Number.isNaN(stride) ? 32 : stride)) / 32)) - 1) *
    target.transactionNs
  );
}
/** Do the lines of one access fall into so few sets of the first cache that they drive one another out before they are used again? */
function clashes(x: Access, shared: number, innermost: number, p: Placed): boolean {
  if (innermost >= 0 && Math.abs(x.stride[innermost]!) >= line) return false; // nothing is used again
  let step = page;
  let lanes = 1;
  for (const a of x.axes) {
    const stride = Math.abs(x.stride[a]!);
    const isFused = p.fused.includes(a);
    const count = a === shared ? 8 : a === p.lastFused ? p.fusedThreads : p.threads[a]!;
    const apart = stride * (isFused ? p.tile[a]! : 1);
    if (isStrided(apart, count)) {
      step = gcd(step, apart);
      lanes *= count;
    }
    if (a !== shared && isStrided(stride, p.tile[a]!)) step = gcd(step, stride);
  }
  const most = 6 * Math.max(1, page / step);
  if (lanes * product(x.axes, p.tile) <= most) return false;
  const far = p.tile.map((n, a) => (Math.abs(x.stride[a]!) >= line ? n : 1));
  return lanes * elements(x, far, shared) > most;
}
const isStrided = (stride: number, count: number): boolean => count > 1 && Number.isFinite(stride) && stride >= line;
const gcd = (a: number, b: number): number => (b ? gcd(b, a % b) : a);
/** Distinct elements of a tile: neighbours of a window share theirs. `once`: an axis of which one element counts. */
function elements(x: Access, tile: readonly number[], once = -1): number {
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
/** Loads of one body: distinct elements of the tile, four at a time where they lie so, one per lane along the axis that they share. */
function countLoads(x: Access, wide: boolean, shared: number, innermost: number, p: Placed): number {
  const { tile } = p;
  const own = elements(x, tile, shared) / (wide ? 4 : 1);
  if (shared >= 0) return own * Math.ceil(tile[shared]! / p.target.simd);
  if (!wide && p.schedule.slide && innermost >= 0 && tile[innermost] === 1 && p.threads[innermost] === 1) {
    // along the window only the new values are loaded
    const window = x.indices.find((dim) => dim.length > 1 && dim.some(([a]) => a === innermost));
    const step = Math.abs(window?.find(([a]) => a === innermost)![1] ?? 0);
    const partner = window?.find(([a, k]) => a !== innermost && tile[a]! > 1 && step % k === 0);
    if (partner) return own * Math.min(1, step / Math.abs(partner[1]) / tile[partner[0]]!);
  }
  return own;
}
