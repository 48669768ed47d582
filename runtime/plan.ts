// The plan: everything a runtime needs to initialise, train, evaluate and use a model. Plain JSON; WGSL lies beside it (`plan.json` names
// the module, `shaders/NAME.wgsl` holds it) or inside (`modules[i].code`, in a bundled trainer).
// Everything decidable before the first batch is decided here: the runtime has no graph and no shapes to infer.
//
// Dims that the data give are known to every program: rows.DATASET (with the rows of other data sets that are its holdouts behind them),
// characters.COLUMN for text, training.DATASET.

export const planVersion = 1;

/** A number of elements, bytes or workgroups: constant, or a polynomial in the program's run-time dims. */
export type Size = number | { readonly sum: readonly { readonly factor: number; readonly dims: readonly string[] }[] };

export type DType = "f32" | "i32" | "bool"; // each element takes 4 bytes; bool is stored as u32 0 or 1
/** `u8`: four values to a word, little-endian; only for data. */
export type Storage = DType | "u8";

export interface Plan {
  readonly version: number; // planVersion
  readonly name: string; // of the source file
  readonly source: string; // its text, for messages; may be empty
  readonly compiler: string; // "dlm 0.1.0"
  readonly target: string; // name of the target that schedules were made for
  readonly requires: {
    readonly features: readonly string[];
    readonly limits: Readonly<Record<string, number>>;
    readonly subgroupSize?: number;
  };
  readonly buffers: readonly PlanBuffer[];
  readonly modules: readonly PlanModule[];
  readonly states: readonly PlanTensor[]; // parameters, optimizer state, layer state, counters: what a checkpoint holds
  readonly datasets: readonly PlanDataset[];
  /** Initial values of what no train block reaches; `seed` is where the seed is written. */
  readonly init?: {
    readonly program: PlanProgram;
    readonly seed?: { readonly buffer: number; readonly offset: number };
  };
  readonly trains: readonly PlanTrain[];
  readonly exports: readonly PlanExport[];
}

/** A plan as a program that imports `plan.json` sees it: TypeScript takes the words of a JSON file for strings, and its pairs for lists. */
export type PlanData = Loose<Plan>;
type Loose<T> = T extends string
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Loose<Item>[]
    : T extends object
      ? { readonly [Name in keyof T]: Loose<T[Name]> }
      : T;

/** A buffer is never bound for reading and for writing in one dispatch. */
export interface PlanBuffer {
  readonly label: string;
  readonly bytes: Size; // a multiple of 4; offsets used in bindings are multiples of 256
  /** state: kept between runs; scratch: undefined between programs; data: a dataset's column, uploaded by the runtime (bytes come from the file: `rows` is a dim); input: written by the host before a run; output: read by the host; constant: has `data`; steps: the i32 t at byte 256 * t, for loops */
  readonly role: "state" | "scratch" | "data" | "input" | "output" | "constant" | "steps";
  readonly data?: string; // base64 of a constant's bytes
}

export interface PlanTensor {
  readonly name: string; // stable dotted path: "net.linear2.w"; optimizer state: "fit.minimize1.adamw.net.linear.w.m"
  readonly kind: "parameter" | "state" | "optimizer" | "counter";
  readonly dtype: DType;
  readonly shape: readonly Size[];
  readonly range?: readonly [low: number, end: number]; // of an i32 state that declares one: what is loaded is checked
  readonly buffer: number;
  readonly offset: number; // bytes
}

export interface PlanModule {
  readonly name: string; // file name without .wgsl
  readonly code?: string;
  readonly subgroups?: PlanSubgroups;
}
/** The code for devices with subgroups of so many lanes at least, in which neighbours by local_invocation_index are neighbours. */
export interface PlanSubgroups {
  readonly lanes: number;
  readonly of: string; // hashOfText of the code that the edits are for: they are of no use to another
  readonly edits: readonly PlanEdit[];
}
/** Lines of a text, counted from 0, that others take the place of. Of several edits the last lines come first. */
export interface PlanEdit {
  readonly line: number;
  readonly lines: number;
  readonly text: string;
}

