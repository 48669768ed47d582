// The price of a schedule in closed form, without making code: instructions of one SIMD group by kind, how often the loops run them, how many
// workgroups a core gets, and what the driver takes to compile, spread over the runs.
import { analyse, type Access, type Part, type Work } from "./access.ts";
import type { Nest } from "./nest.ts";
import type { Count } from "./gpu-count.ts";
import { leastOnGpu, timeOnGpu, type GpuTime } from "./gpu.ts";
import { elements, loopsOf, place, product, tripsOf, type Loops, type Placed } from "./placed.ts";
import type { Schedule } from "./schedule.ts";
import type { Target } from "../kernel/target.ts";

export interface Price {
  readonly ns: number; // of one run
  readonly each: number; // ns of one SIMD group
  readonly compileMs: number;
  readonly groups: number;
  readonly total: number; // ns, with the share of the compilation
  readonly count?: Count; // on GPUs
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
/** `limit`: of a price whose reductions alone cost more in total, no more is computed. */
export function priceOf(nest: Nest, s: Schedule, target: Target, limit = Infinity): Price {
  const analysis = analyse(nest);
  const p = place(analysis, s, target);
  if (target.gpu) return onGpu(p, timeOnGpu(nest, p, target));
  const tally: Tally = { ns: 0, compile: 0, time: 0, memory: 0, bodyLoads: 0, bodyWork: 0, waiting: 0 };
  for (const part of analysis.stages) addPart(part, part.ops!.length, p, tally);
  if (limit < Infinity && analysis.stages.length) {
    const least = summed(p, tally);
    if (least.total > limit) return least;
  }
  for (const part of analysis.stores) addPart(part, 0, p, tally);
  return summed(p, tally);
}
/**
 * No schedule with these threads and this tile of output axes costs less, whose loops have `atOnce` steps of reductions at most: what these must load and
 * add up, at the best width, and nothing else.
 */
export function leastPrice(nest: Nest, s: Schedule, target: Target, atOnce: number): Price {
  const analysis = analyse(nest);
  const p = place(analysis, s, target);
  if (target.gpu) return onGpu(p, leastOnGpu(nest, p, target, atOnce));
  const { ns } = target;
  const tally: Tally = { ns: 0, compile: 0, time: 0, memory: 0, bodyLoads: 0, bodyWork: 0, waiting: 0 };
  for (const part of analysis.stages) {
    const steps = (axes: readonly number[]): number =>
      axes.reduce((n, a) => (a < p.outerCount ? n : (n * p.extent[a]!) / p.threads[a]!), part.stretch?.share ?? 1);
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
  return summed(p, tally);
}
const overtime = 50; // how much more a millisecond of compilation beyond the limit counts
/** The price of all invocations; it rises with the tally. */
function summed(p: Placed, tally: Tally): Price {
  const { target, rounds, groups } = p;
  const each = rounds * tally.ns + (rounds > 1 ? rounds * target.ns.loop : 0);
  const perGroup = target.workgroupNs + Math.ceil(p.workgroup / target.simd) * each;
  const run = Math.max(target.latency * each, Math.ceil((groups / target.cores) * (1 / target.resident)) * perGroup);
  const ns = target.launchNs + run;
  const driver = p.schedule.anySize ? 0 : compileNs(tally.compile, target); // the driver knows the text from another kernel
  return { ns, each, compileMs: tally.compile, groups, total: ns + driver };
}
/** What a schedule does on a GPU: what its price is made of. */
export function countOnGpu(nest: Nest, s: Schedule, target: Target): GpuTime {
  return timeOnGpu(nest, place(analyse(nest), s, target), target);
}
/** `each`: as `latency` and `resident` of the target count, of which GPUs have one value for all kernels. */
function onGpu({ target, groups, schedule }: Placed, { count, cycles }: GpuTime): Price {
  const { ghz, simds } = target.gpu!;
  const ns = target.launchNs + cycles / ghz;
  const each = Math.max(count.serial / target.latency, (count.issue * target.resident) / simds) / ghz;
  const driver = schedule.anySize ? 0 : compileNs(count.compile, target);
  return { ns, each, compileMs: count.compile, groups, total: ns + driver, count };
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
  const loops = loopsOf(part, p);
  const pricing: Pricing = { p, part, sums, loops, t };
  t.time = t.memory = t.bodyLoads = t.bodyWork = t.waiting = 0;
  for (const w of part.work) {
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
/** The tiled axis along which lanes share what none of them changes. */
function sharedAxisOf(w: Work, p: Placed): number {
  for (const a of w.axes) if (p.onLanes[a]) return -1;
  return p.share.find((a) => w.axes.includes(a)) ?? -1;
}
function addLoad(w: Work, x: Access, shared: number, { p, part, sums, loops, t }: Pricing): void {
  const { schedule: s, target, tile } = p;
  const { ns } = target;
  const often = tripsOf(loops, w.axes);
  const vector = sums > 0 && s.sums === "scalar" && p.vector < p.outerCount ? -1 : p.vector;
  const wide = vector >= 0 && vector !== shared && tile[vector]! >= 4 && x.wide[vector]!;
  const count = countLoads(x, wide, shared, loops.innermost, p);
  const clash = target.clashNs && clashes(x, shared, loops.innermost, p) ? target.clashNs : 0;
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
  const clash = target.clashNs && clashes(x, -1, -1, p) ? target.clashNs : 0;
  t.time += loops.steps * (wide ? (count / 4) * (ns.store4 + clash) : count * (ns.store + clash));
  const rolled = rows >= 0 && !part.over.length ? (count / tile[rows]!) * (rows === vector ? 4 : 1) : count;
  t.compile += rolled * target.compile.store;
}

const farStep = 1024; // elements: beyond what the prefetcher follows
const line = 16; // elements of a cache line
const page = 1024; // elements until the sets of the first cache repeat
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
