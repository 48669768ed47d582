// Whether a softmax is computed in tiles. In: what would not be in memory. Out: yes or no.
import { elements } from "../scalar/dtype.ts";
import type { Target } from "../kernel/target.ts";
import { sizeOf } from "./storage.ts";
import type { Family } from "./streams.ts";

export const isWorthStreaming = ({ contractions }: Family, { wideBytes }: Target): boolean =>
  contractions.some((x) => sizeOf(x.shape) * elements[x.dtype].bytes > wideBytes);
