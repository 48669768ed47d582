// dlm runs and dlm compare. In: folders of runs.   Out: a table of them; what is different between some, with their curves, and a picture.
import { basename, join } from "node:path";
import { jsonText } from "../../../runtime/tensor.ts";
import { checkWritable, writeWhole } from "../files.ts";
import { nearest } from "../options.ts";
import { UsageError, UserError } from "../problem.ts";
import { duration, numberText, openTerminal, styles, type Terminal } from "../terminal.ts";
import { curvesSvg } from "./curves-svg.ts";
import { curveLines, letterOf, paint } from "./curves-text.ts";
import { heldOut, panelsOf } from "./curves.ts";
import { lineDifferences, settingDifferences } from "./differences.ts";
import type { MetricRow } from "./metrics.ts";
import {
  files,
  findRun,
  isSweep,
  readJson,
  readRun,
  runFolders,
  unreadable,
  usualRuns,
  type KeptRun,
} from "./record.ts";
import { tableLines, type Column } from "./table.ts";

/** The last numbers of what was held out, of its first split; else of the batches. */
export function lastOf(rows: readonly MetricRow[]): { readonly split: string; readonly row: MetricRow } | undefined {
  const train = rows.at(-1)?.train;
  const own = rows.filter((row) => row.train === train);
  const last = (split: string | undefined): MetricRow | undefined => own.findLast((row) => row.split === split);
  const splits = [...new Set(own.flatMap(({ split }) => (split === undefined ? [] : [split])))];
  const chosen = splits.find((split) => split !== "train") ?? splits[0];
  const row = last(chosen) ?? last(undefined);
  return row && { split: chosen ?? "batch", row };
}
const figures = (run: KeptRun): string => {
  const found = lastOf(run.rows);
  if (!found) return "";
  const numbers = Object.entries(found.row.values).map(([name, value]) => `${name} ${numberText(value)}`);
  return `${found.split}: ${numbers.join("  ")}`;
};
const setText = ({ record: { settings } }: KeptRun): string =>
  [
    ...Object.entries(settings.set).map(([name, value]) => `${name}=${value}`),
    ...(settings.epochs === undefined ? [] : [`epochs=${settings.epochs}`]),
    ...(settings.steps === undefined ? [] : [`steps=${settings.steps}`]),
    ...(settings.seed === null ? [] : [`seed=${settings.seed}`]),
  ].join(" ");
const stepOf = ({ rows }: KeptRun): number => rows.at(-1)?.step ?? 0;

export interface RunsFlags {
  readonly runs?: string;
  readonly json?: boolean;
}
/** `folder`: of runs, or of a sweep. */
export function list(wanted: string | undefined, flags: RunsFlags): void {
  const terminal = openTerminal(flags.json === true);
  const parent = flags.runs ?? usualRuns;
  const folder = wanted === undefined ? parent : runFolders(wanted).length ? wanted : findRun(wanted, parent);
  const paths = wanted !== undefined && readRun(folder) ? [folder] : runFolders(folder);
  if (flags.json) {
    for (const path of paths) terminal.line(jsonText(isSweep(path) ? sweepJson(path) : runJson(readRun(path), path)));
    return;
  }
  if (!paths.length) return terminal.line(`there are no runs in ${folder}: dlm train leaves them there`);
  const rows = paths.map((path) => {
    if (isSweep(path)) return sweepRow(path);
    const run = readRun(path);
    if (!run) return [basename(path), "unreadable", "", "", "", `it ${unreadable(path)}`];
    const { seconds = run.rows.at(-1)?.seconds ?? 0 } = run.report ?? {};
    return [run.name, run.state, String(stepOf(run)), duration(seconds), setText(run), figures(run)];
  });
  print(
    terminal,
    [
      { title: "run" },
      { title: "state" },
      { title: "steps", right: true },
      { title: "time", right: true },
      { title: "settings" },
      { title: "last measured" },
    ],
    rows,
  );
}
function print(terminal: Terminal, columns: readonly Column[], rows: readonly (readonly string[])[]): void {
  const [head = "", ...lines] = tableLines(columns, rows);
  terminal.line(styles(terminal.color).dim(head));
  for (const line of lines) terminal.line(line);
}
function runJson(run: KeptRun | undefined, path: string): object {
  if (!run) return { kind: "run", path, name: basename(path), state: "unreadable", error: `it ${unreadable(path)}` };
  const { rows, record, report, state, name } = run;
  const found = lastOf(rows);
  return {
    kind: "run",
    path,
    name,
    state,
    model: record.model,
    began: record.began,
    settings: record.settings,
    step: stepOf(run),
    seconds: report?.seconds ?? rows.at(-1)?.seconds ?? 0,
    ...(found ? { split: found.split, values: found.row.values } : {}),
    ...(report?.error === undefined ? {} : { error: report.error }),
  };
}
function progressOf(path: string): { readonly done: number; readonly of: number; readonly model: string } {
  const sweep = readJson(join(path, files.sweep)) ?? {};
  const { cells, model, unbegun } = sweep;
  // runs that could not begin, a batch that does not fit say, have no folder
  const of = (Array.isArray(cells) ? cells.length : 0) - (typeof unbegun === "number" ? unbegun : 0);
  const isOver = (run: KeptRun | undefined): boolean => run?.report !== undefined && run.state !== "paused";
  return { done: runFolders(path).filter((p) => isOver(readRun(p))).length, of, model: String(model ?? "") };
}
function sweepRow(path: string): readonly string[] {
  const { done, of } = progressOf(path);
  return [basename(path), done === of ? "finished" : "unfinished", "", "", `${done} of ${of} runs`, ""];
}
function sweepJson(path: string): object {
  return { kind: "sweep", path, name: basename(path), ...progressOf(path) };
}

