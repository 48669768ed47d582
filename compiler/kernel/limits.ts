// What fusion may put into one kernel, by class of device.
import type { Target } from "./target.ts";

export interface FusionLimits {
  readonly smallReduction: number; // steps: numbers that reduce no more than this share a launch
  readonly leastRows: number; // fewer rows than this leave the device idle in a row kernel ...
  readonly fewRowsLimit: number; // ... unless the whole has no more elements than this
  readonly longestRow: number; // elements of one row in a row kernel
  readonly recomputeLimit: number; // cost, in loads, of a value that a kernel may compute twice
  readonly longestEpilogue: number; // cost of the functions that follow a contraction in its register tile
  readonly longestBody: number; // cost, in loads, of a body that is still written out in its reader
  readonly mostNodes: number; // of a kernel: what merges and schedules do grows faster than their number
  readonly deepest: number; // functions of functions in a kernel's formulas: the passes over them recurse
}
export const fusionLimits: Readonly<Record<Target["class"], FusionLimits>> = {
  software: {
    smallReduction: 1024,
    leastRows: 8,
    fewRowsLimit: 512,
    longestRow: 16384,
    recomputeLimit: 14,
    longestEpilogue: 3,
    longestBody: 40,
    mostNodes: 256,
    deepest: 500,
  },
  gpu: {
    smallReduction: 1024,
    leastRows: 64,
    fewRowsLimit: 512,
    longestRow: 16384,
    recomputeLimit: 14,
    longestEpilogue: 3,
    longestBody: 40,
    mostNodes: 256,
    deepest: 500,
  },
};
