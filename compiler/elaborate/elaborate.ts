// Elaboration: AST to Program. Finds the declarations of the file, its imports and the library, then makes a graph for every train block
// (initial values, step, evaluation) and every export. Errors are collected per declaration; the rest goes on.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic, Span } from "../../grammar/diagnostic.ts";
import { tooDeep } from "../../grammar/errors.ts";
import { working } from "../graph/compilation.ts";
import { callOrigin, withOrigin } from "../graph/origin.ts";
import type { Node, Source } from "../graph/types.ts";
import { type Instance, type Interpreter, Scope } from "./context.ts";
import { checkHoldout, fieldCheck, fieldView } from "./data/check.ts";
import { declareData } from "./data/data.ts";
import type { DatasetState } from "./data/dataset.ts";
import { wholeColumn } from "./data/rows.ts";
import { type Attempt, libraryValue, declareItems } from "./declarations.ts";
import * as errors from "./errors.ts";
import { elaborateExport } from "./export.ts";
import { askedEarly, forgetParameters, forgetValues, wasAsked } from "./expression/instances.ts";
import { newInterpreter } from "./interpreter.ts";
import { type Keeper, type Knowledge, newKeeper } from "./knowledge.ts";
import { resolveNames } from "./names.ts";
import type { Dataset, ElaborateOptions, ExportProgram, Held, Program, TrainProgram } from "./program.ts";
import { initialValues } from "./programs.ts";
import { begun, elaborateTrain } from "./train/train.ts";
import { finished, type Steps } from "./steps.ts";
import { applyAlone, checkingUnapplied } from "./unused.ts";
import { once, tensor } from "./values.ts";

export interface ElaborateInput {
  readonly main: ast.File;
  readonly library: readonly { readonly name: string; readonly item: () => ast.Item }[];
  readonly imports?: (path: string) => ast.File | undefined;
}
export interface Elaborated {
  readonly program: Program;
  readonly diagnostics: readonly Diagnostic[];
  readonly knowledge: Knowledge | undefined; // with the option `keep`
}
/** Each reading but the last has found an instance that those before it could not: stacked layers that ask for one another's parameters. */
const mostReadings = 16;

export const elaborate = (input: ElaborateInput, options: ElaborateOptions = {}): Elaborated =>
  finished(elaborating(input, options));
