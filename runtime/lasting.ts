// What a compiled trainer (trainer.mjs) is made of, wherever it runs. In: its plan with its code, where it comes from, and what the place has: devices, files,
// a store of checkpoints (page.ts, host.ts).   Out: a loader of models that outlive their device.
import type { DataFiles, FileBytes, Model, TrainerEvent, TrainOptions, TrainResult } from "./api.ts";
import { targetsFor } from "./classes.ts";
import { factsOf, type DeviceFacts } from "./device.ts";
import { load } from "./index.ts";
import { Kept, type SharedStore } from "./kept.ts";
import type { Plan } from "./plan.ts";
import type { Device } from "./platform.ts";
import { RuntimeProblem } from "./problem.ts";
import type { TrainerModel, TrainerOptions } from "./trainer-api.ts";

/** Where a trainer comes from. */
export interface Origin {
  readonly url: string | undefined; // the folder of trainer.mjs
  readonly data?: string; // the folder of the model's file, relative to that of trainer.mjs: "../examples/"
  readonly weights?: string; // what is loaded by default, by its path beside trainer.mjs
  readonly files?: Readonly<Record<string, string>>; // addresses of data files by their paths in the model, where a bundler moved them
}
/** What pages and Node have each in their way. */
export interface Host {
  readonly open: (choose: string | undefined) => Promise<OpenDevice>;
  readonly files: (origin: Origin, data: string | undefined, mostBytes: number | undefined) => DataFiles;
  /** What lies at a path or an address that the program gives. */
  readonly read: (place: string | URL) => Promise<Uint8Array>;
  /** The weights that come with the trainer. */
  readonly weights: (origin: Origin, path: string) => Promise<Uint8Array>;
  /** `fitting`: what another text of the model left there is read, too. */
  readonly store: (plan: Plan, name: string | undefined, fitting: boolean) => SharedStore;
}
/** The plan and the same for other classes of devices, by the names of their targets: the same model, data and weights by other kernels. */
export interface Plans {
  readonly plan: Plan;
  readonly others?: Readonly<Record<string, () => Plan | Promise<Plan>>>;
}
interface OpenDevice {
  readonly device: GPUDevice;
  readonly facts: DeviceFacts;
  readonly close: () => void;
}
export interface Trainer {
  readonly plan: Plan;
  load(options?: TrainerOptions): Promise<TrainerModel>;
  /** Loads, and trains every block in its order. */
  train(
    options?: TrainerOptions & TrainOptions,
  ): Promise<{ readonly model: TrainerModel; readonly results: Readonly<Record<string, TrainResult>> }>;
  /** Every model that is still open. */
  close(): void;
}

/** A file of the plan's that is not where it could be: somebody may have it elsewhere. */
export class MissingFile extends RuntimeProblem {
  readonly path: string;
  constructor(path: string, places: readonly string[], hint: string) {
    super(`${path} was not found; looked for:\n${places.map((place) => `  ${place}`).join("\n")}\n${hint}`);
    this.path = path;
  }
}

export function createTrainer(plan: Plan, origin: Origin, host: Host, others?: Plans["others"]): Trainer {
  const plans: Plans = { plan, ...(others ? { others } : {}) };
  const models = new Set<TrainerModel>();
  const loadModel = async (options: TrainerOptions = {}): Promise<TrainerModel> => {
    const model = await openModel(plans, origin, host, options, () => models.delete(model));
    models.add(model);
    return model;
  };
  return {
    plan,
    load: loadModel,
    train: async (options = {}) => {
      const model = await loadModel({ weights: false, ...options });
      try {
        const results: [string, TrainResult][] = [];
        for (const name of model.trains) {
          const result = await model.train(name, options);
          results.push([name, result]);
          if (result.reason === "paused") break;
        }
        return { model, results: Object.fromEntries(results) };
      } catch (error) {
        await model.close();
        throw error;
      }
    },
    close: () => models.forEach((model) => model.close()),
  };
}

/** The plan for a device, or the one that is asked for. */
async function planFor({ plan, others = {} }: Plans, facts: DeviceFacts | undefined, asked?: string): Promise<Plan> {
  const wanted = asked !== undefined ? [asked] : facts ? targetsFor(facts) : [];
  for (const name of wanted) {
    if (name === plan.target) return plan;
    if (Object.hasOwn(others, name)) return others[name]!();
  }
  if (asked === undefined) return plan;
  const there = [plan.target, ...Object.keys(others)].join(", ");
  throw new RuntimeProblem(`${plan.name} was not compiled for ${asked} devices; it was for ${there}`);
}

/** A loaded model and its device; a lost one is followed by another. */
interface Life {
  readonly model: Model;
  readonly plan: Plan; // for this device
  readonly facts: DeviceFacts | undefined;
  readonly trains: boolean; // not only used
  gone: boolean;
  readonly end: () => Promise<void>;
}
const mostLosses = 3; // in a row, without a checkpoint further on

