// The runtime's public types: what a program that trains or uses a model sees.
import type { DType, Plan } from "./plan.ts";
import type { Device, Pipeline, Signal } from "./platform.ts";

/** A file as `readFile` or `fetch` gives it. */
export type FileBytes = Uint8Array | ArrayBuffer;
/** Dense and row-major; i32 as Int32Array, bool as Uint8Array of 0 and 1. */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
}
export interface Nested extends ReadonlyArray<number | boolean | Nested> {}
export type FlatArray = ArrayLike<number> & { readonly BYTES_PER_ELEMENT: number }; // a typed array
/** A number, nested arrays, a typed array (its shape follows from the input's type where one size at most is open), or a tensor. */
export type Value =
  number | boolean | Nested | FlatArray | { readonly data: ArrayLike<number>; readonly shape: readonly number[] };

/** Four bytes a pixel: red, green, blue, and how opaque it is. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}
/** Compiled kernels by their code. */
export type Kernels = Map<string, Promise<Pipeline>>;
export interface LoadOptions {
  readonly device: Device;
  /** The bytes of a file that the plan's data or `load:` name, by the path written there. Needed only when there are such. */
  readonly read?: (path: string) => Promise<Uint8Array>;
  /** Files below a folder that the plan's data name, by their paths from there. Needed for `images()` only, as is `picture`. */
  readonly list?: (folder: string) => Promise<readonly string[]>;
  /** Decodes a png or jpeg file. */
  readonly picture?: (bytes: Uint8Array) => Promise<Picture>;
  /** Keeps what `save:` asks for. Without it the bytes are in `TrainResult.saved` only. */
  readonly write?: (path: string, bytes: Uint8Array) => Promise<void>;
  /** Columns of `host()` fields by name, rows first. */
  readonly host?: Readonly<Record<string, Value>>;
  /** WGSL of a module by name, when the plan does not carry it. */
  readonly code?: (name: string) => Promise<string>;
  /** Models that are given the same map, on one device, compile the kernels that they have in common once. */
  readonly kernels?: Kernels;
  /** false: kernels sum up through workgroup memory, also where the device does it faster by operations of subgroups. */
  readonly subgroups?: boolean;
  /** Instead of the seeds of the train blocks: initial values, draws, order of rows, holdouts. */
  readonly seed?: number;
  /** A data set above this many bytes is streamed and not kept on the device. Default: what the device allows for one buffer. */
  readonly residentBytes?: number;
  /** Of one data file after decompression; longer ones are refused. Default: 2^31. */
  readonly mostFileBytes?: number;
  /** Trained weights, or a checkpoint: the model is to be used and not trained. No data are read and no kernels of training compiled. */
  readonly weights?: FileBytes;
  /** Weights and checkpoints with NaN in them are taken as they are. Default: they are refused. */
  readonly allowNaN?: boolean;
  /** What `tune` gave before: passed over where it is of another plan or device. */
  readonly tuning?: Tuning;
  readonly onEvent?: (event: ModelEvent) => void;
}
/** What happens to a model beside training. */
export type ModelEvent = ConvertedEvent;
/** What happens to one that a compiled trainer loaded. */
export type TrainerEvent =
  ModelEvent | LostEvent | ResumedEvent | ElsewhereEvent | BehindEvent | KeptEvent | NotKeptEvent | SleptEvent;
/** Numbers of 16 bits in a file of weights became f32, which holds every one of them. */
export interface ConvertedEvent {
  readonly kind: "converted";
  readonly file: string; // its path where it is known
  readonly from: string; // F16 or BF16
  readonly tensors: number;
}
/** The device is lost, or has no memory left, and with it all that the model had there. */
export interface LostEvent {
  readonly kind: "lost";
  readonly reason: "lost" | "memory";
  readonly message: string;
  readonly resuming: boolean; // on a new device, from the last checkpoint; else whoever waits for the model is told the same
}
/** The model is as its last checkpoint has it: that of an earlier visit or run, or the one before a loss. */
export interface ResumedEvent {
  readonly kind: "resumed";
  readonly steps: Readonly<Record<string, number>>; // done, by train block
  readonly changed: boolean; // it is of another text of the model, whose parameters and rows are the same in number and kind
}
/** What another page kept, which is closed by now, has more steps than this model: it stays where it is until this model has more. */
export interface BehindEvent {
  readonly kind: "behind";
  readonly steps: Readonly<Record<string, number>>; // of what is kept, by train block
}
/** Another page that is open keeps its checkpoints where this model would: none of this one's are kept until that one is closed. */
export interface ElsewhereEvent {
  readonly kind: "elsewhere";
}
export interface KeptEvent {
  readonly kind: "kept";
  readonly train: string;
  readonly step: number;
  readonly bytes: number;
}
/** A checkpoint could not be written, or the one that was kept cannot be taken up; training goes on, or begins anew. */
export interface NotKeptEvent {
  readonly kind: "not kept";
  readonly message: string;
}
/** The page or the machine stood still while it trained. */
export interface SleptEvent {
  readonly kind: "slept";
  readonly seconds: number;
}
/** Where the last checkpoint of a model is kept. */
export interface CheckpointStore {
  read(): Promise<Uint8Array | undefined>;
  /** The whole checkpoint or, where that fails, the one before. */
  write(bytes: Uint8Array): Promise<void>;
  remove(): Promise<void>;
}
/** What went wrong, in words: every error that the runtime throws on purpose, by the name RuntimeProblem. */
export interface Problem extends Error {
  /** What the model was on is gone: the device, or its memory. Loaded anew, it can go on from a checkpoint. */
  readonly reason: "lost" | "memory" | undefined;
}

