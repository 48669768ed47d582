// What a contraction, or a sum over windows, does on a GPU whose operands lie in workgroup memory, chunk by chunk of a reduced axis (lower/staging.ts). In: the
// contraction or the windows, a schedule. Out: its part of what one SIMD group does.
import type { Variable } from "../graph/types.ts";
import type { Gpu, Target } from "../kernel/target.ts";
import type { Part } from "./access.ts";
import {
  alongOf,
  sizeOfBox,
  stagedChunks,
  stagedLayout,
  stepsAtOnce,
  type Along,
  type Contraction,
  type Operand,
  type StagedLayout,
} from "./contraction.ts";
import { bankCycles, instructions, type Count, type LaneAxis } from "./gpu-count.ts";
import type { Nest } from "./nest.ts";
import { product, type Placed } from "./placed.ts";
import { windowLayout, type Windows } from "./windows.ts";

const waitIssue = 0.5; // cycles of the instruction that waits for a value: mostly beside others
/** An operand in its memory. */
interface Box {
  readonly operand: Operand;
  readonly layout: StagedLayout;
  readonly axis: number; // of its output axis, or -1
  readonly tile: number; // of one invocation along it
  readonly span: number; // ... of the workgroup
  readonly step: number; // elements from a row to the next
  readonly laneStride: number; // ... from one invocation along the axis to the next
  readonly fetches: number; // fours that one invocation brings
}
function boxOf(operand: Operand, c: Contraction, p: Placed, chunk: number): Box {
  const { schedule } = p;
  const name = operand.along && c.nest.nameOf.get(operand.along)!;
  const axis = name === undefined ? -1 : p.names.indexOf(name);
  const [tile, threads] = axis < 0 ? [1, 1] : [p.tile[axis]!, p.threads[axis]!];
  const along = name === undefined ? undefined : alongOf(name, tile, threads, schedule.quads);
  const layout = stagedLayout(operand.fast === c.k, chunk, along, schedule.padded);
  const { isAlongK, quads, rows, width, rowStride, fourRowStride } = layout;
  const step = width * rowStride;
  return {
    operand,
    layout,
    axis,
    tile,
    step,
    span: tile * threads,
    laneStride: isAlongK ? (fourRowStride ? 4 * fourRowStride : step) : (along?.run ?? 1),
    fetches: Math.ceil((quads * rows) / p.workgroup),
  };
}
/** Adds the loop over the chunks; gives the registers that it takes beside the sums. */
export function addContraction(
  n: Count,
  c: Contraction,
  part: Part,
  p: Placed,
  lanes: readonly LaneAxis[],
  gpu: Gpu,
): number {
  const k = p.names.indexOf(c.nest.nameOf.get(c.k)!);
  const chunk = p.schedule.staged[p.names[k]!]!;
  const chunks = Math.ceil(p.extent[k]! / chunk);
  const boxes = c.operands.map((o) => boxOf(o, c, p, chunk));
  const before = n.issue;
  let fetched = 0; // registers
  for (const box of boxes) {
    const { operand, fetches } = box;
    const { width, rows, quads, isAlongK } = box.layout;
    const loads = fetches * operand.loads * (operand.isWide ? 1 : 4);
    instructions(n, "loads", chunks * loads);
    instructions(n, "other", chunks * loads * (operand.isWide ? gpu.address : gpu.fill));
    n.cache += chunks * loads * fetchCycles(quads, operand.isWide ? 4 : 1, p.target);
    instructions(n, "workgroup", (chunks * fetches * 4) / width);
    n.banks += ((chunks * fetches * 4) / width) * storeCycles(quads, width, box.step, p.target);
    n.bytes += 4 * chunks * chunk * box.span * operand.loads;
    n.workgroupMemory += 4 * (isAlongK ? box.step * rows : 4 * quads * rows);
    fetched += 4 * fetches * operand.loads;
    const reads = isAlongK || width === 4 ? (box.tile * chunk) / 4 : box.tile * chunk;
    const apart: LaneAxis[] = lanes.flatMap(([a, count]) =>
      a === box.axis ? [[a, count, box.laneStride] as const] : [[a, count, 0] as const],
    );
    instructions(n, "workgroup", chunks * reads);
    instructions(n, "other", chunks * reads, waitIssue);
    n.banks += chunks * reads * bankCycles(apart, isAlongK || width === 4 ? 4 : 1, gpu);
  }
  const steps = chunk / p.tile[k]!;
  const all = chunks * chunk * p.accumulators;
  const sums = part.ops!.length;
  instructions(n, "multiplyAdds", all * part.products);
  instructions(n, "other", all * (sums - part.products));
  const perFetch = (4 * boxes.reduce((sum, box) => sum + box.fetches, 0)) / Math.max(1, boxes.length);
  const [first, second] = [p.outerCount - 2, p.outerCount - 1];
  for (const { cost, axes, access, summed } of part.work) {
    if (access || summed || cost === "none" || !axes.includes(k)) continue;
    const isInside = axes.includes(first) && axes.includes(second); // at each step, else with the fetches of an operand
    instructions(n, "other", isInside ? all : chunks * perFetch, gpu.issue[cost]);
  }
  instructions(n, "other", chunks * (steps * gpu.loop + gpu.loop));
  n.barriers += 2 * chunks;
  n.waits += chunks;
  const own = n.issue - before;
  const others = besides(own, p, gpu);
  const waiting = p.schedule.ahead ? Math.max(0, gpu.latency - (own + others) / chunks) : gpu.latency;
  n.serial += others;
  n.serial += chunks * (waiting + gpu.barrier * Math.ceil(p.workgroup / p.target.simd) + steps * gpu.workgroupLatency);
  const more = boxes.reduce((sum, box) => sum + box.tile * (p.tile[k]! - 4), 0);
  return gpu.stagedRegisters + fetched + more / 2;
}
/** The same of what the windows of a workgroup see. */
export function addWindows(
  n: Count,
  w: Windows,
  nest: Nest,
  part: Part,
  p: Placed,
  lanes: readonly LaneAxis[],
  gpu: Gpu,
): number {
  const { schedule, workgroup, target } = p;
  const axisOf = (v: Variable): number => p.names.indexOf(nest.nameOf.get(v)!);
  const along = (v: Variable): Along => {
    const name = nest.nameOf.get(v)!;
    return alongOf(name, p.tile[axisOf(v)]!, p.threads[axisOf(v)]!, schedule.quads);
  };
  const k = axisOf(w.k);
  const chunk = schedule.staged[p.names[k]!]!;
  const chunks = p.extent[k]! / chunk;
  let bodies = chunk / p.tile[k]!; // of a chunk
  for (const v of w.across) bodies *= p.extent[axisOf(v)]! / p.tile[axisOf(v)]!;
  const before = n.issue;
  let fetched = 0; // registers
  let held = 0; // ... of what a body reads
  for (const operand of w.operands) {
    const { layout, coordinates } = windowLayout(operand, chunk, schedule.padded, along);
    const { width, rows, quads, length, rowStride, isAlongK } = layout;
    const fetches = Math.ceil((quads * rows) / workgroup);
    const loads = fetches * operand.loads * (operand.isWide ? 1 : 4);
    instructions(n, "loads", chunks * loads);
    instructions(n, "other", chunks * loads * (operand.isWide ? gpu.address : gpu.fill));
    n.cache += chunks * loads * fetchCycles(quads, operand.isWide ? 4 : 1, target);
    const stores = (chunks * fetches * 4) / width;
    instructions(n, "workgroup", stores);
    n.banks += stores * storeCycles(quads, width, width * rowStride, target);
    // whole lines come; until the next chunk, others have taken the places of the rest
    const line = Math.min(gpu.line, 4 * p.extent[axisOf(operand.fast)]!);
    n.bytes += chunks * rows * Math.max(4 * length, line) * operand.loads;
    n.workgroupMemory += 4 * width * sizeOfBox(layout);
    fetched += 4 * fetches * operand.loads;
    const tileOf = (v: Variable): number => p.tile[axisOf(v)]!;
    let reads = isAlongK ? tileOf(w.k) / 4 : Math.ceil(tileOf(operand.fast) / width);
    for (const { of } of coordinates) {
      const [outs, overs] = [of.out ? tileOf(of.out) : 1, of.over ? tileOf(of.over) : 1];
      const isStretch = !of.out || along(of.out).run === outs;
      const stretch = isStretch ? 1 + of.step * (outs - 1) + Math.abs(of.by) * (overs - 1) : Infinity;
      reads *= Math.min(outs * overs, stretch);
    }
    const apart = lanes.map(([a, count]): LaneAxis => {
      const of = coordinates.find((c) => c.of.out && axisOf(c.of.out) === a);
      const isFast = axisOf(operand.fast) === a;
      return [a, count, isFast ? along(operand.fast).run : of ? of.apart * of.of.step * width * rowStride : 0];
    });
    instructions(n, "workgroup", chunks * bodies * reads);
    instructions(n, "other", chunks * bodies * reads, waitIssue);
    n.banks += chunks * bodies * reads * bankCycles(apart, width, gpu);
    held += width * reads;
  }
  const sums = part.ops!.length;
  const all = product(part.over, p.extent) * p.accumulators;
  instructions(n, "multiplyAdds", all * part.products);
  instructions(n, "other", all * (sums - part.products));
  instructions(n, "other", chunks * (bodies + 1) * gpu.loop);
  n.barriers += 2 * chunks;
  n.waits += chunks;
  n.serial += besides(n.issue - before, p, gpu);
  n.serial += chunks * (gpu.latency + gpu.barrier * Math.ceil(workgroup / target.simd) + bodies * gpu.workgroupLatency);
  return gpu.stagedRegisters + Math.max(fetched, heldAtOnce * held);
}
const heldAtOnce = 0.6; // of what a body reads: Mesa's compiler for RDNA 2 takes 104 to 176 registers for bodies of 28 to 56 sums
/** The same for the best chunk: everything but what its size rounds up, and conflicts. */
export function leastOfContraction(n: Count, c: Contraction, part: Part, p: Placed, gpu: Gpu): number {
  const k = p.names.indexOf(c.nest.nameOf.get(c.k)!);
  const steps = p.extent[k]!;
  const before = n.issue;
  let fetched = 0;
  for (const operand of c.operands) {
    const { layout, span, tile } = boxOf(operand, c, p, leastChunk);
    const { isAlongK, width } = layout;
    const atATime = operand.isWide ? 4 : 1;
    const loads = ((steps * span) / 4 / p.workgroup) * operand.loads * (operand.isWide ? 1 : 4);
    instructions(n, "loads", loads);
    instructions(n, "other", loads * (operand.isWide ? gpu.address : gpu.fill));
    n.cache += loads * Math.max(gpu.access, (4 * atATime * p.target.simd) / gpu.cacheBytes);
    const stores = (steps * span) / p.workgroup / width;
    const atOnce = isAlongK || width === 4 ? 4 : 1;
    const reads = (tile * steps) / atOnce;
    instructions(n, "workgroup", stores + reads);
    instructions(n, "other", reads, waitIssue);
    n.banks += (stores * width + reads * atOnce) * (p.target.simd / gpu.banks);
    n.bytes += 4 * steps * span * operand.loads;
    fetched += 4 * operand.loads;
    n.workgroupMemory += 4 * leastChunk * span;
  }
  const sums = part.ops!.length;
  const all = steps * p.accumulators;
  instructions(n, "multiplyAdds", all * part.products);
  instructions(n, "other", all * (sums - part.products));
  for (const { cost, axes, access, summed } of part.work)
    if (!access && !summed && cost !== "none" && axes.includes(k))
      if (axes.includes(p.outerCount - 2) && axes.includes(p.outerCount - 1))
        instructions(n, "other", all, gpu.issue[cost]);
  const rounds = steps / stepsAtOnce(p.tile[p.outerCount - 2]!, p.tile[p.outerCount - 1]!);
  const chunks = Math.ceil(steps / stagedChunks.at(-1)!);
  instructions(n, "other", (rounds + chunks) * gpu.loop);
  n.serial += besides(n.issue - before, p, gpu);
  n.serial += rounds * gpu.workgroupLatency + chunks * gpu.barrier * Math.ceil(p.workgroup / p.target.simd);
  return gpu.stagedRegisters + fetched;
}
const leastChunk = stagedChunks[0];
/** What the groups issue that wait together with this one. */
const besides = (issue: number, p: Placed, gpu: Gpu): number =>
  issue * (Math.min(gpu.inStep, Math.ceil(p.workgroup / p.target.simd)) - 1);
/** Lines that a SIMD group's fetch of neighbouring fours touches, or the bytes that come. */
function fetchCycles(quads: number, width: number, { simd, gpu }: Target): number {
  const rows = Math.ceil(simd / quads);
  const lines = rows * Math.ceil((16 * Math.min(quads, simd)) / gpu!.line);
  return Math.max(gpu!.access, lines, (4 * width * simd) / gpu!.cacheBytes);
}
/** Neighbouring fours of a row, then the next row: as vectors, or element by element. */
function storeCycles(quads: number, width: 1 | 4, step: number, { simd, gpu }: Target): number {
  const inRow = Math.min(quads, simd);
  const lanes: LaneAxis[] = [
    [0, inRow, 4],
    [1, Math.max(1, Math.floor(simd / inRow)), step],
  ];
  return bankCycles(lanes, width, gpu!);
}
