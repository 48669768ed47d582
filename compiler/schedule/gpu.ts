// The price of a schedule on a GPU, in closed form. In: an access analysis, a schedule, the facts of a class of GPUs. Out: what one SIMD group does
// (instructions by kind, waits, lines of the first cache), how many of them a SIMD holds at a time, and what all of them take.
//   a SIMD issues one instruction a cycle of whichever of its resident groups is not waiting: enough of them hide latency, instructions they share
//   a core's caches and workgroup memory give so many bytes a cycle, lanes whose addresses lie apart take several
//   memory gives so many bytes a cycle to all cores
import { analyse, type Access, type Analysis, type Part, type Work } from "./access.ts";
import { contractionOf } from "./contraction.ts";
import { instructions, noCount, type Count, type LaneAxis } from "./gpu-count.ts";
import { addContraction, addWindows, leastOfContraction } from "./gpu-staged.ts";
import { estimate, type Nest } from "./nest.ts";
import { elements, loopsOf, product, tripsOf, type Loops, type Placed } from "./placed.ts";
import { windowsOf } from "./windows.ts";
import type { Node } from "../graph/types.ts";
import type { Gpu, Target } from "../kernel/target.ts";

export interface GpuTime {
  readonly count: Count;
  readonly resident: number; // SIMD groups that a SIMD holds at a time
  readonly cycles: number;
}

interface Counting {
  readonly p: Placed;
  readonly gpu: Gpu;
  readonly lanes: Lanes;
  readonly part: Part;
  readonly loops: Loops;
  readonly c: Count;
  held: number; // registers of values that are on their way in the innermost body
  addresses: number;
}
/** Counts the parts, and spreads the groups over the device. */
export function timeOnGpu(nest: Nest, p: Placed, target: Target): GpuTime {
  const analysis = analyse(nest);
  const gpu = target.gpu!;
  const c = noCount();
  c.other = gpu.prologue;
  c.issue = c.serial = gpu.prologue;
  const lanes = lanesOfGroup(p, target);
  let registers = 0;
  const contraction = p.schedule.joined ? contractionOf(nest) : undefined;
  const windows = !contraction && Object.keys(p.schedule.staged).length ? windowsOf(nest) : undefined;
  const [sums] = analysis.stages;
  if (contraction) registers = addContraction(c, contraction, sums!, p, lanes, gpu);
  else if (windows) registers = addWindows(c, windows, nest, sums!, p, lanes, gpu);
  for (const part of contraction || windows ? analysis.stores : [...analysis.stages, ...analysis.stores]) {
    const counting: Counting = { p, gpu, lanes, part, loops: loopsOf(part, p), c, held: 0, addresses: 0 };
    addPart(counting);
    registers = Math.max(registers, counting.held + counting.addresses);
  }
  setRegisters(c, registers, analysis, p, gpu);
  if (p.rounds > 1) for (const k of perRound) c[k] *= p.rounds;
  return { count: c, ...spread(c, p, target, bytesOf(analysis)) };
}
/**
 * No schedule with these threads and this tile of output axes takes less, whose loops have `atOnce` steps of reductions at most. Its reduced axes may have
 * any tile, its loads and stores any width.
 */