/** Where a model's data come from. */
export type DataFiles = Required<Pick<LoadOptions, "read" | "list" | "picture">>;

export interface TrainOptions {
  /** Other totals than the plan's. They are what `steps` and `epochs` mean in schedules. */
  readonly steps?: number;
  readonly epochs?: number;
  /** Leave off after so many steps of this call (a pause: no last evaluation, nothing saved). */
  readonly stopAfter?: number;
  /** A pause as soon as what is on the device is done. */
  readonly signal?: Signal;
  readonly onProgress?: (event: TrainEvent) => void;
  /** Checkpoints while the run goes on, for whoever keeps the last good state. */
  readonly snapshots?: {
    readonly seconds?: number; // between two; default 10, more where they cost over 1 % of the time
    readonly steps?: number; // also at every step that is a multiple of it
    readonly epochs?: number; // also after so many epochs, each time
    readonly wanted?: () => boolean; // also when this says so, asked between two submits
    /** A whole checkpoint whose numbers are finite. Training waits for the promise. */
    readonly take: (snapshot: Snapshot) => void | Promise<void>;
  };
}
export interface Snapshot {
  readonly train: string; // the block
  readonly step: number;
  readonly bytes: Uint8Array; // as `checkpoint()` gives them
  readonly regular: boolean; // one of those by `steps` or `epochs`
}
export type TrainEvent = ProgressEvent | MeasuringEvent | EvaluationEvent | SavedEvent;
/** Some steps are done and their losses read: several times a second. */
export interface ProgressEvent {
  readonly kind: "progress";
  readonly train: string;
  readonly epoch: number; // from 0; 0 without data
  readonly epochs?: number;
  readonly step: number; // steps done
  readonly steps: number; // planned
  readonly loss: number; // of the last step; NaN where the block minimizes nothing
  readonly metrics: Readonly<Record<string, number>>; // of the last step's batch
  /** Every step since the event before, by column ("loss", where something is minimized, and metrics). */
  readonly curves: Readonly<Record<string, Float32Array>>;
  readonly stepsPerSecond: number;
  readonly secondsLeft: number;
}
/** "loss" and metrics over the rows of a split; tensors for metrics that are no numbers. */
export type Measured = Readonly<Record<string, number | Tensor>>;
export interface EvaluationEvent {
  readonly kind: "evaluation";
  readonly train: string;
  readonly step: number;
  readonly split: string;
  readonly rows: number; // that were measured
  readonly of: number; // rows of the split: more where the block takes a `sample:`
  readonly values: Measured;
}
/** An evaluation is under way: several times a second, where it takes that long. */
export interface MeasuringEvent {
  readonly kind: "measuring";
  readonly train: string;
  readonly step: number;
  readonly split: string;
  readonly done: number; // rows
  readonly rows: number;
}
export interface SavedEvent {
  readonly kind: "saved";
  readonly train: string;
  readonly step: number;
  readonly path: string;
  readonly metric?: string;
  readonly mode?: "min" | "max"; // the least or the greatest of it so far
  readonly value?: number;
}
export interface TrainResult {
  readonly train: string;
  /** finished: all planned steps; stalled: `stop:` ended it; paused: `stopAfter` or `signal`. */
  readonly reason: "finished" | "stalled" | "paused";
  readonly step: number;
  readonly steps: number;
  readonly loss: number; // of the last step's batch; NaN when there was no step to do, or nothing is minimized
  readonly metrics: Readonly<Record<string, number>>;
  readonly measured: Readonly<Record<string, Measured>>; // the last evaluation, by split
  readonly seconds: number; // of the whole call
  readonly measuringSeconds: number; // of these, for evaluations
  readonly stepsPerSecond: number; // in the rest
  readonly submits: number; // of training steps, in this call
  readonly saved?: { readonly path: string; readonly bytes: Uint8Array };
}

