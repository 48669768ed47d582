// The space of schedules of a nest, from its access analysis alone. `choose.ts` takes one by price.
//   lanes    an output axis that is contiguous somewhere | all output axes but one, fused | a contiguous reduced axis
//   tile     registers along the lane axis and along one more axis; small axes of windows whole
//   vector   the tiled axis along which most accesses are contiguous | a contiguous reduced axis, four steps at a time
//   share    what no lane axis changes is loaded by one lane each and broadcast
//   staged   on devices with fast workgroup memory: what a workgroup reads of a chunk of the reduction
import { analyse } from "./access.ts";
import { canFlatten, estimate, flatNest, type Nest } from "./nest.ts";
import { lanePadding, padding, type Candidate, type Corner } from "./corner.ts";
import { plainSchedule, threadsAlong, type Schedule } from "./schedule.ts";
import { productsInWorkgroupMemory, windowsInWorkgroupMemory } from "./space-staged.ts";
import { mostGroups } from "../kernel/sizes.ts";
import type { Target } from "../kernel/target.ts";

type Threads = Schedule["threads"];
type Tile = Readonly<Record<string, number>>;
const even = [1, 2, 4, 8, 16]; // tiles, and where these fit badly ...
const odd = [3, 5, 6, 7, 9, 10, 13, 14];
const windowLimit = 5; // extents of axes that are unrolled or kept whole
const shortReduction = 16; // steps that may be written out ...
const mostSteps = 8; // ... and of a longer one

export const enumerate = (nest: Nest, target: Target): Candidate[] =>
  corners(nest, target).flatMap((c) => c.candidates());
/** `lanes`: the lanes run over this axis. */
export function corners(nest: Nest, target: Target, lanes?: string): Corner[] {
  const isElementwise = !nest.spec.stages.length && nest.spec.stores.every((s) => !s.over.length);
  if (isElementwise) return [{ nest, least: undefined, atOnce: Infinity, candidates: () => elementwise(nest, target) }];
  return reductions(nest, target, lanes);
}

/** All output elements in one row: whole vectors, maybe several after one another in each invocation. */
function elementwise(nest: Nest, target: Target): Candidate[] {
  if (!nest.outer.length) return [{ nest, schedule: plainSchedule }];
  if (!canFlatten(nest)) {
    const fuse = fusable(nest);
    const last = fuse[fuse.length - 1]!;
    const n = nest.extentOf.get(last)!;
    const { axes, loads, stores } = analyse(nest);
    const at = axes.indexOf(last);
    const contiguous = [...loads, ...stores.flatMap((p) => p.stores)].some((x) => x.stride[at] === 1);
    const widths = typeof n === "number" && n % 4 === 0 && contiguous ? [4, 1] : [1];
    return widths.flatMap((width) =>
      [...new Set([target.simd, target.workgroup])].map((threads): Candidate => ({
        nest,
        schedule: {
          ...plainSchedule,
          fuse,
          threads: [["fused", threads]],
          ...(width > 1 ? { tile: { [last]: width }, vector: last } : {}),
        },
      })),
    );
  }
  const flat = flatNest(nest);
  const [axis] = flat.outer as readonly [string];
  const n = flat.extentOf.get(axis)!;
  const widths = typeof n === "number" && n % 4 === 0 ? [4, 1] : [1];
  const result: Candidate[] = [];
  if (target.runs === 1 && typeof n === "number" && n <= target.workgroup * mostGroups)
    result.push({
      nest: flat,
      schedule: { ...plainSchedule, flat: true, threads: [[axis, target.workgroup]], anySize: true },
    });
  for (const threads of new Set([target.simd, target.workgroup]))
    for (const serial of target.serial)
      for (const width of widths) {
        if (serial > 1 && (width === 1 || estimate(n) < threads * width * serial * target.cores * 2)) continue;
        result.push({
          nest: flat,
          schedule: {
            ...plainSchedule,
            flat: true,
            threads: [[axis, threads]],
            ...(width > 1 ? { tile: { [axis]: width }, vector: axis } : {}),
            ...(serial > 1 ? { serial: { [axis]: serial } } : {}),
          },
        });
      }
  return result;
}
/** Output axes that threads may run over as one: a run-time axis only as the first. */
function fusable(nest: Nest): string[] {
  const last = nest.outer.findLastIndex((a) => typeof nest.extentOf.get(a) !== "number");
  return nest.outer.slice(Math.max(0, last));
}