async function openModel(
  plans: Plans,
  origin: Origin,
  host: Host,
  { choose, target, data, weights: asked, keep, fitting = false, onEvent, ...options }: TrainerOptions,
  closed: () => void,
): Promise<TrainerModel> {
  if (keep && asked)
    throw new RuntimeProblem(
      "`weights` are for a model that is used, `keep` is for one that is trained: give one of them",
    );
  const { plan } = plans;
  const store =
    typeof keep === "object" ? keep : keep ? host.store(plan, keep === true ? undefined : keep, fitting) : undefined;
  let weights: FileBytes | undefined;
  if (typeof asked === "string" || asked instanceof URL) weights = await host.read(asked);
  else if (asked) weights = asked;
  else if (!store && asked !== false && origin.weights !== undefined)
    weights = await host.weights(origin, origin.weights);
  const tell = (event: TrainerEvent): void => onEvent?.(event);
  const files = host.files(origin, data, options.mostFileBytes);
  const kept = store && new Kept(store, tell);
  let isClosed = false;
  let isUntouched = true; // since what was kept was taken up
  let ready: Promise<void> | undefined; // when this is done again

  const start = async (used: FileBytes | undefined): Promise<Life> => {
    const opened = options.device ? undefined : await host.open(choose);
    try {
      const device = options.device ?? opened!.device; // one of both is there
      const given = { ...(onEvent ? { onEvent } : {}), ...(used ? { weights: used } : {}) };
      const facts = opened?.facts ?? factsOfDevice(device);
      const plan = await planFor(plans, facts, target);
      const model = await load(plan, { ...files, ...options, ...given, device });
      const end = async (): Promise<void> => {
        await model.close();
        opened?.close();
      };
      const life: Life = { model, plan, facts: opened?.facts, trains: !used, gone: false, end };
      void model.lost.then((problem) => note(life, problem));
      return life;
    } catch (error) {
      opened?.close();
      throw error;
    }
  };
  /** Could another device take over? What was trained and is kept nowhere is lost with the device. */
  const canGoOn = (life: Life): boolean => !isClosed && !options.device && (kept?.isOwn === true || !life.trains);
  const note = (
    life: Life,
    { reason, message }: { readonly reason: RuntimeProblem["reason"]; readonly message: string },
  ): void => {
    if (life.gone || !reason) return;
    life.gone = true;
    tell({ kind: "lost", reason, message, resuming: canGoOn(life) });
  };
  let life: Life;
  let reviving: Promise<void> | undefined;
  const revive = (dead: Life): Promise<void> => {
    if (life !== dead) return Promise.resolve();
    return (reviving ??= (async () => {
      await dead.end();
      const next = await start(dead.trains ? undefined : weights);
      if (isClosed) return next.end();
      life = next;
      await kept?.takeUp(next.model);
    })().finally(() => (reviving = undefined)));
  };
  /** On the device that there is, or on the next one. */
  const onDevice = async <T>(run: (model: Model) => Promise<T>): Promise<T> => {
    if (life.gone && canGoOn(life)) await revive(life);
    const used = life;
    try {
      return await run(used.model);
    } catch (error) {
      if (!(error instanceof RuntimeProblem) || !error.reason) throw error;
      note(used, error);
      if (!canGoOn(used)) throw error;
      await revive(used);
      return run(life.model);
    }
  };
  /** A model that was only used becomes one that trains, from the same weights. */
  const becomeWhole = async (): Promise<void> => {
    if (life.trains || isClosed) return;
    const used = life;
    const next = await start(undefined);
    try {
      await next.model.loadWeights(weights!);
      if (options.seed === undefined) await next.model.holdOutAs(weights!);
    } catch (error) {
      await next.end();
      throw error;
    }
    life = next;
    await used.end();
  };

  /** Trains through losses of the device, from checkpoint to checkpoint. */
  const trainKept = async (name: string, { stopAfter, ...asked }: TrainOptions): Promise<TrainResult> => {
    const began = performance.now();
    const often = plan.trains.find((t) => t.name === name)?.checkpoint;
    const wanted = hiding();
    const snapshots: TrainOptions["snapshots"] = {
      ...(typeof often === "object" ? often : {}),
      ...asked.snapshots,
      wanted: () => wanted.now() || asked.snapshots?.wanted?.() === true,
      take: async (snapshot) => {
        await kept!.put(name, snapshot.step, snapshot.bytes);
        await asked.snapshots?.take(snapshot);
      },
    };
    const first = life.model.step(name);
    let [furthest, losses] = [first, 0];
    try {
      for (;;) {
        const used = life;
        const left =
          stopAfter === undefined ? {} : { stopAfter: Math.max(0, first + stopAfter - used.model.step(name)) };
        try {
          const result = await used.model.train(name, { ...asked, ...left, snapshots });
          await kept!.put(name, result.step, await used.model.checkpoint());
          return { ...result, seconds: (performance.now() - began) / 1000 };
        } catch (error) {
          if (!(error instanceof RuntimeProblem) || !error.reason) throw error;
          note(used, error);
          if (!canGoOn(used) || ++losses > mostLosses) throw error;
          await revive(used);
          const step = life.model.step(name);
          if (step > furthest) [furthest, losses] = [step, 0];
        }
      }
    } finally {
      wanted.end();
    }
  };

  try {
    life = await start(weights);
  } catch (error) {
    kept?.release();
    throw error;
  }
  try {
    await kept?.begin();
    await kept?.takeUp(life.model);
  } catch (error) {
    kept?.release();
    await life.end();
    throw error;
  }
  // another page went on with what this one has only looked at
  if (kept?.isOwn === false)
    void kept.granted.then(() => {
      if (isUntouched && !isClosed) ready = kept.takeUp(life.model).catch(() => {}); // a lost device is told by itself
    });
  return {
    get plan() {
      return life.plan;
    },
    trains: plan.trains.map((t) => t.name),
    exports: plan.exports.map((x) => x.name),
    get data() {
      return life.model.data;
    },
    get cost() {
      return life.model.cost;
    },
    get device() {
      return life.facts;
    },
    get lost() {
      return life.model.lost;
    },
    keeping: kept ? kept.granted.then(() => !isClosed) : Promise.resolve(false),
    train: async (name = plan.trains[0]?.name, given = {}) => {
      await becomeWhole();
      await ready;
      isUntouched = false;
      const told = (seconds: number): void => tell({ kind: "slept", seconds });
      return watched(told, given, (watching) =>
        kept && name !== undefined ? trainKept(name, watching) : life.model.train(name, watching),
      );
    },
    evaluate: async (train, split, given) => {
      await becomeWhole();
      return onDevice((model) => model.evaluate(train, split, given));
    },
    rows: async (...asked) => {
      await becomeWhole();
      return onDevice((model) => model.rows(...asked));
    },
    run: (name, inputs) => onDevice((model) => model.run(name, inputs)),
    reset: async () => {
      await becomeWhole();
      isUntouched = false;
      await kept?.remove();
      if (life.gone && canGoOn(life)) await revive(life);
      await life.model.reset();
    },
    step: (train) => (life.trains ? life.model.step(train) : 0),
    parameters: (given) => onDevice((model) => model.parameters(given)),
    checkpoint: (given) => onDevice((model) => model.checkpoint(given)),
    restore: async (bytes) => {
      await becomeWhole();
      isUntouched = false;
      await life.model.restore(bytes);
    },
    holdOutAs: async (bytes) => {
      await becomeWhole();
      return life.model.holdOutAs(bytes);
    },
    loadWeights: async (bytes, into) => {
      isUntouched = false;
      const names = await life.model.loadWeights(bytes, into);
      if (!life.trains) weights = await life.model.checkpoint({ weights: true });
      return names;
    },
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      closed();
      await life.end();
      kept?.release();
    },
  };
}

