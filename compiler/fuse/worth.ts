// Whether a softmax is computed in tiles, and what of it fits in a workgroup. In: what would not be in memory. Out: yes or no.
import type { Node, Shape } from "../graph/types.ts";
import type { Target } from "../kernel/target.ts";
import { elements } from "../scalar/dtype.ts";
import { sizeOf } from "./storage.ts";

/** Is one of them too large to be kept? */
export const isWide = (contractions: Iterable<Node>, { wideBytes }: Target): boolean =>
  [...contractions].some((x) => sizeOf(x.shape) * elements[x.dtype].bytes > wideBytes);

export const smallestTile = 8; // rows
/** May a result of a tile's rows lie in the memory of its workgroup, beside the tile? */
export const fitsWorkgroup = (shape: Shape, { workgroupMemory }: Target): boolean =>
  sizeOf(shape) * elements.f32.bytes <= workgroupMemory / 2;
