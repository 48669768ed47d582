// What lowering asks about memory.
import type { DType, Node, Scan } from "../graph/types.ts";

export interface Layout {
  readonly storageOf: (base: Node) => DType | "u8";
  readonly nameOf: (base: Node) => string;
  /** Memory of one i32 that holds the site of a draw: kernels that differ in it alone are then one. */
  readonly siteOf?: (site: number) => Node | undefined;
  /** Variables of the module that hold the rounds of loops; those of other loops are told by the host. */
  readonly steps?: ReadonlyMap<Scan, string>;
  /** Workgroup memory that kernels of one launch have in turn: the name of the first, second, ... array of a type that a kernel wants. */
  readonly inTurn?: (type: string, count: number) => string;
}
