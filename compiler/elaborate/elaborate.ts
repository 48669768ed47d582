// Elaboration: AST to Program. Finds the declarations of the file, its imports and the library, then makes a graph for every train block
// (initial values, step, evaluation) and every export. Errors are collected per declaration; the rest goes on.
import type * as ast from "../../grammar/ast.ts";
import { InternalError, type Diagnostic, type Span } from "../../grammar/diagnostic.ts";
import { tooDeep } from "../../grammar/errors.ts";
import type { Loader, Storage } from "../../runtime/plan.ts";
import { sumNodes, zeros } from "../grad/grad.ts";
import { compute, indicesOf, inputs, reshape as reshapeNode, source, topological } from "../graph/node.ts";
import {
  and,
  asExtent,
  constantOf,
  dim,
  equal,
  floorDiv as floorDivBy,
  iadd,
  integer,
  isub,
  less,
  lessEqual,
  load,
  modulo,
  nonNegative,
  not as notScalarBool,
  select,
  toF32,
  variable,
  visit,
  call as callScalar,
} from "../graph/scalar.ts";
import type { Dim, DType, Extent, GraphProgram, Integer, Node, Range, Scalar, Source } from "../graph/types.ts";
import { largestF32, leastI32, mostI32 } from "../scalar/range.ts";
import { factsOf } from "../std/facts.ts";
import { derivatives } from "./derivatives.ts";
import * as errors from "./errors.ts";
import { splitEvaluation } from "./evaluation.ts";
import {
  askedEarly,
  bindLet,
  bindParameters,
  checkType,
  declaredRange,
  declareState,
  dependsOutsideStop,
  evaluate,
  extentValue,
  fitTo,
  forgetParameters,
  forgetValues,
  instanceState,
  knownBool,
  modelInstance,
  newInstance,
  nextValue,
  parameterOf,
  parametersOf,
  parametersSoFar,
  resultSpan,
  runBody,
  runStatements,
  spreadsOf,
  stateOf,
  stopGradient,
  typeSource,
  wasAsked,
  within,
  writeInstanceState,
  type Context,
  type Interpreter,
  type OptimizerParams,
  type Updated,
} from "./interpreter.ts";
import type {
  Column,
  Dataset,
  ExportProgram,
  FieldCheck,
  Held,
  Objective,
  OptimizerGroup,
  Program,
  TrainProgram,
} from "./program.ts";
import { Scope } from "./scope.ts";
import { axesOf } from "./tensors.ts";
import {
  asTensor,
  int,
  isPlain,
  kindText,
  number,
  plainScalar,
  tensor,
  type Instance,
  type OptimizerValue,
  type Value,
} from "./values.ts";
import { overRows, overSources } from "./vmap.ts";
import { unboundNames } from "./names.ts";

export interface ElaborateInput {
  readonly main: ast.File;
  readonly library: readonly { readonly name: string; readonly item: () => ast.Item }[];
  readonly imports?: (path: string) => ast.File | undefined;
}
export interface ElaborateOptions {
  readonly set?: Readonly<Record<string, string | number>>; // consts and settings by name
  readonly seed?: number;
  readonly rows?: Readonly<Record<string, number>>; // rows of a dataset's training split, for `batch: all`
}
export interface Elaborated {
  readonly program: Program;
  readonly diagnostics: readonly Diagnostic[];
}
/** Each reading but the last has found an instance that those before it could not: stacked layers that ask for one another's parameters. */
const mostReadings = 16;
const longestWindow = 1024;
const ringWindow = (batch: number): number =>
  Math.max(8, Math.min(longestWindow, Math.floor(65536 / Math.max(1, batch))));

export function elaborate(input: ElaborateInput, options: ElaborateOptions = {}): Elaborated {
  const diagnostics: Diagnostic[] = [];
  const attempt = <T>(f: () => T): T | undefined => {
    try {
      return f();
    } catch (error) {
      if (error instanceof errors.Quiet) return undefined;
      if (error instanceof RangeError && /call stack/.test(error.message)) {
        // functions in functions, deeper than the evaluator can follow
        diagnostics.push(tooDeep({ file: input.main.source, start: 0, end: 0 }, 1000));
        return undefined;
      }
      if (!(error instanceof errors.Fault)) throw error;
      diagnostics.push(error.diagnostic);
      return undefined;
    }
  };
  const seed = source({
    role: "input",
    path: "seed",
    shape: [],
    dtype: "i32",
    range: { low: -Infinity, high: Infinity },
  });
  const datasets = new Map<string, DatasetState>();
  const self: Interpreter = {
    diagnostics,
    parameters: new Map(),
    states: new Map(),
    models: new Map(),
    calls: [],
    pass: { number: 0 },
    work: { calls: 0 },
    seed,
    initialContext: (path) => ({ ...baseContext(seed, new Scope()), draws: { count: 0, path } }),
    dataset: (name, member_, span) => {
      const d = datasets.get(name);
      if (!d) throw new errors.Quiet();
      return tensor(wholeColumn(self, d, member_, span));
    },
  };

  // ---- names: the file's declarations hide imported ones, those hide the library's
  const libraryScope = new Scope();
  for (const { name, item } of input.library)
    libraryScope.bind(name, { kind: "lazy", force: once(() => declared(item(), libraryScope)) });
  const importScope = new Scope(libraryScope);
  const mainScope = new Scope(importScope);
  const imported: { file: ast.File; scope: Scope }[] = [];
  for (const item of input.main.items) {
    if (item.kind !== "import") continue;
    attempt(() => {
      const file = input.imports?.(item.path);
      if (!file) throw errors.noSuchFile(item.span, item.path);
      declareItems(self, file.items, importScope, importScope, options, attempt);
      imported.push({ file, scope: importScope });
      for (const inner of file.items)
        if (inner.kind === "import")
          attempt(() => {
            throw errors.unsupported(
              inner.span,
              "an import in an imported file",
              "import it in the main file, before this one",
            );
          });
    });
  }
  declareItems(self, input.main.items, mainScope, mainScope, options, attempt);
  for (const item of input.main.items) if (item.kind === "const") attempt(() => mainScope.find(item.name.text));

  // the data of imported files may be trained on; their train blocks and exports are theirs
  for (const { file, scope } of [...imported, { file: input.main, scope: mainScope }])
    for (const item of file.items) {
      if (item.kind !== "data") continue;
      attempt(() => void datasets.set(item.name.text, declareData(self, item, scope, seed, options, attempt)));
    }
  for (const d of datasets.values()) for (const h of d.public.holdouts) attempt(() => checkHoldout(d, h, datasets));
  for (const name of Object.keys(options.set ?? {}))
    attempt(() => checkOverride(name, String(options.set![name]), input.main));
  // a train block may be named by an export (smoothed weights), so trains come first
  const elaboratePrograms = (): { trains: TrainProgram[]; exports: ExportProgram[] } => ({
    trains: input.main.items.flatMap((item) =>
      item.kind === "train"
        ? (attempt(() => elaborateTrain(self, item, mainScope, datasets, seed, options, attempt)) ?? [])
        : [],
    ),
    exports: input.main.items.flatMap((item) =>
      item.kind === "fn" && item.exported ? (attempt(() => elaborateExport(self, item, mainScope, seed)) ?? []) : [],
    ),
  });
  const before = diagnostics.length;
  let programs = elaboratePrograms();
  // parameters are known when their layer is applied, and a line above may have asked for them: then all is read again with what is known now
  const instances = (): Instance[] => [...self.models.values(), ...(trainInstances.get(self)?.values() ?? [])];
  while (self.pass.number < mostReadings && askedEarly(self, instances())) {
    // a model that nothing applies has parameters too, where the types of its inputs say their shapes
    for (const [item, i] of self.models)
      if (!i.applied && wasAsked(i)) {
        const known = new Set(self.parameters.keys());
        attempt(() => applyAlone(self, item, i.scope, seed));
        if (!i.applied) forgetParameters(self, instances(), known); // it went wrong half-way
      }
    self.pass.number += 1;
    self.work.calls = 0;
    self.states.clear();
    diagnostics.length = before;
    forgetValues(instances());
    programs = elaboratePrograms();
  }
  const { trains, exports } = programs;
  // functions and layers that nothing runs are still checked for names when used; models without train or export too
  const initial = initialValues(self);
  const held = (x: Initialised, kind: Held["kind"]): Held => ({
    path: x.source.path,
    kind,
    source: x.source,
    initial: initial(x),
    span: x.span,
  });
  const program: Program = {
    name: input.main.source.name,
    parameters: [...self.parameters.values()].map((x) => held(x, "parameter")),
    states: [...self.states.values()].map((x) => held(x, x.kind)),
    datasets: [...datasets.values()].map((d) => {
      const check = diagnostics.length ? undefined : attempt(() => fieldCheck(d, datasets));
      return {
        ...d.public,
        columns: [...d.columns.values()],
        fields: d.fields.map((f) => f.public),
        ...(check ? { check } : {}),
      };
    }),
    trains,
    exports,
  };
  const unbound = unboundNames(
    input.main,
    input.library.map((d) => d.name),
    imported.map((i) => i.file),
  );
  diagnostics.push(
    ...unbound.filter((u) => !diagnostics.some((d) => d.span.file === u.span.file && d.span.start === u.span.start)),
  );
  if (!diagnostics.length)
    for (const item of input.main.items)
      if (item.kind === "model") checkUnused(self, item, mainScope, seed, attempt, diagnostics);
  const seen = new Set<string>();
  return {
    program,
    diagnostics: diagnostics.filter((d) => {
      const key = `${d.code} ${d.span.file.name} ${d.span.start} ${d.message}`;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    }),
  };
}

interface Initialised {
  readonly source: Source;
  readonly initial: Node;
  readonly span: Span;
}
/** Initial values in full: one that reads parameters or states (`state first = net(d.x)`) reads their initial values, which are written at the same time. */
function initialValues(self: Interpreter): (x: Initialised) => Node {
  const all = new Map<Node, Initialised>(
    [...self.parameters.values(), ...self.states.values()].map((x) => [x.source, x]),
  );
  const known = new Map<Initialised, Node>();
  const value = (x: Initialised): Node => {
    const before = known.get(x);
    if (before) return before;
    known.set(x, x.initial);
    const read = topological([x.initial]).filter((y) => all.has(y));
    const full = read.length ? overSources(x.initial, new Map(read.map((y) => [y, value(all.get(y)!)]))) : x.initial;
    known.set(x, full);
    return full;
  };
  return value;
}
function baseContext(seed: Source, ambient: Scope): Context {
  return {
    training: false,
    seed,
    step: integer(0),
    ambient,
    current: new Map(),
    writes: false,
    instance: undefined,
    frozen: false,
    stackPosition: "",
    rounds: [],
    draws: { count: 0, path: "" },
    declared: undefined,
  };
}
function ambientScope(training: boolean): Scope {
  const scope = new Scope();
  scope.bind("training", { kind: "bool", value: training });
  scope.bind("pi", number(Math.PI, false));
  scope.bind("inf", number(largestF32, false));
  return scope;
}

