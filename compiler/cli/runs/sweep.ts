// dlm sweep: many runs of one model in one process. In: a model, values of constants, seeds.   Out: a folder with a folder for every run, a table, a heat map,
// curves. Runs with the same values share a compilation, and all share the kernels that are the same. What was done before an interruption is not done again.
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { DataFiles } from "../../../runtime/api.ts";
import { deviceText } from "../../../runtime/device.ts";
import { attempt, makeFolders } from "../../../runtime/files.ts";
import { oftenOf } from "../../../runtime/keeper.ts";
import type { OpenedDevice } from "../../../runtime/node.ts";
import { jsonText } from "../../../runtime/tensor.ts";
import { interruptible, statusOf, type Interruption } from "../../../runtime/unattended.ts";
import { analyse } from "../../front.ts";
import { counted } from "../../print/text.ts";
import { deviceFor } from "../device.ts";
import { checkWritable, writeWhole } from "../files.ts";
import { nearest } from "../options.ts";
import { commandLine } from "../started.ts";
import { compileOptions, dataFiles, openModel, reportDiagnostics, type ModelFile, type ModelFlags } from "../model.ts";
import { Interrupted, Reported, UsageError, UserError } from "../problem.ts";
import { figuresOf, seconds, textProgress } from "../progress.ts";
import { onOutputLost, openTerminal, styles, type Terminal } from "../terminal.ts";
import { doneBefore, runCell, type CellFlags, type Shared } from "./cell.ts";
import { curvesPart, frame, style } from "./curves-svg.ts";
import type { Named } from "./curves.ts";
import { dateName, newFolder, plainName } from "./folder.ts";
import { cellsOf, cellText, type Cell, type Grid } from "./grid.ts";
import {
  bestOf,
  csvOf,
  heatLines,
  heatSvg,
  isGood,
  pointLines,
  pointsOf,
  type CellOutcome,
  type Goal,
} from "./outcome.ts";
import { files as names, findRun, format, readJson, readRun, runFolders, unreadable, usualRuns } from "./record.ts";

const mostLosses = 3; // of the device, in one run
const lossMilliseconds = 100;

export interface SweepFlags extends CellFlags {
  readonly grid?: Grid;
  readonly seeds?: number | readonly number[];
  readonly device?: string;
  readonly by?: string;
  readonly mode?: "min" | "max";
  readonly runs?: string;
  readonly resume?: string;
  readonly svg?: string;
  readonly json?: boolean;
}
/** What is kept of a sweep: all that going on needs. */
interface SweepRecord {
  readonly kind: "sweep";
  readonly format?: number;
  readonly model: string;
  readonly sha256: string; // of the text
  readonly began: string;
  readonly command: readonly string[];
  readonly grid: Grid;
  readonly seeds: readonly number[];
  readonly flags: CellFlags;
  readonly device: string | null; // --device
  readonly goal: { readonly by: string | null; readonly mode: "min" | "max" | null };
  readonly cells: readonly string[]; // names of their folders
}
interface Sweep {
  readonly record: SweepRecord;
  readonly path: string;
  readonly model: ModelFile;
  readonly cells: readonly Cell[];
}

