// Settings of a train block: what it reads of its data, how long it runs, and when it measures, stops, saves and loads.
// In: the block, and what is set from outside. Out: settings; every wrong one is told of, the others are kept.
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import type { Often } from "../../../runtime/plan.ts";
import { baseContext, type Context, evaluate, type Interpreter, type Scope, type Value } from "../context.ts";
import { type DatasetState, trainingCount } from "../data/dataset.ts";
import { ambientScope, type Attempt } from "../declarations.ts";
import * as errors from "../errors.ts";
import type { ElaborateOptions, TrainProgram } from "../program.ts";
import { kindText, knownBool } from "../values.ts";
import { type Measured, measuredBy, readCall, readCompared } from "./measured.ts";
import { readOften } from "./often.ts";

export interface TrainSettings {
  batch: number;
  accumulate: number;
  shuffle: boolean;
  seed: number;
  epochs?: number;
  steps?: number;
  evaluateEvery?: number;
  sample?: number; // rows of a split that are measured in training; all if absent
  stop?: TrainProgram["stop"];
  save?: TrainProgram["save"];
  load: { path: string; into?: string }[];
  checkpoint?: Often;
  keep?: number;
  compared: { metric: string; span: Span }[]; // what `stop` and `save` name
}
export const settingNames: readonly string[] =
  "epochs steps seed accumulate evaluate sample stop save load checkpoint keep".split(" ");

