// Parts of the space of schedules.
import type { Nest } from "./nest.ts";
import type { Schedule } from "./schedule.ts";

export interface Candidate {
  readonly nest: Nest;
  readonly schedule: Schedule;
}
export const padding = 1.15; // of a register tile
export const lanePadding = 1.35;
/** A corner of the space: schedules with the same threads and tile of output axes, none of which costs less than `least` of them (`leastPrice`). */
export interface Corner {
  readonly nest: Nest;
  readonly least: Schedule | undefined; // without: nothing is known
  readonly atOnce: number; // steps of reductions that the body of a loop has, at most
  readonly alone?: true; // none for a launch of several kernels: what windows see takes most of a workgroup's memory
  readonly candidates: () => Candidate[];
}
