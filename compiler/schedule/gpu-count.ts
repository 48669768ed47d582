// What one SIMD group does in a kernel on a GPU, as it is counted; conflicts of workgroup memory.
import type { Gpu } from "../kernel/target.ts";

/** What one SIMD group does from its start to its end, and what it holds meanwhile. */
export interface Count {
  multiplyAdds: number;
  other: number; // instructions of vectors and scalars, but for those that follow
  loads: number; // from memory
  uniform: number; // of one element for all lanes
  stores: number;
  workgroup: number; // reads and writes of workgroup memory
  waits: number; // for memory: rounds of loads that are on their way together
  barriers: number;
  issue: number; // cycles of a SIMD
  serial: number; // cycles that it takes alone: `issue` with what it waits for
  cache: number; // cycles of the core's first cache
  banks: number; // cycles of the core's workgroup memory
  bytes: number; // that its workgroup asks the cache behind that for
  registers: number; // of a lane
  workgroupMemory: number; // bytes of a workgroup
  compile: number; // ms of the driver
}
export const noCount = (): Count => ({
  multiplyAdds: 0,
  other: 0,
  loads: 0,
  uniform: 0,
  stores: 0,
  workgroup: 0,
  waits: 0,
  barriers: 0,
  issue: 0,
  serial: 0,
  cache: 0,
  banks: 0,
  bytes: 0,
  registers: 0,
  workgroupMemory: 0,
  compile: 0,
});
type Kind = "multiplyAdds" | "other" | "loads" | "uniform" | "stores" | "workgroup";
export function instructions(c: Count, kind: Kind, n: number, cycles = 1): void {
  c[kind] += n;
  c.issue += n * cycles;
  c.serial += n * cycles;
}
/** Lanes of a SIMD group: so many along an axis, elements apart; innermost first. */
export type LaneAxis = readonly [axis: number, count: number, stride: number];

const known = new Map<string, number>();
/**
 * Cycles of workgroup memory for an access of `width` elements by each lane. Lanes are served together as long as what they ask for is one round over
 * the banks; of these, words that differ in one bank come one after the other.
 */
export function bankCycles(lanes: readonly LaneAxis[], width: number, { banks }: Gpu): number {
  const key = `${banks} ${width} ${lanes.map(([, n, s]) => `${n}*${s}`).join()}`;
  let cycles = known.get(key);
  if (cycles === undefined) known.set(key, (cycles = served(lanes, width, banks)));
  return cycles;
}
function served(lanes: readonly LaneAxis[], width: number, banks: number): number {
  const all = lanes.reduce((n, [, count]) => n * count, 1);
  const together = Math.max(1, banks / width);
  let cycles = 0;
  for (let first = 0; first < all; first += together) {
    const words = new Map<number, Set<number>>();
    for (let lane = first; lane < Math.min(all, first + together); lane++) {
      let rest = lane;
      let at = 0;
      for (const [, count, stride] of lanes) {
        at += (rest % count) * stride;
        rest = Math.floor(rest / count);
      }
      for (let w = at; w < at + width; w++) {
        const bank = w % banks;
        if (!words.has(bank)) words.set(bank, new Set());
        words.get(bank)!.add(w);
      }
    }
    cycles += Math.max(...[...words.values()].map((own) => own.size));
  }
  return cycles;
}