// ---------------------------------------------------------------- facts about a nest with reductions

interface Facts {
  readonly extent: (a: string) => number;
  readonly known: (a: string) => boolean; // a number
  readonly contiguous: (a: string) => number; // accesses that walk memory step by step along it
  readonly meets: (a: string, b: string) => boolean; // in one index of some load, as a window: neighbours along a share what b runs over
  readonly reused: (a: string) => boolean; // a tile along it uses loaded values more than once
  readonly kept: readonly string[]; // small output axes of windows: whole in registers
  readonly free: readonly string[]; // the other output axes
  readonly windows: readonly string[]; // small reduced axes that meet output axes which may be tiled
  readonly stageLoads: readonly ReadonlySet<string>[]; // the axes that each load of a stage depends on
  readonly overs: readonly (readonly string[])[]; // the axes of each stage
  readonly keepsPlaces: boolean; // argmax, argmin
  readonly storesOnce: boolean; // no store runs over axes of its own
  readonly longest: number; // steps of the longest reduction
  readonly reducedLanes: readonly (readonly string[])[]; // reduced axes that lanes may run over: one of each stage
  readonly columns: readonly (readonly string[])[]; // ... whose steps lie apart
}
function factsOf(nest: Nest): Facts {
  const { axes, extents, stages, stores, loads } = analyse(nest);
  const { outer, inner } = nest;
  const numberOf = new Map(axes.map((a, i) => [a, i]));
  const extent = (a: string): number => extents[numberOf.get(a)!]!;
  const known = (a: string): boolean => typeof nest.extentOf.get(a) === "number";
  const accesses = [...loads, ...stores.flatMap((p) => p.stores)];
  const contiguity = new Map(axes.map((a, i) => [a, accesses.filter((x) => x.stride[i] === 1).length]));
  const pairs = axes.map(() => new Set<string>());
  const shares = (j: number, k: number, b: number): boolean => Math.abs(j) < Math.abs(k) * extents[b]!; // a step of the one stays inside what the other runs over
  for (const x of loads)
    for (const dim of x.indices)
      for (const [a, j] of dim)
        for (const [b, k] of dim) if (a !== b && shares(j, k, b) && shares(k, j, a)) pairs[a]!.add(axes[b]!);
  const meets = (a: string, b: string): boolean => pairs[numberOf.get(a)!]!.has(b);
  const stageLoads = stages
    .flatMap((p) => p.work.flatMap((w) => w.access ?? []))
    .map((x) => new Set(x.axes.map((a) => axes[a]!)));
  const kept = outer.filter(
    (a) => known(a) && extent(a) > 1 && extent(a) <= windowLimit && inner.some((b) => meets(a, b)),
  );
  const free = outer.filter((a) => !kept.includes(a));
  const windows = inner.filter(
    (a) => known(a) && extent(a) <= windowLimit && free.some((b) => meets(a, b)) && !kept.some((b) => meets(a, b)),
  );
  const reusedAxes = new Set(outer.filter((a) => stageLoads.some((x) => !x.has(a)) || inner.some((b) => meets(a, b))));
  const overs = stages.map((p) => p.over.map((a) => axes[a]!));
  return {
    extent,
    known,
    contiguous: (a) => contiguity.get(a)!,
    meets,
    reused: (a) => reusedAxes.has(a),
    kept,
    free,
    windows,
    stageLoads,
    overs,
    longest: Math.max(1, ...overs.map((over) => over.reduce((n, a) => n * extent(a), 1))),
    reducedLanes: laneAxes(overs, (a) => known(a) && contiguity.get(a)! > 0, extent),
    columns: laneAxes(overs, (a) => known(a) && contiguity.get(a) === 0, extent),
    keepsPlaces: stages.some((p) => p.ops!.some((op) => op === "argmax" || op === "argmin")),
    storesOnce: stores.every((p) => !p.over.length),
  };
}
/** An axis that all stages share; else, where each has its own, the longest of each. */
function laneAxes(
  overs: readonly (readonly string[])[],
  good: (a: string) => boolean,
  extent: (a: string) => number,
): string[][] {
  const shared = (overs[0] ?? []).filter((a) => good(a) && overs.every((over) => over.includes(a)));
  if (shared.length || overs.length < 2) return shared.map((a) => [a]);
  const longest = overs.map((over) => over.filter(good).sort((a, b) => extent(b) - extent(a))[0]);
  return [[...new Set(longest.filter((a) => a !== undefined))]];
}
/** Register tiles along an axis: even sizes, and odd ones where they pad less. `unit` elements lie beside each of them. */
function sizesOf(f: Facts, a: string, unit = 1, limit = padding): number[] {
  const n = f.extent(a);
  const padded = (size: number): number => Math.ceil(n / (size * unit)) * size * unit;
  // a run-time extent may be small
  const ok = (size: number): boolean =>
    size === 1 || (f.known(a) ? padded(size) <= limit * n : size * unit <= 8 && unit === 1);
  return [...even.filter(ok), ...odd.filter((size) => ok(size) && (padded(size) < padded(8) || !ok(8)))];
}

