// The space of schedules of a nest, from its access analysis alone, and the choice by price.
import { analyse, type Access } from "./access.ts";
import { canFlatten, estimate, flatNest, nestOf, type Nest } from "./nest.ts";
import { priceOf } from "./price.ts";
import { plainSchedule, type Schedule } from "./schedule.ts";
import type { KernelSpec } from "./kernel.ts";
import { canSplit, splitReduction, stepsOfPart } from "./split.ts";
import type { Target } from "./target.ts";

export interface Candidate {
  readonly nest: Nest;
  readonly schedule: Schedule;
}
const even = [1, 2, 4, 8, 16, 32]; // tiles, and where these fit badly ...
const odd = [3, 5, 6, 7, 9, 10, 13, 14];
const windowLimit = 5; // extents of axes that are unrolled or kept whole
const padding = 1.15; // of a register tile
const lanePadding = 1.35;

export function enumerate(nest: Nest, target: Target): Candidate[] {
  const isElementwise = !nest.spec.stages.length && nest.spec.stores.every((s) => !s.over.length);
  if (isElementwise) return elementwise(nest, target);
  return reductions(nest, target);
}
/** All output elements in one row: whole vectors, several after one another in each invocation. */
function elementwise(nest: Nest, target: Target): Candidate[] {
  if (!nest.outer.length) return [{ nest, schedule: plainSchedule }];
  if (!canFlatten(nest)) return [{ nest, schedule: { ...plainSchedule, fuse: fusable(nest), threads: fusable(nest).length ? [["fused", target.workgroup]] : [[nest.outer[nest.outer.length - 1]!, target.simd]] } }];
  const flat = flatNest(nest);
  const [axis] = flat.outer as readonly [string];
  const n = flat.extentOf.get(axis)!;
  const wide = typeof n === "number" && n % 4 === 0;
  const result: Candidate[] = [];
  for (const threads of [target.simd, target.workgroup])
    for (const serial of target.serial)
      for (const width of wide ? [4, 1] : [1]) {
        if (serial > 1 && (width === 1 || estimate(n) < threads * width * serial * target.cores * 2)) continue;
        result.push({ nest: flat, schedule: { ...plainSchedule, flat: true, threads: [[axis, threads]], ...(width > 1 ? { tile: { [axis]: width }, vector: axis } : {}), ...(serial > 1 ? { serial: { [axis]: serial } } : {}) } });
      }
  return result;
}
/** Output axes that threads may run over as one: a run-time axis only as the first. */
function fusable(nest: Nest): string[] {
  const last = nest.outer.findLastIndex((a) => typeof nest.extentOf.get(a) !== "number");
  return nest.outer.slice(Math.max(0, last));
}

