// What lowering asks about memory.
import type { DType, Node } from "../graph/types.ts";

export interface Layout {
  readonly storageOf: (base: Node) => DType | "u8";
  readonly nameOf: (base: Node) => string;
}
