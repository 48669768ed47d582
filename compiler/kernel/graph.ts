// What fusion makes of a program: kernels in the order of their launches, in loops where the program has scans.
import type { Extent, Node, Scan, Source, Variable } from "../graph/types.ts";
import type { KernelSpec } from "./kernel.ts";

/** A tensor's place in another one's memory. */
export interface View {
  readonly memory: Source;
  readonly offset: number; // elements
}
export interface KernelStep {
  readonly kind: "kernel";
  readonly spec: KernelSpec;
  readonly reads: ReadonlySet<Node>; // memory
  readonly writes: ReadonlySet<Node>;
}
export interface LoopStep {
  readonly kind: "loop";
  readonly scan: Scan;
  readonly body: readonly Step[];
  readonly reads: ReadonlySet<Node>;
  readonly writes: ReadonlySet<Node>;
}
/**
 * Steps that one launch does: each of its workgroups takes some rows and does all the steps for them, with barriers between. Loops without a launch in
 * every round.
 */
export interface RowwiseStep {
  readonly kind: "rowwise";
  readonly body: readonly Step[]; // kernels and loops
  readonly rows: Rows | undefined; // undefined: one workgroup does all
  readonly workgroup: number; // invocations
  readonly own: boolean; // each has rows of its own: no barriers
  readonly local: ReadonlySet<Node>; // what lies in workgroup memory: of the workgroup's own rows
  readonly views: ReadonlyMap<Node, View>; // slices that are read in the buffer they are part of
  readonly reads: ReadonlySet<Node>;
  readonly writes: ReadonlySet<Node>;
}
/** An axis along which no element of what the steps write is made of another's. */
export interface Rows {
  readonly extent: Extent;
  readonly each: number; // rows of a workgroup
  readonly axisOf: ReadonlyMap<KernelStep, Variable>;
}
export type Step = KernelStep | LoopStep | RowwiseStep;
export interface KernelGraph {
  readonly steps: readonly Step[];
  /** The memory that holds an output of the program. */
  readonly outputs: readonly { readonly name: string; readonly memory: Node; readonly offset: number }[];
  readonly views: ReadonlyMap<Node, View>;
  /** Tensors of the program alone that lie in one buffer, because a launch would bind too many. */
  readonly joined?: ReadonlyMap<Node, View>;
}
