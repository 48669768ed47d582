// What fusion makes of a program: kernels in the order of their launches, in loops where the program has scans.
import type { Node, Scan, Source } from "../graph/types.ts";
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
export type Step = KernelStep | LoopStep;
export interface KernelGraph {
  readonly steps: readonly Step[];
  /** The memory that holds an output of the program. */
  readonly outputs: readonly { readonly name: string; readonly memory: Node; readonly offset: number }[];
  readonly views: ReadonlyMap<Node, View>;
}
