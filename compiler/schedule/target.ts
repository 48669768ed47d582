// Targets as data: what a device of a class can do and what its schedules look like. Never a number in the code that uses them.
export interface Target {
  readonly name: string;
  readonly class: "software" | "discrete";
  readonly storageBuffers: number; // per stage
  readonly workgroup: number; // invocations of an ordinary workgroup
  readonly reductionWorkgroup: number; // invocations that share one long reduction
  readonly registerTile: readonly (readonly [rows: number, columns: number])[]; // output elements of one invocation of a contraction, best first
  readonly leastThreads: number; // fewer invocations than this leave the device idle: take a smaller tile
  readonly longReduction: number; // a reduction of more steps than this is shared by a workgroup when there are few of them
  readonly fewOutputs: number;
  readonly vector: number; // contiguous elements of one invocation of an elementwise kernel
  readonly oneHotLimit: number; // scatter: rows times updates below which every row looks at all updates
}
export const targets: Readonly<Record<string, Target>> = {
  software: { name: "software", class: "software", storageBuffers: 8, workgroup: 64, reductionWorkgroup: 16, registerTile: [[8, 8], [8, 4], [4, 8], [4, 4], [2, 4], [4, 2], [2, 2], [1, 4], [4, 1]], leastThreads: 64, longReduction: 512, fewOutputs: 64, vector: 4, oneHotLimit: 1 << 26 },
  discrete: { name: "discrete", class: "discrete", storageBuffers: 8, workgroup: 64, reductionWorkgroup: 64, registerTile: [[4, 4], [2, 4], [4, 2], [2, 2], [1, 4], [4, 1]], leastThreads: 16384, longReduction: 256, fewOutputs: 4096, vector: 4, oneHotLimit: 1 << 26 },
}; // prettier-ignore