/** Data held out by name has the fields of the data it is held out from. */
function checkHoldout(
  d: DatasetState,
  h: { readonly name: string; readonly dataset?: string; readonly span: Span },
  datasets: ReadonlyMap<string, DatasetState>,
): void {
  const other = h.dataset === undefined ? undefined : datasets.get(h.dataset);
  if (!other || h.dataset === d.public.name) {
    if (other)
      throw errors.badSetting(
        h.span,
        `holdout ${h.name}`,
        "is the same data that is trained on",
        "name other data, or give a share: 0.1",
      );
    return;
  }
  for (const f of d.fields) {
    const found = other.fields.find((x) => x.name === f.name)?.public;
    const want = errors.typeText(f.public.dtype, f.public.shape);
    if (!found)
      throw errors.badSetting(
        h.span,
        `holdout ${h.name}`,
        `needs the fields of ${d.public.name}: ${h.dataset} has no \`${f.name}\``,
      );
    if (errors.typeText(found.dtype, found.shape) !== want)
      throw errors.shapeMismatch(
        h.span,
        `the field ${f.name} of ${h.dataset}`,
        want,
        errors.typeText(found.dtype, found.shape),
      );
  }
}
/** What `--set` names: a constant or a setting. */
function checkOverride(name: string, given: string, main: ast.File): void {
  const start = { file: main.source, start: 0, end: 0 };
  const constants = main.items.flatMap((i) => (i.kind === "const" ? [i.name.text] : []));
  const item = main.items.find((i) => i.kind === "const" && i.name.text === name);
  if (!item && !["epochs", "steps", "accumulate", "batch"].includes(name))
    throw errors.unknownName(start, name, [...constants, "epochs", "steps", "accumulate", "batch"], {
      kind: "constant or setting",
      place: "to set from outside",
    });
  if (item && (given.trim() === "" || !Number.isFinite(Number(given))))
    throw errors.badSetting(item.span, name, `must be a number; it is set to ${given} from outside`);
}

/** A model that nothing applies yet: its shapes are checked as an export's are; what only a caller could know is let pass. */
function checkUnused(
  self: Interpreter,
  item: ast.ModelDeclaration,
  scope: Scope,
  seed: Source,
  attempt: Attempt,
  diagnostics: Diagnostic[],
): void {
  const used = self.models.get(item);
  if (used && (used.parameters.size || used.children.size)) return;
  const before = diagnostics.length;
  attempt(() => applyAlone(self, item, scope, seed));
  const [fault] = diagnostics.splice(before);
  if (fault && !["DLM2008", "DLM2009", "DLM2010", "DLM2011", "DLM2017"].includes(fault.code))
    diagnostics.push({ ...fault, labels: (fault.labels ?? []).filter((l) => l.span !== item.name.span) });
}
/** A model as an export would apply it, if the types of its inputs say enough. */
function applyAlone(self: Interpreter, item: ast.ModelDeclaration, scope: Scope, seed: Source): void {
  if (
    item.params.some(
      (p) =>
        p.type?.kind !== "tensor_type" ||
        p.type.dims?.some((d) => d.kind === "spread") ||
        !["f32", "i32", "bool"].includes(p.type.element.text),
    )
  )
    return;
  const name = (n: ast.Name): ast.Expr => ({ kind: "name", text: n.text, span: n.span });
  const call: ast.Expr = {
    kind: "call",
    callee: name(item.name),
    args: item.params.map((p) => ({ value: name(p.name), span: p.name.span })),
    span: item.name.span,
  };
  elaborateExport(
    self,
    {
      kind: "fn",
      exported: true,
      name: item.name,
      params: item.params,
      body: { kind: "expression", value: call },
      span: item.span,
    },
    scope,
    seed,
  );
}
const quiet = (): never => {
  throw new errors.Quiet();
};
type Attempt = <T>(f: () => T) => T | undefined;
function declareItems(
  self: Interpreter,
  items: readonly ast.Item[],
  scope: Scope,
  closure: Scope,
  options: ElaborateOptions,
  attempt: Attempt,
): void {
  for (const item of items) {
    if (item.kind === "import") continue;
    const { name } = item;
    attempt(() => {
      switch (item.kind) {
        case "const": {
          let known: Value | undefined;
          let running = false;
          let tried = false;
          const force = (): Value => {
            if (known) return known;
            if (running) throw errors.recursion(name.span, name.text, "const");
            if (tried) throw new errors.Quiet(); // its error is told already
            running = tried = true;
            const given = options.set?.[name.text];
            try {
              known =
                given !== undefined
                  ? number(Number(given), /^-?\d+$/.test(String(given)))
                  : evaluate(self, item.value, closure, { ...baseContext(self.seed, ambientScope(false)) });
            } finally {
              running = false;
            }
            return known;
          };
          scope.bind(name.text, { kind: "lazy", force }, name.span);
          return;
        }
        case "fn":
        case "init":
        case "layer":
        case "optimizer":
          return scope.bind(name.text, declared(item, closure), name.span);
        case "model":
          return scope.bind(
            name.text,
            { kind: "lazy", force: () => ({ kind: "instance", instance: modelInstance(self, item, closure) }) },
            name.span,
          );
        case "data":
          return scope.bind(name.text, { kind: "dataset", name: name.text }, name.span);
        case "train":
          return scope.bind(name.text, { kind: "lazy", force: () => trainInstance(self, item, closure) }, name.span);
        default:
          item satisfies never;
      }
    });
  }
}
/** A declaration that is a value as it stands. */
function declared(item: ast.Item, scope: Scope): Value {
  switch (item.kind) {
    case "fn":
    case "init":
      return { kind: "fn", declaration: item, scope };
    case "layer":
      return { kind: "layer", declaration: item, scope };
    case "optimizer":
      return { kind: "optimizer", declaration: item, scope };
    default:
      throw new InternalError(`a ${item.kind} is no value`);
  }
}
const trainInstances = new WeakMap<Interpreter, Map<ast.Train, Instance>>();
function trainInstance(self: Interpreter, item: ast.Train, scope: Scope): Value {
  let all = trainInstances.get(self);
  if (!all) trainInstances.set(self, (all = new Map()));
  let found = all.get(item);
  if (!found) all.set(item, (found = newInstance(item.name.text, item, scope)));
  return { kind: "instance", instance: found };
}

// ---------------------------------------------------------------- data