export function leastOnGpu(nest: Nest, p: Placed, target: Target, atOnce: number): GpuTime {
  const gpu = target.gpu!;
  const analysis = analyse(nest);
  const c = noCount();
  c.issue = c.serial = gpu.prologue;
  const contraction = p.schedule.joined ? contractionOf(nest) : undefined;
  const registers = contraction ? leastOfContraction(c, contraction, analysis.stages[0]!, p, gpu) : 0;
  for (const part of contraction ? analysis.stores : [...analysis.stages, ...analysis.stores])
    leastOfPart(c, part, p, gpu, atOnce);
  setRegisters(c, registers, analysis, p, gpu);
  return { count: c, ...spread(c, p, target, bytesOf(analysis)) };
}
function leastOfPart(c: Count, part: Part, p: Placed, gpu: Gpu, atOnce: number): void {
  /** Elements of these axes that one invocation sees. */
  const spanOf = (a: number): number => (a < p.outerCount ? p.tile[a]! : p.extent[a]! / p.threads[a]!);
  const elementsOf = (axes: readonly number[]): number => {
    let n = part.stretch && axes.some((a) => a >= p.outerCount) ? part.stretch.share : 1;
    for (const a of axes) n *= spanOf(a);
    return n;
  };
  const { compile } = p.target;
  let waits = 0;
  for (const { access: x, axes, cost, guards, summed } of part.work) {
    if (x) {
      waits = Math.max(waits, 1, elementsOf(x.axes.filter((a) => a >= p.outerCount)) / atOnce);
      const loads = elementsOf(x.windowed ? apartIn(x, spanOf) : x.axes) / (x.wide.includes(true) ? 4 : 1);
      instructions(c, "loads", loads);
      instructions(c, "other", loads * gpu.address);
      c.cache += loads * gpu.access;
      c.bytes += bytesOfGroup(x, p, part);
    } else if (cost !== "none" && !summed && !guards)
      instructions(c, "other", elementsOf(axes) / (cost === "random" ? 4 : 1), gpu.issue[cost]);
  }
  c.waits += waits;
  c.serial += waits * gpu.latency;
  if (part.ops) {
    c.compile += part.ops.length * p.accumulators * (compile.operation / 2);
    sumUp(c, part, elementsOf(part.over), p, gpu);
  }
  for (const x of part.stores) {
    const isWide = x.stride.some((step, a) => step === 1 && p.extent[a]! % 4 === 0);
    const count = (p.accumulators * elementsOf(part.over)) / (isWide ? 4 : 1);
    instructions(c, "stores", count);
    instructions(c, "other", count * gpu.address);
    c.cache += count * gpu.access;
    c.bytes += bytesOfGroup(x, p, part);
  }
}
/** Of a window, the longest axis of each index that no other index has: different elements, however many of them one body has. */
function apartIn({ indices }: Access, spanOf: (axis: number) => number): number[] {
  return indices.flatMap((dim): number[] => {
    let longest = -1;
    for (const [a] of dim)
      if ((longest < 0 || spanOf(a) > spanOf(longest)) && indices.every((d) => d === dim || d.every(([b]) => b !== a)))
        longest = a;
    return longest < 0 ? [] : [longest];
  });
}
const perRound = [
  "multiplyAdds",
  "other",
  "loads",
  "uniform",
  "stores",
  "workgroup",
  "waits",
  "barriers",
  "issue",
  "serial",
  "cache",
  "banks",
  "bytes",
] as const;

/** `others`: registers beside those of the sums. */
function setRegisters(c: Count, others: number, { stages }: Analysis, p: Placed, gpu: Gpu): void {
  const held = stages.reduce((n, part) => n + part.ops!.length, 0) * p.accumulators;
  c.registers = gpu.baseRegisters + held + 0.7 * Math.max(0, held - gpu.freeSums) + others;
}
/** All groups over the device. */
export function spread(
  c: Count,
  { workgroup, groups }: Pick<Placed, "workgroup" | "groups">,
  target: Target,
  bytes: number,
): Pick<GpuTime, "resident" | "cycles"> {
  const gpu = target.gpu!;
  const waves = Math.ceil(workgroup / target.simd); // of a workgroup
  const resident = residentGroups(c, waves, gpu);
  const together = Math.max(1, Math.min(gpu.workgroups, Math.floor((resident * gpu.simds) / waves))); // workgroups of a core
  const onCore = Math.max(1, Math.ceil(groups / target.cores));
  const all = onCore * waves;
  const core = combined(
    Math.ceil(all / gpu.simds) * c.issue,
    Math.max(1, onCore / together) * c.serial,
    all * c.cache,
    all * c.banks,
    Math.max((onCore * c.bytes) / gpu.sharedBytes, (groups * c.bytes) / gpu.allShared),
  );
  return { resident, cycles: combined(core, bytes / gpu.memoryBytes) + onCore * gpu.start };
}
/** The longest, and a part of the others, which are not wholly hidden behind it. */
export function combined(...times: readonly number[]): number {
  let most = 0;
  let sum = 0;
  for (const t of times) {
    sum += t;
    if (t > most) most = t;
  }
  return most + unhidden * (sum - most);
}
const unhidden = 0.15;
/** SIMD groups that a SIMD holds at a time, limited by registers and by workgroup memory. */
export function residentGroups(c: Pick<Count, "registers" | "workgroupMemory">, waves: number, gpu: Gpu): number {
  const registers = Math.ceil(Math.max(1, c.registers) / gpu.registerGrain) * gpu.registerGrain;
  const byRegisters = Math.floor(gpu.registerFile / registers);
  const byMemory = c.workgroupMemory
    ? (Math.floor(gpu.workgroupMemory / (Math.ceil(c.workgroupMemory / 1024) * 1024)) * waves) / gpu.simds
    : Infinity;
  return Math.max(1, Math.min(gpu.groups, byRegisters, Math.ceil(byMemory)));
}

