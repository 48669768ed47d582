// One run of a sweep: a model with its own values and seed, trained, in a folder of its own. In: what the runs share, the cell.   Out: what it measured, or why not.
// A loss that is no number, a text that does not compile with these values, a full disk end one run and not the others.
import { statSync } from "node:fs";
import { join } from "node:path";
import type { DataFiles, Kernels, Model } from "../../../runtime/api.ts";
import { load } from "../../../runtime/index.ts";
import { Keeper } from "../../../runtime/keeper.ts";
import type { OpenedDevice } from "../../../runtime/node.ts";
import type { Often, Plan } from "../../../runtime/plan.ts";
import { messageOf, RuntimeProblem } from "../../../runtime/problem.ts";
import { notKept, passedOver, restoreNewest, trainBlocks } from "../../../runtime/unattended.ts";
import { targetOf } from "../device.ts";
import { generations, readGeneration, readKept, writeWhole } from "../files.ts";
import { compileModel, reportDiagnostics, type ModelFile, type ModelFlags, type Planned } from "../model.ts";
import { Reported, UserError } from "../problem.ts";
import type { Progress } from "../progress.ts";
import { recordOf, RunFolder } from "./folder.ts";
import type { Cell } from "./grid.ts";
import type { Earlier, MetricRow, Stretch } from "./metrics.ts";
import type { CellOutcome } from "./outcome.ts";
import { files as names, readRun, readStretches } from "./record.ts";
import { notRecorded, Recording } from "./recording.ts";
import { lastOf } from "./runs.ts";

export interface CellFlags extends ModelFlags {
  readonly steps?: number;
  readonly epochs?: number;
  readonly checkpoint?: Often;
  readonly keep?: number;
  readonly save?: boolean; // false: no checkpoints
  readonly tensorboard?: boolean;
}
/** What the runs of a sweep share. */
export interface Shared {
  readonly model: ModelFile;
  readonly flags: CellFlags;
  readonly files: DataFiles;
  readonly opened: OpenedDevice;
  readonly kernels: Kernels;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
  compiled: { readonly point: number; readonly plan: Planned } | undefined; // the last one
}

/** Of a run that came to its end before; one that failed for reasons of the machine is tried again. */
export function doneBefore(cell: Cell, path: string): CellOutcome | undefined {
  const run = readRun(path);
  if (!run?.report || run.report.status === "paused" || run.report.status === "failed") return undefined;
  const { status, seconds, error } = run.report;
  return {
    cell,
    state: status,
    seconds,
    values: lastOf(run.rows)?.row.values ?? {},
    ...(error === undefined ? {} : { error }),
  };
}
/** `path`: its folder, which is there; undefined where none could be made. */
export async function runCell(
  shared: Shared,
  cell: Cell,
  path: string | undefined,
  progress: Progress,
): Promise<{ readonly outcome: CellOutcome; readonly rows: readonly MetricRow[] }> {
  const began = performance.now();
  const failed = (error: unknown): CellOutcome => ({
    cell,
    state: "failed",
    values: {},
    seconds: (performance.now() - began) / 1000,
    error: messageOf(error),
  });
  let loaded: Model | undefined;
  try {
    const flags = { ...shared.flags, set: { ...shared.flags.set, ...cell.values }, seed: cell.seed };
    const compiled = await planFor(shared, cell, flags);
    loaded = await loadCell(shared, compiled, cell, path);
    const earlier = path === undefined ? { rows: [] } : await goOn(loaded, compiled.plan, path, shared.note);
    return await trainCell(shared, { cell, flags, compiled, loaded, earlier, path, progress });
  } catch (error) {
    if (error instanceof Reported)
      return { outcome: failed(new Error("it does not compile with these values")), rows: [] };
    if (!(error instanceof RuntimeProblem || error instanceof UserError)) throw error;
    return { outcome: failed(error), rows: [] };
  } finally {
    await loaded?.close();
  }
}
async function planFor(shared: Shared, { point }: Cell, flags: ModelFlags): Promise<Planned> {
  if (shared.compiled?.point === point) return shared.compiled.plan;
  const { model, opened, files } = shared;
  const made = await compileModel(model, flags, targetOf(opened.facts), files);
  if (!made.plan) reportDiagnostics(made.diagnostics, model, false, shared.flags);
  const plan = made as Planned; // `reportDiagnostics` throws where there is none
  shared.compiled = { point, plan };
  return plan;
}
/** What the model saves lies with the run, where its other blocks look first. */
function loadCell(shared: Shared, { plan }: Planned, { seed }: Cell, path: string | undefined): Promise<Model> {
  const { opened, files, kernels, flags } = shared;
  const saved = new Map<string, Uint8Array>();
  const placeOf = (file: string): string => join(path!, savedName(file));
  return load(plan, {
    device: opened.device,
    ...files,
    kernels,
    seed,
    ...(flags.maxData === undefined ? {} : { mostFileBytes: flags.maxData }),
    read: async (file) => {
      const own = saved.get(file);
      if (own) return own;
      return path !== undefined && isThere(placeOf(file)) ? readKept(placeOf(file)) : files.read(file);
    },
    write: async (file, bytes) => {
      saved.set(file, bytes);
      if (path !== undefined) writeWhole(placeOf(file), bytes);
    },
  });
}
const isThere = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;
/** `best/first.safetensors` as a name in one folder. */
const savedName = (file: string): string =>
  `saved-${file
    .split(/[/\\]+/)
    .filter((part) => !/^\.*$/.test(part))
    .join("-")}`;