export type Command = Dispatch | Loop | Copy;
export interface Dispatch extends Launch {
  readonly alternatives?: Alternatives;
}
export interface Launch {
  readonly kind: "dispatch";
  readonly label: string; // named after the source
  readonly module: number;
  readonly entry: string; // entry point
  readonly constants?: readonly string[]; // run-time dims that are pipeline-overridable constants of the module
  readonly bindings: readonly {
    readonly binding: number;
    readonly buffer: number;
    readonly offset: number;
    readonly bytes: Size;
    readonly access: "read" | "read_write" | "uniform";
  }[]; // group 0
  readonly workgroups: readonly [WorkgroupCount, WorkgroupCount];
  readonly flops?: Size; // operations on f32: for profiles, and what a launch is expected to take
  readonly lines?: readonly string[]; // "digits.dlm:9" of the source it computes
}
/** Other kernels for the same tensors: a runtime may measure them on its device and take the best, or not look at them. */
export interface Alternatives {
  readonly key: string; // of what it computes: equal ones have equal alternatives
  readonly parts: number; // so many dispatches right before this one make what it sums up, and go with it
  readonly schedule: string; // of what there is, for people
  readonly ways: readonly {
    readonly schedule: string;
    readonly dispatches: readonly Launch[]; // in the place of this one and its parts
  }[];
}
/** ceil(product of ceil(size / tile)), folded to 65,535 in x: x = min(total, 65535), y = ceil(total / 65535) when the pair is [{total}, "fold"]. */
export type WorkgroupCount = number | { readonly tiles: readonly (readonly [size: Size, tile: number])[] } | "fold";
/** The body `count` times; binding `stepBinding` of its dispatches, where present, is 4 bytes with the step t at offset 256 * t of buffer `stepBuffer` (of role steps). */
export interface Loop {
  readonly kind: "loop";
  readonly count: number;
  readonly reverse: boolean;
  readonly stepBuffer: number;
  readonly body: readonly Command[]; // dispatches mark the step's binding by buffer === stepBuffer
}
/** Without `from`: the bytes become 0. */
export interface Copy {
  readonly kind: "copy";
  readonly from?: { readonly buffer: number; readonly offset: number };
  readonly to: { readonly buffer: number; readonly offset: number };
  readonly bytes: Size;
}

/** A formula of dims that may come out below 0, which no tensor has; `signed`: a number, which may leave i32. */
export interface PlanSize {
  readonly size: Size;
  readonly text: string;
  readonly signed?: boolean;
}
export interface PlanProgram {
  readonly name: string;
  readonly dims: readonly { readonly name: string; readonly at_most?: number }[]; // run-time dims, each >= 1
  readonly sizes?: readonly PlanSize[];
  readonly commands: readonly Command[];
}
export interface PlanPort {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Size[];
  readonly range?: readonly [low: number, end: Size]; // of i32, end excluded; checked by the host
  readonly buffer: number;
  readonly offset: number;
  readonly optional?: number; // a default value: the whole tensor is filled with it
}

// ---- data