/** Threads over axes, and what follows from them for every tile. */
interface Lanes {
  readonly threads: Threads;
  readonly fuse: readonly string[];
  readonly has: (a: string) => boolean;
  readonly inner: boolean; // some are on a reduced axis
  readonly vectors: readonly string[]; // output axes that a vector may lie along, the best first
  readonly shared: readonly ReadonlySet<string>[]; // the axes of each load of a stage that is the same for all lanes of a subgroup
}
function lanesOf(nest: Nest, f: Facts, target: Target, threads: Threads, fuse: readonly string[] = []): Lanes {
  const axes = new Set([...threads.filter(([, n]) => n > 1).flatMap(([a]) => a.split("+")), ...fuse]);
  const inner = nest.inner.some((a) => axes.has(a));
  const subgroup =
    target.lanes > 0 && !inner && f.overs.length === 1 && threads.every(([, n]) => n === 1 || n === target.lanes);
  const vectors = nest.outer.filter((a) => f.known(a) && f.extent(a) % 4 === 0 && f.contiguous(a) > 0);
  return {
    threads,
    fuse,
    has: (a) => axes.has(a),
    inner,
    vectors: vectors.sort(
      (a, b) => f.contiguous(b) - f.contiguous(a) || threadsAlong({ threads }, b) - threadsAlong({ threads }, a),
    ),
    shared: subgroup ? f.stageLoads.filter((x) => ![...axes].some((l) => x.has(l))) : [],
  };
}

// ---------------------------------------------------------------- reductions