/** Declaration by declaration, and then its names: whoever asks for the next may do something else before. */
export function* elaborating(input: ElaborateInput, options: ElaborateOptions = {}): Steps<Elaborated> {
  const { main } = input;
  const diagnostics: Diagnostic[] = [];
  const attempt = collecting(diagnostics, { file: main.source, start: 0, end: 0 });
  const keeper = options.keep || options.watchLayers ? newKeeper() : undefined;
  const self = newInterpreter(diagnostics, keeper);
  const { scope, imported, all } = declareNames(self, input, options, attempt);
  const datasets = declareDatasets(self, [...all, { file: main, scope }], attempt);
  for (const name of Object.keys(options.set ?? {}))
    attempt(() => checkOverride(name, String(options.set![name]), main));
  // a train block may be named by an export (smoothed weights), so trains come first
  const { trains, exports } = yield* readUntilKnown(self, keeper, attempt, function* () {
    const trains: TrainProgram[] = [];
    for (const item of main.items) {
      if (item.kind !== "train") continue;
      trains.push(...[attempt(() => elaborateTrain(self, item, scope, datasets, options, attempt)) ?? []].flat());
      yield;
    }
    const exports: ExportProgram[] = [];
    for (const item of main.items) {
      if (item.kind !== "fn" || !item.exported) continue;
      exports.push(...[attempt(() => elaborateExport(self, item, scope)) ?? []].flat());
      yield;
    }
    return { trains, exports };
  });
  const program: Program = {
    name: main.source.name,
    compilation: working(),
    ...heldBy(self),
    datasets: [...datasets.values()].map((d) => {
      const trained = options.views === true && trains.some((t) => t.dataset === d.public.name);
      return publicData(d, datasets, self, attempt, trained);
    }),
    trains: trains.map((t) => begun(self, t)),
    exports,
    seed: self.seed,
  };
  yield;
  const { unbound } = resolveNames(
    main,
    imported.map((i) => i.file),
    input.library,
  );
  yield;
  // evaluation knows of the library what it has used: the names that may have been meant are those of the resolution
  const resolved = new Map(unbound.map((u) => [u.span.start, u]));
  for (const [i, d] of diagnostics.entries()) {
    const same = d.span.file === main.source ? resolved.get(d.span.start) : undefined;
    if (!same) continue;
    resolved.delete(d.span.start);
    if (same.code === d.code && d.hint === undefined) diagnostics[i] = same;
  }
  diagnostics.push(...resolved.values());
  yield* checkingUnapplied(self, main, scope, options.keep === true);
  const knowledge =
    options.keep && keeper
      ? {
          ...keeper.known,
          compilation: working(),
          models: self.models,
          trains: self.trains,
          scope,
        }
      : undefined;
  return { program, diagnostics: distinct(diagnostics), knowledge };
}
/** Runs a part and collects its fault; what follows from one is told already. */
function collecting(diagnostics: Diagnostic[], whole: Span): Attempt {
  return (f) => {
    try {
      return f();
    } catch (error) {
      if (error instanceof errors.Quiet) return undefined;
      if (error instanceof RangeError && /call stack/.test(error.message)) {
        // functions in functions, deeper than the evaluator can follow
        diagnostics.push(tooDeep(whole, 1000));
        return undefined;
      }
      if (!(error instanceof errors.Fault)) throw error;
      diagnostics.push(error.diagnostic);
      return undefined;
    }
  };
}
interface Declared {
  readonly file: ast.File;
  readonly scope: Scope;
}
/** Names: the file's declarations hide imported ones, those hide the library's. */
function declareNames(
  self: Interpreter,
  { main, library, imports }: ElaborateInput,
  options: ElaborateOptions,
  attempt: Attempt,
): { scope: Scope; imported: readonly Declared[]; all: readonly Declared[] } {
  const libraryScope = new Scope();
  for (const { name, item } of library)
    libraryScope.bind(name, { kind: "lazy", force: once(() => libraryValue(self, item(), libraryScope)) });
  const importScope = new Scope(libraryScope);
  const scope = new Scope(importScope);
  const known = new Map<string, Declared>();
  const read = (path: string, span: Span): Declared => {
    const before = known.get(path);
    if (before) return before;
    const file = imports?.(path);
    if (!file) throw errors.noSuchFile(span, path);
    // its own declarations, what it imports itself, what the main file imports
    const imported = new Scope(importScope);
    const made: Declared = { file, scope: new Scope(imported) };
    known.set(path, made);
    declareItems(self, file.items, made.scope, options, attempt);
    bring(file, path, imported);
    return made;
  };
  const bring = (file: ast.File, from: string, into: Scope): Declared[] =>
    file.items.flatMap((item) => {
      if (item.kind !== "import") return [];
      const found = attempt(() => read(pathFrom(from, item.path), item.span));
      for (const inner of found?.file.items ?? [])
        if (inner.kind !== "import") attempt(() => bindImported(inner.name, found!.scope, into));
      return found ?? [];
    });
  const direct = bring(main, "", importScope);
  declareItems(self, main.items, scope, options, attempt);
  for (const item of main.items) if (item.kind === "const") attempt(() => scope.find(item.name.text));
  return { scope, imported: [...new Set(direct)], all: [...known.values()] };
}
/** One file may be imported on two ways: its names are the same ones. */
function bindImported({ text, span }: ast.Name, from: Scope, into: Scope): void {
  const value = from.own(text);
  if (value && into.own(text) !== value) into.bind(text, value, span);
}
/** A path in a file counts from the folder of that file. */
function pathFrom(file: string, path: string): string {
  if (/^([/\\]|[A-Za-z]:)/.test(path) || !file.includes("/")) return path;
  const parts: string[] = [];
  for (const part of `${file.slice(0, file.lastIndexOf("/"))}/${path}`.split("/"))
    if (part === ".." && parts.length && parts.at(-1) !== "..") parts.pop();
    else if (part !== ".") parts.push(part);
  return parts.join("/");
}
/** The data of imported files may be trained on; their train blocks and exports are theirs. */
function declareDatasets(
  self: Interpreter,
  files: readonly Declared[],
  attempt: Attempt,
): ReadonlyMap<string, DatasetState> {
  const datasets = new Map<string, DatasetState>();
  const placesOf = new Map<string, Span>();
  for (const { file, scope } of files)
    for (const item of file.items) {
      if (item.kind !== "data") continue;
      attempt(() => {
        const before = placesOf.get(item.name.text);
        if (before && scope !== files.at(-1)!.scope) throw errors.twice(item.name.span, item.name.text, before);
        placesOf.set(item.name.text, item.name.span);
        const origin = callOrigin("data", item.name.text, item.name.text, item.span);
        const d = withOrigin(origin, () => declareData(self, item, scope, attempt));
        datasets.set(item.name.text, d);
        const count = d.public.training.shape[0]!;
        if (typeof count !== "number") self.rowsRead.set(count, { least: 0, span: undefined });
        self.data.set(item.name.text, (member, span) => tensor(wholeColumn(d, member, span)));
      });
    }
  for (const d of datasets.values()) for (const h of d.public.holdouts) attempt(() => checkHoldout(d, h, datasets));
  return datasets;
}
/** What `--set` names: a constant or a setting. */
function checkOverride(name: string, given: string, main: ast.File): void {
  const start = { file: main.source, start: 0, end: 0 };
  const settings = ["epochs", "steps", "accumulate", "batch"];
  const constants = main.items.flatMap((i) => (i.kind === "const" ? [i.name.text] : []));
  const item = main.items.find((i) => i.kind === "const" && i.name.text === name);
  if (!item && !settings.includes(name))
    throw errors.unknownName(start, name, [...constants, ...settings], {
      kind: "constant or setting",
      place: "to set from outside",
    });
  if (item && (given.trim() === "" || !Number.isFinite(Number(given))))
    throw errors.setFromOutside(item.span, name, "number", given);
}
interface Programs {
  readonly trains: TrainProgram[];
  readonly exports: ExportProgram[];
}
/** Parameters are known when their layer is applied, and a line above may have asked for them: then all is read again with what is known now. */
function* readUntilKnown(
  self: Interpreter,
  keeper: Keeper | undefined,
  attempt: Attempt,
  read: () => Steps<Programs>,
): Steps<Programs> {
  const { diagnostics, pass } = self;
  const before = diagnostics.length;
  const instances = (): Instance[] => [...self.models.values(), ...self.trains.values()];
  keeper?.mark();
  let programs = yield* read();
  while (pass.number < mostReadings && askedEarly(self, instances())) {
    // a model that nothing applies has parameters too, where the types of its inputs say their shapes
    for (const [item, i] of self.models)
      if (!i.applied && wasAsked(i)) {
        const known = new Set(self.parameters.keys());
        attempt(() => applyAlone(self, item, i.scope));
        if (!i.applied) forgetParameters(self, instances(), known); // it went wrong half-way
      }
    pass.number += 1;
    self.work.calls = 0;
    self.states.clear();
    diagnostics.length = before;
    forgetValues(instances());
    keeper?.restore();
    programs = yield* read();
  }
  return programs;
}
/** Parameters and states with their initial values. */
function heldBy(self: Interpreter): Pick<Program, "parameters" | "states"> {
  const initial = initialValues(self);
  const held = (x: { source: Source; initial: Node; span: Span }, kind: Held["kind"]): Held => ({
    path: x.source.path,
    kind,
    source: x.source,
    initial: initial(x),
    span: x.span,
  });
  return {
    parameters: [...self.parameters.values()].map((x) => held(x, "parameter")),
    states: [...self.states.values()].map((x) => held(x, x.kind)),
  };
}
function publicData(
  d: DatasetState,
  datasets: ReadonlyMap<string, DatasetState>,
  { diagnostics, rowsRead }: Interpreter,
  attempt: Attempt,
  viewed: boolean,
): Dataset {
  const count = d.public.training.shape[0]!;
  const read = typeof count === "number" ? undefined : rowsRead.get(count);
  const check = diagnostics.length ? undefined : attempt(() => fieldCheck(d, datasets));
  const view = diagnostics.length || !viewed ? undefined : attempt(() => fieldView(d, datasets));
  return {
    ...d.public,
    columns: [...d.columns.values()],
    fields: d.fields.map((f) => f.public),
    ...(read?.span ? { rowsRead: { least: read.least, span: read.span } } : {}),
    ...(check ? { check } : {}),
    ...(view ? { view } : {}),
  };
}
/** The same fault may be met on several ways. */
function distinct(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter((d) => {
    // shapes that do not fit at one place are one mistake, whatever the sizes of the calls that meet it
    const what = d.code === "DLM2003" || d.code === "DLM2004" ? "" : d.message;
    const key = `${d.code} ${d.span.file.name} ${d.span.start} ${what}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