// ---------------------------------------------------------------- one SIMD group

function addPart(n: Counting): void {
  const { p, part, loops, c, gpu } = n;
  const sums = part.ops?.length ?? 0;
  let waits = 0;
  for (const w of part.work) {
    if (w.access) waits = Math.max(waits, addLoad(n, w, w.access));
    else if (w.cost !== "none" && !w.summed) addWork(n, w);
  }
  c.waits += waits;
  c.serial += waits * gpu.latency;
  if (sums) {
    c.compile += sums * p.accumulators * product(part.over, p.tile) * (p.target.compile.operation / 2);
    sumUp(c, part, loops.steps * product(part.over, p.tile), p, gpu);
  }
  for (const trips of loops.trips) instructions(c, "other", trips * gpu.loop);
  for (const store of part.stores) addStore(n, store);
}
/** Gives how often the group waits for it. */
function addLoad(n: Counting, w: Work, x: Access): number {
  const { p, gpu, part, loops, c, lanes } = n;
  const { tile, schedule } = p;
  const often = tripsOf(loops, w.axes);
  const vector = part.ops && schedule.sums === "scalar" && p.vector < p.outerCount ? -1 : p.vector;
  const isWide = vector >= 0 && tile[vector]! >= 4 && x.wide[vector]!;
  const width = isWide ? 4 : 1;
  const count = elements(x, tile) / width;
  const isUniform = !lanes.some(([a]) => x.stride[a] !== 0);
  instructions(c, isUniform ? "uniform" : "loads", often * count);
  instructions(c, "other", often * count * (gpu.address + (x.guarded ? gpu.guard : 0)));
  c.cache += often * count * linesOf(x, width, lanes, gpu);
  c.bytes += bytesOfGroup(x, p, part) * wasteOf(x, p, lanes, gpu);
  c.compile += count * p.target.compile.load;
  if (often === loops.steps && !isUniform) {
    n.held += count * width;
    n.addresses += 1;
  }
  return often;
}
function addWork(n: Counting, w: Work): void {
  const { p, gpu, loops, c } = n;
  const often = tripsOf(loops, w.axes);
  const tiled = w.guards ? elements(w.guards, p.tile) : product(w.axes, p.tile);
  const count = w.cost === "random" && p.vector >= 0 && w.axes.includes(p.vector) ? tiled / 4 : tiled;
  instructions(c, "other", often * count, gpu.issue[w.cost]);
  c.compile +=
    count *
    (w.cost === "alu"
      ? p.target.compile.operation / 2
      : w.cost === "random"
        ? 20 * p.target.compile.function
        : p.target.compile.function);
}
/** The reductions of a part, whose loops go through so many elements of the reduced axes. */
function sumUp(c: Count, part: Part, steps: number, p: Placed, gpu: Gpu): void {
  const sums = part.ops!.length;
  const all = steps * p.accumulators;
  instructions(c, "multiplyAdds", all * part.products);
  instructions(c, "other", all * (sums - part.products));
  // a sum waits for the one before it
  const apart = Math.min(gpu.dependent, sums * p.accumulators);
  c.serial += all * sums * (gpu.dependent / apart - 1);
  const sharing = product(part.over, p.threads);
  if (sharing > 1) {
    const rounds = 1 + Math.log2(sharing);
    const each = sums * p.accumulators;
    c.barriers += rounds * each;
    instructions(c, "workgroup", 2 * rounds * each);
    c.serial += rounds * each * (gpu.barrier + gpu.workgroupLatency);
    c.workgroupMemory += 4 * p.workgroup;
  }
}
function addStore(n: Counting, x: Access): void {
  const { p, gpu, part, loops, c, lanes } = n;
  const { vector, tile } = p;
  const points = p.accumulators * product(part.over, tile);
  const width = vector >= 0 && tile[vector]! >= 4 && x.stride[vector] === 1 && p.extent[vector]! % 4 === 0 ? 4 : 1;
  const count = points / width;
  instructions(c, "stores", loops.steps * count);
  instructions(c, "other", loops.steps * count * gpu.address);
  c.cache += loops.steps * count * linesOf(x, width, lanes, gpu);
  c.bytes += bytesOfGroup(x, p, part);
  c.compile += count * p.target.compile.store;
}