/** A way to look at a nest with reductions: `complete` adds the corner of threads and a tile of output axes. */
interface Search {
  readonly nest: Nest;
  readonly f: Facts;
  readonly target: Target;
  readonly found: Corner[];
  readonly along: (threads: Threads, fuse?: readonly string[]) => Lanes;
  readonly complete: (on: Lanes, outerTile: Tile) => void;
}
function reductions(nest: Nest, target: Target, lanes: string | undefined): Corner[] {
  const search = searchOf(nest, target);
  const { found, along, complete } = search;
  if (lanes !== undefined) oneAxisOnLanes(search, [lanes]);
  else {
    if (target.class === "gpu")
      found.push(...productsInWorkgroupMemory(nest, target), ...windowsInWorkgroupMemory(nest, target));
    oneAxisOnLanes(search);
    fusedLanes(search);
    reducedLanes(search);
    if (!nest.outer.length) complete(along([["", 1]]), {});
  }
  return found;
}
/** Reductions whose workgroups take several rows: with other numbers of invocations than the target's. */
export function ofManyRows(nest: Nest, target: Target, workgroup: number): Corner[] {
  const search = searchOf(nest, target);
  if (nest.spec.stages.length && target.class === "gpu") manyRows(search, workgroup);
  return search.found;
}
function searchOf(nest: Nest, target: Target): Search {
  const f = factsOf(nest);
  const found: Corner[] = [];
  const atOnce = f.longest <= shortReduction ? Infinity : f.windows.reduce((n, a) => n * f.extent(a), mostSteps);
  const complete: Search["complete"] = (on, outerTile) => {
    const tile: Record<string, number> = { ...outerTile };
    for (const a of f.kept) tile[a] = f.extent(a);
    const candidates = (): Candidate[] => {
      const rolled = completions(nest, f, target, on, tile, false);
      const written =
        f.longest <= shortReduction
          ? completions(nest, f, target, on, tile, true).filter(
              (s) => !rolled.some((r) => r.vector === s.vector && sameTile(r.tile, s.tile)),
            )
          : [];
      return [...rolled, ...written].map((schedule) => ({ nest, schedule }));
    };
    found.push({ nest, least: { ...plainSchedule, threads: on.threads, fuse: on.fuse, tile }, atOnce, candidates });
  };
  return { nest, f, target, found, along: (threads, fuse) => lanesOf(nest, f, target, threads, fuse), complete };
}
/** One axis on the lanes, another one in registers. */
function oneAxisOnLanes({ f, target, along, complete }: Search, wanted?: readonly string[]): void {
  const lanes = target.simd;
  const filled = f.free.filter(
    (a) => f.contiguous(a) > 0 && Math.ceil(f.extent(a) / lanes) * lanes <= 1.2 * f.extent(a),
  );
  for (const a of wanted ?? (filled.length ? filled : f.free)) {
    const [group, workgroup] = [along([[a, lanes]]), along([[a, target.workgroup]])];
    const others = f.free.filter((b) => b !== a && f.reused(b)).map((b) => [b, sizesOf(f, b)] as const);
    for (const ra of sizesOf(f, a, lanes, lanePadding)) {
      complete(group, { [a]: ra });
      if (target.workgroup > lanes && ra <= 4 && f.extent(a) >= target.workgroup * ra * target.cores)
        complete(workgroup, { [a]: ra });
      for (const [b, sizes] of others) for (const rb of sizes) if (rb > 1) complete(group, { [a]: ra, [b]: rb });
    }
  }
}
/** All output axes, or all but one, fused on the lanes. */
function fusedLanes({ nest, f, target, along, complete }: Search): void {
  const fusing = fusable(nest).filter((a) => !f.kept.includes(a));
  if (f.kept.length || fusing.length < 2) return;
  const last = fusing[fusing.length - 1]!;
  for (const threads of new Set([target.simd, target.workgroup])) {
    const all = along([["fused", threads]], fusing);
    complete(all, {});
    if (f.known(last) && f.extent(last) % 4 === 0) complete(all, { [last]: 4 });
  }
  for (const o of nest.outer) {
    const rest = fusing.filter((a) => a !== o);
    if (rest.length < 2 || !f.known(o) || !f.reused(o) || nest.inner.some((a) => f.meets(o, a))) continue;
    const q = rest[rest.length - 1]!;
    const most = along([["fused", target.simd]], rest);
    // 14 neighbours were as fast as 7, and took lavapipe's compiler 0.7 to 1 s
    const sizes = f.known(q) ? sizesOf(f, q).filter((n) => f.extent(q) % n === 0 && [1, 2, 4, 7, 8].includes(n)) : [1];
    for (const ro of sizesOf(f, o).filter((n) => n % 4 === 0 || n === 1 || n === f.extent(o)))
      for (const rq of sizes) complete(most, { [o]: ro, [q]: rq });
  }
}
/** Lanes, or a whole workgroup, on a reduced axis. */
function reducedLanes(search: Search): void {
  const { f, target, along, complete } = search;
  if (target.class === "gpu")
    for (const n of f.columns.some((a) => a.length) ? target.together : [target.workgroup]) manyRows(search, n);
  if (!target.lanes && target.class !== "gpu") return;
  const together = target.lanes || target.workgroup;
  for (const a of new Set(f.reducedLanes.map((axes) => axes.join("+")))) {
    if (!a || !a.split("+").some((x) => f.extent(x) >= 2 * together)) continue;
    const [p, q] = f.free.slice(-2);
    const choices = (b: string | undefined): number[] =>
      b === undefined || !target.lanes ? [1] : sizesOf(f, b).filter((n) => [1, 2, 4, 5, 8, 10].includes(n));
    const row = along([[a, together]]);
    for (const rp of choices(p))
      for (const rq of choices(q)) complete(row, { ...(p ? { [p]: rp } : {}), ...(q ? { [q]: rq } : {}) });
  }
}
/** Several rows or columns in a workgroup, with some lanes on the reduced axis of each: neighbours read what lies side by side. */
function manyRows({ nest, f, along, complete }: Search, workgroup: number): void {
  const fusing = fusable(nest).filter((a) => !f.kept.includes(a));
  if (!fusing.length) return;
  const columns = new Set(f.columns.map((axes) => axes.join("+")));
  for (const a of new Set([...f.reducedLanes.map((axes) => axes.join("+")), ...columns])) {
    const longest = Math.max(...a.split("+").map((x) => f.extent(x)));
    for (const lanes of rowLanes) {
      if (!a || longest < lanes || (columns.has(a) && workgroup / lanes < leastColumns)) continue;
      const threads = (name: string): Threads => {
        const outer = [name, workgroup / lanes] as const;
        const inner = [a, lanes] as const;
        return columns.has(a) ? [inner, outer] : [outer, inner];
      };
      complete(fusing.length > 1 ? along(threads("fused"), fusing) : along(threads(fusing[0]!)), {});
    }
  }
}
const rowLanes = [4, 8, 16, 32]; // of a workgroup
const leastColumns = 8; // fewer neighbours waste most of what memory brings
function sameTile(a: Tile, b: Tile): boolean {
  const axes = Object.keys(a);
  return axes.length === Object.keys(b).length && axes.every((x) => a[x] === b[x]);
}

