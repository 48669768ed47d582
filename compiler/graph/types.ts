// The graph IR: a tensor is a formula. Closed: these kinds of node and of scalar, and no others.
//
// Invariants (checked by verify.ts):
// - everything is immutable and hash-consed by the constructors of scalar.ts and node.ts: equal formulas are one object;
// - a Compute names its axes by position: output axes 0.., then reduction axes; an axis of extent 1 is the constant 0;
// - every load is in range under the guards around it, or has an outside value;
// - no implicit broadcasting, no implicit conversion between dtypes.
import type { Bounds, DType, Reach, ScalarFunction } from "../scalar/functions.ts";
import type { Compilation } from "./compilation.ts";
import type { Place } from "./place.ts";

export type { DType };
/** Inclusive bounds of an integer's value, after wrapping; no upper bound but that of sizes is Infinity. */
export type Interval = Bounds;

/**
 * A size. Training programs have numbers only. In exports an extent may be a Dim, or an affine form over dims
 * (`2 * T + 1`, with constant coefficients); products of dims occur only through several axes.
 */
export type Extent = number | Dim | Affine;
export type Shape = readonly Extent[];

/** Inclusive bounds of an i32 value; `undefined` = unbounded on that side. Affine forms only over dims. */
export interface Range {
  readonly low: number;
  readonly high: number | Dim | Affine; // Infinity when unknown
}

export type VariableSet = ReadonlySet<Variable>;
export type ScanSet = ReadonlySet<Scan>;

// ---------------------------------------------------------------- scalars

export interface ScalarBase {
  readonly dtype: DType;
  readonly id: number; // order of entry; only for canonical order and keys, never printed
  readonly variables: VariableSet; // free loop variables
  readonly scans: ScanSet; // scans this value belongs to: through their step variable or tensors of their bodies
  readonly interval?: Interval | undefined; // of every i32
  readonly reach?: Reach | undefined; // of an f32 that masks enter: how far they take it
}

/** A run-time dim of an export: an integer >= 1, known when the program is run. Also usable as an i32 scalar. */
export interface Dim extends ScalarBase {
  readonly kind: "dim";
  readonly name: string; // unique in a compilation
  readonly dtype: "i32";
}
export interface Literal extends ScalarBase {
  readonly kind: "literal"; // f32 or bool; i32 constants are Affine without terms
  readonly value: number; // bool: 0 or 1
}
/** A loop variable, 0 <= v < extent. Canonical (`position` set) inside a finished node; fresh while one is built; `scan` set for the step of a scan. */
export interface Variable extends ScalarBase {
  readonly kind: "variable";
  readonly dtype: "i32";
  readonly extent: Extent;
  readonly name: string; // a hint for printing only
  readonly position?: number | undefined;
  readonly implied: boolean; // its range follows from other obligations (auxiliary of solve)
}
/** constant + sum of coefficient * atom. Atoms sorted by id; no atom is Affine; coefficients are non-zero. A lone atom with coefficient 1 and constant 0 is that atom itself. */
export interface Affine extends ScalarBase {
  readonly kind: "affine";
  readonly dtype: "i32";
  readonly terms: readonly (readonly [atom: Integer, coefficient: number])[];
  readonly atoms: readonly Integer[]; // of the terms
  readonly constant: number;
  readonly fits: boolean; // the sum never leaves i32
}
/** floor(operand / divisor), divisor >= 2 */
export interface FloorDiv extends ScalarBase {
  readonly kind: "floor_div";
  readonly dtype: "i32";
  readonly operand: Integer;
  readonly divisor: number;
}
/** operand mod divisor in [0, divisor), divisor >= 2 */
export interface Modulo extends ScalarBase {
  readonly kind: "modulo";
  readonly dtype: "i32";
  readonly operand: Integer;
  readonly divisor: number;
}
/** operand >= 0 */
export interface NonNegative extends ScalarBase {
  readonly kind: "non_negative";
  readonly dtype: "bool";
  readonly operand: Integer;
}
/** operand == 0 */
export interface EqualZero extends ScalarBase {
  readonly kind: "equal_zero";
  readonly dtype: "bool";
  readonly operand: Integer;
}
/** conjunction of two or more, sorted by id; an operand guards those whose loads are nested deeper (none < a[i] < a[b[i]]) */
export interface And extends ScalarBase {
  readonly kind: "and";
  readonly dtype: "bool";
  readonly operands: readonly Scalar[];
}
export interface Not extends ScalarBase {
  readonly kind: "not";
  readonly dtype: "bool";
  readonly operand: Scalar;
}
/** A scalar function of the table applied to its operands. */
export interface Call extends ScalarBase {
  readonly kind: "call";
  readonly fn: ScalarFunction;
  readonly operands: readonly Scalar[];
}
/** condition ? then : otherwise. The arm not taken contributes exactly nothing, also to derivatives. */
export interface Select extends ScalarBase {
  readonly kind: "select";
  readonly condition: Scalar;
  readonly then: Scalar;
  readonly otherwise: Scalar;
}
/** tensor[indices]; `outside` is the value where an index leaves the tensor. */
export interface Load extends ScalarBase {
  readonly kind: "load";
  readonly tensor: Node;
  readonly indices: readonly Integer[];
  readonly outside?: Scalar | undefined;
}
/**
 * Element `index` (row-major, made of the enclosing loops' rounds and the draw's own shape) of the stream `site` at (seed, step):
 * philox4x32-10 with key (seed, site) and counter (floor(e / 4), step, 0, 0), word e mod 4. uniform: (bits >> 8) * 2^-24 in [0, 1).
 * normal: Box-Muller of the uniforms of words 2e and 2e + 1: sqrt(-2 log(1 - u1)) * cos(2 pi u2).
 */
