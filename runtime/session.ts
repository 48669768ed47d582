// What a loaded model is made of, and what training and evaluation share: rows, seeds, progress of each train block, host scalars, weights.
import type { FileBytes, LoadOptions, TrainOptions, TuneOptions, Tuner, TuneResult, Tuning } from "./api.ts";
import type { HostDataset, Splits } from "./data.ts";
import type { Dims, Machine, Place } from "./machine.ts";
import { usedPart } from "./plan.ts";
import type { Plan, PlanProgram, PlanTensor, PlanTrain } from "./plan.ts";
import { listed, RuntimeProblem } from "./problem.ts";
import type { Recording } from "./recording.ts";
import { readSafetensors, widened, writeSafetensors } from "./safetensors.ts";
import type { StoredTensor } from "./safetensors.ts";
import { bytesOf, floatsOf, fromWords, jsonText, product, shapeText } from "./tensor.ts";

/** Everything of a train block's progress that is not on the device; kept in checkpoints. */
export interface TrainState {
  seed: number;
  step: number; // steps submitted
  due: boolean; // an evaluation of this step is to be done
  steps?: number; // another total than the plan's
  measured: boolean; // an evaluation was the last thing that happened
  values: Record<string, number>; // the last measured numbers, as "valid.loss"
  best: { stop?: number; save?: number };
  bad: number; // evaluations since the best
  stalled: boolean;
}
export interface Session {
  plan: Plan; // as it is run: with other kernels once they were found faster
  readonly whole: Plan; // as it was given
  readonly options: LoadOptions;
  readonly machine: Machine;
  readonly data: ReadonlyMap<string, HostDataset>;
  readonly splits: Map<string, Splits>;
  /** By data set: what it is split by where the plan has no train block on it any more. */
  readonly splitSeeds: ReadonlyMap<string | undefined, number>;
  readonly states: Map<string, TrainState>;
  dims: Dims;
  /** Evaluations use the same memory: each waits for the one before. */
  measuring: Promise<unknown>;
}
/** What a `Tuner` is within the runtime (tune.ts). */
export interface OwnTuner extends Tuner {
  /** The plan with what was measured for it on this device; as it is where that is of another plan or device. */
  readonly plan: (whole: Plan, device: GPUDevice, tuning: Tuning | undefined) => Plan;
  /** `prepare` gives the device what the next step reads of the host. The model is afterwards what it was, by other kernels. */
  readonly tune: (s: Session, t: PlanTrain, options: TuneOptions, prepare: Prepare) => Promise<TuneResult>;
}
export type Prepare = (recording: Recording) => void;
export const newState = (seed: number): TrainState => ({
  seed,
  step: 0,
  due: false,
  measured: false,
  values: {},
  best: {},
  bad: 0,
  stalled: false,
});

// ---------------------------------------------------------------- counting

export const rowsPerStep = (t: PlanTrain): number => t.batch * t.accumulate;
export function trainingRows(s: Session, t: PlanTrain): Int32Array {
  return t.dataset === undefined ? new Int32Array(0) : s.splits.get(t.dataset)!.get("train")!;
}
const stepsOfEpochs = (epochs: number, rows: number, t: PlanTrain): number =>
  Math.ceil((epochs * rows) / rowsPerStep(t));
/** Planned steps: what was asked for, else what the plan says. */
export function totalSteps(
  s: Session,
  t: PlanTrain,
  asked: Pick<TrainOptions, "steps" | "epochs" | "stopAfter"> = {},
): number {
  const rows = trainingRows(s, t).length;
  for (const name of ["steps", "epochs", "stopAfter"] as const) {
    const n = asked[name];
    const least = name === "stopAfter" ? 0 : 1;
    if (n !== undefined && (!Number.isSafeInteger(n) || n < least))
      throw new RuntimeProblem(`${name} must be a whole number, ${least} or more, not ${n}`);
  }
  if (asked.epochs !== undefined && !rows)
    throw new RuntimeProblem(`${t.name} trains without data, so it has no epochs: give steps`);
  return (
    asked.steps ??
    (asked.epochs !== undefined
      ? stepsOfEpochs(asked.epochs, rows, t)
      : (s.states.get(t.name)!.steps ?? t.steps ?? stepsOfEpochs(t.epochs!, rows, t)))
  );
}
export const epochOf = (step: number, rows: number, t: PlanTrain): number =>
  rows ? Math.floor((step * rowsPerStep(t)) / rows) : 0;