/** Of a device that the caller opened, as far as it says. */
function factsOfDevice(device: Device): DeviceFacts | undefined {
  const { adapterInfo: info, features } = device as Partial<Device>; // young in browsers
  return info && features && factsOf({ info, features }, "browser");
}

const longestRest = 10_000; // milliseconds in which a page that is awake does something
/** Trains, and tells when everything stood still for a while. */
async function watched(
  slept: (seconds: number) => void,
  options: TrainOptions,
  run: (options: TrainOptions) => Promise<TrainResult>,
): Promise<TrainResult> {
  let last = Date.now(); // other clocks may sleep too
  const sign = (): void => {
    const rest = Date.now() - last;
    last += rest;
    if (rest > longestRest) slept(rest / 1000);
  };
  const timer = setInterval(sign, longestRest / 5);
  try {
    const onProgress: TrainOptions["onProgress"] = (event) => {
      sign();
      options.onProgress?.(event);
    };
    return await run({ ...options, onProgress });
  } finally {
    clearInterval(timer);
  }
}

/** Was the page put out of sight since it was last asked? It may not come back. */
function hiding(): { readonly now: () => boolean; readonly end: () => void } {
  const document = globalThis.document as Document | undefined; // in pages only
  let hidden = false;
  const look = (): void => void (hidden ||= document?.visibilityState === "hidden");
  document?.addEventListener("visibilitychange", look);
  return {
    now: () => hidden && !(hidden = false),
    end: () => document?.removeEventListener("visibilitychange", look),
  };
}
