// The plan: buffers and commands of every unit of a model, as data that the runtime replays. In: Program and its lowered units. Out: Plan.
import { InternalError, place } from "../../grammar/diagnostic.ts";
import {
  planVersion,
  type Plan,
  type PlanEvaluation,
  type PlanExport,
  type PlanFieldCheck,
  type PlanFieldView,
  type PlanPort,
  type PlanTensor,
  type PlanTrain,
  type Storage,
} from "../../runtime/plan.ts";
import type {
  Dataset,
  Evaluation,
  ExportProgram,
  FieldCheck,
  FieldView,
  Held,
  Program,
  TrainProgram,
} from "../elaborate/program.ts";
import type { GraphProgram, Node, Source } from "../graph/types.ts";
import type { View } from "../kernel/graph.ts";
import type { Target } from "../kernel/target.ts";
import type { LoweredModel, LoweredUnit } from "../programs/lower.ts";
import { Buffers, bytesOfShape, type Address } from "./buffers.ts";
import { planDataset } from "./data.ts";
import { Modules } from "./modules.ts";
import { inputPort, openSizes, outputPort, rangedPort, sizesOf, stateRange } from "./ports.ts";
import { planUnit, type Compiled, type PlannedUnit, type Shared, type UnitOptions } from "./unit.ts";

export interface PlanOptions {
  readonly name: string;
  readonly source: string;
  readonly compiler: string;
  readonly target: Target;
  readonly chunk?: number | undefined; // most bytes of the largest value in a chunk of an evaluation
}
export interface Planned {
  readonly plan: Plan;
  readonly pool: number; // bytes of what lives within the units
  readonly programs: readonly Compiled[];
  readonly modules: Modules; // of the plan
}
/** Plans the unit that a graph of the Program became. */
type PlanOf = (origin: GraphProgram, options?: UnitOptions) => PlannedUnit;

const leastChunkBytes = 4 << 20; // of the largest intermediate value of one chunk of an evaluation

export function makePlan(
  program: Program,
  { units, sites }: LoweredModel,
  views: ReadonlyMap<Node, View>,
  storage: ReadonlyMap<Node, Storage>,
  options: PlanOptions,
): Planned {
  const { target } = options;
  const shared: Shared = {
    buffers: new Buffers({ views, storage, sites }),
    modules: new Modules(),
    views,
    target,
  };
  const { buffers, modules } = shared;
  const programs: Compiled[] = [];
  const planOf: PlanOf = (origin, unitOptions) => {
    const unit = units.find((u) => u.origin === origin);
    if (!unit) throw new InternalError(`plan: ${origin.name} was not lowered`);
    const planned = planUnit(unit, shared, unitOptions);
    programs.push(planned.compiled);
    return planned;
  };
  // buffers and modules are numbered in this order
  for (const d of program.datasets) for (const c of d.columns) buffers.column(c.source, c.name);
  const held = [...program.parameters, ...program.states];
  for (const h of held) buffers.state(h.source);
  const trains = program.trains.map((t) => planTrain(t, planOf, buffers, options.chunk));
  const exports = program.exports.map((e) => planExport(e, planOf, buffers));
  const late = units.find((u) => u.kind === "late init");
  const init = late && planLateInit(late, program.seed, planOf, buffers);
  const checks = new Map(
    program.datasets.map((d) => [d, d.check && planCheck(d.check, program.seed, planOf, buffers)]),
  );
  const shown = new Map(program.datasets.map((d) => [d, d.view && planView(d.view, d, program.seed, planOf, buffers)]));
  const datasets = program.datasets.map((d) => planDataset(d, program, buffers, checks.get(d), shown.get(d)));
  const rings = new Set(trains.map((t) => t.ring.buffer));
  const plan: Plan = {
    version: planVersion,
    name: options.name,
    source: options.source,
    compiler: options.compiler,
    target: target.name,
    requires: requirements(shared),
    buffers: buffers.list,
    modules: modules.list,
    states: held.flatMap((h) => planState(h, buffers)).filter((s) => !rings.has(s.buffer)),
    datasets,
    ...(init ? { init } : {}),
    trains,
    exports,
  };
  return { plan, pool: buffers.poolBytes(), programs, modules };
}
function requirements({ buffers, modules, target }: Shared): Plan["requires"] {
  const largest = Math.max(0, ...buffers.list.map((b) => (typeof b.bytes === "number" ? b.bytes : 0)));
  const { features, ...subgroups } = modules.requires(target.lanes);
  const limits = {
    maxStorageBuffersPerShaderStage: target.storageBuffers,
    ...(largest > 128 << 20 ? { maxStorageBufferBindingSize: largest } : {}), // WebGPU's defaults
    ...(largest > 256 << 20 ? { maxBufferSize: largest } : {}),
  };
  return { features, limits, ...subgroups };
}
function planState(h: Held, buffers: Buffers): PlanTensor[] {
  if (h.path === "") return [];
  const { dtype, shape } = h.source;
  return [
    {
      name: h.path,
      kind: h.kind,
      dtype,
      shape: sizesOf(shape),
      ...stateRange(h.source),
      ...buffers.state(h.source),
    },
  ];
}

// ---- train blocks