/** Goes on from the newest checkpoint that is whole; what was measured up to there. */
async function goOn(model: Model, { trains }: Plan, path: string, note: (text: string) => void): Promise<Earlier> {
  const found = generations(join(path, names.checkpoint));
  if (!found.length) return { rows: [] };
  try {
    const { refused } = await restoreNewest(model, found, readGeneration);
    for (const reason of refused) note(passedOver(reason));
  } catch (error) {
    if (!(error instanceof RuntimeProblem || error instanceof UserError)) throw error;
    note(`${error.message}; the run begins anew`);
    return { rows: [] };
  }
  const done = new Map(model.trains.map((name) => [name, model.step(name)]));
  const rows = (readRun(path)?.rows ?? []).filter((row) => row.step <= (done.get(row.train) ?? 0));
  const lastRow = (train: string): number =>
    rows.reduce((last, row) => (row.train === train && !row.split ? Math.max(last, row.step) : last), 0);
  const hasColumns = ({ train, sums }: Stretch): boolean =>
    trains.some((t) => t.name === train && [...t.ring.columns].sort().join() === Object.keys(sums).sort().join());
  const open = readStretches(path).find((x) => x.step === done.get(x.train) && hasColumns(x));
  const measures = (train: string): boolean => trains.some((t) => t.name === train && t.ring.columns.length > 0);
  for (const [train, step] of done)
    if (train !== open?.train && measures(train) && step > lastRow(train))
      note(
        `${path}: of ${train}, what steps ${lastRow(train) + 1} to ${step} measured is lost: the next row is without them`,
      );
  if (!open) return { rows };
  // Ctrl-C ended it with a row
  return { rows: rows.filter((row) => row.train !== open.train || row.step !== open.step || row.split), open };
}

interface Training {
  readonly cell: Cell;
  readonly flags: CellFlags;
  readonly compiled: Planned;
  readonly loaded: Model;
  readonly earlier: Earlier;
  readonly path: string | undefined;
  readonly progress: Progress;
}
async function trainCell(
  { opened, signal, note }: Shared,
  { cell, flags, compiled, loaded, earlier, path, progress }: Training,
): Promise<{ readonly outcome: CellOutcome; readonly rows: readonly MetricRow[] }> {
  const record = recordOf(compiled, loaded, opened.facts, flags);
  const told = (reason: string): void => note(notRecorded(reason));
  const { tensorboard = false } = flags;
  const options = { tensorboard, before: earlier.rows, told };
  const folder = path === undefined ? undefined : new RunFolder(path, record, compiled, options);
  const recording = new Recording(compiled, loaded, folder, { earlier });
  const put = (bytes: Uint8Array, elders: number): void => recording.putOwn(bytes, elders);
  const asked = { often: flags.checkpoint, keep: flags.keep };
  const isKept = path !== undefined && flags.save !== false;
  const keeper = isKept ? new Keeper(put, compiled.plan, asked, (error) => note(notKept(error))) : undefined;
  const length = {
    ...(flags.steps === undefined ? {} : { steps: flags.steps }),
    ...(flags.epochs === undefined ? {} : { epochs: flags.epochs }),
  };
  const results: Parameters<Recording["end"]>[0][number][] = [];
  let ended: unknown;
  try {
    const onProgress: Progress["event"] = (event) => {
      recording.event(event);
      progress.event(event);
    };
    await trainBlocks(loaded, loaded.trains, { ...length, signal, onProgress }, keeper, (r) => results.push(r));
    await keeper?.save(loaded, results.at(-1)?.train).catch((error: unknown) => {
      if (!(error instanceof UserError)) throw error;
      note(error.message); // what it measured is worth more
    });
  } catch (error) {
    if (!(error instanceof RuntimeProblem || error instanceof UserError)) throw error;
    ended = error;
  }
  const { status, seconds, error } = recording.end(results, ended);
  const values = lastOf(recording.rows)?.row.values ?? {};
  const outcome = { cell, state: status, seconds, values, ...(error === undefined ? {} : { error }) };
  return { outcome, rows: recording.rows };
}