function reductions(nest: Nest, target: Target): Candidate[] {
  const { stages, stores, loads } = analyse(nest);
  const extent = (a: string): number => estimate(nest.extentOf.get(a)!);
  const known = (a: string): boolean => typeof nest.extentOf.get(a) === "number";
  const { outer, inner } = nest;
  const stageLoads = stages.flatMap((p) => p.work.flatMap((w) => (w.access ? [w.access] : [])));
  const accesses: Access[] = [...loads, ...stores.map((p) => p.store!)];
  const meets = (x: Access, a: string, b: string): boolean => x.indices.some((dim) => dim.some(([c]) => c === a) && dim.some(([c]) => c === b));
  const windowed = (a: string, others: readonly string[]): boolean => others.some((b) => b !== a && loads.some((x) => meets(x, a, b)));
  const small = (a: string): boolean => known(a) && extent(a) <= windowLimit;
  // a small output axis of a window is kept whole in registers: weight gradients
  const whole = outer.filter((a) => small(a) && extent(a) > 1 && windowed(a, inner));
  const free = outer.filter((a) => !whole.includes(a));
  const base: Record<string, number> = Object.fromEntries(whole.map((a) => [a, extent(a)]));
  const contiguity = new Map([...outer, ...inner].map((a) => [a, accesses.filter((x) => x.stride.get(a) === 1).length]));
  const contiguous = (a: string): number => contiguity.get(a)!;
  /** Does a tile along this axis use loaded values more than once? */
  const reused = (a: string): boolean => stageLoads.some((x) => !x.axes.has(a)) || windowed(a, inner);
  const longest = Math.max(1, ...stages.map((p) => p.over.reduce((n, a) => n * extent(a), 1)));
  const hasArg = stages.some((p) => p.op === "argmax" || p.op === "argmin");
  const many = stages.length > 1 || stores.some((p) => p.over.length > 0);

  const result: Candidate[] = [];
  const seen = new Set<string>();
  const add = (s: Schedule): void => {
    const key = JSON.stringify(s);
    if (seen.has(key)) return;
    seen.add(key);
    result.push({ nest, schedule: s });
  };
  /** Completes lanes and an output tile: vectors, carriers, unrolling, the order of stores. */
  const complete = (threads: Schedule["threads"], fuse: readonly string[], outerTile: Readonly<Record<string, number>>): void => {
    completeWith(threads, fuse, outerTile, false);
    if (longest <= 16) completeWith(threads, fuse, outerTile, true);
  };
  const completeWith = (threads: Schedule["threads"], fuse: readonly string[], outerTile: Readonly<Record<string, number>>, written: boolean): void => {
    const tile: Record<string, number> = { ...base, ...outerTile };
    const accumulators = Object.values(tile).reduce((p, n) => p * n, 1);
    if (accumulators > target.accumulatorLimit) return;
    const laneAxes = [...threads.filter(([, n]) => n > 1).map(([a]) => a), ...fuse];
    const innerLanes = threads.some(([a, n]) => n > 1 && inner.includes(a));
    // reduction axes that meet a tiled axis in a window are written out, and, maybe, whole reductions of a few steps
    const unrolled: string[] = [];
    for (const p of stages) for (const a of p.over) if (small(a) && outer.some((b) => (tile[b] ?? 1) > 1 && loads.some((x) => meets(x, a, b))) && !whole.some((b) => loads.some((x) => meets(x, a, b)))) unrolled.push(a);
    if (written && longest <= 16 && accumulators * longest <= 64) for (const p of stages) unrolled.push(...p.over.filter(known));
    for (const a of unrolled) tile[a] = extent(a);
    const rolled = (p: { over: readonly string[] }): string | undefined => p.over.findLast((a) => !((tile[a] ?? 1) >= extent(a)));
    const share = !innerLanes && target.lanes && threads.every(([, n]) => n === 1 || n === target.lanes) && stages.length === 1 ? outer.filter((b) => !laneAxes.includes(b) && (tile[b] ?? 1) >= target.lanes / 2 && stageLoads.some((x) => x.axes.has(b) && !laneAxes.some((l) => x.axes.has(l)))) : [];
    // vectors: the axis along which most accesses are contiguous
    const outerVectors = outer.filter((a) => (tile[a] ?? 1) % 4 === 0 && known(a) && (laneAxes.includes(a) && !fuse.includes(a) ? extent(a) % 4 === 0 : extent(a) % 4 === 0)).sort((a, b) => contiguous(b) - contiguous(a));
    const innermost = stages.length ? rolled(stages[0]!) : undefined;
    const vectors: { vector: string; unroll: Record<string, number> }[] = [];
    const outerVector = outerVectors.find((a) => contiguous(a) > 0);
    if (outerVector) vectors.push({ vector: outerVector, unroll: {} });
    else vectors.push({ vector: "", unroll: {} });
    for (const a of inner) {
      if (!known(a) || extent(a) % 4 || unrolled.includes(a) || hasArg || contiguous(a) === 0 || whole.length) continue;
      if ((threads.find(([b]) => b === a)?.[1] ?? 1) * 4 > extent(a)) continue;
      vectors.push({ vector: a, unroll: { [a]: 4 } });
      if (accumulators === 1 && extent(a) % 16 === 0) vectors.push({ vector: a, unroll: { [a]: 8 } });
    }
    if (innermost && known(innermost) && !whole.length && (!target.keepLoops || accumulators <= 16)) for (const u of [2, 4]) if (extent(innermost) % (u * (threads.find(([b]) => b === innermost)?.[1] ?? 1)) === 0) vectors.push({ vector: outerVector ?? "", unroll: { [innermost]: u } });
    for (const { vector, unroll } of vectors)
      for (const carriers of [share]) {
        const own = { ...tile, ...unroll };
        const body = Math.max(...stages.map((p) => p.over.reduce((n, a) => n * (own[a] ?? 1), accumulators)));
        if (body > target.bodyLimit) continue;
        const unit = (a: string): number => (own[a] ?? 1) / (a === vector ? 4 : 1);
        const stored = accumulators / (outer.includes(vector) ? 4 : 1);
        const candidates = outer.filter((a) => (own[a] ?? 1) > 1 && !laneAxes.filter((l) => !fuse.includes(l)).includes(a)).sort((a, b) => unit(b) - unit(a) || contiguous(a) - contiguous(b));
        const rows = target.rolledStores && stored > 4 && !innerLanes && !many ? (candidates[0] ?? "") : "";
        const slide = innermost !== undefined && whole.length > 0 && !laneAxes.includes(innermost) && (own[innermost] ?? 1) === 1 && loads.some((x) => whole.some((b) => meets(x, innermost, b)));
        add({
          ...plainSchedule, threads, fuse, tile: Object.fromEntries(Object.entries(own).filter(([, n]) => n > 1)), vector, share: carriers, rows, slide, keepLoops: target.keepLoops,
          sums: outer.includes(vector) && body > accumulators ? "scalar" : "vector",
        }); // prettier-ignore
      }
  };
  const fits = (a: string, n: number, limit: number): boolean => n === 1 || (known(a) ? n <= extent(a) * limit && Math.ceil(extent(a) / n) * n <= limit * extent(a) : n === 8); // run-time extents may be small
  /** Even sizes, and odd ones where they pad less than the even ones that fit. */
  const sizesOf = (a: string, unit: number, limit: number): number[] => {
    const ok = (n: number): boolean => n === 1 || fits(a, n * unit, limit);
    const padded = (n: number): number => Math.ceil(extent(a) / (n * unit)) * n * unit;
    return [...even.filter(ok), ...odd.filter((n) => ok(n) && (padded(n) < padded(8) || !ok(8)))];
  };
  const tileSizes = (a: string): number[] => sizesOf(a, 1, padding);
  const laneSizes = (a: string, lanes: number): number[] => sizesOf(a, lanes, lanePadding).filter((n) => n <= 16);
  const lanes = target.simd;
  // one axis on the lanes, another one in registers
  const filled = free.filter((a) => contiguous(a) > 0 && Math.ceil(extent(a) / lanes) * lanes <= 1.2 * extent(a));
  for (const a of filled.length ? filled : free) {
    for (const ra of laneSizes(a, lanes)) {
      complete([[a, lanes]], [], { [a]: ra });
      for (const b of free) if (b !== a && reused(b)) for (const rb of tileSizes(b)) if (rb > 1 && rb <= 16) complete([[a, lanes]], [], { [a]: ra, [b]: rb });
    }
  }
  // all but one axis fused on the lanes
  const fusing = fusable(nest).filter((a) => !whole.includes(a));
  if (!whole.length && fusing.length) {
    if (fusing.length > 1) complete([["fused", lanes]], fusing, {});
    for (const o of outer) {
      const rest = fusing.filter((a) => a !== o);
      if (rest.length < 2 || !known(o) || !reused(o) || windowed(o, inner)) continue;
      const last = rest[rest.length - 1]!;
      for (const ro of tileSizes(o).filter((n) => n <= 16 && (n % 4 === 0 || n === 1 || n === extent(o))))
        for (const rl of known(last) ? tileSizes(last).filter((n) => extent(last) % n === 0 && [1, 2, 4, 7, 8, 14].includes(n)) : [1]) complete([["fused", lanes]], rest, { [o]: ro, [last]: rl });
    }
    if (fusing.length > 1) for (const o of fusing.slice(-1)) if (known(o) && extent(o) % 4 === 0) complete([["fused", lanes]], fusing, { [o]: 4 });
  }
  // lanes on a reduced axis: a subgroup for each tile of results
  if (target.lanes)
    for (const a of inner.filter((x) => known(x) && extent(x) >= 2 * target.lanes && stages.every((p) => p.over.includes(x)) && contiguous(x) > 0)) {
      const two = free.slice(-2);
      const choices = (b: string | undefined): number[] => (b === undefined ? [1] : tileSizes(b).filter((n) => [1, 2, 4, 5, 8, 10].includes(n)));
      for (const r0 of choices(two[0])) for (const r1 of choices(two[1])) complete([[a, target.lanes]], [], { ...(two[0] ? { [two[0]]: r0 } : {}), ...(two[1] ? { [two[1]]: r1 } : {}) });
    }
  if (!outer.length) complete([["", 1]], [], {});
  return result;
}