export async function sweep(path: string | undefined, flags: SweepFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  if (flags.svg !== undefined) checkWritable(flags.svg);
  const s = flags.resume === undefined ? await begun(path, flags) : reopened(path, flags.resume, flags);
  const files = dataFiles(s.model, s.record.flags);
  const interruption = interruptible(() => {
    if (!flags.json) terminal.note("stopping at the next step; Ctrl-C once more stops at once");
  });
  onOutputLost(() => interruption.outputLost());
  try {
    await runOn(s, files, interruption, terminal, flags);
  } finally {
    interruption.end();
    onOutputLost(undefined);
    if (flags.resume === undefined && interruption.cause === undefined) removeUnbegun(s.path);
  }
  const { cause } = interruption;
  if (cause === undefined) return;
  if (cause === "output") terminal.note("standard output takes no more");
  terminal.note(`${s.path} holds everything so far. To go on:\n  ${resumeText(s.path)}`);
  throw cause === "output" ? new Reported() : new Interrupted(statusOf[cause]);
}
/** On a device, and on another one where that is lost. */
async function runOn(
  s: Sweep,
  files: DataFiles,
  interruption: Interruption,
  terminal: Terminal,
  flags: SweepFlags,
): Promise<void> {
  const { record } = s;
  const choice = flags.device ?? record.device ?? undefined;
  let opened = await deviceFor(choice);
  try {
    say(s, opened, terminal, flags);
    const shared = (): Shared => ({
      ...{ model: s.model, flags: record.flags, files, opened, kernels: new Map(), signal: interruption.signal },
      note: (text) => terminal.note(text),
      compiled: undefined,
    });
    const reopen = async (): Promise<Shared> => {
      opened.close();
      opened = await deviceFor(choice);
      return shared();
    };
    const done = await runAll(s, shared(), reopen, interruption, terminal, flags.json === true);
    const isNoneGood = done.outcomes.filter((o) => !isGood(o)).length === s.cells.length;
    if (!isNoneGood || runFolders(s.path).length) ended(s, done, terminal, flags); // else none began
    if (isNoneGood) throw new Reported();
  } finally {
    opened.close();
  }
}
/** Of a sweep of which no run began there is nothing to go on with. */
function removeUnbegun(path: string): void {
  if (!runFolders(path).length) attempt(() => fs.rmSync(path, { recursive: true, force: true }));
}
const resumeText = (path: string): string => commandLine("sweep", "--resume", path);
const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

// ---- beginning