/** Where a column's bytes come from. The value of one row has `shape`; `rows` of them make the column. */
/** What of a text becomes a number. */
export type TextUnit = "character" | "word" | "number";
export interface TextFile {
  readonly path: string;
  readonly unit: TextUnit; // "number": as it is written
  readonly most?: number; // words that are kept, the most frequent; the others are one
}
export interface TextLines extends TextFile {
  readonly pad: number; // units of a row
  readonly longer?: "cut"; // an error if absent
}
export type Loader =
  | {
      readonly kind: "csv";
      readonly path: string;
      readonly columns: readonly (number | string)[] | { readonly from: number; readonly to: number };
      readonly header?: boolean;
      readonly delimiter?: string;
      readonly missing?: number | "drop";
    } // what is not given is told by the file, or missing values are an error
  | { readonly kind: "npy"; readonly path: string }
  | { readonly kind: "idx"; readonly path: string } // .gz too
  | ({ readonly kind: "windows"; readonly window: number; readonly stride?: number } & TextFile) // a row per start; the column itself is the whole text, rows + window - 1 units. stride: of the starts so many apart are used
  | ({ readonly kind: "lines" } & TextLines) // a row per line, filled up with 0
  | ({ readonly kind: "line_lengths" } & TextLines)
  | { readonly kind: "images"; readonly path: string; readonly resize?: true } // bytes 0 to 255; a folder of png and jpeg files, a row each, by their paths
  | { readonly kind: "image_class"; readonly path: string } // the folder that each lies in, numbered in sorted order
  | { readonly kind: "host"; readonly name: string } // fed by the program that runs the plan
  | { readonly kind: "inline"; readonly values: readonly number[] }; // row-major, rows first

/** As it is called in a data block. */
export function loaderName(loader: Loader): string {
  const names = {
    character: ["chars", "char_count"],
    word: ["words", "word_count"],
    number: ["tokens", "token_count"],
  };
  if (loader.kind === "windows" || loader.kind === "lines") return names[loader.unit][0]!;
  return loader.kind === "line_lengths" ? names[loader.unit][1]! : loader.kind;
}
export interface PlanColumn {
  readonly name: string; // "digits.x", or "digits.x.1" where a field's formula has several loaders
  readonly loader: Loader;
  readonly storage: Storage;
  readonly shape: readonly number[]; // of one row
  readonly range?: readonly [low: number, end: number]; // checked at load time
  readonly buffer: number; // role data; bytes from rows * elements of a row (windows: the whole text)
  readonly place: string; // "digits.dlm:2", for messages
}
export interface PlanDataset {
  readonly name: string;
  readonly columns: readonly PlanColumn[];
  readonly rows?: number; // when given in the file (`rows: 1000`): synthetic data
  readonly holdouts: readonly {
    readonly name: string;
    readonly fraction?: number;
    readonly dataset?: string;
    readonly place: string;
  }[];
  readonly windowed: boolean; // holdouts are taken from the end
  /** i32 [training] numbers of the training rows, rising, written by the runtime at load time, where a formula reads a whole training column; `training` is the dim training.NAME */
  readonly training?: { readonly buffer: number; readonly offset: number };
  readonly least?: PlanLeastRows;
  /** The programs use row numbers for nothing but reading this data set's columns, so it may be streamed: a batch's rows are copied, and numbered from 0. */
  readonly streamable?: boolean;
  /** Computed fields whose declared range only the data can tell: run over all rows before anything reads them, `chunk` rows at a time (dim "rows"). */
  readonly check?: PlanFieldCheck;
  /** Every field of any rows, where the compiler was asked for it: for whoever shows data. */
  readonly view?: PlanFieldView;
}
/** Formulas read so many training rows by number: an error where there are fewer. */
export interface PlanLeastRows {
  readonly rows: number;
  readonly place: string;
}
export interface PlanFieldView {
  readonly program: PlanProgram; // dim "rows"
  readonly index: { readonly buffer: number; readonly offset: number }; // i32 [rows] row numbers, written by the host
  readonly seed?: { readonly buffer: number; readonly offset: number }; // where a formula draws
  readonly fields: readonly PlanPort[]; // rows first
}
export interface PlanFieldCheck {
  readonly program: PlanProgram;
  readonly chunk: number;
  readonly index: { readonly buffer: number; readonly offset: number }; // i32 [rows] row numbers, written by the host
  readonly seed?: { readonly buffer: number; readonly offset: number }; // where a formula draws: checked for every train block's seed
  /** `at`: i32, the place in `index` of the first row outside of the range, or the last one; `value`: the field there. */
  readonly fields: readonly {
    readonly name: string;
    readonly range: readonly [low: number, end: number];
    readonly at: PlanPort;
    readonly value: PlanPort;
    readonly place: string;
  }[];
}