interface FieldState {
  readonly name: string;
  readonly formula: () => Node; // of one row, over the dataset's row source
  readonly unproved?: {
    readonly formula: Node;
    readonly range: readonly [low: number, end: number];
    readonly span: Span;
  }; // a declared range that the host checks when the data are there
  readonly public: {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: readonly Extent[];
    readonly range?: Range;
  };
}
interface DatasetState {
  readonly public: Omit<Dataset, "columns" | "fields">;
  readonly columns: Map<string, Column>;
  readonly fields: FieldState[];
  readonly broken: readonly string[]; // fields that are told of already
  readonly row: Source;
  readonly rows: Dim;
}
function declareData(
  self: Interpreter,
  item: ast.Data,
  scope: Scope,
  seed: Source,
  options: ElaborateOptions,
  attempt: Attempt,
): DatasetState {
  const name = item.name.text;
  const rows = dim(`rows.${name}`);
  const last = iadd(rows, -1) as Range["high"];
  const row = source({
    role: "input",
    path: `data.${name}.row`,
    shape: [],
    dtype: "i32",
    range: { low: 0, high: last },
  });
  const columns = new Map<string, Column>();
  const fields: FieldState[] = [];
  const broken: string[] = [];
  const holdouts: { name: string; fraction?: number; dataset?: string; span: Span }[] = [];
  let rowCount: number | undefined;
  let windowed = false;
  const inner = new Scope(scope);
  const ambient = ambientScope(false);
  ambient.bind("row", { kind: "int", value: load(row, []) as Integer });
  // the number of rows that the block has itself: those of other data lie behind
  const rowsSetting = item.statements.find((s): s is ast.Setting => s.kind === "setting" && s.name.text === "rows");
  const borrows = item.statements.find((s) => s.kind === "holdout" && s.value.kind === "name");
  ambient.bind("rows", {
    kind: "lazy",
    force: () => {
      const given = rowsSetting && evaluate(self, rowsSetting.value, inner, { ...baseContext(seed, ambient) });
      if (given?.kind === "number") return given;
      if (borrows)
        throw errors.unsupported(
          borrows.span,
          "`rows` beside a holdout of other data, where the number of rows is read from a file",
          "give the number: rows: 1000",
        );
      return int(rows);
    },
  });
  let made = 0;
  for (const s of item.statements) {
    attempt(() => {
      const ctx: Context = { ...baseContext(seed, ambient), draws: { count: made++ * 64, path: `data.${name}` } };
      switch (s.kind) {
        case "field": {
          const type = s.type;
          if (type.kind !== "tensor_type") throw errors.wrongKind(type.span, "a tensor's type", typeSource(type));
          const dtype = type.element.text;
          if (dtype !== "f32" && dtype !== "i32" && dtype !== "bool")
            throw errors.unknownName(type.element.span, dtype, ["f32", "i32", "bool"], {
              kind: "type",
              place: "of a field",
            });
          if (type.range && dtype !== "i32")
            throw errors.wrongKind(type.range.span, "i32 before `in`", dtype, "only whole numbers carry a range");
          const shape = (type.dims ?? []).map((d): number => {
            if (d.kind === "spread") throw errors.wrongKind(d.span, "a size", `...${d.name.text}`);
            const n = extentValue(evaluate(self, d.value, inner, ctx), d.span);
            if (typeof n !== "number")
              throw errors.runTimeDim(
                d.span,
                "a field's shape",
                "a row has a fixed size; pad what varies and give its length in another field",
              );
            return n;
          });
          let range: [number, number] | undefined;
          if (type.range) {
            const r = declaredRange(self, type.range, inner, type.range.span, ctx);
            const [low, end] = [constantOf(r.low), constantOf(r.end)];
            if (low === undefined || end === undefined)
              throw errors.wrongKind(type.range.span, "a range of known numbers", "one that depends on the run");
            range = [low, end];
          }
          const formula = fieldFormula(self, s, { name, rows, row, columns, dtype, shape, range, ctx, scope: inner });
          if (formula.windowed) windowed = true;
          const node = formula.node;
          if (node.dtype !== dtype || node.shape.length !== shape.length || node.shape.some((n, d) => n !== shape[d]))
            throw errors.shapeMismatch(
              s.value.span,
              `the field ${s.name.text}`,
              errors.typeText(dtype, shape),
              errors.typeText(node.dtype, node.shape),
              { labels: [{ span: type.span, text: "declared here" }] },
            );
          if (topological([node]).some((x) => x.kind === "result" || x.kind === "scatter"))
            throw errors.unsupported(
              s.value.span,
              "a loop in the formula of a field",
              "write it with `for` and reducers, or apply it in the train block",
            );
          const own = range && dtype === "i32" ? { low: range[0], high: range[1] - 1 } : node.range;
          const { low, high } = node.range ?? { low: -Infinity, high: Infinity };
          const proved = !range || (low >= range[0] && typeof high === "number" && high < range[1]);
          const impossible = range && typeof high === "number" && (low >= range[1] || high < range[0]);
          if (impossible)
            throw errors.rangeMismatch(
              s.value.span,
              `the field ${s.name.text}`,
              low === high ? String(low) : `in ${low}..${high + 1}`,
              `${range![0]}..${range![1]}`,
              { span: type.range!.span, text: "declared here" },
              "change the formula, or declare the range that it has",
            );
          const safe = proved ? node : clamped(node, range!);
          fields.push({
            name: s.name.text,
            formula: () => safe,
            ...(proved ? {} : { unproved: { formula: node, range: range!, span: s.span } }),
            public: { name: s.name.text, dtype, shape, ...(own ? { range: own } : {}) },
          });
          // a field computed from this one is data as well: no gradient goes from one to the other
          inner.bind(s.name.text, tensor(stopGradient(safe)), s.name.span);
          return;
        }
        case "holdout": {
          const v = evaluate(self, s.value, inner, ctx);
          const before = holdouts.find((h) => h.name === s.name.text);
          if (before) throw errors.twice(s.name.span, s.name.text, before.span);
          if (
            v.kind === "number" &&
            v.value > 0 &&
            holdouts.reduce((sum, h) => sum + (h.fraction ?? 0), v.value) >= 1 &&
            v.value < 1
          )
            throw errors.badSetting(
              s.value.span,
              "holdout",
              "leaves no rows to train on: the shares add up to 1 or more",
            );
          if (v.kind === "number" && v.value > 0 && v.value < 1)
            holdouts.push({ name: s.name.text, fraction: v.value, span: s.span });
          else if (v.kind === "dataset") holdouts.push({ name: s.name.text, dataset: v.name, span: s.span });
          else
            throw errors.badSetting(
              s.value.span,
              "holdout",
              `must be a share between 0 and 1, or other data; this is ${kindText(v)}`,
            );
          return;
        }
        case "let":
          return bindLet(self, s, inner, ctx);
        case "setting": {
          if (s.name.text !== "rows")
            throw errors.unknownName(s.name.span, s.name.text, ["rows"], { kind: "setting", place: "of a data block" });
          const v = evaluate(self, s.value, inner, ctx);
          if (v.kind !== "number" || !Number.isInteger(v.value) || v.value < 1)
            throw errors.badSetting(s.value.span, "rows", "must be a whole number, 1 or more");
          rowCount = v.value;
          return;
        }
        default:
          s satisfies never;
      }
    });
    if (s.kind !== "field" || fields.some((f) => f.name === s.name.text)) continue;
    broken.push(s.name.text);
    inner.bind(s.name.text, { kind: "lazy", force: quiet });
  }
  const inline = [...columns.values()].find((c) => c.loader.kind === "inline");
  if (inline && inline.loader.kind === "inline")
    rowCount ??=
      inline.loader.values.length /
      Math.max(
        1,
        inline.shape.reduce((a, b) => a * b, 1),
      );
  return {
    public: { name, rows, ...(rowCount !== undefined ? { rowCount } : {}), holdouts, windowed },
    columns,
    fields,
    broken,
    row,
    rows,
  };
}
function fieldFormula(
  self: Interpreter,
  s: ast.Field,
  of: {
    name: string;
    rows: Dim;
    row: Source;
    columns: Map<string, Column>;
    dtype: DType;
    shape: number[];
    range: [number, number] | undefined;
    ctx: Context;
    scope: Scope;
  },
): { node: Node; windowed: boolean } {
  let windowed = false;
  let count = 0;
  /** A raw column and its value at one row. */
  const column = (loader: Loader, shape: readonly number[], dtype: DType, span: Span, bare: boolean): Node => {
    const name = `${of.name}.${s.name.text}${count++ ? `.${count}` : ""}`;
    // a file says by its name that it holds bytes (train-images-idx3-ubyte.gz): they stay bytes
    const bytes = loader.kind === "idx" && /ubyte/.test(loader.path) && dtype !== "bool" && !(bare && of.range);
    const known = bytes
      ? ([0, 256] as const)
      : bare && of.range
        ? of.range
        : loader.kind === "inline" && dtype === "i32"
          ? ([Math.min(...loader.values), Math.max(...loader.values) + 1] as const)
          : undefined;
    const rawType: DType = bytes ? "i32" : dtype;
    const range = known && rawType === "i32" ? { low: known[0], high: known[1] - 1 } : undefined;
    const extents: Extent[] =
      loader.kind === "chars" ? [asExtent(iadd(of.rows, loader.window - 1))] : [of.rows, ...shape];
    const raw = source({
      role: "input",
      path: `data.${name}`,
      shape: extents,
      dtype: rawType,
      ...(range ? { range } : rawType === "i32" ? { range: { low: leastI32, high: mostI32 } } : {}),
      span,
      label: name,
    });
    const storage: Storage =
      rawType === "i32" &&
      known &&
      known[0] >= 0 &&
      known[1] <= 256 &&
      loader.kind !== "host" &&
      loader.kind !== "inline"
        ? "u8"
        : rawType;
    of.columns.set(name, {
      name,
      source: raw,
      loader,
      storage,
      shape,
      ...(known && !bytes ? { range: known } : {}),
      span,
    });
    const at = load(of.row, []) as Integer;
    if (loader.kind === "chars") {
      windowed = true;
      const k = variable(loader.window, "k");
      return compute([k], undefined, load(raw, [iadd(at, k)]), { span });
    }
    const axes = axesOf(shape);
    const element = load(raw, [at, ...indicesOf(axes)]);
    return compute(axes, undefined, dtype === "f32" ? toF32(element) : element, { span });
  };
  const value = loadersOf(s.value);
  const bare = value.kind === "bare";
  const shapeOfLoader = (loader: Loader): number[] => {
    const total = of.shape.reduce((a, b) => a * b, 1);
    switch (loader.kind) {
      case "csv": {
        const n = Array.isArray(loader.columns)
          ? loader.columns.length
          : (loader.columns as { from: number; to: number }).to - (loader.columns as { from: number; to: number }).from;
        return of.shape.length === 0 && n === 1 ? [] : [n];
      }
      case "chars":
        return [loader.window];
      case "tokens":
        return [loader.pad];
      case "token_count":
        return [];
      case "idx":
        return of.shape.length ? [total] : [];
      default:
        return of.shape;
    }
  };
  const ctx = of.ctx;
  // a list of rows, written in the file
  if (s.value.kind === "list" && s.value.elements.length && isRows(s.value, of.shape.length)) {
    const values: number[] = [];
    const flat = (e: ast.Expr): void => {
      if (e.kind === "list") e.elements.forEach(flat);
      else {
        const v = evaluate(self, e, of.scope, ctx);
        if (v.kind !== "number") throw errors.wrongKind(e.span, "a number", kindText(v));
        if (of.range && (v.value < of.range[0] || v.value >= of.range[1]))
          throw errors.rangeMismatch(
            e.span,
            `the field ${s.name.text}`,
            String(v.value),
            `${of.range[0]}..${of.range[1]}`,
            undefined,
            "change the value, or declare the range that the values have",
          );
        values.push(v.value);
      }
    };
    s.value.elements.forEach(flat);
    const size = of.shape.reduce((a, b) => a * b, 1);
    if (values.length !== size * s.value.elements.length)
      throw errors.shapeMismatch(
        s.value.span,
        `the field ${s.name.text}`,
        `${size} numbers a row`,
        `${values.length / s.value.elements.length}`,
      );
    return { node: column({ kind: "inline", values }, of.shape, of.dtype, s.span, true), windowed };
  }
  // loaders become values while the formula is evaluated
  const hook = (v: Value, span: Span): Value =>
    v.kind === "loader"
      ? tensor(
          column(
            v.loader.kind === "host" && !v.loader.name ? { kind: "host", name: s.name.text } : v.loader,
            shapeOfLoader(v.loader),
            of.dtype,
            span,
            bare,
          ),
        )
      : v;
  const node = evaluateField(self, s.value, of.scope, ctx, hook);
  const v = hook(node, s.value.span);
  let result = asTensor(isPlain(v) ? tensor(compute([], undefined, plain(v, of.dtype))) : v, s.value.span, of.dtype);
  const flat = result.shape.reduce<number>((a, b) => a * (b as number), 1);
  if (
    bare &&
    (result.shape.length !== of.shape.length || result.shape.some((n, d) => n !== of.shape[d])) &&
    flat === of.shape.reduce((a, b) => a * b, 1)
  )
    result = reshapeTo(result, of.shape);
  return { node: result, windowed };
}
const reshapeTo = (x: Node, shape: readonly number[]): Node => reshapeNode(x, shape);
const plain = (v: Extract<Value, { kind: "number" | "int" | "ratio" }>, dtype: DType) =>
  plainScalar(v, dtype, undefined as unknown as Span);
const isRows = (e: Extract<ast.Expr, { kind: "list" }>, rank: number): boolean => {
  const depth = (x: ast.Expr): number => (x.kind === "list" && x.elements[0] ? 1 + depth(x.elements[0]) : 0);
  const numeric = (x: ast.Expr): boolean =>
    x.kind === "number" ||
    (x.kind === "unary" && numeric(x.operand)) ||
    (x.kind === "list" && x.elements.every(numeric));
  return depth(e) === rank + 1 && numeric(e);
};
/** Is the formula a loader alone? Then a declared range is the column's own. */
function loadersOf(e: ast.Expr): { kind: "bare" | "formula" } {
  return {
    kind:
      e.kind === "call" &&
      e.callee.kind === "name" &&
      ["csv", "npy", "idx", "chars", "tokens", "token_count", "host"].includes(e.callee.text)
        ? "bare"
        : "formula",
  };
}
/** Evaluates a formula whose loaders are replaced by columns: operands of operators, pipes and calls. */
function evaluateField(
  self: Interpreter,
  e: ast.Expr,
  scope: Scope,
  ctx: Context,
  hook: (v: Value, span: Span) => Value,
): Value {
  const named = new Scope(scope);
  const words = new Scope(scope);
  words.bind("drop", { kind: "string", value: "drop" }); // csv(..., missing: drop)
  let n = 0;
  const rewrite = (x: ast.Expr): ast.Expr => {
    switch (x.kind) {
      case "call":
        if (loadersOf(x).kind === "bare") {
          const name = `%loader${n++}`;
          named.bind(name, hook(evaluate(self, x, words, ctx), x.span));
          return { kind: "name", text: name, span: x.span };
        }
        return { ...x, callee: rewrite(x.callee), args: x.args.map((a) => ({ ...a, value: rewrite(a.value) })) };
      case "binary":
        return { ...x, left: rewrite(x.left), right: rewrite(x.right) };
      case "unary":
        return { ...x, operand: rewrite(x.operand) };
      case "paren":
        return { ...x, value: rewrite(x.value) };
      case "list":
        return { ...x, elements: x.elements.map(rewrite) };
      case "index":
        return { ...x, operand: rewrite(x.operand) };
      case "if":
        return { ...x, then: rewrite(x.then), else: rewrite(x.else) };
      case "for":
      case "reduce":
        return { ...x, body: rewrite(x.body) };
      default:
        return x;
    }
  };
  return evaluate(self, rewrite(e), named, ctx);
}
/** Between the ends of a range: what the host has checked, another kernel may round otherwise. */
function clamped(node: Node, [low, end]: readonly [number, number]): Node {
  const axes = axesOf(node.shape);
  return compute(
    axes,
    undefined,
    callScalar("max", integer(low), callScalar("min", integer(end - 1), load(node, indicesOf(axes)))),
  );
}
/** The formula as it is written: in its declared range only where that is proved. */
const writtenFormula = (f: FieldState): Node => f.unproved?.formula ?? f.formula();
/** The data that are a holdout of d under their own name. */
const heldOutData = (d: DatasetState, datasets: ReadonlyMap<string, DatasetState>): DatasetState[] =>
  d.public.holdouts
    .flatMap((h) => (h.dataset === undefined ? [] : (datasets.get(h.dataset) ?? [])))
    .filter((x) => x !== d);
