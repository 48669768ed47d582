// A node's formula as something that runs, made once and run with any values. In: nothing. Out: its type.
import { fits, interval } from "../graph/scalar.ts";
import type { Affine, Extent, Node, Variable } from "../graph/types.ts";
import type { normal, uniform } from "./philox.ts";

export interface Compiled {
  readonly run: (
    result: Float64Array,
    drawUniform: typeof uniform,
    drawNormal: typeof normal,
    calls: readonly ((...x: number[]) => number)[],
    tensors: readonly Float64Array[],
    steps: readonly number[],
    extents: readonly number[],
  ) => void;
  /** What a run is given, in this order. */
  readonly calls: ((...x: number[]) => number)[];
  readonly tensors: Node[];
  readonly steps: Variable[];
  readonly extents: Extent[];
}
/** Is the sum within i32 as it stands? */
export const staysShort = (e: Affine): boolean => fits(e) && e.atoms.every((atom) => interval(atom).high !== Infinity);
