// Whether a softmax is computed in tiles. In: what would not be in memory. Out: yes or no.
import type { Node } from "../graph/types.ts";
import type { Target } from "../kernel/target.ts";
import { elements } from "../scalar/dtype.ts";
import { sizeOf } from "./storage.ts";

/** Is one of them too large to be kept? */
export const isWide = (contractions: Iterable<Node>, { wideBytes }: Target): boolean =>
  [...contractions].some((x) => sizeOf(x.shape) * elements[x.dtype].bytes > wideBytes);
