// What fusion makes of a program: kernels in the order of their launches, in loops where the program has scans.
import type { Extent, Local, Node, Scalar, Scan, Source, Variable } from "../graph/types.ts";
import type { KernelSpec, Stage, Store } from "./kernel.ts";

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
  readonly touches?: Touched; // of these alone, where it names the memory that they lie in
}
export interface Touched {
  readonly reads: ReadonlySet<Node>;
  readonly writes: ReadonlySet<Node>;
}
export interface LoopStep<S = Step> {
  readonly kind: "loop";
  readonly scan: Scan;
  readonly within?: Rounds; // the others change nothing
  readonly body: readonly S[];
  readonly reads: ReadonlySet<Node>;
  readonly writes: ReadonlySet<Node>;
}
/**
 * The rounds t of a loop with low(g) <= t <= high(g), g a round of a grid around it; a bound is (scale * g + constant) / divisor, in whole numbers,
 * rounded towards 0.
 */
export interface Rounds {
  readonly of: Scan;
  readonly low?: RoundBound;
  readonly high?: RoundBound;
}
export interface RoundBound {
  readonly scale: number;
  readonly constant: number;
  readonly divisor: number;
}
/**
 * Steps that one launch does: each of its workgroups takes some rows and does all the steps for them, with barriers between. Loops without a launch in
 * every round. Or kernels that wait for none of each other: each workgroup does its part of one.
 */
export interface RowwiseStep {
  readonly kind: "rowwise";
  readonly name?: string; // of the launch
  readonly body: readonly Step[]; // kernels and loops
  readonly rows: Rows | undefined; // undefined: one workgroup does all ...
  readonly grid?: readonly Scan[]; // ... or all of one round of these, which no loop does: there is a workgroup for every round
  readonly beside?: true; // ... or a tile of one kernel
  readonly workgroup: number; // invocations
  readonly own: boolean; // each has rows of its own: no barriers
  readonly inTurn: number; // bytes of workgroup memory that the kernels may have in turn, beside what is local
  readonly local: ReadonlySet<Node>; // what lies in workgroup memory: of the workgroup's own rows
  readonly asLaunches?: readonly KernelStep[]; // the same kernels, where each may be a launch
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
/**
 * Reductions over tensors that are never whole in memory: what they read of them is computed a tile at a time. A RowwiseStep once the sizes of tiles
 * are chosen.
 */
export interface StreamStep {
  readonly kind: "stream";
  readonly spec: KernelSpec; // its name and places; no stages and stores
  readonly grid: readonly Variable[]; // one element of each for a workgroup
  readonly row: Variable; // a tile of it for a workgroup, which walks ...
  readonly serial: readonly Variable[]; // ... all elements of these
  readonly stream: Variable; // ... and all tiles of this ...
  readonly seen?: Seen; // ... that have elements which count
  readonly contractions: readonly Stage[]; // of an element of a tile
  readonly folds: readonly StreamFold[];
  readonly stores: readonly Store[]; // of values over `grid`, `row`, their own axes and the locals of the folds
  readonly reads: ReadonlySet<Node>;
  readonly writes: ReadonlySet<Node>;
}
/** An element of a tile counts only where row * (its row) + stream * (its place in the stream) + constant >= 0. */
export interface Seen {
  readonly row: number;
  readonly stream: number;
  readonly constant: number;
}
/** local = op over `serial` and `stream` of wide * rest */
export interface StreamFold {
  readonly local: Local;
  readonly op: "sum" | "max";
  readonly extras: readonly Variable[]; // axes of the result beside those of the tile's rows
  readonly wide: Scalar; // without `extras`: over the locals of the contractions
  readonly rest: Scalar | undefined;
  readonly follows: Local | undefined; // a maximum of this step: `wide` is a multiple of exp(-maximum)
}
export type Step = KernelStep | LoopStep | RowwiseStep;
/** As fusion leaves it. */
export type FusedStep = KernelStep | LoopStep<FusedStep> | StreamStep;
export interface KernelGraph<S = Step> {
  readonly steps: readonly S[];
  /** The memory that holds an output of the program. */
  readonly outputs: readonly { readonly name: string; readonly memory: Node; readonly offset: number }[];
  readonly views: ReadonlyMap<Node, View>;
  /** Tensors of the program alone that lie in one buffer, because a launch would bind too many. */
  readonly joined?: ReadonlyMap<Node, View>;
}
