// A train block while its programs are made: its settings and data, the sources that the host writes, and what its text may name.
import type * as ast from "../../../grammar/ast.ts";
import { compute, source } from "../../graph/node.ts";
import { equal, integer, load, not } from "../../graph/scalar.ts";
import type { DType, Extent, Integer, Node, Source } from "../../graph/types.ts";
import { mostI32 } from "../../scalar/range.ts";
import { type Context, type Instance, type Interpreter, Scope, type Updated } from "../context.ts";
import type { DatasetState } from "../data/dataset.ts";
import { ambientScope, type Attempt } from "../declarations.ts";
import { trainInstance } from "../expression/instances.ts";
import type { Objective, OptimizerGroup } from "../program.ts";
import { int, tensor } from "../values.ts";
import { metricNames, splitsOf } from "./measured.ts";
import type { TrainSettings } from "./settings.ts";

export interface TrainBlock {
  readonly self: Interpreter;
  readonly item: ast.Train;
  readonly name: string;
  readonly scope: Scope;
  readonly owner: Instance;
  readonly settings: TrainSettings;
  readonly data: DatasetState | undefined;
  readonly datasets: ReadonlyMap<string, DatasetState>;
  readonly attempt: Attempt;
  readonly window: number; // steps whose losses are kept, and whose rows are numbered at once
  readonly counter: Source; // i32 []
  readonly step: Integer; // of the counter
  readonly index: Source | undefined; // i32 [window, batch * accumulate]: row numbers
  readonly host: Map<string, Source>; // scalars that the host writes, by name
}
/** What the statements of a step have given so far. */
export interface Step {
  readonly parts: readonly Part[]; // of the batch; the usual case is one
  readonly current: Map<Source, Node>; // new values of parameters and states
  readonly updated: Updated[];
  readonly columns: { name: string; node: Node }[]; // metrics of one number, kept for every step
  readonly outputs: { name: string; node: Node }[]; // other metrics
  readonly groups: OptimizerGroup[];
  readonly objectives: Objective[];
  loss: Node | undefined; // the first objective
  lines: number; // `minimize`s read
}
export interface Part {
  readonly scope: Scope;
  readonly ctx: Context;
}
const longestWindow = 1024;
const ringWindow = (batch: number): number =>
  Math.max(8, Math.min(longestWindow, Math.floor(65536 / Math.max(1, batch))));

export function newBlock(
  self: Interpreter,
  item: ast.Train,
  scope: Scope,
  settings: TrainSettings,
  data: DatasetState | undefined,
  datasets: ReadonlyMap<string, DatasetState>,
  attempt: Attempt,
): TrainBlock {
  const name = item.name.text;
  const owner = trainInstance(self, item, scope);
  const rows = settings.batch * settings.accumulate;
  const window = ringWindow(rows);
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
  const step = load(counter, []) as Integer;
  const index =
    data &&
    source({
      role: "input",
      path: `${name}.index`,
      shape: [window, rows],
      dtype: "i32",
      range: data.row.range,
      label: "index",
    });
  return {
    self,
    item,
    name,
    scope,
    owner,
    settings,
    data,
    datasets,
    attempt,
    window,
    counter,
    step,
    index,
    host: new Map(),
  };
}
/** A number that the host writes before a step. */
export function hostScalar({ name, host }: TrainBlock, path: string, dtype: DType = "f32"): Source {
  let found = host.get(path);
  if (!found) {
    const range = dtype === "i32" ? { range: { low: 0, high: mostI32 } } : {};
    found = source({ role: "input", path: `${name}.${path}`, shape: [], dtype, ...range, label: path });
    host.set(path, found);
  }
  return found;
}
/** What the text of a block may name beside its own: the step, the batch, the seed, what was measured. */
export function trainScope(block: TrainBlock, training: boolean, batch: Extent): Scope {
  const { self, step, data, item } = block;
  const ambient = ambientScope(training);
  const whole = (path: string): Integer => load(hostScalar(block, path, "i32"), []) as Integer;
  ambient.bind("step", { kind: "int", value: step });
  ambient.bind("steps", tensor(hostScalar(block, "steps")));
  ambient.bind("epochs", tensor(hostScalar(block, "epochs")));
  ambient.bind("epoch", { kind: "lazy", force: () => ({ kind: "int", value: whole("epoch") }) });
  ambient.bind("batch", int(typeof batch === "number" ? integer(batch) : batch));
  ambient.bind("seed", { kind: "int", value: load(self.seed, []) as Integer });
  ambient.bind("measured", {
    kind: "lazy",
    force: () => tensor(compute([], undefined, not(equal(whole("measured"), 0)))),
  });
  for (const split of splitsOf(data))
    for (const m of metricNames(item))
      ambient.bind(`${split}.${m}`, { kind: "lazy", force: () => tensor(hostScalar(block, `${split}.${m}`)) });
  return ambient;
}