/** The first step after `step` that begins in a later epoch, or in one that is a later multiple of `every`. */
export const nextEpoch = (step: number, rows: number, t: PlanTrain, every = 1): number =>
  rows ? Math.ceil(((Math.floor(epochOf(step, rows, t) / every) + 1) * every * rows) / rowsPerStep(t)) : Infinity;

// ---------------------------------------------------------------- scalars

/** Writes the numbers that programs of a train block read and the host knows. */
export function writeScalars(s: Session, t: PlanTrain, total: number): void {
  const state = s.states.get(t.name)!;
  const rows = trainingRows(s, t).length;
  for (const port of t.scalars) {
    const known: Record<string, number> = {
      seed: state.seed,
      steps: total,
      epochs: rows ? (total * rowsPerStep(t)) / rows : 1,
      epoch: epochOf(state.step, rows, t),
      measured: state.measured ? 1 : 0,
    };
    const value = known[port.name] ?? state.values[port.name] ?? 0; // a measured number that is none yet
    s.machine.writeWord(port.buffer, port.offset, port.dtype === "f32" ? Float32Array.of(value) : Int32Array.of(value));
  }
}

// ---------------------------------------------------------------- tensors

const shapeOf = (s: Session, t: PlanTensor): number[] => t.shape.map((n) => s.machine.size(n, s.dims, t.name));
const placeOf = (s: Session, t: PlanTensor): Place => ({
  buffer: t.buffer,
  offset: t.offset,
  bytes: 4 * product(shapeOf(s, t)),
});

/** Initial values of every train block. What several reach keeps what the first one gives it. */
export async function initialise(s: Session): Promise<void> {
  if (s.plan.init) {
    const { program, seed } = s.plan.init;
    await runOnce(s, program, () => {
      if (seed) s.machine.writeWord(seed.buffer, seed.offset, Int32Array.of(s.options.seed ?? 0));
    });
  }
  for (const t of [...s.plan.trains].reverse()) {
    s.states.set(t.name, newState(s.states.get(t.name)!.seed));
    await runOnce(s, t.init, () => writeScalars(s, t, totalSteps(s, t)));
  }
}
/** `write`: what the program reads of the host. */
export async function runOnce(s: Session, program: PlanProgram, write: () => void): Promise<void> {
  const recording = await s.machine.record(program, s.dims);
  write();
  const encoder = s.machine.encoder(program.name);
  s.machine.replay(encoder, recording);
  encoder.submit();
}
export async function readTensors(
  s: Session,
  wanted: readonly PlanTensor[],
): Promise<{ tensor: PlanTensor; bytes: Uint8Array<ArrayBuffer> }[]> {
  const parts = await s.machine.read(wanted.map((t) => placeOf(s, t)));
  return wanted.map((tensor, i) => ({ tensor, bytes: parts[i]! }));
}
const isWeight = (t: PlanTensor): boolean => t.kind === "parameter" || t.kind === "state";