/** Looks for computed fields outside of their declared range, in all rows of d and of the data behind its holdouts. */
function fieldCheck(d: DatasetState, datasets: ReadonlyMap<string, DatasetState>): FieldCheck | undefined {
  const others = heldOutData(d, datasets);
  const fields = d.fields.flatMap((f) => {
    const [unproved] = [f, ...others.flatMap((x) => x.fields.filter((y) => y.name === f.name))].flatMap(
      (x) => x.unproved ?? [],
    );
    const { range } = f.public;
    return unproved && range && typeof range.high === "number"
      ? [
          {
            name: f.name,
            field: f,
            range: [range.low, range.high + 1] as const,
            span: f.unproved?.span ?? unproved.span,
          },
        ]
      : [];
  });
  if (!fields.length) return undefined;
  const name = `data.${d.public.name}.check`;
  const rows = dim("rows");
  const last = iadd(rows, -1);
  const index = source({ role: "input", path: name, shape: [rows], dtype: "i32", range: d.row.range, label: "index" });
  const outputs = fields.flatMap((f) => {
    const values = overAllRows(f.field, d, datasets, rows, (b) => load(index, [b]) as Integer, writtenFormula);
    const axes = axesOf(values.shape);
    const value = load(values, indicesOf(axes)) as Integer;
    const inside = and(lessEqual(f.range[0], value), less(value, f.range[1]));
    // the first place that is outside, else the last one
    const at = compute([], { op: "min", over: axes, ties: "first" }, select(inside, last, axes[0]!), {
      range: { low: 0, high: last as Dim },
      label: `${f.name}_place`,
    });
    const there = overAllRows(
      f.field,
      d,
      datasets,
      1,
      () => load(index, [load(at, []) as Integer]) as Integer,
      writtenFormula,
    );
    return [
      { name: `${f.name}.place`, node: at },
      { name: f.name, node: there },
    ];
  });
  return {
    index,
    fields: fields.map(({ name: field, range, span }) => ({ name: field, range, span })),
    program: program(name, outputs, []),
  };
}
/** `digits.x` outside of training: the column over all rows of the dataset. */
function wholeColumn(self: Interpreter, d: DatasetState, name: string, span: Span): Node {
  const field = d.fields.find((f) => f.name === name);
  if (!field && d.broken.includes(name)) throw new errors.Quiet();
  if (!field)
    throw errors.unknownName(
      span,
      name,
      d.fields.map((f) => f.name),
      { kind: "field", place: `in ${d.public.name}` },
    );
  // the training rows, in any order: the runtime gives their numbers
  const index = trainingRows(d);
  const node = overRows(field.formula(), d.row, index.rows, (b) => load(index.source, [b]) as Integer);
  return withRange(node, field.public.range);
}
const trainingRowSources = new WeakMap<DatasetState, { source: Source; rows: Extent }>();
export function trainingRows(d: DatasetState): { source: Source; rows: Extent } {
  let found = trainingRowSources.get(d);
  if (!found) {
    const rows = trainingCount(d) ?? dim(`training.${d.public.name}`);
    found = {
      rows,
      source: source({
        role: "input",
        path: `data.${d.public.name}.training`,
        shape: [rows],
        dtype: "i32",
        range: d.row.range,
      }),
    };
    trainingRowSources.set(d, found);
  }
  return found;
}
/** The node with a declared range (checked where the data enter). */
function withRange(node: Node, range: Range | undefined): Node {
  if (range && node.dtype === "i32" && node.kind === "compute") (node as { range?: Range }).range = range;
  return node;
}

// ---------------------------------------------------------------- train blocks

