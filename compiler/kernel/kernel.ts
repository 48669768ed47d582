// Kernel specifications: what fusion gives to scheduling. One spec becomes one WGSL module with one entry point, whatever its schedule.
import type { Place } from "../graph/origin.ts";
import type { Node, ReductionOp, Scalar, Variable, Local, Integer } from "../graph/types.ts";

/** A reduction of the kernel: local = op over `over` of value; value may read earlier locals. */
export interface Stage {
  readonly local: Local;
  readonly op: ReductionOp;
  readonly over: readonly Variable[]; // fresh variables, of this stage alone
  readonly value: Scalar; // loads, locals of earlier stages, variables of `axes` and `over`
}
/** target[indices] = value for all of axes and over. */
export interface Store {
  readonly target: Node;
  readonly over: readonly Variable[]; // e.g. the reduced axis again, for softmax
  readonly indices: readonly Integer[];
  readonly value: Scalar;
}
/** A value of the source that the kernel writes out where it is read. */
export interface Folded {
  readonly node: Node;
  readonly line: string; // "digits.dlm:4"
  readonly isPlain: boolean; // it reads memory alone
}
export interface KernelSpec {
  readonly name: string; // snake_case, after the source: "net_linear_matmul_relu"
  readonly comment: () => readonly string[]; // whose work it is: the first lines of its code
  readonly lines?: readonly string[]; // "digits.dlm:9": the source lines, for profiles and messages
  readonly folded?: readonly Folded[];
  readonly places?: readonly Place[]; // of its nodes in order: source text and the calls that they were made in
  readonly axes: readonly Variable[]; // fresh variables: the common output axes, outer to inner
  readonly stages: readonly Stage[];
  readonly stores: readonly Store[];
}
