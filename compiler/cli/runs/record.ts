// Runs that were kept, read back. In: folders.   Out: what is known of each: settings, rows of metrics, how it ended. A folder of a run has
//   run.json        what was asked for, of what, on what; written before the first step
//   model.dlm       the text of the model
//   metrics.jsonl   rows as they come (metrics.csv: the same); a last line that was cut off is none
//   checkpoint.safetensors, .1, .2   as the file of --save
//   stretches.json  of a sweep's run: steps up to each checkpoint that have no row yet
//   report.json     how it ended; curves.svg
// and one of a sweep has sweep.json and a folder for each of its runs.
import * as fs from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { attempt } from "../../../runtime/files.ts";
import { nearest } from "../options.ts";
import { commandLine } from "../started.ts";
import { UserError } from "../problem.ts";
import type { MetricRow, Stretch } from "./metrics.ts";

export const usualRuns = "runs"; // the folder
/** Of run.json and sweep.json. A number more where what is in them means something else; files without one are of format 1. */
export const format = 1;

export interface BlockSettings {
  readonly batch: number;
  readonly accumulate: number;
  readonly seed: number;
  readonly epochs?: number;
  readonly steps?: number;
}
export interface RunRecord {
  readonly kind: "run";
  readonly format?: number;
  readonly model: string; // its path, as it was written
  readonly command: readonly string[];
  readonly began: string; // ISO 8601
  readonly host: string;
  readonly process: number;
  readonly settings: {
    readonly set: Readonly<Record<string, string>>;
    readonly seed: number | null; // null: each block its own
    readonly data: string | null; // the folder of --data
    readonly epochs?: number; // of --epochs
    readonly steps?: number; // of --steps
    readonly trains: Readonly<Record<string, BlockSettings>>;
  };
  readonly versions: Readonly<Record<string, string>>;
  readonly device: Readonly<Record<string, string>>;
  readonly plan: Readonly<Record<string, string | number>>;
  readonly imports: Readonly<Record<string, string>>; // SHA-256 by path
  readonly rows: Readonly<Record<string, Readonly<Record<string, number>>>>; // of data sets, by split
  readonly resumed: { readonly from: string; readonly step: number } | null;
}
/** finished, stalled, paused: as the runtime says; diverged: a loss that is no number; failed: anything else. */
export type RunStatus = "finished" | "stalled" | "paused" | "diverged" | "failed";
export interface RunReport {
  readonly kind: "report";
  readonly status: RunStatus;
  readonly ended: string;
  readonly seconds: number; // of training
  readonly error?: string;
  readonly results: Readonly<Record<string, unknown>>; // by block, as `done` of --json has them
}
export interface KeptRun {
  readonly path: string;
  readonly name: string;
  readonly record: RunRecord;
  readonly text: string | undefined; // of the model; undefined where it is not there
  readonly rows: readonly MetricRow[];
  readonly report: RunReport | undefined;
  readonly state: RunStatus | "running" | "killed";
}
export const files = {
  run: "run.json",
  model: "model.dlm",
  lines: "metrics.jsonl",
  table: "metrics.csv",
  checkpoint: "checkpoint.safetensors",
  stretches: "stretches.json",
  report: "report.json",
  curves: "curves.svg",
  sweep: "sweep.json",
} as const;

/** What JSON has no number for is written as a string. */
const numbers = (values: unknown): Record<string, number> =>
  Object.fromEntries(Object.entries(isObject(values) ? values : {}).map(([name, value]) => [name, Number(value)]));
const isObject = (x: unknown): x is Readonly<Record<string, unknown>> =>
  typeof x === "object" && x !== null && !Array.isArray(x);
export function readJson(path: string): Readonly<Record<string, unknown>> | undefined {
  let found: unknown;
  attempt(() => (found = JSON.parse(fs.readFileSync(path, "utf8"))));
  return isObject(found) ? found : undefined;
}
const isNewer = (x: Readonly<Record<string, unknown>>): boolean =>
  typeof x["format"] === "number" && x["format"] > format;
/** Why a folder holds no run or sweep that can be read, as the end of a sentence. */
export function unreadable(path: string): string {
  const found = [files.run, files.sweep].map((name) => readJson(join(path, name))).find((x) => x && isNewer(x));
  return found
    ? `is of a newer dlm: format ${String(found["format"])}, and this one reads ${format}`
    : "cannot be read";
}
const isRecord = (x: unknown): x is RunRecord =>
  isObject(x) &&
  x["kind"] === "run" &&
  !isNewer(x) &&
  typeof x["model"] === "string" &&
  typeof x["began"] === "string" &&
  isObject(x["settings"]) &&
  isObject(x["settings"]["set"]) &&
  isObject(x["settings"]["trains"]) &&
  [x["versions"], x["device"], x["plan"], x["imports"], x["rows"]].every(isObject);