interface TrainSettings {
  batch: number;
  accumulate: number;
  shuffle: boolean;
  seed: number;
  epochs?: number;
  steps?: number;
  evaluateEvery?: number;
  stop?: TrainProgram["stop"];
  save?: TrainProgram["save"];
  load: { path: string; into?: string }[];
  compared: { metric: string; span: Span }[]; // what `stop` and `save` name
}
function elaborateTrain(
  self: Interpreter,
  item: ast.Train,
  scope: Scope,
  datasets: Map<string, DatasetState>,
  seed: Source,
  options: ElaborateOptions,
  attempt: Attempt,
): TrainProgram {
  const name = item.name.text;
  const owner = (trainInstance(self, item, scope) as Extract<Value, { kind: "instance" }>).instance;
  const settings: TrainSettings = { batch: 1, accumulate: 1, shuffle: true, seed: 0, load: [], compared: [] };
  const plainContext = baseContext(seed, ambientScope(false));
  const whole = (v: Value, span: Span, what: string): number => {
    if (v.kind !== "number" || !Number.isInteger(v.value) || v.value < 1)
      throw errors.badSetting(
        span,
        what,
        `must be a whole number, 1 or more; this is ${v.kind === "number" ? v.value : kindText(v)}`,
      );
    return v.value;
  };
  let data: DatasetState | undefined;
  if (item.on) {
    const on = item.on;
    const callee = on.kind === "call" ? on.callee : on;
    const v = evaluate(self, callee, scope, plainContext);
    if (v.kind !== "dataset") throw errors.wrongKind(callee.span, "a data block", kindText(v));
    data = datasets.get(v.name);
    if (!data) throw new errors.Quiet();
    for (const a of on.kind === "call" ? on.args : [])
      attempt(() => {
        const key = a.name?.text ?? "batch";
        if (key === "batch" && a.value.kind === "name" && a.value.text === "all") {
          const rows =
            options.rows?.[v.name] ?? (data!.public.rowCount !== undefined ? trainingCount(data!) : undefined);
          if (rows === undefined)
            throw errors.badSetting(
              a.span,
              "batch",
              "`all` needs the number of rows, which is read from the data; compile with the command line, or give `rows`",
            );
          settings.batch = rows;
        } else {
          const value = evaluate(self, a.value, scope, plainContext);
          if (key === "batch") settings.batch = whole(value, a.span, "batch");
          else if (key === "seed") {
            if (value.kind !== "number" || !Number.isInteger(value.value))
              throw errors.badSetting(a.span, "seed", `must be a whole number; this is ${kindText(value)}`);
            settings.seed = value.value;
          } else if (key === "shuffle") {
            const known = knownBool(value);
            if (known === undefined)
              throw errors.badSetting(a.span, "shuffle", `must be true or false; this is ${kindText(value)}`);
            settings.shuffle = known;
          } else
            throw errors.unknownName(a.name?.span ?? a.span, key, ["batch", "seed", "shuffle"], {
              kind: "setting",
              place: "of the data of a train block",
            });
        }
      });
  }
  const batchGiven =
    item.on?.kind === "call" &&
    item.on.args.some((a) => (a.name?.text ?? "batch") === "batch" || !["seed", "shuffle"].includes(a.name!.text));
  if (item.on && !batchGiven && options.set?.["batch"] === undefined)
    attempt(() => {
      const on = item.on!.kind === "call" ? item.on!.callee : item.on!;
      throw errors.badSetting(
        item.on!.span,
        `the train block ${name}`,
        "does not say how many rows a step reads",
        `write on ${on.kind === "name" ? on.text : "data"}(batch: 32)`,
      );
    });
  // settings first: they say how much a step reads
  const measuredNames: Measured = {
    data: data?.public.name,
    splits: data?.public.holdouts.map((h) => h.name) ?? [],
    metrics: metricNames(item),
    better: (metric) => betterMetric(item, metric, scope),
  };
  const given = new Map<string, Span>();
  for (const s of item.statements)
    if (s.kind === "setting")
      attempt(() => {
        const before = given.get(s.name.text);
        if (before && s.name.text !== "load") throw errors.twice(s.name.span, s.name.text, before);
        given.set(s.name.text, s.name.span);
        trainSetting(self, s, scope, plainContext, settings, measuredNames);
      });
  const columnNames = new Map<string, Span>();
  for (const s of item.statements)
    if (s.kind === "metric")
      attempt(() => {
        if (s.name.text === "loss")
          throw errors.badSetting(
            s.name.span,
            "the metric loss",
            "is the first objective already",
            "give this one another name",
          );
        const before = columnNames.get(s.name.text);
        if (before) throw errors.twice(s.name.span, s.name.text, before);
        columnNames.set(s.name.text, s.name.span);
      });
  if (options.set)
    for (const key of ["epochs", "steps", "accumulate", "batch"] as const) {
      const given = options.set[key];
      if (given === undefined) continue;
      if (!/^[1-9]\d*$/.test(String(given)))
        attempt(() => {
          throw errors.badSetting(
            item.name.span,
            key,
            `must be a whole number, 1 or more; it is set to ${given} from outside`,
          );
        });
      else settings[key] = Number(given);
      if (key === "steps") delete settings.epochs;
      if (key === "epochs") delete settings.steps;
    }
  if (options.seed !== undefined) settings.seed = options.seed;
  // the block is read on: it may have more to tell
  attempt(() => {
    const near = item.statements.some(
      (s) =>
        s.kind === "setting" &&
        !settingNames.includes(s.name.text) &&
        /^(n_|num_|max_)?(epoch|step|iter)/.test(s.name.text),
    );
    const failed = item.statements.some(
      (s) => s.kind === "setting" && (s.name.text === "epochs" || s.name.text === "steps"),
    );
    if (settings.epochs === undefined && settings.steps === undefined && !near && !failed)
      throw errors.badSetting(
        item.name.span,
        `the train block ${name}`,
        "needs `epochs` or `steps`",
        "write epochs: 10",
      );
    if (settings.epochs !== undefined && !data)
      throw errors.badSetting(item.name.span, `the train block ${name}`, "has `epochs` but no data", "write steps: n");
  });
  if (settings.accumulate > errors.most)
    throw errors.tooMany(
      given.get("accumulate") ?? item.name.span,
      "accumulated batches",
      settings.accumulate,
      errors.most,
      "read larger batches",
    );
  const { batch, accumulate } = settings;
  const window = ringWindow(batch * accumulate);
  const total = batch * accumulate;

  const counter = source({
    role: "state",
    path: `${name}.step`,
    shape: [],
    dtype: "i32",
    range: { low: 0, high: mostI32 },
    label: "step",
  });
  self.states.set(counter.path, {
    source: counter,
    initial: compute([], undefined, integer(0)),
    span: item.span,
    kind: "counter",
  });
  const host = new Map<string, Source>();
  const hostScalar = (path: string, dtype: DType = "f32"): Source => {
    let found = host.get(path);
    if (!found)
      host.set(
        path,
        (found =
          path === "seed"
            ? seed
            : source({
                role: "input",
                path: `${name}.${path}`,
                shape: [],
                dtype,
                ...(dtype === "i32" ? { range: { low: 0, high: mostI32 } } : {}),
                label: path,
              })),
      );
    return found;
  };
  const step = load(counter, []) as Integer;
  const index =
    data &&
    source({
      role: "input",
      path: `${name}.index`,
      shape: [window, total],
      dtype: "i32",
      range: data.row.range,
      label: "index",
    });

  const ambientOf = (training: boolean, batchSize: Extent): Scope => {
    const ambient = ambientScope(training);
    ambient.bind("step", { kind: "int", value: step });
    ambient.bind("steps", tensor(hostScalar("steps")));
    ambient.bind("epochs", tensor(hostScalar("epochs")));
    ambient.bind("epoch", {
      kind: "lazy",
      force: () => ({ kind: "int", value: load(hostScalar("epoch", "i32"), []) as Integer }),
    });
    ambient.bind("batch", int(typeof batchSize === "number" ? integer(batchSize) : batchSize));
    ambient.bind("seed", { kind: "int", value: load(seed, []) as Integer });
    ambient.bind("measured", {
      kind: "lazy",
      force: () => tensor(compute([], undefined, notZero(load(hostScalar("measured", "i32"), []) as Integer))),
    });
    for (const h of data?.public.holdouts ?? [])
      for (const m of metricNames(item))
        ambient.bind(`${h.name}.${m}`, { kind: "lazy", force: () => tensor(hostScalar(`${h.name}.${m}`)) });
    return ambient;
  };

  // ---- the step
  const group: OptimizerGroup[] = [];
  const objectives: Objective[] = [];
  const columns: { name: string; node: Node }[] = [];
  const outputs: { name: string; node: Node }[] = [];
  let lossNode: Node | undefined;
  const context = (part: number): Context => ({
    ...baseContext(seed, ambientOf(true, batch)),
    training: true,
    writes: true,
    instance: owner,
    current,
    updated,
    step: accumulate === 1 ? step : iaddPart(step, accumulate, part),
    draws: { count: 0, path: name },
  });
  const current = new Map<Source, Node>();
  const updated: Updated[] = [];
  const fieldsAt = (target: Scope, part: number): void => {
    if (!data || !index) return;
    for (const name of data.broken) target.bind(name, { kind: "lazy", force: quiet });
    for (const f of data.fields) {
      const node = overRows(
        f.formula(),
        data.row,
        batch,
        (b) => load(index, [modulo(step, window), iadd(b, part * batch)]) as Integer,
      );
      if (!node.label && node.kind === "compute") (node as { label?: string }).label = f.name;
      target.bind(f.name, tensor(withRange(node, f.public.range)));
    }
  };
  // statements before the first `minimize` are evaluated once per accumulated part; the usual case is one part
  const parts = Array.from({ length: accumulate }, (_, part) => {
    const local = new Scope(scope);
    fieldsAt(local, part);
    return { scope: new Scope(local), ctx: context(part) };
  });
  let lines = 0;
  for (const s of item.statements) {
    attempt(() => {
      switch (s.kind) {
        case "let":
          for (const p of parts) {
            try {
              bindLet(self, s, p.scope, p.ctx);
            } catch (error) {
              for (const n of s.names)
                if (p.scope.own(n.text) === undefined) p.scope.bind(n.text, { kind: "lazy", force: quiet });
              throw error;
            }
          }
          return;
        case "state":
          for (const p of parts) declareState(self, s, p.scope, p.ctx);
          return;
        case "next":
          runTrainNext(self, s, parts[parts.length - 1]!.scope, parts[parts.length - 1]!.ctx, owner);
          return;
        case "metric": {
          const values = parts.map((p) =>
            asTensor(evaluate(self, s.value, p.scope, { ...p.ctx, writes: false, declared: "metric" }), s.value.span),
          );
          if (values[0]!.shape.length === 0) {
            const asNumbers = values.map((v) => (v.dtype === "f32" ? v : compute([], undefined, toF32(load(v, [])))));
            columns.push({ name: s.name.text, node: averaged(asNumbers) });
          } else outputs.push({ name: s.name.text, node: values[values.length - 1]! });
          return;
        }
        case "minimize": {
          lines += 1;
          const losses = parts.map((p) => {
            const v = asTensor(evaluate(self, s.value, p.scope, p.ctx), s.value.span, "f32");
            if (v.shape.length || v.dtype !== "f32")
              throw errors.notScalar(s.value.span, "an objective", errors.typeText(v.dtype, v.shape));
            return v;
          });
          const stale = updated.find((u) => losses.some((l) => dependsOutsideStop(l, u.before, current)));
          if (stale) throw errors.staleValue(s.value.span, "objective", stale.parameter.path, stale.span);
          if (!lossNode) lossNode = averaged(losses);
          const made = minimizeLine(
            self,
            s,
            losses,
            parts.map((p) => p.ctx),
            parts[0]!.scope,
            current,
            name,
            lines,
            step,
          );
          group.push(...made.groups);
          objectives.push({ name: `${name}.minimize${lines}`, loss: averaged(losses), gradients: made.gradients });
          updated.push(...made.updated.map((u) => ({ ...u, span: s.span })));
          return;
        }
        case "setting":
          return;
        default:
          s satisfies never;
      }
    });
  }
  for (const { metric, span } of settings.compared)
    attempt(() => {
      const tensor_ = outputs.find((o) => metric.endsWith(`.${o.name}`));
      if (tensor_)
        throw errors.notScalar(span, "what is compared", errors.typeText(tensor_.node.dtype, tensor_.node.shape));
    });
  for (const o of outputs)
    attempt(() => {
      const split = data?.public.holdouts.find((h) => host.has(`${h.name}.${o.name}`));
      const metric = item.statements.find((s) => s.kind === "metric" && s.name.text === o.name);
      const what = `what the block reads as ${split?.name}.${o.name}`;
      if (split) throw errors.notScalar((metric ?? item).span, what, errors.typeText(o.node.dtype, o.node.shape));
    });
  if (!lossNode && lines > 0) throw new errors.Quiet();
  if (!lossNode)
    throw errors.badSetting(
      item.name.span,
      `the train block ${name}`,
      "minimizes nothing",
      "write minimize e by adam(lr: 1e-3)",
    );
  columns.unshift({ name: "loss", node: lossNode });

  // ---- ring and counter
  const ring = source({
    role: "state",
    path: `${name}.ring`,
    shape: [window, columns.length],
    dtype: "f32",
    label: "ring",
  });
  self.states.set(ring.path, { source: ring, initial: zeros(ring.shape), span: item.span, kind: "counter" });
  const [w, c] = [variable(window, "w"), variable(columns.length, "c")];
  let element = load(columns[0]!.node, []);
  for (let i = 1; i < columns.length; i++) element = select(equal(c, i), load(columns[i]!.node, []), element);
  const row = window === 1 ? integer(0) : w;
  current.set(
    ring,
    compute(
      [w, c],
      undefined,
      select(equal(row, modulo(step, window)), element, load(ring, [row, columns.length === 1 ? integer(0) : c])),
      { label: "ring" },
    ),
  );
  current.set(counter, compute([], undefined, iadd(step, 1), { label: "step" }));

  // states that nothing else reads are left out: a momentum of 0 has no buffer
  const kept = liveUpdates(current, [...columns.map((x) => x.node), ...outputs.map((o) => o.node)], self);
  for (const [path, s] of [...self.states])
    if (s.kind === "optimizer" && path.startsWith(`${name}.`) && !kept.has(s.source)) self.states.delete(path);
  const stepProgram = program(
    `${name}.step`,
    outputs,
    [...kept].map(([target, value]) => ({ target, value })),
  );

  // ---- initial values of everything that the step touches
  const reached = new Set<Source>();
  for (const n of topological([
    ...stepProgram.updates.map((u) => u.value),
    ...stepProgram.updates.map((u) => u.target),
    ...outputs.map((o) => o.node),
  ]))
    if (n.kind === "source" && (n.role === "parameter" || n.role === "state")) reached.add(n);
  for (const p of parametersSoFar(owner)) reached.add(p);
  const all = [...self.parameters.values(), ...self.states.values()].filter((x) => reached.has(x.source));
  const initial = initialValues(self);
  const init = program(
    `${name}.init`,
    [],
    all.map((x) => ({ target: x.source, value: initial(x) })),
  );

  // ---- evaluation over a split, as if it were one batch
  const evaluation =
    data && attempt(() => evaluationOf(self, item, scope, data!, datasets, owner, name, ambientOf, seed, step));
  const groups = group.map((g) => ({
    ...g,
    members: g.members.map((m) => ({ ...m, states: m.states.filter((x) => kept.has(x)) })),
  }));
  hostScalar("steps");
  hostScalar("epochs");
  return {
    name,
    ...(data ? { dataset: data.public.name } : {}),
    batch,
    accumulate,
    shuffle: settings.shuffle,
    seed: settings.seed,
    ...(settings.epochs !== undefined ? { epochs: settings.epochs } : {}),
    ...(settings.steps !== undefined ? { steps: settings.steps } : {}),
    window,
    ...(settings.evaluateEvery !== undefined ? { evaluateEvery: settings.evaluateEvery } : {}),
    ...(settings.stop ? { stop: settings.stop } : {}),
    ...(settings.save ? { save: settings.save } : {}),
    load: settings.load,
    ...(index ? { index } : {}),
    ring,
    columns: columns.map((x) => x.name),
    counter,
    scalars: [
      { name: "seed", source: seed },
      ...[...host].filter(([path]) => path !== "seed").map(([path, s]) => ({ name: path, source: s })),
    ],
    init,
    step: stepProgram,
    objectives,
    groups,
    ...(evaluation ? { evaluation } : {}),
    span: item.span,
  };
}
const trainingCount = (d: DatasetState): number | undefined => {
  const n = d.public.rowCount;
  if (n === undefined) return undefined;
  return n - d.public.holdouts.reduce((sum, h) => sum + (h.fraction !== undefined ? Math.round(h.fraction * n) : 0), 0);
};
const metricNames = (item: ast.Train): string[] => [
  "loss",
  ...item.statements.flatMap((s) => (s.kind === "metric" ? [s.name.text] : [])),
];
const iaddPart = (step: Integer, accumulate: number, part: number): Integer =>
  iadd(...Array.from({ length: accumulate }, () => step), part);
