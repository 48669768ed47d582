// What a compiled trainer (trainer.mjs) is made of, wherever it runs. In: its plan with its code, where it comes from, and what the place has: devices, files,
// a store of checkpoints (page.ts, host.ts).   Out: a loader of models that outlive their device.
import type { DataFiles, FileBytes, Model, TrainerEvent, TrainOptions, TrainResult, Tuner } from "./api.ts";
import { targetsFor } from "./classes.ts";
import { factsOf, type DeviceFacts } from "./device.ts";
import { load } from "./index.ts";
import { Kept, type SharedStore } from "./kept.ts";
import { closed } from "./machine.ts";
import type { Often, Plan } from "./plan.ts";
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
  /** Every model that is still open or being loaded. */
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

/** `tuner`: where the plan has alternatives to its kernels. */
export function createTrainer(
  plan: Plan,
  origin: Origin,
  host: Host,
  others?: Plans["others"],
  tuner?: Tuner,
): Trainer {
  const plans: Plans = { plan, ...(others ? { others } : {}) };
  const models = new Set<Promise<TrainerModel>>(); // open, or about to be
  const loadModel = (options: TrainerOptions = {}): Promise<TrainerModel> => {
    const forget = (): void => void models.delete(loading);
    const loading = openModel(plans, origin, host, options, forget, tuner);
    models.add(loading);
    loading.catch(forget);
    return loading;
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
    close: () => {
      for (const loading of models) void loading.then((model) => model.close()).catch(() => {}); // whoever loads it is told what is wrong with it
    },
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
/** Opens a device, and loads the model on it: to be used, with these weights, or to be trained. */
type Begin = (weights: FileBytes | undefined) => Promise<Life>;

function beginner(plans: Plans, host: Host, files: DataFiles, asked: TrainerOptions, tuner: Tuner | undefined): Begin {
  return async (weights) => {
    const { choose, target, weights: _, ...options } = asked;
    const opened = options.device ? undefined : await host.open(choose);
    try {
      const device = options.device ?? opened!.device; // one of both is there
      const plan = await planFor(plans, opened?.facts ?? factsOfDevice(device), target);
      const model = await load(plan, { ...files, ...options, ...(weights ? { weights } : {}), device }, tuner);
      const end = async (): Promise<void> => {
        try {
          await model.close();
        } finally {
          opened?.close();
        }
      };
      return { model, plan, facts: opened?.facts, trains: !weights, gone: false, end };
    } catch (error) {
      opened?.close();
      throw error;
    }
  };
}

/** What goes on from one device to the next. Whatever ends while another begins is ended once, and none is left open. */
class Lives {
  /** The one that there is. */
  life: Life;
  isClosed = false;
  /** Of a model that is only used. */
  weights: FileBytes | undefined;
  private readonly begin: Begin;
  private readonly kept: Kept | undefined;
  private readonly isReplaced: boolean;
  private readonly tell: (event: TrainerEvent) => void;
  private isUntouched = true; // since what was kept was taken up
  private takenUp: Promise<void> | undefined; // when that is done again
  private reviving: Promise<void> | undefined;
  private becoming: Promise<void> | undefined;

  /** `isReplaced`: a device that is lost may be followed by another. */
  constructor(
    first: Life,
    begin: Begin,
    weights: FileBytes | undefined,
    kept: Kept | undefined,
    isReplaced: boolean,
    tell: (event: TrainerEvent) => void,
  ) {
    this.life = this.watch(first);
    this.begin = begin;
    this.weights = weights;
    this.kept = kept;
    this.isReplaced = isReplaced;
    this.tell = tell;
  }
  /** Could another device take over? What was trained and is kept nowhere is lost with the device. */
  canGoOn(life: Life): boolean {
    return !this.isClosed && this.isReplaced && (this.kept?.isKeeping === true || !life.trains);
  }
  /** Is this the loss of the device? Then that is told, once. */
  isLoss(life: Life, error: unknown): boolean {
    if (!(error instanceof RuntimeProblem) || !error.reason) return false;
    this.note(life, error);
    return true;
  }
  /** Another device in the place of this one, with what was kept, if nobody else has seen to it. */
  revive(dead: Life): Promise<void> {
    if (this.life !== dead) return this.reviving ?? Promise.resolve();
    return (this.reviving ??= this.replace(dead).finally(() => (this.reviving = undefined)));
  }
  /** The model as it is, or on the next device where this one is known to be lost. */
  async ready(): Promise<Life> {
    await this.reviving?.catch(() => {}); // whoever began that is told
    if (this.life.gone && this.canGoOn(this.life)) await this.revive(this.life);
    return this.life;
  }
  /** On the device that there is, or on the next one. */
  async run<T>(run: (model: Model) => Promise<T>): Promise<T> {
    const used = await this.ready();
    try {
      return await run(used.model);
    } catch (error) {
      if (!this.isLoss(used, error) || !this.canGoOn(used)) throw error;
      await this.revive(used);
      return run(this.life.model);
    }
  }
  /** A model that was only used becomes one that trains, from the same weights. */
  async becomeWhole(seed: number | undefined): Promise<void> {
    if (this.life.trains) return;
    if (this.isClosed) throw closed();
    await (this.becoming ??= this.whole(seed).finally(() => (this.becoming = undefined)));
  }
  /** The model as it was kept; once more when the page is closed that went on with what this one has only looked at. */
  async takeUp(): Promise<void> {
    const { kept } = this;
    await kept?.begin();
    const isElsewhere = kept?.isOwn === false;
    await kept?.takeUp(this.life.model);
    if (!isElsewhere) return;
    void kept?.granted.then(() => {
      if (this.isClosed) return;
      if (!this.isUntouched) return kept.compare(this.life.model);
      this.takenUp = kept.takeUp(this.life.model).catch(() => {}); // a lost device is told by itself
    });
  }
  /** From here on the model is no longer what was kept. */
  async touch(): Promise<void> {
    this.isUntouched = false;
    await this.takenUp;
  }
  async close(): Promise<void> {
    this.isClosed = true;
    try {
      await this.life.end();
    } finally {
      this.kept?.release();
    }
  }

  private watch(life: Life): Life {
    void life.model.lost.then((problem) => this.note(life, problem));
    return life;
  }
  private note(life: Life, { reason, message }: Pick<RuntimeProblem, "reason" | "message">): void {
    if (life.gone || !reason) return;
    life.gone = true;
    this.tell({ kind: "lost", reason, message, resuming: this.canGoOn(life) });
  }
  private async replace(dead: Life): Promise<void> {
    await dead.end();
    const next = this.watch(await this.begin(dead.trains ? undefined : this.weights));
    if (this.isClosed || this.life !== dead) return next.end();
    this.life = next;
    await this.kept?.takeUp(next.model);
  }
  private async whole(seed: number | undefined): Promise<void> {
    const next = this.watch(await this.begin(undefined));
    try {
      await next.model.loadWeights(this.weights!);
      if (seed === undefined) await next.model.holdOutAs(this.weights!);
    } catch (error) {
      await next.end();
      throw error;
    }
    if (this.isClosed) {
      await next.end();
      throw closed();
    }
    const used = this.life;
    this.life = next;
    await used.end();
  }
}

const mostLosses = 3; // in a row, without a checkpoint further on

/** Trains through losses of the device, from checkpoint to checkpoint. */
async function trainKept(
  lives: Lives,
  kept: Kept,
  train: { readonly name: string; readonly checkpoint?: Often },
  { stopAfter, ...asked }: TrainOptions,
): Promise<TrainResult> {
  const { name, checkpoint: often } = train;
  const began = performance.now();
  const hides = hiding();
  const snapshots: TrainOptions["snapshots"] = {
    ...(typeof often === "object" ? often : {}),
    ...asked.snapshots,
    wanted: () => hides.now() || asked.snapshots?.wanted?.() === true,
    take: async (snapshot) => {
      await kept.put(name, snapshot.step, snapshot.bytes);
      await asked.snapshots?.take(snapshot);
    },
  };
  const first = lives.life.model.step(name);
  let [furthest, losses] = [first, 0];
  try {
    for (;;) {
      const used = lives.life;
      const { model } = used;
      const left = stopAfter === undefined ? {} : { stopAfter: Math.max(0, first + stopAfter - model.step(name)) };
      try {
        const result = await model.train(name, { ...asked, ...left, snapshots });
        await kept.put(name, result.step, await model.checkpoint());
        return { ...result, seconds: (performance.now() - began) / 1000 };
      } catch (error) {
        if (!lives.isLoss(used, error) || !lives.canGoOn(used) || ++losses > mostLosses) throw error;
        await lives.revive(used);
        const step = lives.life.model.step(name);
        if (step > furthest) [furthest, losses] = [step, 0];
      }
    }
  } finally {
    hides.end();
  }
}

/** The weights that a model is used with; undefined where it begins with its initial ones. */
async function weightsFor(
  origin: Origin,
  host: Host,
  asked: TrainerOptions["weights"],
  isKept: boolean,
): Promise<FileBytes | undefined> {
  if (typeof asked === "string" || asked instanceof URL) return host.read(asked);
  if (asked) return asked;
  if (isKept || asked === false || origin.weights === undefined) return undefined;
  return host.weights(origin, origin.weights);
}

async function openModel(
  plans: Plans,
  origin: Origin,
  host: Host,
  { keep, fitting = false, data, ...options }: TrainerOptions,
  forget: () => void,
  tuner?: Tuner,
): Promise<TrainerModel> {
  if (keep && options.weights)
    throw new RuntimeProblem(
      "`weights` are for a model that is used, `keep` is for one that is trained: give one of them",
    );
  const { plan } = plans;
  const store =
    typeof keep === "object" ? keep : keep ? host.store(plan, keep === true ? undefined : keep, fitting) : undefined;
  const weights = await weightsFor(origin, host, options.weights, store !== undefined);
  const begin = beginner(plans, host, host.files(origin, data, options.mostFileBytes), options, tuner);
  const tell = (event: TrainerEvent): void => options.onEvent?.(event);
  const kept = store && new Kept(store, tell);
  let lives: Lives;
  try {
    lives = new Lives(await begin(weights), begin, weights, kept, !options.device, tell);
  } catch (error) {
    kept?.release();
    throw error;
  }
  try {
    await lives.takeUp();
  } catch (error) {
    await lives.close();
    throw error;
  }
  return modelOf(lives, plan, kept, options, forget);
}
function modelOf(
  lives: Lives,
  plan: Plan,
  kept: Kept | undefined,
  options: TrainerOptions,
  forget: () => void,
): TrainerModel {
  const { seed, onEvent } = options;
  const whole = (): Promise<void> => lives.becomeWhole(seed);
  return {
    get plan() {
      return lives.life.plan;
    },
    trains: plan.trains.map((t) => t.name),
    exports: plan.exports.map((x) => x.name),
    get data() {
      return lives.life.model.data;
    },
    get cost() {
      return lives.life.model.cost;
    },
    get device() {
      return lives.life.facts;
    },
    get lost() {
      return lives.life.model.lost;
    },
    keeping: kept ? kept.granted.then(() => !lives.isClosed) : Promise.resolve(false),
    train: async (name = plan.trains[0]?.name, given = {}) => {
      await whole();
      await lives.touch();
      const slept = (seconds: number): void => onEvent?.({ kind: "slept", seconds });
      return watched(slept, given, (watching) =>
        kept && name !== undefined
          ? trainKept(lives, kept, plan.trains.find((t) => t.name === name) ?? { name }, watching)
          : lives.life.model.train(name, watching),
      );
    },
    evaluate: async (train, split, given) => {
      await whole();
      return lives.run((model) => model.evaluate(train, split, given));
    },
    rows: async (...asked) => {
      await whole();
      return lives.run((model) => model.rows(...asked));
    },
    run: (name, inputs) => lives.run((model) => model.run(name, inputs)),
    reset: async () => {
      await whole();
      await lives.touch();
      await kept?.remove();
      const { model } = await lives.ready();
      await model.reset();
    },
    tune: async (given) => {
      await whole();
      const result = await lives.run((model) => model.tune(given));
      Object.assign(options, { tuning: result.tuning }); // for the device that may follow this one
      return result;
    },
    step: (train) => (lives.life.trains ? lives.life.model.step(train) : 0),
    parameters: (given) => lives.run((model) => model.parameters(given)),
    checkpoint: (given) => lives.run((model) => model.checkpoint(given)),
    restore: async (bytes) => {
      await whole();
      await lives.touch();
      await lives.life.model.restore(bytes);
    },
    holdOutAs: async (bytes) => {
      await whole();
      return lives.life.model.holdOutAs(bytes);
    },
    loadWeights: async (bytes, into) => {
      await lives.touch();
      const { model, trains } = lives.life;
      const names = await model.loadWeights(bytes, into);
      if (!trains) lives.weights = await model.checkpoint({ weights: true });
      return names;
    },
    close: async () => {
      if (lives.isClosed) return;
      forget();
      await lives.close();
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