async function begun(path: string | undefined, flags: SweepFlags): Promise<Sweep> {
  if (path === undefined) throw new UsageError("dlm sweep MODEL --grid name=value,value, or --resume FOLDER");
  const grid = flags.grid ?? {};
  if (!Object.keys(grid).length && flags.seeds === undefined)
    throw new UsageError("nothing to vary: --grid name=value,value or --seeds 3");
  const twice = Object.keys(grid).find((name) => Object.hasOwn(flags.set ?? {}, name));
  if (twice !== undefined) throw new UsageError(`${twice} has a value by --set and several by --grid`);
  for (const name of ["epochs", "steps"] as const)
    if (grid[name] && flags[name] !== undefined)
      throw new UsageError(`${name} has a value by --${name} and several by --grid`);
  const model = openModel(path);
  const seeds = seedsOf(flags, await checked(model, grid, flags));
  const cells = cellsOf(grid, seeds);
  const digits = String(cells.length).length;
  const { set, data, maxData, steps, epochs, checkpoint, keep, save, tensorboard } = flags;
  const given = Object.entries({ set, data, maxData, steps, epochs, checkpoint, keep, save, tensorboard });
  const record: SweepRecord = {
    kind: "sweep",
    format,
    model: path,
    sha256: hashOf(model.text),
    began: new Date().toISOString(),
    command: process.argv.slice(2),
    grid,
    seeds,
    flags: Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    device: flags.device ?? null,
    goal: { by: flags.by ?? null, mode: flags.mode ?? null },
    cells: cells.map(
      (cell, i) => `${String(i + 1).padStart(digits, "0")}-${plainName(cellText(cell, true).replaceAll(" ", ","))}`,
    ),
  };
  const folder = newFolder(
    flags.runs ?? usualRuns,
    `${dateName(new Date())}-${plainName(basename(model.name, ".dlm"))}-sweep`,
  );
  writeWhole(join(folder, names.sweep), `${jsonText(record, 2)}\n`);
  return { record, path: folder, model, cells };
}
/** The seed of the first train block. Every value is tried alone, so that what is wrong with one is told before an hour of the others. */
async function checked(model: ModelFile, grid: Grid, flags: ModelFlags & Pick<SweepFlags, "by">): Promise<number> {
  const analysed = async (set: Readonly<Record<string, string>>): Promise<ReturnType<typeof analyse>> =>
    analyse(model.text, await compileOptions(model, { ...flags, set: { ...flags.set, ...set } }));
  const plain = await analysed({});
  reportDiagnostics(plain.diagnostics, model, plain.program !== undefined, flags);
  const [block] = plain.program!.trains; // else Reported was thrown
  if (!block) throw new UserError(`${model.path} has no train block, so there is nothing to train`);
  const metrics = [...new Set(plain.program!.trains.flatMap(({ columns }) => columns))];
  if (flags.by !== undefined && !metrics.includes(flags.by))
    throw new UsageError(
      `--by ${flags.by}: ${model.path} measures no such thing; there ${metrics.length === 1 ? "is" : "are"} ${metrics.join(", ")}${nearest(flags.by, metrics)}`,
    );
  const consts = plain.file.items.flatMap((item) => (item.kind === "const" ? [item.name.text] : []));
  const first = Object.fromEntries(Object.entries(grid).map(([name, values]) => [name, values[0]!]));
  for (const [name, values] of Object.entries(grid))
    for (const value of values) {
      const { diagnostics, program } = await analysed({ ...first, [name]: value });
      if (program) continue;
      try {
        reportDiagnostics(diagnostics, model, false, flags);
      } catch (error) {
        const why = error instanceof UserError ? error.message : `${model.path} has errors with this value`;
        const hint = consts.includes(name)
          ? ""
          : `. A value that varies is a const: write \`const ${name} = ${value}\` and use \`${name}\``;
        throw new UsageError(`--grid ${name}=${value}: ${why}${isSetting(name) ? "" : hint}`);
      }
    }
  return block.seed;
}
const isSetting = (name: string): boolean => ["epochs", "steps", "batch", "accumulate"].includes(name);
function seedsOf({ seeds = 1, seed }: SweepFlags, own: number): readonly number[] {
  if (typeof seeds !== "number") return seeds;
  return Array.from({ length: seeds }, (_, i) => (seed ?? own) + i);
}
function reopened(path: string | undefined, wanted: string, flags: SweepFlags): Sweep {
  if (path !== undefined || flags.grid || flags.seeds !== undefined)
    throw new UsageError("--resume goes on with the model, grid and seeds that the sweep began with: leave them out");
  const folder = findRun(wanted, flags.runs ?? usualRuns);
  const record = readJson(join(folder, names.sweep));
  if (!isSweepRecord(record) || (record.format ?? 1) > format)
    throw new UserError(`the sweep ${folder} ${unreadable(folder)}`);
  const model = openModel(record.model);
  if (hashOf(model.text) !== record.sha256)
    throw new UserError(
      `${record.model} was changed since the sweep began, so that its runs could not be compared: begin a new one`,
    );
  const { checkpoint } = record.flags;
  const often = typeof checkpoint === "string" ? oftenOf(checkpoint) : checkpoint;
  const kept = { ...record, flags: { ...record.flags, ...(often === undefined ? {} : { checkpoint: often }) } };
  return { record: kept, path: folder, model, cells: cellsOf(record.grid, record.seeds) };
}
const isSweepRecord = (x: unknown): x is SweepRecord =>
  typeof x === "object" &&
  x !== null &&
  "kind" in x &&
  x.kind === "sweep" &&
  ["model", "sha256"].every((name) => typeof Reflect.get(x, name) === "string") &&
  ["grid", "flags", "goal"].every((name) => typeof Reflect.get(x, name) === "object") &&
  ["seeds", "cells"].every((name) => Array.isArray(Reflect.get(x, name)));