// ---- programs

export interface PlanTrain {
  readonly name: string;
  readonly dataset?: string;
  readonly batch: number; // rows a step reads, times `accumulate`
  readonly accumulate: number;
  readonly shuffle: boolean;
  readonly seed: number; // default seed
  readonly epochs?: number; // one of epochs and steps is given
  readonly steps?: number;
  readonly init: PlanProgram; // writes every state of the train block and of the instances it reaches
  readonly begin?: PlanProgram; // runs before the first step, behind `load`: states of the block that begin as parameters are by then
  readonly step: PlanProgram;
  /** Where present, one replay of `step` does as many steps as the u32 says that is written there. */
  readonly rounds?: { readonly buffer: number; readonly offset: number };
  readonly window: number; // at most so many steps in one submit: rows of the ring
  /** i32 [window, batch * accumulate] row numbers, row `step mod window`; absent without data */
  readonly batchIndex?: { readonly buffer: number; readonly offset: number };
  /** f32 [window, columns] written by the step program at row `step mod window` */
  readonly ring: { readonly buffer: number; readonly offset: number; readonly columns: readonly string[] }; // "loss" where something is minimized, metric names (scalars only); without any a row has a number all the same
  readonly stepCounter: string; // name of the i32 state that counts steps
  readonly scalars: readonly PlanPort[]; // written by the host when they change: seed, steps (total), epoch, measured, valid.loss, ...; by name
  readonly evaluate?: PlanEvaluation;
  readonly evaluateEvery?: number; // steps; default: each epoch
  readonly sample?: number; // rows of a split that are measured while the block trains; default: all
  readonly stop?: { readonly metric: string; readonly patience: number; readonly mode: "min" | "max" };
  readonly save?: { readonly metric?: string; readonly mode: "min" | "max"; readonly path: string }; // no metric: at the end
  readonly load?: readonly { readonly path: string; readonly into?: string }[];
  readonly checkpoint?: Often; // while training
  readonly keep?: number; // checkpoints
}
/** How often a checkpoint is written while training. */
export type Often = { readonly seconds: number } | { readonly steps: number } | { readonly epochs: number } | "off";
/** Rows run in chunks: `rows` writes the kept tensors of a chunk; then `finish` computes the metrics over all rows of the split. Both have the dim "rows". */
export interface PlanEvaluation {
  readonly chunk: number; // rows of a chunk; the last is smaller
  readonly rows: PlanProgram;
  readonly index: { readonly buffer: number; readonly offset: number }; // i32 [rows] row numbers, written by the host
  readonly part?: { readonly buffer: number; readonly offset: number }; // i32 [2], how many rows were before the chunk and how many there are, written by the host
  readonly kept: readonly {
    readonly name: string;
    readonly bytesPerRow: number;
    readonly from: number;
    readonly to: number;
  }[]; // copied from buffer `from` at 0 to buffer `to` at row offset
  /** States of the rows of a batch: copied from buffer to buffer between chunks, which are as large as batches of training; `begins` is 1 for the first. */
  readonly carried?: {
    readonly begins: { readonly buffer: number; readonly offset: number };
    readonly states: readonly { readonly bytesPerRow: number; readonly from: number; readonly to: number }[];
  };
  readonly finish: PlanProgram;
  readonly metrics: readonly PlanPort[]; // "loss" first, where something is minimized
}
export interface PlanExport {
  readonly name: string;
  readonly program: PlanProgram;
  readonly inputs: readonly PlanPort[]; // "seed" too, where the program draws
  readonly outputs: readonly PlanPort[];
}

/** The code of a module where neighbours exchange values by operations of subgroups; as it is where somebody has changed it. */
export function withSubgroups(code: string, { of, edits }: PlanSubgroups): string {
  if (hashOfText(code) !== of) return code;
  const lines = code.split("\n");
  for (const e of edits) lines.splice(e.line, e.lines, e.text);
  return ["enable subgroups;", ...lines].join("\n");
}