/** What `load` is given where a model is to be tuned: `tuner` of "dlm/runtime/tune". */
export interface Tuner {
  readonly tune: unknown;
}
export interface TuneOptions {
  readonly train?: string; // which block's step; default: the first
  readonly milliseconds?: number; // all in all, about; default 2000
  readonly onProgress?: (event: { readonly kernel: string; readonly number: number; readonly of: number }) => void;
}
export interface TuneResult {
  readonly train: string;
  readonly method: "timestamps" | "repetition"; // of the device, or by the clock on the wall where it has no true ones
  readonly kernels: readonly TunedKernel[];
  readonly seconds: number;
  readonly noMemory?: true; // for copies of what a step writes: nothing was measured
  readonly tuning: Tuning; // for `load`, the next time
}
export interface TunedKernel {
  readonly key: string; // of what it computes
  readonly kernel: string;
  readonly lines: readonly string[]; // "digits.dlm:9" of the source it computes
  readonly schedules: readonly string[]; // the compiler's choice first
  readonly microseconds: readonly number[]; // medians; Infinity where one was not measured, gives other numbers, or is not taken by the device
  readonly taken: number; // of the schedules
  /** faster: another one is; best: none is clearly faster than the compiler's choice; noisy: the times say nothing here; late: there was no time left. */
  readonly why: "faster" | "best" | "noisy" | "late";
}
/** What was measured, as JSON: of one plan on one device, and of no use to others. */
export interface Tuning {
  readonly device: string;
  readonly plan: string;
  readonly taken: readonly number[];
}

export interface Model {
  readonly plan: Plan;
  /** Names of the train blocks and of the exports, in the order of the text. */
  readonly trains: readonly string[];
  readonly exports: readonly string[];
  /** Rows by split, and what class and character numbers stand for, by column. */
  readonly data: Readonly<
    Record<
      string,
      {
        readonly rows: number;
        readonly splits: Readonly<Record<string, number>>;
        readonly classes: Readonly<Record<string, readonly string[]>>;
      }
    >
  >;
  /** What the plan costs on this device. */
  readonly cost: {
    readonly bytes: number;
    readonly modules: number;
    readonly trains: Readonly<Record<string, { readonly dispatchesPerStep: number; readonly window: number }>>;
  };

  /** Trains on, from where the block is: a new model, a paused one or a restored one. The first block without a name. */
  train(name?: string, options?: TrainOptions): Promise<TrainResult>;
  /** Loss and metrics over a split ("train", or a holdout's name), exactly, with `training` false. */
  evaluate(
    train: string,
    split: string,
    options?: { readonly onProgress?: (event: MeasuringEvent) => void }, // weights stay as they are until it ends
  ): Promise<Measured>;
  /** Runs an export. Run-time dims follow from the shapes; inputs with a default may be left out. */
  run(name: string, inputs?: Readonly<Record<string, Value>>): Promise<Record<string, Tensor>>;
  /** Every field of rows of a split ("train", or a holdout's name), by their places in it, where the plan has a program for that (`compile(text, { views: true })`). */
  rows(dataset: string, split: string, places: readonly number[]): Promise<Record<string, Tensor>>;
  /** Everything back to its initial values, by the seed. */
  reset(): Promise<void>;
  /**
   * Measures the kernels of a step and the alternatives that the plan has to them on this device, and goes on with those that are faster beyond doubt.
   * Weights, optimizer state and draws stay as they are. Where the plan has none, no kernels are measured.
   */
  tune(options?: TuneOptions): Promise<TuneResult>;

  /** Steps done by a train block. */
  step(train?: string): number;
  /** Parameters by name (and states, with `all`). */
  parameters(options?: { readonly all?: boolean }): Promise<Record<string, Tensor>>;
  /** A safetensors file: with everything that training needs to go on to the same bits, or with weights (parameters and layer states) only. */
  checkpoint(options?: { readonly weights?: boolean }): Promise<Uint8Array>;
  /** Takes a whole checkpoint of the same plan and data; training goes on as if it had not been interrupted. */
  restore(bytes: FileBytes): Promise<void>;
  /** Takes parameters and layer states by name from a safetensors file; all of the model's, or those under the dotted path `into`. */
  loadWeights(bytes: FileBytes, into?: string): Promise<readonly string[]>;
  /** Holds out the rows that were held out when these weights were trained, as the file says; false where it does not. A restored checkpoint does the same. */
  holdOutAs(bytes: FileBytes): Promise<boolean>;
  /** Settles when the device fails, with what it was; whatever is asked of the model then ends in the same problem. */
  readonly lost: Promise<Problem>;
  /** Frees the device's memory. The device itself stays the caller's, who may destroy it when the promise settles: nothing is being compiled any more. */
  close(): Promise<void>;
}