function say({ record, path, cells }: Sweep, { facts }: OpenedDevice, terminal: Terminal, flags: SweepFlags): void {
  if (flags.json)
    return terminal.line(
      jsonText({
        kind: "sweep",
        path,
        model: record.model,
        grid: record.grid,
        seeds: record.seeds,
        runs: cells.length,
      }),
    );
  const { bold, dim } = styles(terminal.color);
  terminal.line(`${bold(record.model)} on ${deviceText(facts)}`);
  terminal.line(`  ${counted(cells.length, "run")} in ${join(path, "")}`);
  terminal.line(dim(`  after an interruption: ${resumeText(path)}`));
}

// ---- running

interface Done {
  readonly outcomes: readonly CellOutcome[];
  readonly curves: readonly Named[];
}
async function runAll(
  s: Sweep,
  first: Shared,
  reopen: () => Promise<Shared>,
  { signal }: Interruption,
  terminal: Terminal,
  json: boolean,
): Promise<Done> {
  const outcomes: CellOutcome[] = [];
  const curves: Named[] = [];
  const withSeed = s.record.seeds.length > 1;
  let shared = first;
  for (const [i, cell] of s.cells.entries()) {
    if (signal.aborted) break;
    const path = join(s.path, s.record.cells[i]!);
    const before = doneBefore(cell, path);
    const name = cellText(cell, withSeed);
    const label = `${String(i + 1).padStart(String(s.cells.length).length)}/${s.cells.length}  ${name}`;
    // the live line alone: what one run has to say is a line of the table
    const quiet: Terminal = {
      ...terminal,
      width: terminal.width - label.length - 2,
      line: () => {},
      update: (text) => terminal.update(`${label}  ${text}`),
    };
    let run = before && { outcome: before, rows: readRun(path)?.rows ?? [] };
    for (let tries = 0; !run; tries++) {
      const made = await runCell(shared, cell, folderFor(path, shared.note), textProgress(quiet, 1));
      const isLost = made.outcome.state === "failed" && (await lostSoon(shared.opened.device));
      if (isLost) shared = await reopen();
      removeEmpty(path); // of one that did not begin
      if (isLost && tries < mostLosses) shared.note("the device was lost: the run goes on, on a new one");
      else run = made;
    }
    const { outcome, rows } = run;
    terminal.endUpdate();
    if (outcome.state === "paused") break;
    outcomes.push(outcome);
    curves.push({ name: cellText(cell, false) || name, rows, group: cell.point });
    if (json)
      terminal.line(jsonText({ kind: "run", path, set: cell.values, ...outcome, cell: undefined, seed: cell.seed }));
    else if (!before) terminal.line(lineOf(label, outcome, terminal));
    const why = sameFor(outcomes);
    if (why !== undefined) throw new UserError(`${why}; no other run is tried`);
  }
  return { outcomes, curves };
}
/** What the first two runs failed of before they learned anything, data that are not there, say. */
function sameFor(outcomes: readonly CellOutcome[]): string | undefined {
  const [first, second] = outcomes;
  if (outcomes.length !== 2 || !outcomes.every((o) => o.state === "failed" && !Object.keys(o.values).length))
    return undefined;
  return first!.error === second!.error ? first!.error : undefined;
}
/** The loss of a device is told a little after what it ended. */
const lostSoon = (device: GPUDevice): Promise<boolean> =>
  Promise.race([device.lost.then(() => true), wait(lossMilliseconds).then(() => false)]);
/** A run that has no folder is still worth what it measures. */
function folderFor(path: string, note: (text: string) => void): string | undefined {
  try {
    makeFolders(fs, path);
    return path;
  } catch (error) {
    note(
      `no folder can be made at ${path}: ${error instanceof Error ? error.message : String(error)}; the run goes on`,
    );
    return undefined;
  }
}
function removeEmpty(path: string): void {
  attempt(() => fs.rmdirSync(path));
}
function lineOf(label: string, { state, values, seconds: took, error }: CellOutcome, terminal: Terminal): string {
  const { dim, red } = styles(terminal.color);
  if (error !== undefined)
    return `${label}  ${red(state)}  ${dim(state === "diverged" ? error.split(/; |: a smaller/)[0]! : error)}`;
  return `${label}  ${figuresOf(values)}  ${dim(seconds(took))}`;
}

