// dlm train: compiles a model for the device at hand, trains every block (or one), measures it, and keeps what it learned.
// In: a model, options.   Out: progress (text or events), a checkpoint, with --out everything that `dlm compile` writes too.
// Ctrl-C, SIGTERM, SIGHUP, an output that nobody reads, a loss that is no number, a lost device: what was learned is kept in the checkpoint, the way to go
// on is said, and the status is not 0.
import { basename, join, resolve } from "node:path";
import type { DataFiles, Model, TrainEvent, TrainResult } from "../../runtime/api.ts";
import { deviceText, type DeviceFacts } from "../../runtime/device.ts";
import { load } from "../../runtime/index.ts";
import { Keeper } from "../../runtime/keeper.ts";
import type { Often, Plan } from "../../runtime/plan.ts";
import { attempt } from "../../runtime/files.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import { jsonText } from "../../runtime/tensor.ts";
import { interruptible, notKept, passedOver, restoreNewest, statusOf, trainBlocks } from "../../runtime/unattended.ts";
import { deviceFor, targetOf } from "./device.ts";
import {
  asideOf,
  checkWritable,
  generations,
  isKept,
  isThere,
  readGeneration,
  readKept,
  setAside,
  writeWhole,
} from "./files.ts";
import { checkFits } from "./fitting.ts";
import { dataFiles, openModel, planModel, type ModelFile, type ModelFlags, type Planned } from "./model.ts";
import { nearest } from "./options.ts";
import { Interrupted, Reported, UsageError, UserError } from "./problem.ts";
import { jsonProgress, resultJson, seconds, tellEvents, textProgress, type Progress } from "./progress.ts";
import { byteText, counted, parameterCount, tradeText } from "../print/text.ts";
import {
  checkRecord,
  folderText,
  notRecorded,
  recordTraining,
  type RecordFlags,
  type Recording,
} from "./runs/recording.ts";
import { commandLine } from "./started.ts";
import { onOutputLost, openTerminal, styles, type Terminal } from "./terminal.ts";
import { trainerCommand } from "./ways.ts";

export interface TrainFlags extends ModelFlags, RecordFlags {
  readonly device?: string;
  readonly steps?: number;
  readonly epochs?: number;
  readonly stopAfter?: number;
  readonly train?: string; // the block
  readonly save?: string | false; // a checkpoint; false: keep nothing
  readonly checkpoint?: Often; // while training
  readonly keep?: number; // checkpoints
  readonly weights?: string; // parameters and layer states alone
  readonly resume?: string;
  readonly allowNan?: boolean;
  readonly out?: string; // a folder for artifacts and weights
  readonly watch?: boolean; // again at every save
  readonly json?: boolean;
}
/** Of a run that somebody looks after: --watch. */
export interface Attended {
  readonly signal: AbortSignal; // ends it at the next step
  readonly goesOn: boolean; // from the checkpoint, where that fits
  readonly compiled: () => void; // is called when it is
}
export interface Trained {
  readonly results: readonly TrainResult[];
  readonly folder: string | undefined; // of its record
  readonly checkpoint: string | undefined;
}

export async function train(path: string, flags: TrainFlags): Promise<void> {
  await trainOnce(openModel(path), flags);
}
export async function trainOnce(model: ModelFile, flags: TrainFlags, attended?: Attended): Promise<Trained> {
  const terminal = openTerminal(flags.json === true);
  const files = dataFiles(model, flags);
  if (flags.resume !== undefined && !generations(flags.resume).length) readKept(flags.resume); // says what is wrong with it
  const keep = placesOf(model.name, flags);
  for (const file of [keep.checkpoint, keep.weights]) if (file) checkWritable(file);
  checkRecord(flags);
  const opened = await deviceFor(flags.device);
  try {
    terminal.update(`compiling ${model.path}`);
    const target = targetOf(opened.facts);
    const compiled = await planModel(model, { ...viewed(flags), adapter: opened.facts.name }, target, files);
    attended?.compiled();
    const names = blocks(compiled.plan, flags.train);
    await checkFits(compiled, flags, target, opened.device, files);
    terminal.update("reading data");
    const loaded = await load(compiled.plan, {
      device: opened.device,
      ...files,
      ...(flags.allowNan ? { allowNaN: true } : {}),
      ...(flags.maxData === undefined ? {} : { mostFileBytes: flags.maxData }),
      onEvent: tellEvents(terminal, flags.json === true), // of what a block begins with
      write: async (file, bytes) => writeWhole(join(model.folder, file), bytes),
      ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    });
    try {
      if (flags.resume !== undefined) await resume(loaded, flags.resume, terminal);
      const { checkpoint } = keep;
      if (attended?.goesOn && checkpoint !== undefined) await goOn(loaded, checkpoint, terminal);
      const told = (reason: string): void => terminal.note(notRecorded(reason));
      const recording = recordTraining(compiled, loaded, opened.facts, flags, told);
      // what another run left, and no record of it has, is worth a word
      let isOther =
        checkpoint !== undefined && isThere(checkpoint) && !isKept(checkpoint) && !isSame(flags.resume, checkpoint);
      if (isOther)
        terminal.note(
          `${checkpoint} of an earlier run is kept as ${asideOf(checkpoint!)} when this one writes its own`,
        );
      const put = (bytes: Uint8Array, elders: number): void => {
        if (isOther) setAside(checkpoint!);
        isOther = false;
        recording.put(checkpoint!, bytes, elders);
      };
      const failed = (error: unknown): void => terminal.note(notKept(error));
      const asked = { often: flags.checkpoint, keep: flags.keep };
      const keeper = checkpoint === undefined ? undefined : new Keeper(put, compiled.plan, asked, failed);
      const { facts } = opened;
      const results = await run(loaded, names, {
        ...{ terminal, flags, compiled, facts, keep, keeper, recording, files },
        ...(attended ? { stop: attended.signal } : {}),
      });
      return { results, folder: folderText(recording), checkpoint };
    } finally {
      loaded.close();
    }
  } finally {
    opened.close();
  }
}

