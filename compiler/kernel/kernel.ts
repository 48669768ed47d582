// Kernel specifications: what fusion gives to scheduling. One spec becomes one WGSL module with one entry point, whatever its schedule.
import type { Place } from "../graph/origin.ts";
import { boolean, inRange, visit } from "../graph/scalar.ts";
import type { Node, ReductionOp, Scalar, Variable, Local, Integer } from "../graph/types.ts";

/** A reduction of the kernel: local = op over `over` of value; value may read earlier locals. */
export interface Stage {
  readonly local: Local;
  readonly op: ReductionOp;
  readonly over: readonly Variable[]; // fresh variables, of this stage alone
  readonly value: Scalar; // loads, locals of earlier stages, variables of `axes` and `over`
}
/** target[indices] = value for all of axes and over; nothing where indices that are data lie outside of the target. */
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
/** When it writes. */
export function whenStored(store: Store): Scalar {
  let when = known.get(store);
  if (!when)
    known.set(store, (when = store.indices.some(isData) ? inRange(store.target, store.indices) : boolean(true)));
  return when;
}
const known = new WeakMap<Store, Scalar>();
function isData(e: Scalar): boolean {
  let found = false;
  visit(e, (x) => void (found ||= x.kind === "load" || x.kind === "local"));
  return found;
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