// ---- the end

/** By loss, the least; another metric's greatest, unless said otherwise. */
function goalOf({ goal: { by, mode } }: SweepRecord, outcomes: readonly CellOutcome[]): Goal {
  const known = [...new Set(outcomes.flatMap((o) => Object.keys(o.values)))];
  const metric = by ?? (known.includes("loss") || !known.length ? "loss" : known[0]!);
  return { metric, mode: mode ?? (metric === "loss" ? "min" : "max") };
}
function ended(s: Sweep, { outcomes, curves }: Done, terminal: Terminal, flags: SweepFlags): void {
  const { grid } = s.record;
  const goal = goalOf(s.record, outcomes);
  const points = pointsOf(outcomes);
  const best = points.length > 1 ? bestOf(points, goal) : undefined; // of one there is none
  const unbegun = s.cells.length - runFolders(s.path).length;
  if (outcomes.length === s.cells.length && unbegun > 0)
    attempt(() => writeWhole(join(s.path, names.sweep), `${jsonText({ ...s.record, unbegun }, 2)}\n`));
  const write = (place: string, text: string): void => {
    try {
      writeWhole(place, text);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      terminal.note(error.message); // all of it is in the folders of the runs, too
    }
  };
  write(join(s.path, "results.csv"), csvOf(outcomes, grid));
  const picture = outcomes.length ? sweepSvg(s, outcomes, curves, goal) : "";
  if (picture) write(join(s.path, "sweep.svg"), picture);
  if (picture && flags.svg !== undefined) writeWhole(flags.svg, picture);
  if (flags.json)
    return terminal.line(
      jsonText({
        kind: "done",
        path: s.path,
        runs: outcomes.length,
        of: s.cells.length,
        failed: outcomes.filter((o) => !isGood(o)).length,
        goal,
        best: best ? { set: best.values, means: best.means, deviations: best.deviations } : null,
        points: points.map(({ values, means, deviations, runs, failed }) => ({
          set: values,
          means,
          deviations,
          runs,
          failed: failed.length,
        })),
      }),
    );
  if (!outcomes.length) return;
  const { bold, dim, green } = styles(terminal.color);
  const print = ([head = "", ...lines]: readonly string[]): void => {
    terminal.line();
    terminal.line(dim(head));
    for (const line of lines) terminal.line(/ best$/.test(line) ? green(line) : line);
  };
  print(pointLines(points, grid, best));
  if (Object.keys(grid).length > 1) {
    terminal.line();
    terminal.line(`${bold(goal.metric)} ${dim(`the ${goal.mode === "min" ? "least" : "greatest"} is best`)}`);
    for (const line of heatLines(points, grid, goal)) terminal.line(line);
  }
  terminal.line();
  terminal.line(`  ${flags.svg ?? join(s.path, "sweep.svg")}  ${dim("heat map and curves")}`);
  terminal.line(`  ${join(s.path, "results.csv")}  ${dim("all runs")}`);
}
function sweepSvg(
  { record, path }: Sweep,
  outcomes: readonly CellOutcome[],
  curves: readonly Named[],
  goal: Goal,
): string {
  const heat = heatSvg(pointsOf(outcomes), record.grid, goal);
  const lines = curvesPart(curves);
  const top = heat.height + 16;
  return frame(
    Math.max(heat.width + 16, lines.width),
    top + lines.height,
    `Sweep ${basename(path)}`,
    style(lines.colors),
    `<g transform="translate(16 16)">${heat.svg}</g><g transform="translate(0 ${top})">${lines.svg}</g>`,
  );
}