const isSame = (path: string | undefined, other: string): boolean =>
  path !== undefined && resolve(path) === resolve(other);
async function resume(model: Model, path: string, terminal: Terminal): Promise<void> {
  const found = generations(path);
  const { file, refused } = await restoreNewest(model, found.length ? found : [path], readGeneration);
  for (const reason of refused) terminal.note(passedOver(reason));
  if (file !== path) terminal.note(`going on from ${file}`);
}
/** With a changed model, if its parameters and rows are still those of the checkpoint. */
async function goOn(model: Model, checkpoint: string, terminal: Terminal): Promise<void> {
  try {
    await model.restore(readKept(checkpoint));
    const step = model.trains.reduce((sum, name) => sum + model.step(name), 0);
    terminal.note(`going on from step ${step}: the parameters of the changed model fit`);
  } catch (error) {
    if (!(error instanceof RuntimeProblem) && !(error instanceof UserError)) throw error;
    terminal.note(`beginning anew: ${error.message}`);
  }
}

interface Places {
  readonly checkpoint: string | undefined;
  readonly weights: string | undefined;
}
function placesOf(name: string, { out, save, weights }: TrainFlags): Places {
  const own = `${basename(name, ".dlm")}.safetensors`;
  return {
    checkpoint: save === false ? undefined : (save ?? (out === undefined ? own : join(out, own))),
    weights: weights ?? (out === undefined ? undefined : join(out, "weights.safetensors")),
  };
}
function blocks(plan: Plan, wanted: string | undefined): readonly string[] {
  const names = plan.trains.map((t) => t.name);
  if (!names.length) throw new UserError(`${plan.name} has no train block, so there is nothing to train`);
  if (wanted === undefined) return names;
  if (!names.includes(wanted))
    throw new UsageError(
      `${plan.name} has no train block ${wanted}; it has ${names.join(", ")}${nearest(wanted, names)}`,
    );
  return [wanted];
}

interface Run {
  readonly terminal: Terminal;
  readonly flags: TrainFlags;
  readonly compiled: Planned;
  readonly facts: DeviceFacts;
  readonly keep: Places;
  readonly keeper: Keeper | undefined; // of the checkpoint
  readonly recording: Recording;
  readonly files: DataFiles;
  readonly stop?: AbortSignal; // another run takes the place of this one
}
async function run(model: Model, names: readonly string[], r: Run): Promise<readonly TrainResult[]> {
  const { terminal, flags, compiled, keeper, recording } = r;
  const quiet = flags.json === true;
  const interruption = interruptible(() => {
    if (!quiet) terminal.note("stopping at the next step; Ctrl-C once more stops at once");
  });
  onOutputLost((reason) => {
    if (interruption.cause !== undefined) return;
    interruption.outputLost();
    terminal.note(`standard output takes no more (${reason}): stopping at the next step`);
  });
  const json = (event: object): void => terminal.line(jsonText(event));
  const run = folderText(recording);
  if (flags.json) json({ ...startEvent(model, compiled, r.facts), ...(run === undefined ? {} : { run }) });
  else start(terminal, model, compiled, r.facts);
  terminal.update("the device compiles the kernels of training");
  const progress: Progress = flags.json ? jsonProgress(json) : textProgress(terminal, names.length);

  let results: readonly TrainResult[] = [];
  const files: Written[] = [];
  try {
    const options = {
      ...(flags.steps === undefined ? {} : { steps: flags.steps }),
      ...(flags.epochs === undefined ? {} : { epochs: flags.epochs }),
      ...(flags.stopAfter === undefined ? {} : { stopAfter: flags.stopAfter }),
      signal: r.stop ? AbortSignal.any([interruption.signal, r.stop]) : interruption.signal,
      onProgress: (event: TrainEvent): void => {
        recording.event(event);
        progress.event(event);
      },
    };
    results = await trainBlocks(model, names, options, keeper, progress.result);
    await writeResults(model, results.at(-1)!, r, (file) => {
      files.push(file);
      if (flags.json) json({ kind: "saved", ...file });
    });
  } catch (error) {
    rescue(r, json);
    attempt(() => recording.end(results, error)); // beside what ended the training
    throw error;
  } finally {
    interruption.end();
    if (interruption.cause === undefined) onOutputLost(undefined); // what is still to be said is only said
  }
  recording.end(results);
  if (flags.json) json(doneEvent(results));
  else end(r, results, files);
  const { cause } = interruption;
  if (cause === undefined) return results;
  // standard output may be where nobody reads it any more
  if (cause !== "SIGINT" && r.keep.checkpoint) terminal.note(keptText(r.keep.checkpoint));
  if (cause === "output") throw new Reported();
  throw new Interrupted(statusOf[cause]);
}