const notZero = (e: Integer) => notScalarBool(equal(e, 0));
function averaged(nodes: readonly Node[]): Node {
  if (nodes.length === 1) return nodes[0]!;
  return compute(
    [],
    undefined,
    callScalar(
      "div",
      nodes.map((n) => load(n, [])).reduce((a, b) => callScalar("add", a, b)),
      nodes.length,
    ),
  );
}
const settingNames = ["epochs", "steps", "seed", "accumulate", "evaluate", "stop", "save", "load"];
/** What `valid.acc` may name. */
interface Measured {
  readonly data: string | undefined;
  readonly splits: readonly string[];
  readonly metrics: readonly string[];
  readonly better: (metric: string) => "min" | "max" | undefined;
}
/** Is less or more of it better? The objective is minimized; a metric that is one call of a function is what that function's documentation says. */
function betterMetric(item: ast.Train, name: string, scope: Scope): "min" | "max" | undefined {
  if (name === "loss") return "min";
  let e = item.statements.find((s): s is ast.Metric => s.kind === "metric" && s.name.text === name)?.value;
  while (e?.kind === "paren" || (e?.kind === "binary" && e.operator === "|>"))
    e = e.kind === "paren" ? e.value : e.right;
  if (e?.kind === "call" && e.args.some((a) => a.value.kind === "lambda")) return undefined; // another reduction of it
  const callee = e?.kind === "call" ? e.callee : e;
  const v = callee?.kind === "name" ? scope.find(callee.text) : undefined;
  return v?.kind === "fn" ? factsOf(v.declaration.doc).better : undefined;
}
function trainSetting(
  self: Interpreter,
  s: ast.Setting,
  scope: Scope,
  ctx: Context,
  settings: TrainSettings,
  measured: Measured,
): void {
  const whole = (e: ast.Expr, what: string): number => {
    const v = evaluate(self, e, scope, ctx);
    if (v.kind !== "number" || !Number.isInteger(v.value) || v.value < 1)
      throw errors.badSetting(e.span, what, `must be a whole number, 1 or more; this is ${kindText(v)}`);
    return v.value;
  };
  /** The arguments of `word(...)`: those by position, and those of the given names. */
  const callOf = (
    word: string,
    example: string,
    positions: number,
    names: readonly string[],
  ): { at: readonly ast.Expr[]; named: ReadonlyMap<string, ast.Expr> } => {
    if (s.value.kind !== "call" || s.value.callee.kind !== "name" || s.value.callee.text !== word)
      throw errors.badSetting(s.value.span, s.name.text, `is written ${word}(...)`, `write ${s.name.text}: ${example}`);
    for (const a of s.value.args)
      if (a.name && !names.includes(a.name.text))
        throw errors.unknownName(a.name.span, a.name.text, names, { kind: "argument", place: `of ${word}` });
    const at = s.value.args.flatMap((a) => (a.name ? [] : [a.value]));
    if (at.length !== positions) throw errors.badSetting(s.value.span, s.name.text, `is written ${example}`);
    return { at, named: new Map(s.value.args.flatMap((a) => (a.name ? [[a.name.text, a.value] as const] : []))) };
  };
  const metricPath = (e: ast.Expr): string => {
    if (e.kind !== "member" || e.operand.kind !== "name")
      throw errors.badSetting(e.span, s.name.text, "names a measured value, as valid.loss");
    if (!measured.splits.length)
      throw errors.badSetting(
        e.operand.span,
        s.name.text,
        measured.data
          ? `names \`${e.operand.text}\`, but ${measured.data} has no part to measure on`
          : "needs data to measure on",
        measured.data ? `write holdout ${e.operand.text} = 0.1 in ${measured.data}` : undefined,
      );
    if (!measured.splits.includes(e.operand.text))
      throw errors.unknownName(e.operand.span, e.operand.text, measured.splits, {
        kind: "holdout",
        place: `in ${measured.data}`,
      });
    if (!measured.metrics.includes(e.name.text))
      throw errors.unknownName(e.name.span, e.name.text, measured.metrics, {
        kind: "metric",
        place: "in this train block",
      });
    return `${e.operand.text}.${e.name.text}`;
  };
  const text = (e: ast.Expr | undefined, example: string): string => {
    if (e?.kind !== "string") throw errors.badSetting((e ?? s.value).span, s.name.text, `is written ${example}`);
    return e.value;
  };
  /** The measured value of `best(min: valid.nll, ...)`, and whether less or more of it is better; without min or max where the value says it itself. */
  const directed = (
    word: string,
    example: string,
    positions: number,
    names: readonly string[],
  ): {
    metric: string;
    mode: "min" | "max";
    span: Span;
    at: readonly ast.Expr[];
    named: ReadonlyMap<string, ast.Expr>;
  } => {
    const given =
      s.value.kind === "call" ? s.value.args.filter((a) => a.name?.text === "min" || a.name?.text === "max") : [];
    if (given[1])
      throw errors.badSetting(given[1].span, s.name.text, "compares one measured value", `write ${example}`);
    const [own] = given;
    const { at, named } = callOf(word, example, own ? positions - 1 : positions, ["min", "max", ...names]);
    const value = own?.value ?? at[0]!;
    const metric = metricPath(value);
    const mode = own ? (own.name!.text as "min" | "max") : measured.better(metric.slice(metric.indexOf(".") + 1));
    if (!mode)
      throw errors.unknownDirection(
        value.span,
        s.name.text,
        metric,
        example.replace(/\w+: valid\.loss/, `min: ${metric}`),
      );
    return { metric, mode, span: value.span, at: own ? at : at.slice(1), named };
  };
  switch (s.name.text) {
    case "epochs":
      settings.epochs = whole(s.value, "epochs");
      return;
    case "steps":
      settings.steps = whole(s.value, "steps");
      return;
    case "accumulate":
      settings.accumulate = whole(s.value, "accumulate");
      return;
    case "evaluate":
      settings.evaluateEvery = whole(s.value, "evaluate");
      return;
    case "seed": {
      const v = evaluate(self, s.value, scope, ctx);
      if (v.kind !== "number" || !Number.isInteger(v.value))
        throw errors.badSetting(s.value.span, "seed", `must be a whole number; this is ${kindText(v)}`);
      settings.seed = v.value;
      return;
    }
    case "stop": {
      const { metric, mode, span, named } = directed("stalled", "stalled(min: valid.loss, patience: 3)", 1, [
        "patience",
      ]);
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
      const { metric, mode, span, at } = directed("best", example, 2, []);
      settings.save = { metric, path: text(at[0], example), mode };
      settings.compared.push({ metric, span });
      return;
    }
    case "load": {
      const example = 'from("file.safetensors", into: net)';
      const { at, named } = callOf("from", example, 1, ["into"]);
      const into = named.get("into");
      let root = into;
      while (root?.kind === "member") root = root.operand;
      if (root) {
        const v = evaluate(self, root, scope, ctx);
        if (v.kind !== "instance") throw errors.wrongKind(root.span, "a model or a part of one", kindText(v));
      }
      settings.load.push({
        path: text(at[0], example),
        ...(into ? { into: into.span.file.text.slice(into.span.start, into.span.end) } : {}),
      });
      return;
    }
    default:
      throw errors.unknownName(s.name.span, s.name.text, settingNames, { kind: "setting", place: "of a train block" });
  }
}
/** `next` of a train block: states by name; an instance bound as a state takes a bundle. */
function runTrainNext(self: Interpreter, s: ast.Next, scope: Scope, ctx: Context, owner: Instance): void {
  const values = s.assignments.map((a) => ({
    name: a.name,
    span: a.value.span,
    value: evaluate(self, a.value, scope, ctx),
  }));
  for (const { name, span, value } of values) {
    scope.get(name.text, name.span);
    const copy = instanceState(owner, name.text);
    if (copy) {
      writeInstanceState(copy, value, span, ctx);
      continue;
    }
    const held = owner.states.get(name.text);
    if (!held) throw errors.wrongKind(name.span, "a declared state", `\`${name.text}\``);
    ctx.current.set(held, stopGradient(nextValue(held, value, span, name.text, ctx)));
  }
}

