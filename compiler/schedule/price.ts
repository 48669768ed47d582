// The price of a schedule in closed form, without making code: instructions of one SIMD group by kind, how often the loops run them, how many
// workgroups a core gets, and what the driver takes to compile, spread over the runs.
import { analyse, type Access, type Work } from "./access.ts";
import { estimate, type Nest } from "./nest.ts";
import type { Schedule } from "./schedule.ts";
import type { Target } from "./target.ts";

export interface Price {
  readonly ns: number; // of one run
  readonly compileMs: number;
  readonly groups: number;
}
export function priceOf(nest: Nest, s: Schedule, target: Target): Price {
  const { ns } = target;
  const { stages, stores } = analyse(nest);
  const threads = new Map(s.threads);
  const extent = (a: string): number => estimate(nest.extentOf.get(a)!);
  const tile = (a: string): number => s.tile[a] ?? 1;
  const lanesOf = (a: string): number => threads.get(a) ?? 1;
  const product = (axes: Iterable<string>, of: (a: string) => number): number => {
    let p = 1;
    for (const a of axes) p *= of(a);
    return p;
  };
  const laneAxes = new Set([...[...threads].filter(([, n]) => n > 1).map(([a]) => a), ...(threads.has("fused") ? s.fuse : [])]);
  const accumulators = product(nest.outer, tile);
  const width = target.simd;
  let time = 0;
  let compile = 0;

  const stageOrStore = (over: readonly string[], work: readonly Work[], reduces: boolean, store: Access | undefined): void => {
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
    for (const w of work) {
      const often = tripsOf(w.axes);
      const tiled = product(w.axes, tile);
      const inBody = innermost !== undefined && often === innermost.trips;
      const invariant = reduces && ![...w.axes].some((a) => laneAxes.has(a));
      const carrier = invariant ? s.share.find((a) => w.axes.has(a)) : undefined;
      if (w.access) {
        const load = countLoads(w.access, s, tile, width, carrier, innermost?.axis);
        time += often * (load.wide * ns.load4 + load.single * ns.load);
        if (carrier) time += often * tiled * ns.broadcast;
        compile += (load.wide * 4 + load.single) * target.compile.load;
        if (inBody) bodyLoads += load.wide * 4 + load.single;
      } else if (w.cost !== "none") {
        const count = carrier ? Math.ceil(tiled / width) : w.cost === "random" && s.vector && w.axes.has(s.vector) ? tiled / 4 : tiled;
        time += often * count * ns[w.cost];
        compile += count * (w.cost === "function" || w.cost === "divide" ? target.compile.function : w.cost === "random" ? 20 * target.compile.function : target.compile.operation / 2);
        if (inBody) bodyWork += count / 2; // a multiplication and its addition count as one
      }
    }
    if (reduces) {
      time += trips * points * ns.alu;
      compile += points * (target.compile.operation / 2);
      bodyWork += points / 2;
      if (over.some((a) => lanesOf(a) > 1)) time += accumulators * ns.reduce;
      const spilled = accumulators > target.registers ? points / 3 : 0;
      const wide = s.vector !== "" && s.sums === "vector" && points > accumulators && accumulators > 4 * target.registers ? 2 : 1; // four accumulators at a time come back more often
      time += trips * spilled * wide * ns.spill;
    }
    if (loops.length) time += loops.reduce((sum, l) => sum + l.trips, 0) * ns.loop;
    time += trips * (target.longBody.ns * Math.max(0, bodyWork + 8 * bodyLoads - target.longBody.operations) + target.manyLoads.ns * Math.max(0, bodyLoads - target.manyLoads.loads));
    if (store) {
      const elements = accumulators * product(over, tile);
      const wide = s.vector !== "" && tile(s.vector) >= 4 && store.stride.get(s.vector) === 1 && extent(s.vector) % 4 === 0;
      time += trips * (wide ? (elements / 4) * ns.store4 : elements * ns.store);
      const rolled = s.rows && !over.length ? elements / tile(s.rows) * (s.rows === s.vector ? 4 : 1) : elements; // prettier-ignore
      compile += rolled * target.compile.store;
    }
  };
  for (const p of stages) stageOrStore(p.over, p.work, true, undefined);
  for (const p of stores) stageOrStore(p.over, p.work, false, p.store);

  const serial = product(nest.outer, (a) => s.serial[a] ?? 1);
  let groups = 1;
  const span = (a: string): number => tile(a) * (s.serial[a] ?? 1);
  for (const a of nest.outer) if (!s.fuse.includes(a)) groups *= Math.ceil(extent(a) / (span(a) * lanesOf(a)));
  if (s.fuse.length) groups *= Math.ceil(product(s.fuse, (a) => Math.ceil(extent(a) / span(a))) / lanesOf("fused"));
  const workgroup = product(threads.keys(), lanesOf);
  const perGroup = target.workgroupNs + Math.ceil(workgroup / target.simd) * (serial * time + (serial > 1 ? serial * ns.loop : 0));
  return { ns: target.launchNs + Math.ceil(groups / target.cores) * perGroup, compileMs: compile, groups };
}
/** Loads of one body: distinct elements of the tile, four at a time where they lie so, one per lane along a carrier. */
function countLoads(x: Access, s: Schedule, tile: (a: string) => number, width: number, carrier: string | undefined, innermost: string | undefined): { wide: number; single: number } {
  const elements = (of: (a: string) => number): number => {
    let distinct = 1;
    let all = 1;
    for (const a of x.axes) all *= of(a);
    for (const dim of x.indices) distinct *= dim.reduce((n, [a, k]) => n + Math.abs(k) * (of(a) - 1), 1);
    return Math.min(all, distinct);
  };
  if (carrier) return { wide: 0, single: elements((a) => (a === carrier ? 1 : tile(a))) * Math.ceil(tile(carrier) / width) };
  const v = s.vector;
  if (v && tile(v) >= 4 && x.stride.get(v) === 1 && x.regular && [...x.stride].every(([a, k]) => a === v || k % 4 === 0) && !x.indices.some((dim) => dim.length > 1 && dim.some(([a]) => a === v))) return { wide: elements(tile) / 4, single: 0 };
  if (s.slide && innermost) {
    // along the window only the new values are loaded
    const window = x.indices.find((dim) => dim.length > 1 && dim.some(([a]) => a === innermost));
    const partner = window?.find(([a]) => a !== innermost && tile(a) > 1)?.[0];
    if (partner) return { wide: 0, single: elements(tile) / tile(partner) };
  }
  return { wide: 0, single: elements(tile) };
}