async function writeResults(
  model: Model,
  last: TrainResult,
  { flags, compiled, facts, keep, keeper, files }: Run,
  written: (file: Written) => void,
): Promise<void> {
  const paused = last.reason === "paused";
  if (keep.checkpoint) {
    const bytes = await keeper!.save(model, last.train);
    written({ path: keep.checkpoint, bytes, what: "checkpoint" });
  }
  if (keep.weights && !paused) {
    const bytes = await model.checkpoint({ weights: true });
    writeWhole(keep.weights, bytes);
    written({ path: keep.weights, bytes: bytes.length, what: "weights" });
  }
  if (flags.out === undefined || paused) return;
  const { weightsFile } = await import("./artifact-texts.ts");
  const { classes, plansOf, writePlans } = await import("./compile.ts");
  const portable = await planModel(compiled.model, viewed(flags), classes, files); // what others can run, whatever this device is
  const options = {
    folder: flags.out,
    data: flags.data ?? compiled.model.folder,
    ...(keep.weights === join(flags.out, weightsFile) ? { weights: "there" as const } : {}),
  };
  for (const { path, bytes } of await writePlans(portable, plansOf(portable), options))
    written({ path: join(flags.out, path), bytes, what: "artifact" });
}
/** A page shows rows of the data. */
const viewed = (flags: TrainFlags): TrainFlags => ({ ...flags, views: flags.out !== undefined });
/** Training failed: what it had learned until then is kept, and the way to go on is told where errors are told. */
function rescue({ terminal, flags, keep, keeper }: Run, json: (event: object) => void): void {
  terminal.endUpdate();
  try {
    if (!keeper?.rescue()) return;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return terminal.note(`dlm: ${error.message}`); // beside what ended the training
  }
  const path = keep.checkpoint!;
  if (flags.json) json({ kind: "saved", path, what: "checkpoint", step: keeper.savedStep, resume: resumeText(path) });
  terminal.note(`step ${keeper.savedStep}, the last good state, is kept. ${keptText(path)}`);
}
/** The command line again, going on from the checkpoint. */
function resumeLine(args: readonly string[], checkpoint: string): string {
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (/^--(resume|stop-after)=/.test(args[i]!)) continue;
    if (/^--(resume|stop-after)$/.test(args[i]!)) i++;
    else kept.push(args[i]!);
  }
  const end = kept.indexOf("--"); // behind it are no options
  kept.splice(end < 0 ? kept.length : end, 0, "--resume", checkpoint);
  return commandLine(...kept);
}
const resumeText = (checkpoint: string): string => resumeLine(process.argv.slice(2), checkpoint);
const keptText = (checkpoint: string): string =>
  `${checkpoint} holds everything so far. To go on, to the same bits:\n  ${resumeText(checkpoint)}`;

// ---- what is said before and after

