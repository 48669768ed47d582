// What elaboration gives: every name resolved, every shape known, every instance made, and one graph for each thing that is run.
import type { Span } from "../../grammar/diagnostic.ts";
import type { Loader, Often, Storage } from "../../runtime/plan.ts";
import type { Compilation } from "../graph/compilation.ts";
import type { Dim, DType, GraphProgram, Node, Range, Shape, Source } from "../graph/types.ts";

/** What is given beside the text. */
export interface ElaborateOptions {
  readonly keep?: boolean; // what is known of every expression and call; default: false
  readonly set?: Readonly<Record<string, string | number>>; // consts and settings by name
  readonly seed?: number;
  readonly rows?: Readonly<Record<string, number>>; // rows of a dataset's training split, for `batch: all`
  readonly unknownRows?: number; // the same, where nobody has read the data: editors
  readonly views?: boolean; // also programs that give the fields of rows of data that are trained on, for whoever shows them; default: false
  readonly watchLayers?: boolean; // also the norms of every layer's gradient, weights and values as numbers of every step (train/watch.ts); default: false
}
export interface Program {
  readonly compilation: Compilation; // that its nodes belong to
  readonly name: string; // of the file
  readonly parameters: readonly Held[];
  readonly states: readonly Held[]; // of layers and train blocks, optimizer states, counters, rings
  readonly datasets: readonly Dataset[];
  readonly trains: readonly TrainProgram[];
  readonly exports: readonly ExportProgram[];
  readonly seed: Source; // i32 [], given by the host: what draws are made of
  /** The text has errors: what stands in declarations with errors, or uses one, is left out. */
  readonly incomplete?: true;
}
/** A tensor that lives on the device between steps. */
export interface Held {
  readonly path: string;
  readonly kind: "parameter" | "state" | "optimizer" | "counter";
  readonly source: Source;
  readonly initial: Node;
  readonly span?: Span;
}
export interface Column {
  readonly name: string;
  readonly source: Source; // [rows, ...shape]; chars: [rows + window - 1], the whole text
  readonly loader: Loader;
  readonly storage: Storage;
  readonly shape: readonly number[]; // of one row
  readonly range?: readonly [low: number, end: number];
  readonly span: Span;
}
export interface Dataset {
  readonly name: string;
  readonly rows: Dim;
  readonly rowCount?: number;
  readonly columns: readonly Column[];
  readonly fields: readonly {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: Shape;
    readonly range?: Range;
  }[];
  readonly holdouts: readonly {
    readonly name: string;
    readonly fraction?: number;
    readonly dataset?: string;
    readonly span: Span;
  }[];
  readonly windowed: boolean;
  readonly training: Source; // i32 [training rows]: their numbers, given by the host where something reads all of them
  readonly rowsRead?: { readonly least: number; readonly span: Span }; // so many training rows are read by number: the host checks that they are there
  readonly check?: FieldCheck;
  readonly view?: FieldView;
}
/** Every field of any rows, of whatever split: `program` has an output for each field, by its name. */
export interface FieldView {
  readonly index: Source; // i32 [rows]: row numbers
  readonly program: GraphProgram;
}
/** Computed fields whose declared range no proof covers. `program` gives two outputs for each: a place in `index` of a row outside of it, and the field's value there. */
export interface FieldCheck {
  readonly index: Source; // i32 [rows]: row numbers
  readonly fields: readonly {
    readonly name: string;
    readonly range: readonly [low: number, end: number];
    readonly span: Span;
  }[];
  readonly program: GraphProgram;
}
/** Parameters that one optimizer line updates, with what belongs to each: candidates for one launch over flat buffers. */
export interface OptimizerGroup {
  readonly name: string; // "fit.minimize1"
  readonly members: readonly {
    readonly parameter: Source;
    readonly gradient: Node;
    readonly states: readonly Source[];
    readonly updated: Node;
  }[];
}
/** A `minimize` line, for dumps and gradient checks: what it minimizes, and the gradient of each parameter where the line stands. */
export interface Objective {
  readonly name: string; // "fit.minimize1"
  readonly loss: Node;
  readonly gradients: readonly { readonly parameter: Source; readonly at: Node; readonly gradient: Node }[]; // `at`: the parameter's value there
}
export interface Evaluation {
  readonly index: Source; // i32 [rows]
  readonly rows: GraphProgram; // the row-wise part over some rows; outputs are kept
  readonly part?: Source; // i32 [2]: how many rows were before those of `rows`, and how many there are
  readonly kept: readonly { readonly name: string; readonly source: Source }[]; // [rows, ...], inputs of finish
  /** Inputs [rows, ...] of `rows`: what it gave of the batch before, its outputs behind the kept ones. Then the parts are as large as the batches of training. */
  readonly carried: readonly Source[];
  readonly begins?: Source; // i32 []: 1 for the first batch
  readonly finish: GraphProgram; // loss and metrics over all rows
  readonly rowsDim: Dim;
}
export interface TrainProgram {
  readonly name: string;
  readonly dataset?: string;
  readonly batch: number;
  readonly accumulate: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly epochs?: number;
  readonly steps?: number;
  readonly window: number;
  readonly evaluateEvery?: number;
  readonly sample?: number;
  readonly stop?: { readonly metric: string; readonly patience: number; readonly mode: "min" | "max" };
  readonly save?: { readonly metric?: string; readonly mode: "min" | "max"; readonly path: string };
  readonly load: readonly { readonly path: string; readonly into?: string }[];
  readonly checkpoint?: Often;
  readonly keep?: number;
  readonly index?: Source; // i32 [window, batch * accumulate]
  readonly ring: Source; // f32 [window, columns]
  readonly columns: readonly string[]; // "loss", metrics
  readonly counter: Source; // i32 []
  readonly scalars: readonly { readonly name: string; readonly source: Source }[]; // written by the host
  readonly init: GraphProgram;
  readonly begin?: GraphProgram; // before the first step, when weights are loaded: states that begin as parameters are then
  readonly step: GraphProgram;
  readonly objectives: readonly Objective[];
  readonly groups: readonly OptimizerGroup[];
  readonly evaluation?: Evaluation;
  readonly span: Span;
}
export interface ExportProgram {
  readonly name: string;
  readonly bounds: ReadonlyMap<string, number>; // of run-time dims: T <= 512
  readonly program: GraphProgram;
  readonly inputs: readonly { readonly name: string; readonly source: Source; readonly default?: number }[];
  readonly outputs: readonly { readonly name: string; readonly node: Node }[];
  readonly span: Span;
}