const stored = { f32: "F32", i32: "I32", bool: "BOOL" } as const;
export async function writeCheckpoint(s: Session, weights: boolean): Promise<Uint8Array> {
  const wanted = s.plan.states.filter((t) => !weights || isWeight(t));
  // as of now: training may go on while the device copies
  const progress = {
    version: 1,
    plan: s.plan.name,
    compiler: s.plan.compiler,
    rows: Object.fromEntries([...s.data].map(([name, d]) => [name, d.allRows])),
    trains: Object.fromEntries(
      [...s.states].map(([name, x]) => [
        name,
        { ...x, position: x.step * rowsPerStep(s.plan.trains.find((t) => t.name === name)!) },
      ]),
    ),
  };
  const text = jsonText(progress);
  const seeds = jsonText(Object.fromEntries([...s.states].map(([name, x]) => [name, x.seed])));
  const tensors = new Map<string, StoredTensor>();
  for (const { tensor, bytes } of await readTensors(s, wanted)) {
    const shape = shapeOf(s, tensor);
    tensors.set(tensor.name, {
      dtype: stored[tensor.dtype],
      shape,
      bytes: tensor.dtype === "bool" ? bytesOf(fromWords(bytes, "bool", shape).data) : bytes,
    });
  }
  return writeSafetensors({
    tensors,
    metadata: weights
      ? { format: "dlm", kind: "weights", seeds }
      : { format: "dlm", kind: "checkpoint", progress: text },
  });
}

/** The device's words of a stored tensor, when it is the one that the plan has by this name. */
function wordsFor(s: Session, t: PlanTensor, from: StoredTensor): Uint8Array<ArrayBuffer> {
  checkFits(t, shapeOf(s, t), from);
  if (t.range) {
    const [low, end] = t.range;
    const bad = new Int32Array(from.bytes.slice().buffer).find((x) => x < low || x >= end);
    if (bad !== undefined)
      throw new RuntimeProblem(`${t.name} is ${bad} in the file, outside of ${low}..${end}, which the state declares`);
  }
  return t.dtype === "bool" ? bytesOf(Int32Array.from(from.bytes)) : from.bytes.slice();
}

/** The tensors of a file by these names. Earlier versions wrote capitals apart, `p_re_lu` for `prelu`: underscores do not count where nothing has the name itself. */
function tensorsNamed(
  tensors: ReadonlyMap<string, StoredTensor>,
  names: readonly string[],
): ReadonlyMap<string, StoredTensor> {
  const wanted = new Set(names);
  const bare = (name: string): string => name.replaceAll("_", "");
  const missing = names.filter((name) => !tensors.has(name));
  if (!missing.length) return tensors;
  const renamed = new Map(tensors);
  for (const name of missing) {
    const [old, second] = [...tensors.keys()].filter((x) => !wanted.has(x) && bare(x) === bare(name));
    if (old === undefined || second !== undefined) continue;
    renamed.set(name, tensors.get(old)!);
    renamed.delete(old);
  }
  return renamed;
}
/** `own`: this run wrote it, after a look at its numbers. */
export function readCheckpoint(s: Session, bytes: FileBytes, own = false): void {
  const read = readSafetensors(bytes);
  const file = {
    metadata: read.metadata,
    tensors: tensorsNamed(
      read.tensors,
      s.plan.states.map((t) => t.name),
    ),
  };
  const text = file.metadata["progress"];
  if (text === undefined)
    throw new RuntimeProblem(
      `this file holds ${file.metadata["kind"] === "weights" ? "weights only" : "tensors, but not how far training was"}: it cannot be resumed from, only loaded`,
    );
  const bad = (what: string): RuntimeProblem => new RuntimeProblem(`this checkpoint cannot be resumed from: ${what}`);
  let progress: { rows?: Record<string, number>; trains?: Record<string, TrainState> } | null;
  try {
    progress = JSON.parse(text) as typeof progress;
  } catch {
    throw bad("its record of progress is no JSON");
  }
  const missing = s.plan.states.filter((t) => !file.tensors.has(t.name)).map((t) => t.name);
  const known = new Set(s.plan.states.map((t) => t.name));
  const extra = [...file.tensors.keys()].filter((name) => !known.has(name));
  if (missing.length) throw bad(`it lacks ${listed(missing)}`);
  if (extra.length) throw bad(`it holds ${listed(extra)}, which this model does not have`);
  if (!own && !s.options.allowNaN)
    for (const t of s.plan.states) checkNumbers(t, file.tensors.get(t.name)!, "this checkpoint");
  const words = s.plan.states.map((t) => ({ t, words: wordsFor(s, t, file.tensors.get(t.name)!) }));
  const states = new Map<string, TrainState>();
  for (const t of s.plan.trains) {
    const x = progress?.trains?.[t.name];
    const whole = (n: unknown): n is number => typeof n === "number" && Number.isSafeInteger(n);
    if (
      typeof x !== "object" ||
      x === null ||
      !whole(x.step) ||
      x.step < 0 ||
      !whole(x.seed) ||
      !whole(x.bad) ||
      typeof x.values !== "object" ||
      x.values === null ||
      typeof x.best !== "object" ||
      x.best === null
    )
      throw bad(`it does not say how far ${t.name} was`);
    const counter = words.find((w) => w.t.name === t.stepCounter)!.words;
    const counted = new Int32Array(counter.buffer, counter.byteOffset, 1)[0]!;
    if (counted !== x.step) throw bad(`${t.name} was at step ${x.step} by its record and at ${counted} by its counter`);
    const number = (n: unknown): number => (typeof n === "number" || typeof n === "string" ? Number(n) : NaN); // "Infinity"
    states.set(t.name, {
      ...newState(x.seed),
      step: x.step,
      ...(whole(x.steps) && x.steps > 0 ? { steps: x.steps } : {}),
      due: x.due === true,
      measured: x.measured === true,
      values: Object.fromEntries(Object.entries(x.values).map(([k, v]) => [k, number(v)])),
      best: Object.fromEntries(Object.entries(x.best).map(([k, v]) => [k, number(v)])),
      bad: x.bad,
      stalled: x.stalled === true,
    });
  }
  for (const [name, d] of s.data)
    if (progress?.rows?.[name] !== d.allRows)
      throw bad(`it was made with ${progress?.rows?.[name] ?? "no"} rows of ${name}, and there are ${d.allRows} now`);
  for (const { t, words: w } of words) s.machine.write(t.buffer, t.offset, w);
  for (const [name, state] of states) s.states.set(name, state);
}

