// Schedules whose workgroups bring what they read of a chunk of a reduction into their memory first: products of matrices (contraction.ts), and sums over
// windows (windows.ts). For devices with fast workgroup memory.
import { analyse } from "./access.ts";
import { contractionOf, stagedChunks, stepsAtOnce } from "./contraction.ts";
import { estimate, type Nest } from "./nest.ts";
import { plainSchedule, type Schedule } from "./schedule.ts";
import { lanePadding, padding, type Candidate, type Corner } from "./corner.ts";
import { bytesOfWindows, windowsOf, type Windows } from "./windows.ts";
import type { Variable } from "../graph/types.ts";
import type { Target } from "../kernel/target.ts";

type Threads = Schedule["threads"];

/** Products of matrices: threads over both of their output axes, a tile of registers each. */
export function productsInWorkgroupMemory(nest: Nest, target: Target): Corner[] {
  const c = contractionOf(nest);
  if (!c) return [];
  const found: Corner[] = [];
  const [m, n, k] = [c.m, c.n, c.k].map((v) => c.nest.nameOf.get(v)!) as [string, string, string];
  const extent = (v: Variable): number => estimate(v.extent);
  const isFour = typeof c.n.extent === "number" && c.n.extent % 4 === 0;
  const steps = typeof c.k.extent === "number" ? c.k.extent : Infinity;
  const chunks = stagedChunks.filter((chunk) => (steps % chunk === 0 || c.vanishes) && chunk < steps + 8);
  for (const [tm, tn] of contractionThreads)
    // of tiles that cost the same, the one that is longer along n: what lies along k is held for four steps
    for (const rn of contractionTiles)
      for (const rm of contractionTiles) {
        const spans = new Map([
          [c.m, tm * rm],
          [c.n, tn * rn],
        ]);
        if (rm * rn < 2 || tm * rm > lanePadding * extent(c.m) + 4 || tn * rn > lanePadding * extent(c.n) + 4) continue;
        const threads: Threads = [
          [m, tm],
          [n, tn],
        ];
        const least: Schedule = {
          ...plainSchedule,
          joined: true,
          threads,
          tile: { [m]: rm, [n]: rn },
          vector: isFour && rn % 4 === 0 ? n : "",
          quads: [...(rm % 4 ? [] : [m]), ...(rn % 4 ? [] : [n])],
        };
        const of = (chunk: number): Candidate[] => {
          const bytes = c.operands.reduce((sum, o) => sum + 4 * chunk * (o.along ? spans.get(o.along)! : 1), 0);
          const rows = c.operands.reduce(
            (sum, o) => sum + (o.fast === c.k && o.along ? 16 * spans.get(o.along)! : 0),
            0,
          );
          if (bytes > target.workgroupMemory) return [];
          return (chunk < steps ? [false, true] : [false]).map((ahead) => ({
            nest: c.nest,
            schedule: {
              ...least,
              tile: { ...least.tile, [k]: Math.min(chunk / 2, stepsAtOnce(rm, rn)) },
              together: "workgroup",
              staged: { [k]: chunk },
              ahead,
              padded: rows > 0 && bytes + rows <= target.workgroupMemory,
            },
          }));
        };
        found.push({ nest: c.nest, least, atOnce: Infinity, candidates: () => chunks.flatMap(of) });
      }
  return found;
}
const contractionThreads = [
  [8, 8],
  [8, 16],
  [16, 8],
  [16, 16],
  [4, 16],
  [16, 4],
] as const;
const contractionTiles = [8, 4, 2, 1];