// ---------------------------------------------------------------- addresses

/** Where the lanes of a SIMD group lie, by the elements of their axes. */
type Lanes = readonly LaneAxis[];
function lanesOfGroup(p: Placed, { simd }: Target): Lanes {
  const found: (readonly [number, number, number])[] = [];
  let left = simd;
  const take = (a: number, count: number, step: number): void => {
    const n = Math.min(left, count);
    if (n > 1) found.push([a, n, step]);
    left = Math.max(1, Math.floor(left / n));
  };
  const { threads } = p.schedule;
  for (let k = threads.length - 1; k >= 0; k--) {
    const [name, count] = threads[k]!;
    if (count === 1) continue;
    if (name === "fused")
      for (let f = p.fused.length - 1; f >= 0; f--)
        take(p.fused[f]!, Math.ceil(p.extent[p.fused[f]!]! / p.tile[p.fused[f]!]!), p.tile[p.fused[f]!]!);
    else
      for (let a = 0; a < p.threads.length; a++)
        if (
          p.threads[a] === count &&
          p.onLanes[a] &&
          !p.fused.includes(a) &&
          p.names[a] !== undefined &&
          name.split("+").includes(p.names[a]!)
        ) {
          take(a, count, p.vector === a || p.schedule.quads.includes(p.names[a]!) ? 4 : 1);
          break;
        }
  }
  return found;
}
/** Cycles of the first cache for an access of `width` neighbours by each lane: lines that they touch, or bytes. */
function linesOf(x: Access, width: number, lanes: Lanes, gpu: Gpu): number {
  const own = 4 * width;
  let near = own; // bytes of one stretch of memory
  let stretches = 1;
  let count = 1;
  for (const [a, n, step] of lanes) {
    const stride = 4 * Math.abs(x.stride[a]!) * step;
    if (stride === 0) continue;
    count *= n;
    if (stride < gpu.line) near += stride * (n - 1);
    else stretches *= n; // also where it is irregular
  }
  return Math.max(gpu.access, (own * count) / gpu.cacheBytes, Math.min(count, stretches * Math.ceil(near / gpu.line)));
}
/** Lanes whose lines lie apart have all of them fetched for the neighbours that one body reads: until the next one, others have taken their places. */
function wasteOf(x: Access, p: Placed, lanes: Lanes, gpu: Gpu): number {
  let apart = false;
  let near = 4;
  for (const [a, n, step] of lanes) {
    const stride = 4 * Math.abs(x.stride[a]!) * step;
    if (stride >= gpu.line) apart = true;
    else if (stride) near += stride * (n - 1);
  }
  if (!apart) return 1;
  for (const a of x.axes) if (Math.abs(x.stride[a]!) === 1) near *= p.tile[a]!;
  return Math.max(1, gpu.line / near);
}
/** Bytes that a workgroup reads or writes by an access, each once. */
function bytesOfGroup(x: Access, p: Placed, part: Part): number {
  const span = p.tile.map((n, a) => {
    if (a >= p.outerCount) return part.over.includes(a) ? p.extent[a]! : 1;
    const all = n * (a === p.lastFused ? p.fusedThreads : p.threads[a]!) * (p.schedule.serial[p.names[a]!] ?? 1);
    return Math.min(all, p.extent[a]!);
  });
  return 4 * Math.min(elements(x, span), sizeOf(x.tensor));
}
const sizeOf = ({ shape }: Node): number => shape.reduce<number>((n, d) => n * estimate(d), 1);
const known = new WeakMap<Analysis, number>();
/** The least that a kernel reads and writes: each tensor's elements once. */
export function bytesOf(analysis: Analysis): number {
  let bytes = known.get(analysis);
  if (bytes === undefined) {
    const most = new Map<unknown, number>();
    const see = (x: Access, written: boolean): void => {
      const key = written ? x : x.tensor; // what is read and written passes twice
      most.set(key, Math.max(most.get(key) ?? 0, Math.min(elements(x, analysis.extents), sizeOf(x.tensor))));
    };
    analysis.loads.forEach((x) => see(x, false));
    for (const part of analysis.stores) part.stores.forEach((x) => see(x, true));
    bytes = [...most.values()].reduce((sum, n) => sum + 4 * n, 0);
    known.set(analysis, bytes);
  }
  return bytes;
}
