// The axes of a grid of workgroups as scans: kernels of one launch read the round that their workgroup is. In: extents. Out: scans.
import { scan } from "../graph/node.ts";
import { variable } from "../graph/scalar.ts";
import type { Extent, Scan } from "../graph/types.ts";

/** Rounds that no loop does: each is a workgroup's. */
export const round = (count: number): Scan => scan({ count, initial: [] }, () => []);
/** A round for every element of an axis. */
export function roundFor(extent: Extent): Scan {
  if (typeof extent === "number") return round(extent);
  const like = round(1);
  const made: Scan = {
    ...{ kind: "scan", id: like.id, compilation: like.compilation, reverse: false, carries: [], scans: new Set() },
    count: Infinity,
    get step() {
      return step;
    },
  };
  const step = variable(extent, "t", { scan: made });
  return made;
}
