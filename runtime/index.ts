// dlm's runtime: replays a plan on a WebGPU device, in Node and in browsers. In: a Plan and a device. Out: a model that trains, is measured,
// is used and is kept. It knows no graph, no shapes and no layers: what is to be done stands in the plan.
import type { LoadOptions, Model, TrainOptions, Tuner } from "./api.ts";
import { checkDevice, checkPlan } from "./check.ts";
import { dataDims, placeData, readData, splitsOf, uploadData } from "./data.ts";
import { checkFields, readRows } from "./fields.ts";
import { measuringProgress, prepareEvaluation, runEvaluation } from "./evaluate.ts";
import { Machine } from "./machine.ts";
import { boundBy, usedPart } from "./plan.ts";
import type { Plan, PlanData } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";
import type { Recording } from "./recording.ts";
import { runExport } from "./run.ts";
import {
  initialise,
  newState,
  readCheckpoint,
  readTensors,
  readWeights,
  seedsIn,
  takeSeeds,
  totalSteps,
  writeCheckpoint,
} from "./session.ts";
import type { OwnTuner, Session } from "./session.ts";
import { readSafetensors } from "./safetensors.ts";
import { fromWords } from "./tensor.ts";
import { train } from "./train.ts";
import { Windows } from "./windows.ts";

export type * from "./api.ts";
export type { Plan as CheckedPlan, PlanData as Plan } from "./plan.ts";
export { RuntimeProblem } from "./problem.ts";
export { splitRows } from "./batches.ts";

/**
 * Checks the plan against the device, reads the data, makes buffers and pipelines, and gives every parameter its initial value.
 * Everything that can be wrong with plan, data or device ends in a RuntimeProblem.
 */
export async function load(given: PlanData, options: LoadOptions, tuner?: Tuner): Promise<Model> {
  checkPlan(given);
  const own = tuner as OwnTuner | undefined;
  const { device, seed, weights } = options;
  if (weights) readSafetensors(weights); // before anything is made
  const whole = weights ? usedPart(given) : given;
  const plan = own?.plan(whole, device, options.tuning) ?? whole;
  if (seed !== undefined && !(Number.isInteger(seed) && Math.abs(seed) < 2 ** 31))
    throw new RuntimeProblem(`the seed must be a whole number below 2^31, not ${seed}`);
  checkDevice(plan, device);
  const machine = new Machine(plan, device, options);
  try {
    for (const t of plan.trains) for (const p of [t.init, t.begin, t.step]) if (p) machine.warm(p); // while the data are read
    const read = await readData(plan, {
      read: options.read,
      list: options.list,
      picture: options.picture,
      host: options.host ?? {},
      files: new Map(),
      ...(options.mostFileBytes === undefined ? {} : { mostBytes: options.mostFileBytes }),
    });
    const placed = read.map((d) => placeData(d, plan, device, options.residentBytes ?? Infinity));
    const states = new Map(plan.trains.map((t) => [t.name, newState(seed ?? t.seed)]));
    const seeds = weights ? seedsIn(weights) : new Map<string, number>();
    const splitSeeds = new Map(
      [...given.trains].reverse().map((t) => [t.dataset, seed ?? seeds.get(t.name) ?? t.seed]),
    );
    const data = new Map(placed.map((d) => [d.plan.name, d]));
    const session: Session = {
      plan,
      whole,
      options,
      machine,
      data,
      splits: new Map(),
      splitSeeds,
      states,
      dims: {},
      measuring: Promise.resolve(),
    };
    splitAll(session);
    await allocateStatic(session);
    for (const d of await uploadData(placed, machine)) data.set(d.plan.name, d);
    writeTrainingRows(session);
    await checkFields(session);
    await initialise(session);
    if (weights) readWeights(session, weights, undefined, "the file of weights", true);
    return modelOf(session, own);
  } catch (error) {
    await machine.compiled();
    machine.close();
    throw error;
  }
}

/** One data set is split one way, by the seed of the first train block on it, so that no block trains on what another measures. */
function splitAll(s: Session): void {
  for (const [name, d] of s.data) {
    const first = s.plan.trains.find((t) => t.dataset === name);
    const seed = first ? s.states.get(first.name)!.seed : (s.splitSeeds.get(name) ?? s.options.seed ?? 0);
    s.splits.set(name, splitsOf(d, seed));
  }
  s.dims = dataDims([...s.data.values()], s.splits);
}
async function splitAnew(s: Session): Promise<void> {
  splitAll(s);
  writeTrainingRows(s);
  await checkFields(s);
}
/** Everything whose size is known now, so that nothing is allocated later than it must be. */
async function allocateStatic(s: Session): Promise<void> {
  const { plan, machine } = s;
  const sizes = new Map<number, number>();
  const dims = s.dims;
  const touch = (buffer: number, end: number): void => void sizes.set(buffer, Math.max(sizes.get(buffer) ?? 0, end));
  if (plan.init?.seed) touch(plan.init.seed.buffer, plan.init.seed.offset + 4);
  for (const t of plan.trains) {
    if (t.rounds) touch(t.rounds.buffer, t.rounds.offset + 4);
    machine.sizesOf(t.init, dims, sizes);
    if (t.begin) machine.sizesOf(t.begin, dims, sizes);
    machine.sizesOf(t.step, dims, sizes);
    for (const p of t.scalars) touch(p.buffer, p.offset + 4);
    touch(t.ring.buffer, t.ring.offset + 4 * t.window * t.ring.columns.length);
    if (t.batchIndex) touch(t.batchIndex.buffer, t.batchIndex.offset + 4 * t.window * t.batch * t.accumulate);
  }
  for (const t of plan.states)
    touch(t.buffer, t.offset + t.shape.reduce<number>((n, size) => n * machine.size(size, dims, t.name), 4));
  for (const [, d] of s.data)
    if (d.plan.training) touch(d.plan.training.buffer, d.plan.training.offset + 4 * dims[`training.${d.plan.name}`]!);
  const bound = boundBy(plan);
  plan.buffers.forEach(
    (b, i) =>
      void (
        b.role !== "data" &&
        typeof b.bytes === "number" &&
        (sizes.has(i) || ((b.role === "constant" || b.role === "state") && bound.has(i))) &&
        touch(i, b.bytes)
      ),
  );
  await machine.allocate(sizes);
}
function writeTrainingRows(s: Session): void {
  for (const [name, d] of s.data)
    if (d.plan.training)
      s.machine.write(d.plan.training.buffer, d.plan.training.offset, s.splits.get(name)!.get("train")!.slice());
}

