// The price of a schedule in closed form, without making code: instructions of one SIMD group by kind, how often the loops run them, how many
// workgroups a core gets, and what the driver takes to compile, spread over the runs.
import { analyse, type Access, type Work } from "./access.ts";
import { estimate, type Nest } from "./nest.ts";
import { threadsAlong, type Schedule } from "./schedule.ts";
import type { Target } from "./target.ts";

export interface Price {
  readonly ns: number; // of one run
  readonly compileMs: number;
  readonly groups: number;
}
export function priceOf(nest: Nest, s: Schedule, target: Target): Price {
  const { ns } = target;
  const { stages, stores } = analyse(nest);
  const extent = (a: string): number => estimate(nest.extentOf.get(a)!);
  const tile = (a: string): number => s.tile[a] ?? 1;
  const lanesOf = (a: string): number => threadsAlong(s, a);
  const workgroup = s.threads.reduce((p, [, n]) => p * n, 1);
  const product = (axes: Iterable<string>, of: (a: string) => number): number => {
    let p = 1;
    for (const a of axes) p *= of(a);
    return p;
  };
  const laneAxes = new Set([...s.threads.filter(([, n]) => n > 1).flatMap(([a]) => a.split("+")), ...s.fuse]);
  const accumulators = product(nest.outer, tile);
  const width = target.simd;
  let total = 0;
  let compile = 0;

  /** ns for the lines of memory that the lanes of one access spread over. */
  const apart = (x: Access): number => {
    if (!target.transactionNs) return 0;
    const [axis] = s.threads[s.threads.length - 1]!;
    const last = axis === "fused" ? s.fuse[s.fuse.length - 1]! : axis;
    const stride = Math.abs(x.stride.get(last) ?? 0) * (axis === "fused" ? tile(last) : 1);
    return (Math.min(target.simd, Math.max(1, (target.simd * (Number.isNaN(stride) ? 32 : stride)) / 32)) - 1) * target.transactionNs;
  };

  const part = (over: readonly string[], work: readonly Work[], sums: number, stored: readonly Access[]): void => {
    const reduces = sums > 0;
    // rolled loops, outer to inner, with the times that their bodies run
    const loops: { axis: string; trips: number }[] = [];
    let trips = 1;
    for (const a of over) {
      const step = tile(a) * lanesOf(a);
      if (extent(a) <= step) continue;
      trips *= Math.ceil(extent(a) / step);
      loops.push({ axis: a, trips });
    }
    const innermost = loops[loops.length - 1];
    const tripsOf = (axes: ReadonlySet<string>): number => loops.findLast((l) => axes.has(l.axis))?.trips ?? 1;
    const points = accumulators * product(over, tile);
    let bodyLoads = 0;
    let bodyWork = 0;
    let waiting = 0; // ns that each step of the innermost loop waits for memory
    let memory = 0; // ns
    let time = 0;
    for (const w of work) {
      const often = tripsOf(w.axes);
      const tiled = product(w.axes, tile);
      const inBody = innermost !== undefined && often === innermost.trips;
      const invariant = reduces && ![...w.axes].some((a) => laneAxes.has(a));
      const carrier = invariant ? s.share.find((a) => w.axes.has(a)) : undefined;
      const chunked = w.access && reduces && over.find((a) => s.staged[a] && w.axes.has(a));
      if (w.access && chunked) {
        // brought into workgroup memory chunk by chunk, read from there
        const chunk = Math.min(s.staged[chunked]!, extent(chunked));
        const fill = Math.ceil(elements(w.access, (a) => (a === chunked ? chunk : nest.outer.includes(a) ? tile(a) * lanesOf(a) : tile(a))) / workgroup);
        const rounds = Math.ceil(trips / Math.ceil(chunk / tile(chunked)));
        memory += rounds * (fill * (ns.load + ns.fill) + 2 * ns.barrier) + often * elements(w.access, tile) * ns.workgroup;
        compile += 2 * target.compile.load;
      } else if (w.access) {
        const load = countLoads(w.access, reduces && s.sums === "scalar" && nest.outer.includes(s.vector) ? { ...s, vector: "" } : s, tile, width, carrier, innermost?.axis);
        const clash = (clashes(w.access, s, tile, lanesOf, carrier, innermost?.axis) ? target.clashNs : 0) + apart(w.access);
        memory += often * (load.wide * (ns.load4 + clash) + load.single * (ns.load + clash + (w.access.guarded ? ns.guard : 0)));
        if (carrier) time += often * tiled * ns.broadcast;
        const written = !reduces && s.rows && w.axes.has(s.rows) ? 1 / tile(s.rows) : 1; // one row's code
        compile += (load.wide * 4 + load.single) * written * target.compile.load;
        if (inBody) {
          bodyLoads += load.wide * 4 + load.single;
          // steps of the loop wait for memory, less where the body has several loads on their way; more where the steps are far apart
          const far = Math.abs(w.access.stride.get(innermost.axis) ?? 0) * tile(innermost.axis) >= farStep;
          waiting = Math.max(waiting, (far ? target.waitNs / Math.max(1, load.wide * 4 + load.single) : target.nearWaitNs / Math.max(1, 2 * load.wide + load.single)));
        }
      } else if (w.cost !== "none") {
        const count = w.guards ? elements(w.guards, tile) : carrier ? Math.ceil(tiled / width) : w.cost === "random" && s.vector && w.axes.has(s.vector) ? tiled / 4 : tiled;
        time += often * count * ns[w.cost];
        const written = !reduces && s.rows && w.axes.has(s.rows) ? count / tile(s.rows) : count; // one row's code
        compile += written * (w.cost === "function" || w.cost === "divide" ? target.compile.function : w.cost === "random" ? 20 * target.compile.function : target.compile.operation / 2);
        if (inBody) bodyWork += count / 2; // a multiplication and its addition count as one
      }
    }
    if (reduces) {
      time += trips * sums * points * ns.alu;
      compile += sums * points * (target.compile.operation / 2);
      bodyWork += (sums * points) / 2;
      const sharing = over.reduce((n, a) => n * lanesOf(a), 1);
      if (sharing > 1) time += sums * accumulators * (s.together === "subgroup" ? ns.reduce : (1 + Math.log2(sharing)) * ns.barrier);
      // a sum out of the registers' reach comes and goes at every step; four steps at a time along a reduced vector
      // and so do the steps of a window that is written out
      const steps = points / (over.includes(s.vector) && tile(s.vector) >= 4 ? 4 : 1) / (s.sums === "scalar" ? product(over, (a) => (tile(a) === extent(a) ? tile(a) : 1)) : 1);
      const spilled = sums * accumulators > target.registers ? sums * steps : 0;
      // large tiles of windows: rolled stores cost the loop its registers
      const rolled = s.rows && points > accumulators && accumulators > 5 * target.registers ? points : 0;
      time += trips * ((spilled + rolled) * ns.spill + sums * accumulators * ns.carried);
    }
    memory += trips * waiting;
    if (loops.length) time += loops.reduce((sum, l) => sum + l.trips, 0) * ns.loop;
    time += trips * (target.longBody.ns * Math.max(0, bodyWork + 8 * bodyLoads - target.longBody.operations) + target.manyLoads.ns * Math.max(0, bodyLoads - target.manyLoads.loads));
    for (const store of stored) {
      const elements = accumulators * product(over, tile);
      const wide = s.vector !== "" && tile(s.vector) >= 4 && store.stride.get(s.vector) === 1 && extent(s.vector) % 4 === 0;
      const clash = (clashes(store, s, tile, lanesOf, undefined, undefined) ? target.clashNs : 0) + apart(store);
      time += trips * (wide ? (elements / 4) * (ns.store4 + clash) : elements * (ns.store + clash));
      const rolled = s.rows && !over.length ? elements / tile(s.rows) * (s.rows === s.vector ? 4 : 1) : elements; // prettier-ignore
      compile += rolled * target.compile.store;
    }
    total += Math.max(time, memory) + target.overlap * Math.min(time, memory);
  };
  for (const p of stages) part(p.over, p.work, p.ops!.length, []);
  for (const p of stores) part(p.over, p.work, 0, p.stores);

  const serial = product(nest.outer, (a) => s.serial[a] ?? 1);
  let groups = 1;
  const span = (a: string): number => tile(a) * (s.serial[a] ?? 1);
  for (const a of nest.outer) if (!s.fuse.includes(a)) groups *= Math.ceil(extent(a) / (span(a) * lanesOf(a)));
  if (s.fuse.length) groups *= Math.ceil(product(s.fuse, (a) => Math.ceil(extent(a) / span(a))) / lanesOf("fused"));
  const each = serial * total + (serial > 1 ? serial * ns.loop : 0);
  const perGroup = target.workgroupNs + Math.ceil(workgroup / target.simd) * each;
  const run = Math.max(target.latency * each, Math.ceil((groups / target.cores) * (1 / target.resident)) * perGroup);
  return { ns: target.launchNs + run, compileMs: compile, groups };
}
const farStep = 1024; // elements: beyond what the prefetcher follows
const line = 16; // elements of a cache line
const page = 1024; // elements until the sets of the first cache repeat
/** Do the lines of one access fall into so few sets of the first cache that they drive one another out before they are used again? */
function clashes(x: Access, s: Schedule, tile: (a: string) => number, lanesOf: (a: string) => number, carrier: string | undefined, innermost: string | undefined): boolean {
  if (innermost !== undefined && Math.abs(x.stride.get(innermost) ?? 0) >= line) return false; // nothing is used again
  let step = page;
  let lanes = 1;
  const strided = (stride: number, count: number): boolean => {
    if (count <= 1 || !Number.isFinite(stride) || Math.abs(stride) < line) return false;
    step = gcd(step, Math.abs(stride));
    return true;
  };
  for (const a of x.axes) {
    const stride = x.stride.get(a) ?? 0;
    const count = a === carrier ? 8 : s.fuse[s.fuse.length - 1] === a ? lanesOf("fused") : lanesOf(a);
    if (strided(stride * (s.fuse.includes(a) ? tile(a) : 1), count)) lanes *= count;
    if (a !== carrier) strided(stride, tile(a));
  }
  const lines = lanes * elements(x, (a) => (a !== carrier && Math.abs(x.stride.get(a) ?? 0) >= line ? tile(a) : 1));
  return lines > 6 * Math.max(1, page / step);
}
const gcd = (a: number, b: number): number => (b ? gcd(b, a % b) : a);
/** Distinct elements of a tile: neighbours of a window share theirs. */
function elements(x: Access, of: (a: string) => number): number {
  let distinct = 1;
  let all = 1;
  for (const a of x.axes) all *= of(a);
  for (const dim of x.indices) distinct *= dim.reduce((n, [a, k]) => n + Math.abs(k) * (of(a) - 1), 1);
  return Math.min(all, distinct);
}
/** Loads of one body: distinct elements of the tile, four at a time where they lie so, one per lane along a carrier. */
function countLoads(x: Access, s: Schedule, tile: (a: string) => number, width: number, carrier: string | undefined, innermost: string | undefined): { wide: number; single: number } {
  const v = s.vector;
  const wide = v !== "" && tile(v) >= 4 && x.stride.get(v) === 1 && x.regular && [...x.stride].every(([a, k]) => a === v || k % 4 === 0) && !x.indices.some((dim) => dim.length > 1 && dim.some(([a]) => a === v));
  if (carrier && wide && carrier !== v) return { wide: (elements(x, (a) => (a === carrier ? 1 : tile(a))) / 4) * Math.ceil(tile(carrier) / width), single: 0 };
  if (carrier) return { wide: 0, single: elements(x, (a) => (a === carrier ? 1 : tile(a))) * Math.ceil(tile(carrier) / width) };
  if (wide) return { wide: elements(x, tile) / 4, single: 0 };
  if (s.slide && innermost && tile(innermost) === 1 && threadsAlong(s, innermost) === 1) {
    // along the window only the new values are loaded
    const window = x.indices.find((dim) => dim.length > 1 && dim.some(([a]) => a === innermost));
    const step = Math.abs(window?.find(([a]) => a === innermost)![1] ?? 0);
    const partner = window?.find(([a, k]) => a !== innermost && tile(a) > 1 && step % k === 0);
    if (partner) return { wide: 0, single: elements(x, tile) * Math.min(1, step / Math.abs(partner[1]) / tile(partner[0])) };
  }
  return { wide: 0, single: elements(x, tile) };
}