/** One `minimize`: gradient, the optimizer chain for every parameter, and the new parameters. */
function minimizeLine(
  self: Interpreter,
  s: ast.Minimize,
  losses: readonly Node[],
  contexts: readonly Context[],
  scope: Scope,
  current: Map<Source, Node>,
  train: string,
  line: number,
  step: Integer,
): { groups: OptimizerGroup[]; updated: Omit<Updated, "span">[]; gradients: Objective["gradients"] } {
  const ctx = contexts[0]!;
  const claimed = new Set<Source>();
  const clauses = s.clauses.map((clause) => {
    const by = evaluate(self, clause.by, scope, { ...ctx, writes: true });
    if (by.kind !== "optimizers")
      throw errors.wrongKind(clause.by.span, "an optimizer", kindText(by), "write by adam(lr: 1e-3)");
    let wanted: Source[] | undefined;
    if (clause.wrt) {
      wanted = [];
      const parts = clause.wrt.kind === "tuple" ? clause.wrt.elements : [clause.wrt];
      for (const e of parts) {
        const v = evaluate(self, e, scope, ctx);
        if (v.kind === "instance") wanted.push(...parametersOf(self, v.instance));
        else if (v.kind === "list")
          for (const x of v.elements) wanted.push(...(x.kind === "instance" ? parametersOf(self, x.instance) : []));
        else {
          const node = asTensor(v, e.span);
          const p = [...self.parameters.values()].find((x) => (current.get(x.source) ?? x.source) === node);
          if (!p) throw errors.wrongKind(e.span, "a model, a layer's instance or a parameter", kindText(v));
          wanted.push(p.source);
        }
      }
      for (const p of wanted) claimed.add(p);
    }
    const every = clause.every && evaluate(self, clause.every, scope, ctx);
    if (every && (every.kind !== "number" || every.value < 1 || !Number.isInteger(every.value)))
      throw errors.badSetting(clause.every!.span, "every", "must be a whole number, 1 or more");
    return { clause, chain: by.chain, wanted, every: every?.kind === "number" ? every.value : 1 };
  });
  const reached = reachedParameters(losses, self, current);
  const nodesOf = (p: Source): Node => current.get(p) ?? p;
  const all = [...new Set(clauses.flatMap((c) => c.wanted ?? reached.filter((p) => !claimed.has(p))))];
  // one gradient for all clauses; averaged over accumulated parts
  const found = losses.map((loss) => derivatives(loss, all.map(nodesOf)));
  const gradients = new Map<Source, Node>();
  all.forEach((p, i) => {
    const parts = found.map((g) => g[i]).filter((g): g is Node => g !== undefined);
    if (!parts.length) return;
    const sum = sumNodes(parts);
    if (losses.length === 1) return void gradients.set(p, sum);
    const axes = axesOf(sum.shape);
    gradients.set(p, compute(axes, undefined, callScalar("div", load(sum, indicesOf(axes)), losses.length)));
  });
  for (const [p, g] of gradients) if (!g.label && g.kind === "compute") (g as { label?: string }).label = `d_${p.path}`;
  const places = [...gradients].map(([parameter, g]) => ({ parameter, at: nodesOf(parameter), gradient: g }));
  const groups: OptimizerGroup[] = [];
  const updated: Omit<Updated, "span">[] = [];
  clauses.forEach(({ clause, chain, wanted, every }, k) => {
    const own = (wanted ?? reached.filter((p) => !claimed.has(p))).filter((p) => gradients.has(p));
    if (!own.length)
      throw errors.noDependence(
        clause.wrt?.span ?? s.value.span,
        clause.wrt ? clause.wrt.span.file.text.slice(clause.wrt.span.start, clause.wrt.span.end) : "any parameter",
      );
    const prefix = `${train}.minimize${line}${clauses.length > 1 ? `.${k + 1}` : ""}`;
    const result = within(clause.by.span, chain.map((o) => o.name).join(" >> "), () =>
      runChain(self, chain, own, gradients, nodesOf, ctx, prefix, every, step, current),
    );
    const members = own.map((p) => {
      const before = nodesOf(p);
      const axes = axesOf(p.shape);
      let next = callScalar("sub", load(before, indicesOf(axes)), load(result.steps.get(p)!, indicesOf(axes)));
      if (every > 1) next = select(equal(modulo(step, every), every - 1), next, load(before, indicesOf(axes)));
      // the new value is a constant for every derivative below: none goes through the optimizer
      const node = compute(axes, undefined, callScalar("stop", next), { label: p.path });
      updated.push({ parameter: p, before });
      return { parameter: p, gradient: gradients.get(p)!, states: result.states.get(p) ?? [], updated: node };
    });
    for (const m of members) current.set(m.parameter, m.updated);
    groups.push({ name: prefix, members });
  });
  return { groups, updated, gradients: places };
}
/** Parameters that the losses depend on, in order of their making. */
function reachedParameters(losses: readonly Node[], self: Interpreter, current: ReadonlyMap<Source, Node>): Source[] {
  const now = new Map<Node, Source>(
    [...self.parameters.values()].map((p) => [current.get(p.source) ?? p.source, p.source]),
  );
  const found = new Set<Source>();
  for (const x of topological([...losses], (n) => now.has(n))) {
    const p = now.get(x);
    if (p) found.add(p);
  }
  return [...self.parameters.values()].map((p) => p.source).filter((p) => found.has(p));
}
/** The chain of optimizers: each gets (p, g) for every parameter of the line; its result is the next one's g. */
function runChain(
  self: Interpreter,
  chain: readonly OptimizerValue[],
  parameters: readonly Source[],
  gradients: ReadonlyMap<Source, Node>,
  nodeOf: (p: Source) => Node,
  ctx: Context,
  prefix: string,
  every: number,
  step: Integer,
  current: Map<Source, Node>,
): { steps: Map<Source, Node>; states: Map<Source, Source[]> } {
  let g = new Map(parameters.map((p) => [p, gradients.get(p)!]));
  const states = new Map<Source, Source[]>();
  const own = every === 1 ? step : floorDivBy(step, every);
  chain.forEach((o, position) => {
    const d = o.declaration;
    const [pName, gName] = d.params.map((x) => x.name.text);
    if (d.params.length !== 2)
      throw errors.argumentsDoNotFit(
        d.name.span,
        `the optimizer ${d.name.text}`,
        `takes ${d.params.length} values, but is given a parameter and its gradient`,
        undefined,
        `write optimizer ${d.name.text}(...)(p: f32[...P], g: f32[...P])`,
      );
    const ambient = new Scope(ctx.ambient);
    ambient.bind("step", { kind: "int", value: own });
    const bindingOf = (p: Source): { scope: Scope; holder: Instance } => {
      const holder = newInstance(
        `${prefix}.${o.name}${chain.filter((x) => x.name === o.name).length > 1 ? position + 1 : ""}.${p.path}`,
        d as unknown as Instance["declaration"],
        o.scope,
      );
      const bound = bindParameters(
        self,
        d.name.text,
        d.params,
        [
          { name: pName!, value: tensor(nodeOf(p)), span: d.span },
          { name: gName!, value: tensor(g.get(p)!), span: d.span },
        ],
        o.scope,
        d.span,
        ctx,
      );
      return { scope: bound.scope, holder };
    };
    const bindings = new Map(parameters.map((p) => [p, bindingOf(p)]));
    // `sum over params: e` looks at the same expression for every parameter of the line
    const eachCache = new Map<ast.Expr, Value[]>();
    const params: OptimizerParams = {
      each: (body) => {
        let known = eachCache.get(body);
        if (!known) {
          known = parameters.map((p) => evaluate(self, body, bindings.get(p)!.scope, { ...ctx, ambient, params }));
          eachCache.set(body, known);
        }
        return known;
      },
    };
    const next = new Map<Source, Node>();
    for (const p of parameters) {
      const { scope, holder } = bindings.get(p)!;
      const inner: Context = {
        ...ctx,
        ambient,
        instance: holder,
        writes: true,
        current,
        declared: undefined,
        params,
        draws: { count: 0, path: holder.path },
      };
      const made =
        d.body.kind === "expression"
          ? evaluate(self, d.body.value, scope, inner)
          : optimizerBody(self, d.body, new Scope(scope), inner, holder);
      const value = d.result
        ? checkType(
            self,
            made,
            d.result,
            { scope, dims: new Map(), spreads: spreadsOf(scope) },
            `the result of ${d.name.text}`,
            d.result.span,
            inner,
          )
        : made;
      const fitted = fitTo({ shape: p.shape, dtype: "f32" }, value, d.span, d.name.text);
      next.set(p, fitted);
      states.set(p, [...(states.get(p) ?? []), ...holder.states.values()]);
      if (every > 1)
        for (const held of holder.states.values()) {
          const now = current.get(held);
          if (!now) continue;
          const axes = axesOf(held.shape);
          current.set(
            held,
            compute(
              axes,
              undefined,
              select(equal(modulo(step, every), every - 1), load(now, indicesOf(axes)), load(held, indicesOf(axes))),
            ),
          );
        }
    }
    g = next;
  });
  return { steps: g, states };
}
/** An optimizer's block: its states belong to the parameter. */
function optimizerBody(self: Interpreter, block: ast.Block, scope: Scope, ctx: Context, holder: Instance): Value {
  for (const s of block.statements) {
    if (s.kind === "state") {
      const force = (): Value => {
        const held = stateOf(self, s, scope, ctx, holder, `${holder.path}.${s.name.text}`, "optimizer");
        return tensor(ctx.current.get(held) ?? held);
      };
      force();
      scope.bind(s.name.text, { kind: "lazy", force }, s.name.span);
    } else {
      const outcome = runStatements(self, [s], scope, ctx);
      if (outcome.kind === "returned") return outcome.value;
    }
  }
  throw errors.noReturn(block.span);
}
/** Updates whose target something reads: outputs, or other live updates, or parameters and layer state (which a checkpoint keeps). */
function liveUpdates(
  current: ReadonlyMap<Source, Node>,
  outputs: readonly Node[],
  self: Interpreter,
): Map<Source, Node> {
  const optional = new Set([...self.states.values()].filter((s) => s.kind === "optimizer").map((s) => s.source));
  const live = new Set<Source>();
  const queue: Node[] = [...outputs];
  for (const [target, value] of current)
    if (!optional.has(target)) {
      live.add(target);
      queue.push(value);
    }
  const seen = new Set<Node>();
  while (queue.length) {
    const x = queue.pop()!;
    if (seen.has(x)) continue;
    seen.add(x);
    if (x.kind === "source" && optional.has(x) && !live.has(x)) {
      live.add(x);
      const value = current.get(x);
      if (value) queue.push(value);
    }
    queue.push(...inputs(x));
  }
  return new Map([...current].filter(([target, value]) => live.has(target) && value !== target));
}

function program(
  name: string,
  outputs: readonly { name: string; node: Node }[],
  updates: readonly { target: Source; value: Node }[],
): GraphProgram {
  const sources = new Set<Source>();
  const extents = new Set<Extent>();
  const seen = new Set<Scalar>();
  for (const n of topological([...outputs.map((o) => o.node), ...updates.map((u) => u.value)])) {
    if (n.kind === "source" && n.role !== "constant" && n.role !== "carry") sources.add(n);
    for (const extent of n.shape) extents.add(extent);
    if (n.kind === "compute") for (const extent of n.reduction?.extents ?? []) extents.add(extent);
    for (const e of n.kind === "compute" ? [n.body] : n.kind === "scatter" ? [n.value, ...n.indices] : [])
      visit(e, (x) => x.kind === "dim" && extents.add(x), seen);
  }
  return { name, inputs: [...sources], dims: dimsOf([...extents]), outputs, updates };
}
const dimsOf = (extents: readonly Extent[]): Dim[] => {
  const found = new Set<Dim>();
  for (const n of extents) {
    if (typeof n === "number") continue;
    if (n.kind === "dim") found.add(n);
    else for (const [atom] of n.terms) if (atom.kind === "dim") found.add(atom);
  }
  return [...found];
};
export { program as graphProgram };

/**
 * A field over rows of any split. Rows of other data that are a holdout are numbered behind the own ones. Where both data compute the field alike, the
 * columns of the other lie behind the own ones too, and the own formula reads them; where not, each formula is taken for its rows.
 */