/** The WGSL name of a run-time dim's override: rows.digits is dim_rows_digits. */
export const overrideName = (dim: string): string =>
  /^([A-Z][A-Z0-9]*|[a-z][a-z0-9]*)$/.test(dim)
    ? `dim_${dim.toLowerCase()}`
    : `dim_${dim.replaceAll(".", "_").replace(/[^A-Za-z0-9_]/g, (c) => `_${c.codePointAt(0)!.toString(16)}_`)}`; // AB and Ab are two

/** The value of a size, given the dims. */
export function sizeOf(size: Size, dims: Readonly<Record<string, number>> = {}): number {
  if (typeof size === "number") return size;
  return size.sum.reduce(
    (total, term) => total + term.dims.reduce((product, name) => product * (dims[name] ?? 1), term.factor),
    0,
  );
}

/** Everything that a plan runs. */
export const programsOf = (plan: Plan): PlanProgram[] => [
  ...plan.datasets.flatMap((d) => [d.check, d.view].flatMap((x) => (x ? [x.program] : []))),
  ...(plan.init ? [plan.init.program] : []),
  ...plan.trains.flatMap((t) => [
    t.init,
    ...(t.begin ? [t.begin] : []),
    t.step,
    ...(t.evaluate ? [t.evaluate.rows, t.evaluate.finish] : []),
  ]),
  ...plan.exports.map((x) => x.program),
];

/** Those of loops once. */
export const dispatchesOf = (list: readonly Command[]): Dispatch[] =>
  list.flatMap((c) => (c.kind === "loop" ? dispatchesOf(c.body) : c.kind === "dispatch" ? [c] : []));

/** What using a model takes of a plan: exports, what they read, and the parameters. */
export function usedPart(plan: Plan): Plan {
  const bare = plan.datasets.map(({ check: _, view: __, ...d }) => d);
  const read = new Set(dataRead({ ...plan, trains: [], datasets: bare }).map((d) => d.name));
  // what is looked at where data are read is no reason to read them
  const datasets = plan.datasets.map((d, i) => (read.has(d.name) ? d : bare[i]!));
  const part = { ...plan, trains: [], datasets };
  const bound = boundBy(part);
  return {
    ...part,
    states: plan.states.filter((t) => t.kind === "parameter" || (t.kind === "state" && bound.has(t.buffer))),
  };
}
/** Buffers that some program binds. */
export const boundBy = (plan: Plan): ReadonlySet<number> =>
  new Set(programsOf(plan).flatMap((p) => dispatchesOf(p.commands).flatMap((c) => c.bindings.map((b) => b.buffer))));

/** Only data sets that some program or holdout uses are read. */
export function dataRead(plan: Plan): PlanDataset[] {
  const programs = programsOf(plan);
  const used = new Set(
    programs.flatMap((p) => dispatchesOf(p.commands).flatMap((c) => c.bindings.map((b) => b.buffer))),
  );
  const sizes = new Set(programs.flatMap((p) => p.dims.map((x) => x.name)));
  return plan.datasets.filter((d) => {
    const measured = d.training !== undefined || sizes.has(`training.${d.name}`) || sizes.has(`rows.${d.name}`);
    return measured || plan.trains.some((t) => t.dataset === d.name) || d.columns.some((c) => used.has(c.buffer));
  });
}

/** Of a plan: what was measured of one is of no use to another. */
export const hashOf = (plan: Plan): string => hashOfText(JSON.stringify(plan));
/** FNV-1a, twice 32 bits, as 16 digits. */
export function hashOfText(text: string): string {
  const half = (basis: number): string => {
    let h = basis;
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
    return (h >>> 0).toString(16).padStart(8, "0");
  };
  return half(0x811c9dc5) + half(0x01234567);
}