const isSeed = (n: unknown): n is number => typeof n === "number" && Number.isSafeInteger(n) && Math.abs(n) < 2 ** 31;
/** The seeds by train block that a file of weights or a checkpoint was trained with, as far as it says. */
export function seedsIn(bytes: FileBytes): ReadonlyMap<string, number> {
  const { seeds, progress } = readSafetensors(bytes).metadata;
  let said: unknown;
  try {
    said = JSON.parse(seeds ?? progress ?? "null");
  } catch {
    return new Map();
  }
  const of = seeds === undefined ? (said as { readonly trains?: unknown } | null)?.trains : said;
  if (typeof of !== "object" || of === null) return new Map();
  const found = Object.entries(of).map(([name, x]) => [
    name,
    seeds === undefined ? (x as { readonly seed?: unknown } | null)?.seed : (x as unknown),
  ]);
  return new Map(found.filter((pair): pair is [string, number] => isSeed(pair[1])));
}
/** How many steps of every train block a checkpoint has behind it, as far as it says. */
export function stepsIn(bytes: FileBytes): Readonly<Record<string, number>> {
  const { trains = {} } = JSON.parse(readSafetensors(bytes).metadata["progress"] ?? "{}") as {
    readonly trains?: Readonly<Record<string, { readonly step: number }>>;
  };
  return Object.fromEntries(Object.entries(trains).map(([name, { step }]) => [name, step]));
}
/** They say what rows were held out; false where the file does not say so for these train blocks. */
export function takeSeeds(s: Session, bytes: FileBytes): boolean {
  const found = seedsIn(bytes);
  if (![...s.states.keys()].every((name) => found.has(name))) return false;
  for (const [name, state] of s.states) state.seed = found.get(name)!;
  return true;
}