interface Written {
  readonly path: string;
  readonly bytes: number;
  readonly what: "checkpoint" | "weights" | "artifact" | string;
}
function start(
  terminal: Terminal,
  model: Model,
  { plan, model: file, seconds: compiling, memory }: Planned,
  facts: DeviceFacts,
): void {
  const { bold, dim } = styles(terminal.color);
  terminal.line(`${bold(file.path)} on ${deviceText(facts)}`);
  for (const [name, { rows, splits }] of Object.entries(model.data))
    terminal.line(
      `  ${name}: ${counted(rows, "row")}${
        Object.keys(splits).length > 1
          ? ` (${Object.entries(splits)
              .map(([split, n]) => `${split} ${n.toLocaleString("en")}`)
              .join(", ")})`
          : ""
      }`,
    );
  const steps = Object.entries(model.cost.trains).map(
    ([name, cost]) =>
      `${Object.keys(model.cost.trains).length > 1 ? `${name}: ` : ""}${counted(cost.dispatchesPerStep, "dispatch", "dispatches")} a step`,
  );
  terminal.line(
    dim(
      `  ${[counted(parameterCount(plan), "parameter"), counted(plan.modules.length, "kernel"), ...steps, `${byteText(model.cost.bytes)} on the device`, `compiled in ${seconds(compiling)}`].join(" · ")}`,
    ),
  );
  for (const { name, ...trade } of memory?.trades ?? []) terminal.line(dim(`  ${name}: ${tradeText(trade)}`));
}
function startEvent(model: Model, { plan, seconds: compiling }: Planned, facts: DeviceFacts): object {
  return {
    kind: "start",
    model: plan.name,
    compiler: plan.compiler,
    device: { class: facts.class, name: facts.name, vendor: facts.vendor, architecture: facts.architecture },
    plan: {
      target: plan.target,
      parameters: parameterCount(plan),
      bytes: model.cost.bytes,
      kernels: plan.modules.length,
      trains: model.cost.trains,
    },
    data: model.data,
    compileSeconds: compiling,
  };
}
/** Of the last block: what a script wants to know; of all blocks: under `results`. */
function doneEvent(results: readonly TrainResult[]): object {
  return {
    kind: "done",
    ...resultJson(results.at(-1)!),
    wallSeconds: performance.now() / 1000,
    results: Object.fromEntries(results.map((r) => [r.train, resultJson(r)])),
  };
}
function end(r: Run, results: readonly TrainResult[], files: readonly Written[]): void {
  const { terminal, flags, keep, recording } = r;
  const { model, plan } = r.compiled;
  const { bold, dim, cyan } = styles(terminal.color);
  const last = results.at(-1)!;
  terminal.line();
  if (last.reason === "paused") {
    if (r.stop?.aborted) return;
    if (!keep.checkpoint) return terminal.line("Nothing was kept (--no-save).");
    terminal.line(
      `${keep.checkpoint} holds everything so far (${byteText(files[0]?.bytes ?? 0)}). To go on, to the same bits:`,
    );
    return terminal.line(`  ${cyan(resumeText(keep.checkpoint))}`);
  }
  const row = (path: string, text: string): void => terminal.line(`  ${path.padEnd(34)} ${dim(text)}`);
  const folder = flags.out;
  const run = folderText(recording);
  if (folder !== undefined) {
    const shaders = files.filter((f) => f.path.endsWith(".wgsl"));
    const size = (name: string): string => byteText(files.find((f) => f.path === join(folder, name))?.bytes ?? 0);
    terminal.line(bold("Written"));
    row(
      join(folder, "shaders", "*.wgsl"),
      `${counted(shaders.length, "kernel")}, ${byteText(shaders.reduce((n, f) => n + f.bytes, 0))}`,
    );
    row(join(folder, "plan.json"), `what runs when, in which memory, ${size("plan.json")}`);
    row(
      join(folder, "trainer.mjs"),
      `trains anywhere: ${trainerCommand(plan, folder, flags.data ?? model.folder)}, ${size("trainer.mjs")}`,
    );
    row(join(folder, "index.html"), "trains in a browser, served together with its data");
  } else if (files.length || run !== undefined) terminal.line(bold("Written"));
  for (const f of files.filter((x) => x.what !== "artifact"))
    row(f.path, `${f.what === "weights" ? "weights" : "weights and all that --resume needs"}, ${byteText(f.bytes)}`);
  if (run !== undefined) row(run, "this run: settings, metrics, curves, checkpoint");
  if (flags.svg !== undefined) row(flags.svg, "its curves");
  const weights = keep.checkpoint ?? keep.weights;
  if (weights !== undefined) {
    terminal.line(bold("Next"));
    const again = [
      ...Object.entries(flags.set ?? {})
        .filter(([name]) => !["epochs", "steps", "batch", "accumulate"].includes(name))
        .flatMap(([name, value]) => ["--set", `${name}=${value}`]),
      ...(flags.data === undefined ? [] : ["--data", flags.data]),
    ];
    const next = (words: readonly string[], inputs: readonly string[] = []): void =>
      terminal.line(`  ${commandLine(...words, "--weights", weights, ...inputs, ...again)}`);
    if (plan.trains.some((t) => t.evaluate)) next(["eval", model.path]);
    const [x] = plan.exports;
    if (x)
      next(
        ["run", model.path, x.name],
        x.inputs.flatMap((i) => (i.optional === undefined ? ["--input", `${i.name}=FILE`] : [])),
      );
  }
  terminal.line(dim(`${seconds(performance.now() / 1000)} in all`));
}