// ---- compare

export interface CompareFlags extends RunsFlags {
  readonly metric?: string;
  readonly svg?: string;
}
const mostDifferent = 24; // lines of two texts

export function compareRuns(wanted: readonly string[], flags: CompareFlags): void {
  const terminal = openTerminal(flags.json === true);
  if (flags.svg !== undefined) checkWritable(flags.svg);
  const paths = wanted.map((name) => findRun(name, flags.runs ?? usualRuns));
  const runs = paths
    .flatMap((path) => (isSweep(path) ? runFolders(path) : [path]))
    .map((path) => {
      const run = readRun(path);
      if (!run) throw new UserError(`the run ${path} ${unreadable(path)}`);
      return run;
    });
  if (runs.length < 2)
    throw new UserError(`only one run is named, ${runs[0]?.path}: name another one to compare it with`);
  const panels = panelsOf(runs);
  const metrics = [...new Set(panels.map((p) => p.metric))];
  const { metric = metrics[0] } = flags;
  const panel = panels.findLast((p) => p.metric === metric);
  if (metric !== undefined && !panel)
    throw new UsageError(`no run has the metric ${metric}; there are ${metrics.join(", ")}${nearest(metric, metrics)}`);
  const different = settingDifferences(runs);
  const gone = runs.filter((run) => run.text === undefined);
  const [first, second] = runs.map((run) => run.text);
  const text =
    runs.length === 2 && first !== undefined && second !== undefined ? lineDifferences(first, second) : undefined;
  if (flags.svg !== undefined) writeWhole(flags.svg, curvesSvg(runs));
  if (flags.json)
    return terminal.line(
      jsonText({
        kind: "comparison",
        runs: runs.map((run) => runJson(run, run.path)),
        settings: Object.fromEntries(different),
        ...(text ? { text } : {}),
        ...(flags.svg === undefined ? {} : { svg: flags.svg }),
      }),
    );
  const { bold, dim, green, red } = styles(terminal.color);
  const width = letterOf(runs.length - 1).length;
  runs.forEach((run, i) => {
    const measured = figures(run);
    const parts = [paint(terminal.color, i)(letterOf(i).padEnd(width)), bold(run.name), run.state];
    terminal.line([...parts, ...(measured ? [dim(measured)] : [])].join("  "));
  });
  terminal.line();
  if (different.size)
    print(
      terminal,
      [{ title: "setting" }, ...runs.map((_, i) => ({ title: letterOf(i) }))],
      [...different].map(([name, values]) => [name, ...values.map((value) => value || "-")]),
    );
  else terminal.line("the settings are the same");
  if (text?.length) {
    terminal.line();
    terminal.line(dim("model"));
    for (const line of text.slice(0, mostDifferent)) terminal.line(line.startsWith("-") ? red(line) : green(line));
    if (text.length > mostDifferent) terminal.line(dim(`… ${text.length - mostDifferent} more lines`));
  } else if (gone.length)
    terminal.line(`the text of the model is not kept in ${gone.map((run) => run.path).join(", ")}`);
  else if (runs.some((run) => run.text !== runs[0]!.text)) terminal.line("the texts of the models are different");
  if (panel) {
    const series = heldOut(panel.series);
    const splits = [...new Set(series.map((s) => s.split ?? "batches"))];
    terminal.line();
    terminal.line(`${bold(panel.metric)} ${dim(`of ${splits.join(", ")}, by step`)}`);
    for (const line of curveLines(series, Math.min(terminal.width, 100), terminal.color)) terminal.line(line);
  }
  if (flags.svg !== undefined) terminal.line(`\n${flags.svg}  ${dim("all curves")}`);
}