function measuredField(
  f: FieldState,
  data: DatasetState,
  datasets: ReadonlyMap<string, DatasetState>,
  rows: Extent,
  index: Source,
): Node {
  const node = overAllRows(
    f,
    data,
    datasets,
    rows,
    (b) => load(index, [b]) as Integer,
    (x) => (x === f ? f.formula() : writtenFormula(x)),
  );
  const { range } = f.public;
  const [least, most] = [range?.low ?? -Infinity, range?.high ?? Infinity];
  // what the host has checked to lie in the range of f, others' formulas too
  const proved =
    !range ||
    typeof most !== "number" ||
    !node.range ||
    (node.range.low >= least && typeof node.range.high === "number" && node.range.high <= most);
  return proved ? node : clamped(node, [least, most + 1]);
}
/** The field over rows that `at` numbers, by `formulaOf` each of the data. */
function overAllRows(
  f: FieldState,
  data: DatasetState,
  datasets: ReadonlyMap<string, DatasetState>,
  rows: Extent,
  at: (b: Integer) => Integer,
  formulaOf: (x: FieldState) => Node,
): Node {
  let node = overRows(formulaOf(f), data.row, rows, at);
  const { name, rowCount, holdouts } = data.public;
  let from = rowCount;
  for (const h of holdouts) {
    const other = h.dataset === undefined ? undefined : datasets.get(h.dataset);
    const own = other?.fields.find((x) => x.name === f.name);
    if (!other || !own || other === data) continue;
    const count = other.public.rowCount;
    const known = from !== undefined && count !== undefined;
    const columns = [...other.columns.values()].flatMap((c): [Node, Node][] => {
      const twin = data.columns.get(`${name}${c.name.slice(other.public.name.length)}`);
      return twin ? [[c.source, twin.source]] : [];
    });
    const sources = new Map<Node, Node>(columns);
    const formula = overRows(writtenFormula(own), other.row, rows, at);
    const mine = overRows(writtenFormula(f), data.row, rows, at);
    if (overSources(formula, sources, known) !== overSources(mine, new Map(), known)) {
      if (!known)
        throw errors.badSetting(
          h.span,
          `holdout ${h.name}`,
          `computes \`${f.name}\` in another way than ${name}, and the number of rows is not known`,
          "write the same formula in both, or give both `rows`",
        );
      const [want, got] = [f.public.range, own.public.range];
      if (
        want &&
        !(
          got &&
          got.low >= want.low &&
          typeof got.high === "number" &&
          typeof want.high === "number" &&
          got.high <= want.high
        )
      )
        throw errors.badSetting(
          h.span,
          `holdout ${h.name}`,
          `has numbers \`${f.name}\` outside of the range that ${name} declares`,
        );
      const place = (b: Integer): Integer =>
        callScalar("max", integer(0), callScalar("min", iadd(at(b), -from!), integer(count! - 1))) as Integer;
      const theirs = overRows(formulaOf(own), other.row, rows, place);
      const b = axesOf(node.shape);
      const row = at(indicesOf(b)[0]!);
      const inside = and(nonNegative(iadd(row, -from!)), nonNegative(isub(integer(from! + count! - 1), row)));
      node = compute(b, undefined, select(inside, load(theirs, indicesOf(b)), load(node, indicesOf(b))), {
        label: f.name,
      });
    }
    from = known ? from! + count! : undefined;
  }
  return node;
}
/** Loss and metrics over rows of a split: the block again, with `training` false and as many rows as there are. */
function evaluationOf(
  self: Interpreter,
  item: ast.Train,
  scope: Scope,
  data: DatasetState,
  datasets: ReadonlyMap<string, DatasetState>,
  owner: Instance,
  name: string,
  ambientOf: (training: boolean, batch: Extent) => Scope,
  seed: Source,
  step: Integer,
): TrainProgram["evaluation"] {
  const rows = dim("rows");
  const index = source({
    role: "input",
    path: `${name}.evaluate.index`,
    shape: [rows],
    dtype: "i32",
    range: data.row.range,
    label: "index",
  });
  const inner = new Scope(scope);
  for (const name of data.broken) inner.bind(name, { kind: "lazy", force: quiet });
  for (const f of data.fields)
    inner.bind(f.name, {
      kind: "lazy",
      force: once(() => tensor(withRange(measuredField(f, data, datasets, rows, index), f.public.range))),
    });
  const block = new Scope(inner);
  const ctx: Context = {
    ...baseContext(seed, ambientOf(false, rows)),
    instance: owner,
    step,
    draws: { count: 0, path: `${name}.evaluate` },
  };
  const outputs: { name: string; node: Node }[] = [];
  let first = true;
  for (const s of item.statements) {
    if (s.kind === "let") {
      const bind = once(() => {
        const own = new Scope(block);
        bindLet(self, s, own, ctx);
        return own;
      });
      for (const n of s.names) block.bind(n.text, { kind: "lazy", force: () => bind().own(n.text)! }, n.span);
    } else if (s.kind === "state") declareState(self, s, block, ctx);
    else if (s.kind === "minimize" && first) {
      first = false;
      outputs.unshift({ name: "loss", node: asTensor(evaluate(self, s.value, block, ctx), s.value.span, "f32") });
    } else if (s.kind === "metric")
      outputs.push({
        name: s.name.text,
        node: asTensor(evaluate(self, s.value, block, { ...ctx, declared: "metric" }), s.value.span),
      });
  }
  return splitEvaluation(outputs, index, rows, name, program);
}
const once = <T>(f: () => T): (() => T) => {
  let known: { value: T } | undefined;
  return () => (known ??= { value: f() }).value;
};

// ---------------------------------------------------------------- exports

/** The last number of a range: known, or affine in the dims. */
function asRangeEnd(last: Integer): Range["high"] | undefined {
  const known = constantOf(last);
  return (
    known ??
    (last.kind === "dim" || (last.kind === "affine" && last.atoms.every((x) => x.kind === "dim"))
      ? (last as Dim)
      : undefined)
  );
}
function elaborateExport(self: Interpreter, item: ast.Fn, scope: Scope, seed: Source): ExportProgram {
  const inner = new Scope(scope);
  const ambient = ambientScope(false);
  ambient.bind("seed", { kind: "int", value: load(seed, []) as Integer });
  const ctx: Context = { ...baseContext(seed, ambient), draws: { count: 0, path: item.name.text } };
  const inputsOf: { name: string; source: Source; default?: number }[] = [];
  const bounds = new Map<string, number>();
  // free dims are run-time, in any order of parameters
  const free = (e: ast.Expr): string | undefined =>
    e.kind === "name" && /^[A-Z]/.test(e.text)
      ? e.text
      : e.kind === "binary" && e.operator === "<=" && e.left.kind === "name" && /^[A-Z]/.test(e.left.text)
        ? e.left.text
        : undefined;
  for (const p of item.params) {
    if (p.type?.kind !== "tensor_type") continue;
    for (const d of p.type.dims ?? []) {
      const name = d.kind === "dim" ? free(d.value) : undefined;
      if (name && d.kind === "dim" && d.value.kind === "binary") {
        const most = evaluate(self, d.value.right, inner, ctx);
        if (most.kind !== "number" || most.value < 1)
          throw errors.wrongKind(d.value.right.span, "a whole number, 1 or more", kindText(most));
        bounds.set(name, Math.min(most.value, bounds.get(name) ?? Infinity));
      }
      if (name && inner.find(name) === undefined) inner.bind(name, int(dim(name)));
    }
  }
  for (const p of item.params) {
    if (p.type?.kind !== "tensor_type")
      throw errors.wrongKind(
        p.span,
        "a tensor's type",
        p.type ? typeSource(p.type) : "none",
        "the inputs of an export have types: x: f32[B, 4]",
      );
    const dtype = p.type.element.text as DType;
    if (dtype !== "f32" && dtype !== "i32" && dtype !== "bool")
      throw ["int", "fn", "dist"].includes(dtype)
        ? errors.wrongKind(
            p.type.span,
            "f32, i32 or bool",
            typeSource(p.type),
            "the inputs of an export come at run time",
          )
        : errors.unknownName(p.type.element.span, dtype, ["f32", "i32", "bool"], { kind: "type" });
    const shape = (p.type.dims ?? []).map((d): Extent => {
      if (d.kind === "spread") throw errors.wrongKind(d.span, "axes by name", `...${d.name.text}`);
      const name = free(d.value);
      return extentValue(name ? inner.get(name, d.span) : evaluate(self, d.value, inner, ctx), d.span);
    });
    let range: Range | undefined;
    if (p.type.range) {
      if (dtype !== "i32")
        throw errors.wrongKind(p.type.range.span, "i32 before `in`", dtype, "only whole numbers carry a range");
      const r = declaredRange(self, p.type.range, inner, p.type.range.span, ctx);
      const low = constantOf(r.low);
      const last = iadd(r.end, -1);
      if (low === undefined || asRangeEnd(last) === undefined)
        throw errors.wrongKind(
          p.type.range.span,
          "a range from a known number to a known number or size",
          "one that depends on more",
        );
      range = { low, high: asRangeEnd(last)! };
    } else if (dtype === "i32") range = { low: leastI32, high: mostI32 };
    const s = source({
      role: "input",
      path: p.name.text,
      shape,
      dtype,
      ...(range ? { range } : {}),
      span: p.span,
      label: p.name.text,
    });
    let initial: number | undefined;
    if (p.default) {
      const v = evaluate(self, p.default, inner, ctx);
      if (v.kind !== "number" && v.kind !== "bool") throw errors.wrongKind(p.default.span, "a number", kindText(v));
      initial = Number(v.value);
      if (v.kind !== "bool" || dtype !== "bool")
        checkType(
          self,
          v,
          { ...p.type, dims: [] },
          { scope: inner, dims: new Map(), spreads: new Map() },
          `the default of ${p.name.text}`,
          p.default.span,
          ctx,
        );
    }
    inputsOf.push({ name: p.name.text, source: s, ...(initial !== undefined ? { default: initial } : {}) });
    inner.bind(p.name.text, tensor(s), p.name.span);
  }
  let value = runBody(self, item.body, inner, ctx);
  if (item.result)
    value = checkType(
      self,
      value,
      item.result,
      { scope: inner, dims: new Map(), spreads: new Map() },
      `the result of ${item.name.text}`,
      resultSpan(item.body),
      ctx,
    );
  const results = value.kind === "tuple" ? value.elements : [value];
  const outputs = results.flatMap((v, i) => {
    const base = results.length === 1 ? item.name.text : `${item.name.text}.${i}`;
    if (v.kind === "gradient" || v.kind === "instance")
      return parametersOf(self, v.instance, resultSpan(item.body)).map((p) => ({
        name: `${base}.${p.path}`,
        node: parameterOf(v, p, ctx),
      }));
    return [{ name: base, node: asTensor(v, resultSpan(item.body)) }];
  });
  const made = program(item.name.text, outputs, []);
  if (made.inputs.includes(seed)) inputsOf.push({ name: "seed", source: seed, default: 0 });
  const dims = dimsOf([
    ...made.dims,
    ...made.inputs.flatMap((s) => s.shape),
    ...inputsOf.flatMap((i) => i.source.shape),
    ...outputs.flatMap((o) => o.node.shape),
  ]);
  return {
    name: item.name.text,
    bounds,
    program: { ...made, inputs: [...new Set([...inputsOf.map((i) => i.source), ...made.inputs])], dims },
    inputs: inputsOf,
    outputs,
    span: item.span,
  };
}