/** Sums over windows: a stretch of their last axis and one of the axis that is stored step by step in registers. */
export function windowsInWorkgroupMemory(nest: Nest, target: Target): Corner[] {
  const w = windowsOf(nest);
  if (!w) return [];
  const nameOf = (v: Variable): string => nest.nameOf.get(v)!;
  const along = w.along.map(nameOf);
  const last = along[along.length - 1]!;
  const n = storedAxis(nest, along);
  if (n === undefined) return [];
  const extent = (a: string): number => nest.extentOf.get(a) as number;
  const seen = w.operands.flatMap((o) => o.coordinates.flatMap((c) => (c.out ? [nameOf(c.out)] : [])));
  const others = nest.outer.filter((a) => a !== n && seen.includes(a) && typeof nest.extentOf.get(a) === "number");
  const isFour = extent(n) % 4 === 0;
  const [k, tap] = [nameOf(w.k), w.across[w.across.length - 1]!];
  const chunks = windowChunks.filter((chunk) => extent(k) % chunk === 0);
  const found: Corner[] = [];
  for (const rn of [8, 4].filter((size) => extent(n) % size === 0))
    for (const tn of [4, 8, 16, 32].filter((count) => count * rn <= extent(n)))
      for (const rl of stretchesOf(extent(last)).filter((size) => size * rn <= target.accumulatorLimit))
        for (const outer of threadsOver(others, (a) => extent(a) / (a === last ? rl : 1), 256 / tn)) {
          const threads: Threads = [...outer, [n, tn]];
          const workgroup = threads.reduce((p, [, count]) => p * count, 1);
          if (workgroup !== target.simd && workgroup % target.workgroup) continue; // drivers that make groups of 64 fill them
          // neighbours along the axis share what the taps of a row see, if one invocation has them
          const taps = tap.extent as number;
          const shares = !outer.some(([a, count]) => a === last && count > 1) && 4 * rl * rn * taps <= mostWritten;
          const candidates = (): Candidate[] =>
            chunks
              .map((chunk): Schedule => ({
                ...plainSchedule,
                threads,
                tile: { [last]: rl, [n]: rn, [k]: 4, ...(shares ? { [nameOf(tap)]: taps } : {}) },
                vector: isFour ? n : "",
                quads: isFour ? [n] : [],
                together: "workgroup",
                staged: { [k]: chunk },
                padded: true,
              }))
              .filter((s) => fits(nest, w, s, target))
              .map((schedule) => ({ nest, schedule }));
          found.push({ nest, least: undefined, atOnce: Infinity, alone: true, candidates });
        }
  return found;
}
const [shortest, longest] = [4, 14]; // stretches of an axis of windows in registers
/** From long to short, those that waste no more of the axis than a longer one. */
function stretchesOf(extent: number): number[] {
  const found: number[] = [];
  let least = padding * extent;
  for (let size = longest; size >= shortest; size--) {
    const all = Math.ceil(extent / size) * size;
    if (all > least) continue;
    found.push(size);
    least = all;
  }
  return found;
}
const windowChunks = [4, ...stagedChunks];
const mostWritten = 768; // products of a body: all taps of a row of windows
const leastResident = 4; // SIMD groups on a SIMD: fewer wait together
/** The last output axis that no window has and that something walks step by step. */
function storedAxis(nest: Nest, along: readonly string[]): string | undefined {
  const { axes, loads, stores } = analyse(nest);
  const walks = [...loads, ...stores.flatMap((p) => p.stores)];
  return nest.outer.findLast(
    (a) =>
      !along.includes(a) &&
      typeof nest.extentOf.get(a) === "number" &&
      walks.some((x) => x.stride[axes.indexOf(a)] === 1),
  );
}
const mostOfAxis = 32; // invocations along an axis of windows
const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n));
/** So many invocations at most over these axes, none of them much beyond an axis. */
function threadsOver(axes: readonly string[], extent: (a: string) => number, most: number): Threads[] {
  const [a, ...others] = axes;
  if (a === undefined) return [[]];
  const n = extent(a);
  const counts = Array.from({ length: mostOfAxis }, (_, i) => i + 1).filter(
    (count) =>
      count <= most && (n % count === 0 || (isPowerOfTwo(count) && Math.ceil(n / count) * count <= padding * n)),
  );
  return counts.flatMap((count) =>
    threadsOver(others, extent, most / count).map((rest): Threads => (count > 1 ? [[a, count], ...rest] : rest)),
  );
}
function fits(nest: Nest, w: Windows, s: Schedule, { simd, workgroupMemory, gpu }: Target): boolean {
  const bytes = bytesOfWindows(nest, w, s);
  const groups = s.threads.reduce((n, [, count]) => n * count, 1) / simd;
  const resident = gpu ? (Math.floor(gpu.workgroupMemory / bytes) * groups) / gpu.simds : Infinity;
  return bytes <= workgroupMemory && resident >= leastResident;
}