export interface Random extends ScalarBase {
  readonly kind: "random";
  readonly dtype: "f32";
  readonly distribution: "uniform" | "normal";
  readonly site: number; // u32
  readonly seed: Scalar; // i32: a load of the seed's source, or a constant
  readonly step: Scalar; // i32
  readonly indices: readonly Integer[];
  readonly extents: Shape; // of the indices: e = row-major(indices, extents), into which the first does not enter
}
/** The value of an earlier stage of the same kernel. Only in kernels, never in a graph. */
export interface Local extends ScalarBase {
  readonly kind: "local";
  readonly name: string;
}

/** Every i32 scalar. Index expressions are these; loads, selects and calls of i32 are opaque atoms. */
export type Integer = Dim | Variable | Affine | FloorDiv | Modulo | Load | Select | Call | Local;
export type Scalar =
  | Literal
  | Dim
  | Variable
  | Affine
  | FloorDiv
  | Modulo
  | NonNegative
  | EqualZero
  | And
  | Not
  | Call
  | Select
  | Load
  | Random
  | Local;

// ---------------------------------------------------------------- nodes

interface NodeBase {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly range?: Range; // of i32
  readonly id: number;
  readonly compilation: Compilation; // that it belongs to
  readonly scans: ScanSet; // scans whose body this node belongs to
  readonly reach?: Reach | undefined; // where masks enter it: how far they take its elements
  readonly span?: Place; // where it came from, with the call that made it; never part of equality (the first one entered wins)
  readonly label?: string; // a name from the source, for printing and kernels; never part of equality
}

/**
 * A tensor that is given: `parameter` and `state` live on the device between steps (path is their stable dotted name);
 * `input` is fed by the plan (a field's batch, an export's argument, step, seed); `constant` has its data here;
 * `carry` is the incoming carry of a scan's body; `scratch` is memory of a fused program alone, which no graph before fusion has.
 */
export interface Source extends NodeBase {
  readonly kind: "source";
  readonly role: "parameter" | "state" | "input" | "constant" | "carry" | "scratch";
  readonly path: string;
  readonly data?: readonly number[]; // of a constant, row-major
}

export type ReductionOp = "sum" | "prod" | "max" | "min" | "argmax" | "argmin";
export interface Reduction {
  readonly op: ReductionOp;
  readonly extents: Shape; // of the reduction axes
  readonly ties: "share" | "first"; // how max and min pass their gradient on
}
export interface Compute extends NodeBase {
  readonly kind: "compute";
  readonly reduction?: Reduction;
  readonly body: Scalar;
}
/** The same bytes in row-major order under another shape; never a kernel. */
export interface Reshape extends NodeBase {
  readonly kind: "reshape";
  readonly operand: Node;
}
/** Zero, then for all of `over`: y[indices] += value; an index outside adds nothing. Where the value is a guard, its condition guards the loads in the indices too. */
export interface Scatter extends NodeBase {
  readonly kind: "scatter";
  readonly over: Shape; // canonical variables 0..
  readonly indices: readonly Integer[];
  readonly value: Scalar;
}
/** What a scan leaves behind. `final`: carry after the last step. `history`: [n + 1, ...], row 0 = initial, row n = final (reverse: row n = initial, row 0 = final); incoming at t is row t (reverse: row t + 1). `stack`: a body node at every step, [n, ...], stored at t. */
export interface Result extends NodeBase {
  readonly kind: "result";
  readonly scan: Scan;
  readonly of:
    { readonly kind: "final" | "history"; readonly carry: number } | { readonly kind: "stack"; readonly node: Node };
}
export type Node = Source | Compute | Reshape | Scatter | Result;

/** A loop of `count` steps, t = 0.. (reverse: downwards). Not a tensor; Results read it. It has no list of outputs. */
export interface Scan {
  readonly kind: "scan";
  readonly id: number;
  readonly compilation: Compilation;
  readonly count: number;
  readonly step: Variable; // extent = count
  readonly reverse: boolean;
  readonly carries: readonly { readonly initial: Node; readonly incoming: Source; readonly next: Node }[];
  readonly scans: ScanSet; // enclosing scans
  readonly span?: Place;
}

// ---------------------------------------------------------------- programs

/** A graph with a purpose: initial values, a training step, an evaluation, an export. What the scheduler and the plan are made from. */
export interface GraphProgram {
  readonly name: string; // "init", "fit.step", "fit.evaluate", "predict"
  readonly inputs: readonly Source[]; // in declaration order
  readonly dims: readonly Dim[]; // run-time dims (exports only)
  readonly outputs: readonly { readonly name: string; readonly node: Node }[]; // losses, metrics, results
  readonly updates: readonly Update[]; // states written at the end of the program, all from the values before it
}
/**
 * A state becomes `value`; with `at`, the value's elements become those of the state at these indices, over canonical variables of the value's axes: no two
 * the same, those outside of the state written nowhere, the others of the state as they were.
 */
export interface Update {
  readonly target: Source;
  readonly value: Node;
  readonly at?: readonly Integer[];
}