function planTrain(t: TrainProgram, planOf: PlanOf, buffers: Buffers, most: number | undefined): PlanTrain {
  const init = planOf(t.init);
  const begin = t.begin && planOf(t.begin);
  const step = planOf(t.step);
  const evaluation = t.evaluation && planEvaluation(t.evaluation, t.batch, planOf, buffers, most);
  return {
    name: t.name,
    ...(t.dataset !== undefined ? { dataset: t.dataset } : {}),
    batch: t.batch,
    accumulate: t.accumulate,
    shuffle: t.shuffle,
    seed: t.seed,
    ...(t.epochs !== undefined ? { epochs: t.epochs } : {}),
    ...(t.steps !== undefined ? { steps: t.steps } : {}),
    init: init.program,
    ...(begin ? { begin: begin.program } : {}),
    step: step.program,
    ...(step.rounds ? { rounds: step.rounds } : {}),
    window: t.window,
    ...(t.index ? { batchIndex: buffers.input(t.index) } : {}),
    ring: { ...buffers.state(t.ring), columns: t.columns },
    stepCounter: t.counter.path,
    scalars: t.scalars.map((s) => inputPort(s.name, s.source, buffers)),
    ...(evaluation ? { evaluate: evaluation } : {}),
    ...(t.evaluateEvery !== undefined ? { evaluateEvery: t.evaluateEvery } : {}),
    ...(t.sample !== undefined ? { sample: t.sample } : {}),
    ...(t.stop ? { stop: t.stop } : {}),
    ...(t.save ? { save: t.save } : {}),
    ...(t.load.length ? { load: t.load } : {}),
    ...(t.checkpoint !== undefined ? { checkpoint: t.checkpoint } : {}),
    ...(t.keep !== undefined ? { keep: t.keep } : {}),
  };
}
/** Rows in chunks that are as large as the memory of a training step allows, then what is measured over all of them. */
function planEvaluation(
  e: Evaluation,
  batch: number,
  planOf: PlanOf,
  buffers: Buffers,
  most = Infinity,
): PlanEvaluation {
  let chunk = 1;
  const room = Math.min(most, Math.max(leastChunkBytes, buffers.largestSlot()));
  const rows = planOf(e.rows, {
    chunkOf: (bytesPerRow) => (chunk = e.carried.length ? batch : chunkRows(room, bytesPerRow, 1024)),
  });
  for (const k of e.kept) buffers.input(k.source);
  const finish = planOf(e.finish);
  return {
    chunk,
    rows: rows.program,
    index: buffers.input(e.index),
    ...(e.part ? { part: buffers.input(e.part) } : {}),
    kept: e.kept.map((k, i) => ({
      name: k.name,
      bytesPerRow: bytesPerRow(k.source),
      from: rows.outputs[i]!.buffer,
      to: buffers.input(k.source).buffer,
    })),
    ...(e.begins
      ? {
          carried: {
            begins: buffers.input(e.begins),
            states: e.carried.map((source, i) => ({
              bytesPerRow: bytesPerRow(source),
              from: rows.outputs[e.kept.length + i]!.buffer,
              to: buffers.input(source).buffer,
            })),
          },
        }
      : {}),
    finish: finish.program,
    metrics: e.finish.outputs.map((o, k) => outputPort(o.name, o.node, finish.outputs[k]!)),
  };
}
function bytesPerRow({ shape, dtype }: Source): number {
  const bytes = bytesOfShape(shape.slice(1), dtype);
  if (typeof bytes !== "number") throw new InternalError("evaluation: what is kept has a second run-time axis");
  return bytes;
}
const chunkRows = (room: number, bytesPerRow: number, most: number): number =>
  Math.max(1, Math.min(most, 2 ** Math.floor(Math.log2(room / Math.max(1, bytesPerRow)))));

// ---- what else is run

function planExport(e: ExportProgram, planOf: PlanOf, buffers: Buffers): PlanExport {
  const inputs = e.inputs.map((i): PlanPort => ({
    ...inputPort(i.name, i.source, buffers),
    ...(i.default !== undefined ? { optional: i.default } : {}),
  }));
  const { program, outputs } = planOf(e.program, { bounds: e.bounds });
  const sizes = openSizes(e.program);
  return {
    name: e.name,
    program: sizes.length ? { ...program, sizes } : program,
    inputs,
    outputs: e.outputs.map((o, k) => rangedPort(o.name, o.node, outputs[k]!)),
  };
}
function planLateInit({ origin }: LoweredUnit, seed: Source, planOf: PlanOf, buffers: Buffers): Plan["init"] {
  const { program } = planOf(origin);
  return { program, ...seedOf(origin, seed, buffers) };
}
const seedOf = (p: GraphProgram, seed: Source, buffers: Buffers): { readonly seed?: Address } =>
  p.inputs.includes(seed) ? { seed: buffers.input(seed) } : {};
function planView(v: FieldView, { fields }: Dataset, seed: Source, planOf: PlanOf, buffers: Buffers): PlanFieldView {
  const { program, outputs } = planOf(v.program);
  return {
    program,
    index: buffers.input(v.index),
    ...seedOf(v.program, seed, buffers),
    fields: v.program.outputs.map((o, k) => rangedPort(o.name, o.node, outputs[k]!, fields[k]!.range)), // as declared
  };
}
function planCheck(c: FieldCheck, seed: Source, planOf: PlanOf, buffers: Buffers): PlanFieldCheck {
  let chunk = 1;
  const { program, outputs } = planOf(c.program, {
    chunkOf: (bytesPerRow) => (chunk = chunkRows(leastChunkBytes, bytesPerRow, 65536)),
  });
  const port = (k: number): PlanPort => {
    const { name, node } = c.program.outputs[k]!;
    return outputPort(name, node, outputs[k]!);
  };
  return {
    program,
    chunk,
    index: buffers.input(c.index),
    ...seedOf(c.program, seed, buffers),
    fields: c.fields.map((f, i) => ({
      name: f.name,
      range: f.range,
      at: port(2 * i),
      value: port(2 * i + 1),
      place: place(f.span),
    })),
  };
}