export interface Choice extends Candidate {
  readonly ns: number;
  readonly compileMs: number;
  readonly groups: number;
  readonly total: number; // with the share of the compilation
}
/** The cheapest schedules, best first. */
export function rank(nest: Nest, target: Target): Choice[] {
  return enumerate(nest, target)
    .map(({ nest: own, schedule }): Choice => {
      const p = priceOf(own, schedule, target);
      const late = Math.max(0, p.compileMs - target.compile.limit);
      return { nest: own, schedule, ns: p.ns, compileMs: p.compileMs, groups: p.groups, total: p.ns + ((p.compileMs + 10 * late) * 1e6) / target.runs };
    })
    .sort((a, b) => a.total - b.total);
}
const partCounts = [4, 8, 16, 32, 64, 128];
/** The best schedule; where few results take a long reduction, maybe that of its parts. */
export function chooseSchedule(spec: KernelSpec, target: Target): Schedule {
  const [best] = rank(nestOf(spec), target);
  if (!best) return plainSchedule;
  const merged = nestOf(spec).spec; // neighbouring axes in one: the outermost is as long as it can be
  if (best.groups > 8 * target.cores || !canSplit(merged)) return best.schedule;
  let schedule = best.schedule;
  let least = best.total;
  const n = merged.stages[0]!.over[0]!.extent as number;
  for (const chunk of new Set(partCounts.map((count) => stepsOfPart(n, count)))) {
    if (chunk < 2 || 2 * chunk > n) continue;
    const { parts, whole } = splitReduction(merged, chunk);
    const [first] = rank(nestOf(parts), target);
    const [second] = rank(nestOf(whole), target);
    if (!first || !second || first.total + second.total >= 0.95 * least) continue;
    least = first.total + second.total;
    schedule = { ...first.schedule, split: chunk };
  }
  return schedule;
}