export function trainSettings(
  self: Interpreter,
  item: ast.Train,
  scope: Scope,
  datasets: ReadonlyMap<string, DatasetState>,
  options: ElaborateOptions,
  attempt: Attempt,
): { settings: TrainSettings; data: DatasetState | undefined } {
  const settings: TrainSettings = { batch: 1, accumulate: 1, shuffle: true, seed: 0, load: [], compared: [] };
  const ctx = baseContext(self, ambientScope(false));
  const data = item.on && readData(item.on, scope, datasets, settings, options, ctx, attempt);
  if (item.on) attempt(() => checkBatch(item, item.on!, options));
  const measured = measuredBy(item, data, scope);
  const given = new Map<string, Span>();
  for (const s of item.statements)
    if (s.kind === "setting")
      attempt(() => {
        const before = given.get(s.name.text);
        if (before && s.name.text !== "load") throw errors.twice(s.name.span, s.name.text, before);
        given.set(s.name.text, s.name.span);
        readSetting(s, scope, ctx, settings, measured);
      });
  checkMetricNames(item, attempt);
  takeOverrides(item, settings, options, attempt);
  // the block is read on: it may have more to tell
  attempt(() => checkLength(item, settings, data));
  if (settings.accumulate > errors.most)
    throw errors.beyondLimit(given.get("accumulate") ?? item.name.span, "batches", settings.accumulate);
  return { settings, data };
}
/** `on digits(batch: 64, seed: 1)`. */
function readData(
  on: ast.Expr,
  scope: Scope,
  datasets: ReadonlyMap<string, DatasetState>,
  settings: TrainSettings,
  options: ElaborateOptions,
  ctx: Context,
  attempt: Attempt,
): DatasetState {
  const callee = on.kind === "call" ? on.callee : on;
  const v = evaluate(callee, scope, ctx);
  if (v.kind !== "dataset") throw errors.needed(callee.span, "data", kindText(v));
  const data = datasets.get(v.name);
  if (!data) throw new errors.Quiet();
  for (const a of on.kind === "call" ? on.args : [])
    attempt(() => {
      const isAll = a.value.kind === "name" && a.value.text === "all";
      const key = a.name?.text ?? "batch";
      if (key === "batch" && isAll) settings.batch = allRows(a, data, options);
      else dataSetting(a, key, evaluate(a.value, scope, ctx), settings);
    });
  return data;
}
/** `batch: all`: every row that is left to train on. */
function allRows(a: ast.Arg, data: DatasetState, options: ElaborateOptions): number {
  const rows = options.rows?.[data.public.name] ?? trainingCount(data.public) ?? options.unknownRows;
  if (rows !== undefined) return rows;
  throw errors.unknownRows(a.span);
}
function dataSetting(a: ast.Arg, key: string, value: Value, settings: TrainSettings): void {
  switch (key) {
    case "batch":
      if (value.kind !== "number" || !Number.isInteger(value.value) || value.value < 1)
        throw errors.settingNeeds(
          a.span,
          "batch",
          "positive",
          value.kind === "number" ? String(value.value) : kindText(value),
        );
      settings.batch = value.value;
      return;
    case "seed":
      if (value.kind !== "number" || !Number.isInteger(value.value))
        throw errors.settingNeeds(a.span, "seed", "whole", kindText(value));
      settings.seed = value.value;
      return;
    case "shuffle": {
      const known = knownBool(value);
      if (known === undefined) throw errors.settingNeeds(a.span, "shuffle", "truth", kindText(value));
      settings.shuffle = known;
      return;
    }
    default:
      throw errors.unknownName(a.name?.span ?? a.span, key, ["batch", "seed", "shuffle"], {
        kind: "setting",
        place: "of the data of a train block",
      });
  }
}
function checkBatch(item: ast.Train, on: ast.Expr, options: ElaborateOptions): void {
  const isBatch = (a: ast.Arg): boolean =>
    (a.name?.text ?? "batch") === "batch" || !["seed", "shuffle"].includes(a.name!.text);
  if ((on.kind === "call" && on.args.some(isBatch)) || options.set?.["batch"] !== undefined) return;
  const data = on.kind === "call" ? on.callee : on;
  throw errors.noBatch(on.span, item.name.text, data.kind === "name" ? data.text : "data");
}
function checkMetricNames(item: ast.Train, attempt: Attempt): void {
  const names = new Map<string, Span>();
  const minimizes = item.statements.some((s) => s.kind === "minimize");
  for (const s of item.statements)
    if (s.kind === "metric")
      attempt(() => {
        if (s.name.text === "loss" && minimizes) throw errors.metricLoss(s.name.span);
        if (s.every && s.every.text !== "evaluation") throw errors.metricEvery(s.every.span, s.every.text);
        const before = names.get(s.name.text);
        if (before) throw errors.twice(s.name.span, s.name.text, before);
        names.set(s.name.text, s.name.span);
      });
}
/** What is set from outside. */
function takeOverrides(item: ast.Train, settings: TrainSettings, options: ElaborateOptions, attempt: Attempt): void {
  for (const key of ["epochs", "steps", "accumulate", "batch"] as const) {
    const given = options.set?.[key];
    if (given === undefined) continue;
    if (!/^[1-9]\d*$/.test(String(given)))
      attempt(() => {
        throw errors.setFromOutside(item.name.span, key, "positive", given);
      });
    else settings[key] = Number(given);
    if (key === "steps") delete settings.epochs;
    if (key === "epochs") delete settings.steps;
  }
  if (options.seed !== undefined) settings.seed = options.seed;
}
function checkLength(item: ast.Train, settings: TrainSettings, data: DatasetState | undefined): void {
  const given = item.statements.flatMap((s) => (s.kind === "setting" ? [s.name.text] : []));
  // told of already: a name that is nearly it, or a value that is none
  const near = given.some((name) => !settingNames.includes(name) && /^(n_|num_|max_)?(epoch|step|iter)/.test(name));
  const failed = given.includes("epochs") || given.includes("steps");
  if (settings.epochs === undefined && settings.steps === undefined && !near && !failed)
    throw errors.noLength(item.name.span, item.name.text);
  if (settings.epochs !== undefined && !data) throw errors.epochsWithoutData(item.name.span, item.name.text);
}
function readSetting(s: ast.Setting, scope: Scope, ctx: Context, settings: TrainSettings, measured: Measured): void {
  const whole = (e: ast.Expr, what: string): number => {
    const v = evaluate(e, scope, ctx);
    if (v.kind !== "number" || !Number.isInteger(v.value) || v.value < 1)
      throw errors.settingNeeds(e.span, what, "positive", kindText(v));
    return v.value;
  };
  if (s.every && s.name.text !== "checkpoint" && settingNames.includes(s.name.text))
    throw errors.settingForm(s.every.span, s.name.text, "without `every`");
  switch (s.name.text) {
    case "epochs":
    case "steps":
    case "accumulate":
    case "keep":
      settings[s.name.text] = whole(s.value, s.name.text);
      return;
    case "evaluate":
      settings.evaluateEvery = whole(s.value, "evaluate");
      return;
    case "sample":
      settings.sample = whole(s.value, "sample");
      return;
    case "seed": {
      const v = evaluate(s.value, scope, ctx);
      if (v.kind !== "number" || !Number.isInteger(v.value))
        throw errors.settingNeeds(s.value.span, "seed", "whole", kindText(v));
      settings.seed = v.value;
      return;
    }
    case "stop": {
      const form = {
        word: "stalled",
        example: "stalled(min: valid.loss, patience: 3)",
        positions: 1,
        names: ["patience"],
      };
      const { metric, mode, span, named } = readCompared(s, form, measured);
      const patience = named.get("patience");
      settings.stop = { metric, patience: patience ? whole(patience, "patience") : 3, mode };
      settings.compared.push({ metric, span });
      return;
    }
    case "save": {
      if (s.value.kind === "string") {
        settings.save = { path: s.value.value, mode: "min" };
        return;
      }
      const example = 'best(min: valid.loss, "file.safetensors")';
      const { metric, mode, span, at } = readCompared(s, { word: "best", example, positions: 2, names: [] }, measured);
      settings.save = { metric, path: pathOf(s, at[0], example), mode };
      settings.compared.push({ metric, span });
      return;
    }
    case "load":
      settings.load.push(readLoad(s, scope, ctx));
      return;
    case "checkpoint":
      settings.checkpoint = readOften(s, (e) => evaluate(e, scope, ctx), measured.data !== undefined);
      return;
    default:
      throw errors.unknownName(s.name.span, s.name.text, settingNames, { kind: "setting", place: "of a train block" });
  }
}
function readLoad(s: ast.Setting, scope: Scope, ctx: Context): TrainSettings["load"][number] {
  const example = 'from("file.safetensors", into: net)';
  const { at, named } = readCall(s, { word: "from", example, positions: 1, names: ["into"] });
  const into = named.get("into");
  let root = into;
  while (root?.kind === "member") root = root.operand;
  if (root) {
    const v = evaluate(root, scope, ctx);
    if (v.kind !== "instance") throw errors.needed(root.span, "part", kindText(v));
  }
  const path = pathOf(s, at[0], example);
  return { path, ...(into ? { into: into.span.file.text.slice(into.span.start, into.span.end) } : {}) };
}
function pathOf(s: ast.Setting, e: ast.Expr | undefined, example: string): string {
  if (e?.kind !== "string") throw errors.settingForm((e ?? s.value).span, s.name.text, example);
  return e.value;
}