/** What a file has of these parameters and states, by name; all of them, or those under a path. Names in the file may begin at that path. `all`: states, too, must be there. */
export function findWeights(
  states: readonly PlanTensor[],
  bytes: FileBytes,
  into: string | undefined,
  what: string,
  all = false,
): readonly { readonly t: PlanTensor; readonly from: StoredTensor }[] {
  const path = into?.replace(/\[(\d+)\]/g, ".$1");
  const under = states.filter(
    (t) => isWeight(t) && (path === undefined || t.name === path || t.name.startsWith(`${path}.`)),
  );
  if (!under.length && all) return [];
  if (!under.length)
    throw new RuntimeProblem(`${what}: the model has no parameters${path === undefined ? "" : ` under ${path}`}`);
  const within = (t: PlanTensor): string => (path === undefined ? t.name : t.name.slice(path.length + 1));
  const tensors = tensorsNamed(readSafetensors(bytes).tensors, [...new Set(under.flatMap((t) => [t.name, within(t)]))]);
  const relative = !under.some((t) => tensors.has(t.name));
  const found = under.map((t) => ({ t, from: tensors.get(relative ? within(t) : t.name) }));
  // a train block's own state has no place in a file of weights that another model left
  const missing = found.filter(({ t, from }) => !from && (all || t.kind === "parameter")).map(({ t }) => t.name);
  if (missing.length)
    throw new RuntimeProblem(
      `${what} lacks ${listed(missing)}${path === undefined && missing.length < under.length ? "; name the part to load with `into:`" : ""}; it holds ${listed([...tensors.keys()])}`,
    );
  return found.flatMap(({ t, from }) => (from ? [{ t, from }] : []));
}
/** Has a file what using this plan takes? A RuntimeProblem says what not; sizes that the data give are looked at when it is loaded. */
export function checkWeights(plan: Plan, bytes: FileBytes): void {
  for (const { t, from } of findWeights(usedPart(plan).states, bytes, undefined, "it", true)) {
    checkNumbers(t, from, "it");
    const known = t.shape.flatMap((size) => (typeof size === "number" ? [size] : []));
    if (known.length === t.shape.length) checkFits(t, known, t.dtype === "f32" ? widened(from) : from);
  }
}
/** A parameter that is no number makes every result none, without a word. */
function checkNumbers(t: PlanTensor, from: StoredTensor, what: string): void {
  if (t.dtype !== "f32") return;
  const { dtype, bytes } = widened(from);
  if (dtype !== "F32") return; // it does not fit, which is told with its shape
  const values = floatsOf(bytes);
  let count = 0;
  for (const x of values) if (x !== x) count++;
  if (count)
    throw new RuntimeProblem(
      `${what} has NaN in ${t.name}, in ${count} of ${values.length} numbers: the training that they come from failed, or the file is damaged; load them all the same with \`allowNaN: true\` (--allow-nan)`,
    );
}
function checkFits(t: PlanTensor, shape: readonly number[], from: StoredTensor): void {
  if (from.dtype !== stored[t.dtype] || from.shape.length !== shape.length || from.shape.some((n, d) => n !== shape[d]))
    throw new RuntimeProblem(
      `${t.name} is ${shapeText(stored[t.dtype], shape)} in this model and ${shapeText(from.dtype, from.shape)} in the file`,
    );
}
/** They become the model's. */
export function readWeights(
  s: Session,
  bytes: FileBytes,
  into: string | undefined,
  what: string,
  all = false,
): string[] {
  const converted = new Map<string, number>();
  const read = (t: PlanTensor, from: StoredTensor): Uint8Array<ArrayBuffer> => {
    if (!s.options.allowNaN) checkNumbers(t, from, what);
    const fitting = t.dtype === "f32" ? widened(from) : from;
    if (fitting !== from) converted.set(from.dtype, (converted.get(from.dtype) ?? 0) + 1);
    return wordsFor(s, t, fitting);
  };
  const words = findWeights(s.plan.states, bytes, into, what, all).map(({ t, from }) => ({ t, words: read(t, from) }));
  for (const { t, words: w } of words) s.machine.write(t.buffer, t.offset, w);
  for (const [from, tensors] of converted) s.options.onEvent?.({ kind: "converted", file: what, from, tensors });
  return words.map(({ t }) => t.name);
}