function modelOf(s: Session, tuner: OwnTuner | undefined): Model {
  const { whole: plan, machine } = s; // what is tuned are the steps alone
  let busy: string | undefined;
  /** What changes weights runs alone. */
  const alone = async <T>(what: string, run: () => Promise<T>): Promise<T> => {
    machine.check();
    if (busy) throw new RuntimeProblem(`${busy} is still going on`);
    busy = what;
    try {
      return await run();
    } finally {
      busy = undefined;
    }
  };
  const find = <T extends { readonly name: string }>(list: readonly T[], name: string | undefined, what: string): T => {
    const found = name === undefined ? list[0] : list.find((x) => x.name === name);
    if (!found)
      throw new RuntimeProblem(
        list.length
          ? `the model has no ${what} ${name}; it has ${list.map((x) => x.name).join(", ")}`
          : `the model has no ${what}${s.options.weights && what === "train block" ? ": it was loaded with `weights`, to be used" : ""}`,
      );
    return found;
  };
  return {
    get plan() {
      return s.plan;
    },
    trains: plan.trains.map((t) => t.name),
    exports: plan.exports.map((x) => x.name),
    get data() {
      return Object.fromEntries(
        [...s.data].map(([name, d]) => [
          name,
          {
            rows: d.rows,
            splits: Object.fromEntries([...s.splits.get(name)!].map(([split, rows]) => [split, rows.length])),
            classes: Object.fromEntries(
              d.columns.flatMap((c) => (c.classes ? [[c.plan.name, c.classes] as const] : [])),
            ),
          },
        ]),
      );
    },
    get cost() {
      return {
        bytes: machine.bytes,
        modules: machine.moduleCount,
        trains: Object.fromEntries(
          s.plan.trains.map((t) => [t.name, { dispatchesPerStep: dispatches(t.step.commands), window: t.window }]),
        ),
      };
    },
    train: async (name?: string, options: TrainOptions = {}) => {
      const t = find(s.plan.trains, name, "train block");
      return alone(`training ${t.name}`, () => train(s, t, options));
    },
    evaluate: async (name, split, { onProgress } = {}) => {
      const t = find(plan.trains, name, "train block");
      const prepared = await prepareEvaluation(s, t, split);
      return runEvaluation(s, t, prepared, measuringProgress(s, t, prepared, onProgress));
    },
    run: async (name, inputs = {}) => {
      try {
        return await runExport(s, find(plan.exports, name, "export"), inputs);
      } catch (error) {
        await machine.compiled(); // whoever gives up now closes the device
        throw error;
      }
    },
    rows: (name, split, places) => readRows(s, name, split, places),
    tune: async (options = {}) => {
      const t = find(s.plan.trains, options.train, "train block");
      if (!tuner) throw new RuntimeProblem("it was compiled without --alternatives");
      const prepare = (r: Recording): void => new Windows(s, t, r, totalSteps(s, t), () => {}).prepare(1);
      return alone("tuning", () => tuner.tune(s, t, options, prepare));
    },
    reset: () => alone("resetting", () => initialise(s)),
    step: (name) => s.states.get(find(plan.trains, name, "train block").name)!.step,
    parameters: async (options = {}) => {
      const wanted = plan.states.filter((t) => options.all || t.kind === "parameter");
      return Object.fromEntries(
        (await readTensors(s, wanted)).map(({ tensor: t, bytes }) => [
          t.name,
          fromWords(
            bytes,
            t.dtype,
            t.shape.map((n) => machine.size(n, s.dims, t.name)),
          ),
        ]),
      );
    },
    checkpoint: async (options = {}) => {
      machine.check();
      return writeCheckpoint(s, options.weights ?? false);
    },
    restore: (bytes) =>
      alone("restoring", async () => {
        readCheckpoint(s, bytes);
        await splitAnew(s); // by the checkpoint's seeds
      }),
    holdOutAs: (bytes) =>
      alone("splitting the data", async () => {
        const known = takeSeeds(s, bytes);
        if (known) await splitAnew(s);
        return known;
      }),
    loadWeights: (bytes, into) => alone("loading weights", async () => readWeights(s, bytes, into, "the file")),
    lost: machine.lost,
    close: () => machine.close(),
  };
}
function dispatches(commands: Plan["trains"][number]["step"]["commands"]): number {
  return commands.reduce(
    (n, c) => n + (c.kind === "loop" ? c.count * dispatches(c.body) : c.kind === "dispatch" ? 1 : 0),
    0,
  );
}