const isReport = (x: unknown): x is RunReport =>
  isObject(x) && x["kind"] === "report" && typeof x["status"] === "string" && isObject(x["results"]);

export function readRows(path: string): readonly MetricRow[] {
  let text = "";
  attempt(() => (text = fs.readFileSync(path, "utf8")));
  return text.split("\n").flatMap((line): MetricRow[] => {
    let row: unknown;
    attempt(() => (row = JSON.parse(line)));
    if (!isObject(row) || typeof row["train"] !== "string" || typeof row["step"] !== "number") return [];
    return [
      {
        train: row["train"],
        step: row["step"],
        ...(typeof row["epoch"] === "number" ? { epoch: row["epoch"] } : {}),
        ...(typeof row["split"] === "string" ? { split: row["split"] } : {}),
        seconds: Number(row["seconds"]),
        values: numbers(row["values"]),
      },
    ];
  });
}
/** Those of a run's folder that make sense. */
export function readStretches(folder: string): readonly Stretch[] {
  let found: unknown;
  attempt(() => (found = JSON.parse(fs.readFileSync(join(folder, files.stretches), "utf8"))));
  return Array.isArray(found) ? found.filter(isStretch).map((x) => ({ ...x, sums: numbers(x.sums) })) : [];
}
const isStretch = (x: unknown): x is Stretch =>
  isObject(x) &&
  typeof x["train"] === "string" &&
  Number.isSafeInteger(x["step"]) &&
  Number.isSafeInteger(x["count"]) &&
  (x["count"] as number) > 0 &&
  (x["count"] as number) <= (x["step"] as number) &&
  isObject(x["sums"]) &&
  Object.values(x["sums"]).every((sum) => typeof sum === "number" || sum === String(Number(sum)));
/** Undefined where there is no run, or none that can be read. */
export function readRun(path: string): KeptRun | undefined {
  const record = readJson(join(path, files.run));
  if (!isRecord(record)) return undefined;
  const found = readJson(join(path, files.report));
  const report = isReport(found) ? found : undefined;
  let text: string | undefined;
  attempt(() => (text = fs.readFileSync(join(path, files.model), "utf8")));
  return {
    path,
    name: basename(path),
    record,
    text,
    rows: readRows(join(path, files.lines)),
    report,
    state: report?.status ?? (isAlive(record) ? "running" : "killed"),
  };
}
/** As far as this machine can tell. */
function isAlive({ host, process: id }: RunRecord): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // another user's
  }
}

/** Folders of runs, the oldest first; those of sweeps stand for their runs. */
export function runFolders(folder: string): readonly string[] {
  let names: string[] = [];
  attempt(() => (names = fs.readdirSync(folder)));
  return names
    .sort()
    .map((name) => join(folder, name))
    .filter((path) => [files.run, files.sweep].some((name) => isFile(join(path, name))));
}
const isFile = (path: string): boolean => {
  let found = false;
  attempt(() => (found = fs.statSync(path).isFile()));
  return found;
};
export const isSweep = (path: string): boolean => isFile(join(path, files.sweep));

/** The run or sweep that is meant: a folder, a name among the kept ones, or a part of one name. */
export function findRun(wanted: string, folder: string): string {
  const isThere = (path: string): boolean => isFile(join(path, files.run)) || isSweep(path);
  for (const path of [wanted, join(folder, wanted)]) if (isThere(path)) return path;
  const all = runFolders(folder);
  const within = all.flatMap((path) => (isSweep(path) ? runFolders(path) : []));
  const found =
    [all, within].map((paths) => paths.filter((path) => basename(path).includes(wanted))).find((p) => p.length) ?? [];
  if (found.length === 1) return found[0]!;
  const names = all.map((path) => basename(path));
  if (found.length)
    throw new UserError(
      `${wanted} is a part of ${found.length} names: ${found
        .slice(0, 8)
        .map((p) => basename(p))
        .join(", ")}${found.length > 8 ? ", …" : ""}`,
    );
  throw new UserError(
    all.length
      ? `there is no run ${wanted} in ${folder}; \`${commandLine("runs", ...(folder === usualRuns ? [] : ["--runs", folder]))}\` lists them${nearest(wanted, names)}`
      : `there are no runs in ${folder}: dlm train leaves them there (--runs FOLDER names another)`,
  );
}