const noAxes: readonly string[] = [];
/** Vectors, carriers, unrolling and the way of the stores for lanes and an output tile. `written`: reductions are written out. */
function completions(nest: Nest, f: Facts, target: Target, on: Lanes, outerTile: Tile, written: boolean): Schedule[] {
  const { outer } = nest;
  const { threads, fuse } = on;
  const accumulators = outer.reduce((n, a) => n * (outerTile[a] ?? 1), 1);
  if (accumulators > target.accumulatorLimit || (written && accumulators * f.longest > 64)) return [];
  const tile: Record<string, number> = { ...outerTile };
  const of = (a: string): number => tile[a] ?? 1;
  // reduced axes that meet a tiled axis in a window are written out
  const tiled = outer.filter((a) => of(a) > 1);
  const windows = f.windows.filter((a) => tiled.some((b) => f.meets(a, b)));
  const out =
    written || windows.length ? f.overs.flat().filter((a) => windows.includes(a) || (written && f.known(a))) : windows;
  for (const a of out) tile[a] = f.extent(a);
  const share = on.shared.length
    ? outer.filter((b) => !on.has(b) && of(b) >= target.lanes / 2 && on.shared.some((x) => x.has(b)))
    : noAxes;
  const innermost = f.overs[0]?.findLast((a) => of(a) < f.extent(a));
  const t: Tiling = { on, tile, out, tiled, accumulators, innermost, isShared: share.length > 0 };
  const result: Schedule[] = [];
  for (const { vector, unroll } of unrollings(nest, f, target, t)) {
    const own: Record<string, number> = {};
    for (const a in tile) if ((unroll[a] ?? tile[a]) !== 1) own[a] = unroll[a] ?? tile[a]!;
    for (const a in unroll) own[a] = unroll[a]!;
    const body = Math.max(1, ...f.overs.map((over) => over.reduce((n, a) => n * (own[a] ?? 1), accumulators)));
    if (body > target.bodyLimit) continue;
    const slide =
      innermost !== undefined && !on.has(innermost) && !own[innermost] && f.kept.some((b) => f.meets(innermost, b));
    result.push({
      ...plainSchedule,
      threads,
      fuse,
      tile: own,
      vector,
      share,
      rows: rolledAxis(nest, f, target, t, own, vector),
      slide,
      keepLoops: target.keepLoops,
      sharedLate: target.class === "gpu",
      together: target.lanes ? "subgroup" : "workgroup",
      sums: outer.includes(vector) && windows.length ? "scalar" : "vector",
    });
  }
  return result;
}
/** Lanes and a tile, before its vectors are chosen. */
interface Tiling {
  readonly on: Lanes;
  readonly tile: Tile; // with the reduced axes that are written out
  readonly out: readonly string[]; // these axes
  readonly tiled: readonly string[]; // output axes
  readonly accumulators: number;
  readonly innermost: string | undefined; // reduced axis that is still a loop
  readonly isShared: boolean;
}
interface Unrolling {
  readonly vector: string;
  readonly unroll: Tile;
}
/** An output axis as vectors, or steps of a reduced one. */
function unrollings(nest: Nest, f: Facts, target: Target, t: Tiling): Unrolling[] {
  const { on, tile, accumulators, innermost } = t;
  const threadsOf = (a: string): number => threadsAlong(on, a);
  const isOneByOne = on.inner && f.keepsPlaces; // invocations that share a largest value compare with places
  const outerVector = isOneByOne ? "" : (on.vectors.find((a) => (tile[a] ?? 1) % 4 === 0) ?? "");
  const choices: Unrolling[] = [{ vector: outerVector, unroll: {} }];
  if (f.kept.length) return choices;
  for (const a of nest.inner) {
    const isWhole = f.known(a) && f.extent(a) % 4 === 0 && f.extent(a) >= threadsOf(a) * 4;
    if (!isWhole || t.out.includes(a) || f.keepsPlaces || !f.contiguous(a)) continue;
    choices.push({ vector: a, unroll: { [a]: 4 } });
    if (accumulators === 1 && f.extent(a) % 16 === 0) choices.push({ vector: a, unroll: { [a]: mostSteps } });
  }
  // two steps of a large tile: what no register holds comes and goes half as often
  const steps = !target.keepLoops || accumulators <= 16 ? [2, 4] : t.isShared && accumulators >= 64 ? [2] : [];
  if (innermost && f.known(innermost))
    for (const u of steps)
      if (f.extent(innermost) % (u * threadsOf(innermost)) === 0)
        choices.push({ vector: outerVector, unroll: { [innermost]: u } });
  return choices;
}
/** The axis whose rolled loop leaves fewest stores; "" where all are written out. */
function rolledAxis(nest: Nest, f: Facts, target: Target, t: Tiling, tile: Tile, vector: string): string {
  const width = nest.outer.includes(vector) ? 4 : 1;
  const isRolled =
    target.rolledStores && t.accumulators / width > 4 && !t.on.inner && f.overs.length === 1 && f.storesOnce;
  if (!isRolled) return "";
  const stores = (a: string): number => (tile[a] ?? 1) / (a === vector ? 4 : 1);
  const axes = t.tiled.filter((a) => threadsAlong(t.on, a) === 1);
  return axes.sort((a, b) => stores(b) - stores(a) || f.contiguous(a) - f.contiguous(b))[0] ?? "";
}
