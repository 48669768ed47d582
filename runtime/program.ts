// The command line of a compiled trainer: `node trainer.mjs`. In: a plan and its loader, arguments.   Out: progress on the terminal or as
// lines of JSON, weights.safetensors, an exit status. An interrupted run keeps a checkpoint and says how to go on.
import type { Measured, TrainEvent, TrainResult } from "./api.ts";
import { deviceText } from "./device.ts";
import { fileReason, generations, readRegular, tryToWrite, writeWhole } from "./files.ts";
import { Keeper, oftenOf } from "./keeper.ts";
import { DeviceUnavailable } from "./node.ts";
import type { Often, Plan } from "./plan.ts";
import { messageOf, RuntimeProblem } from "./problem.ts";
import { withoutChatter } from "./quiet.ts";
import { jsonText } from "./tensor.ts";
import type { TrainerModel, TrainerOptions } from "./trainer-api.ts";
import { interruptible, notKept, passedOver, restoreNewest, statusOf, trainBlocks } from "./unattended.ts";

const options = {
  steps: "N: so many steps",
  epochs: "N: so many epochs",
  seed: "N: of initial values, draws, and the order of rows",
  data: "FOLDER: where data files are looked for first",
  "max-data": "BYTES: the longest data file that is read, unpacked (2147483648)",
  out: "FILE: the weights (weights.safetensors)",
  checkpoint: "FILE: all that is needed to train on; also written while it trains (checkpoint.safetensors)",
  every: "OFTEN: how often, as 30s, 5m, 2h, 1000 (steps), 2epochs or off (the model's `checkpoint`, or 5m)",
  keep: "N: so many of the last checkpoints, FILE, FILE.1, FILE.2 (the model's `keep`, or 3)",
  resume: "FILE: train on from a checkpoint, to the same bits",
  "allow-nan": "a checkpoint with NaN in it as it is, else it is refused",
  "stop-after": "N: pause after so many steps and keep a checkpoint",
  device: "CHOICE: auto, gpu, system, embedded, or a part of an adapter's name",
  target: "NAME: kernels for this class of devices, whatever the device is",
  json: "one event a line",
  help: "this text",
} as const;

const help = (plan: Plan): string =>
  `Trains ${plan.name}. node trainer.mjs [options]\n${Object.entries(options)
    .map(([name, text]) => `  --${name} ${text}\n`)
    .join("")}`;

/** The command line itself is wrong. */
class UsageProblem extends RuntimeProblem {}

export async function run(plan: Plan, load: (options: TrainerOptions) => Promise<TrainerModel>): Promise<void> {
  // the run is worth more than what it says
  process.stderr.on("error", () => {});
  process.stdout.on("error", () => (process.exitCode ||= 1));
  try {
    const status = await trainer(plan, load);
    process.exitCode ||= status;
  } catch (error) {
    const known = error instanceof RuntimeProblem || error instanceof DeviceUnavailable;
    const status = error instanceof UsageProblem ? 2 : known ? 1 : 70;
    process.stderr.write(
      `${known ? messageOf(error) : `internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`}\n`,
    );
    if (process.argv.includes("--json"))
      process.stdout.write(jsonText({ kind: "error", status, message: messageOf(error) }) + "\n");
    process.exitCode = status;
  }
}

async function trainer(plan: Plan, load: (options: TrainerOptions) => Promise<TrainerModel>): Promise<number> {
  const values = await parse();
  if (values.help) {
    process.stdout.write(help(plan));
    return 0;
  }
  if (!plan.trains.length)
    throw new RuntimeProblem(`${plan.name} has no train block, so there is nothing to train: import this file instead`);
  const fs = process.getBuiltinModule("node:fs");
  const writing = (path: string, run: () => void): void => {
    try {
      run();
    } catch (error) {
      throw new RuntimeProblem(`cannot write ${path}: ${fileReason(error)}`);
    }
  };
  const keep = (path: string, bytes: Uint8Array, elders = 1): void =>
    writing(path, () => writeWhole(fs, path, bytes, elders));
  const checkpoint = values.checkpoint ?? "checkpoint.safetensors";
  const out = values.out ?? "weights.safetensors";
  for (const path of [out, checkpoint]) writing(path, () => tryToWrite(fs, path)); // before an hour of training and not after it
  const keeper = new Keeper(
    (bytes, elders) => keep(checkpoint, bytes, elders),
    plan,
    { often: values.every === undefined ? undefined : often(values.every), ...whole(values, "keep") },
    (error) => void process.stderr.write(`${notKept(error)}\n`),
  );
  const print = printer(values.json === true);
  const loading: TrainerOptions = {
    weights: false,
    write: async (path, bytes) => keep(path, bytes),
    ...(values["allow-nan"] ? { allowNaN: true } : {}),
    ...(values.device ? { choose: values.device } : {}),
    ...(values.target ? { target: values.target } : {}),
    ...(values.data ? { data: values.data } : {}),
    ...(values["max-data"] ? { mostFileBytes: whole(values, "max-data")["max-data"]! } : {}),
    ...whole(values, "seed"),
  };
  const model = await withoutChatter(() => load(loading));
  const interruption = interruptible();
  process.stdout.on("error", interruption.outputLost);
  try {
    if (values.resume) {
      const found = generations(fs, values.resume);
      const files = found.length ? found : [values.resume];
      const { file, refused } = await restoreNewest(model, files, (path) => readFile(fs, path));
      for (const reason of refused) process.stderr.write(`${passedOver(reason)}\n`);
      if (file !== values.resume) process.stderr.write(`going on from ${file}\n`);
    }
    print.start(plan, model);
    const options = {
      ...whole(values, "steps"),
      ...whole(values, "epochs"),
      ...(values["stop-after"] ? { stopAfter: whole(values, "stop-after")["stop-after"]! } : {}),
      signal: interruption.signal,
      onProgress: print.event,
    };
    const results = await trainBlocks(model, model.trains, options, keeper, print.result);
    const paused = results.find((r) => r.reason === "paused");
    if (paused) {
      await keeper.save(model, paused.train);
      const text = `paused at step ${paused.step} of ${paused.steps}; go on with --resume ${checkpoint}`;
      print.written(checkpoint, text);
      if (interruption.cause && interruption.cause !== "SIGINT") process.stderr.write(`${text}\n`);
      return interruption.cause ? statusOf[interruption.cause] : 0;
    }
    const last = model.trains.at(-1);
    try {
      keep(out, await model.checkpoint({ weights: true }));
    } catch (error) {
      await keeper.save(model, last); // it may lie on another disk
      throw error;
    }
    print.written(out, `weights: ${out}`);
    if (values.checkpoint) {
      await keeper.save(model, model.trains.at(-1));
      print.written(values.checkpoint, `checkpoint: ${values.checkpoint}`);
    }
    return interruption.cause ? statusOf[interruption.cause] : 0;
  } catch (error) {
    rescue(keeper, checkpoint);
    throw error;
  } finally {
    interruption.end();
    model.close();
  }
}
function rescue(keeper: Keeper, checkpoint: string): void {
  try {
    if (keeper.rescue())
      process.stderr.write(
        `step ${keeper.savedStep}, the last good state, is kept; go on with --resume ${checkpoint}\n`,
      );
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`); // beside what ended the training
  }
}
function readFile(fs: typeof import("node:fs"), path: string): Uint8Array {
  try {
    return readRegular(fs, path, Infinity); // as long as dlm wrote it
  } catch (error) {
    throw new RuntimeProblem(`cannot read ${path}: ${fileReason(error)}`);
  }
}

type Values = {
  readonly [Name in keyof typeof options]?: Name extends "allow-nan" | "json" | "help" ? boolean : string;
};

async function parse(): Promise<Values> {
  const { parseArgs } = process.getBuiltinModule("node:util");
  try {
    const types = Object.fromEntries(
      Object.entries(options).map(([name, text]) => [
        name,
        { type: /^[A-Z]+:/.test(text) ? ("string" as const) : ("boolean" as const) },
      ]),
    );
    return parseArgs({ options: types }).values as Values; // the table above says which take a value
  } catch (error) {
    throw new UsageProblem(`${messageOf(error)} (--help lists the options)`);
  }
}
/** A number's option as `{ name: number }`, or nothing. */
function whole<Name extends "steps" | "epochs" | "seed" | "stop-after" | "keep" | "max-data">(
  values: Values,
  name: Name,
): { readonly [N in Name]?: number } {
  const text: string | undefined = values[name];
  if (text === undefined) return {};
  if (!/^\d+$/.test(text)) throw new UsageProblem(`--${name} takes a whole number, not ${text}`);
  return { [name]: Number(text) } as { readonly [N in Name]?: number }; // a computed name has no literal type
}

function often(text: string): Often {
  const found = oftenOf(text);
  if (found === undefined)
    throw new UsageProblem(`--every takes a time (5m, 30s, 2h), steps (1000), epochs (2epochs) or off, not ${text}`);
  return found;
}

// ---- what the terminal shows

interface Printer {
  start(plan: Plan, model: TrainerModel): void;
  event(event: TrainEvent): void;
  result(result: TrainResult): void;
  written(path: string, text: string): void;
}

function printer(json: boolean): Printer {
  return json ? jsonPrinter() : textPrinter();
}

function jsonPrinter(): Printer {
  const line = (value: object): void => void process.stdout.write(jsonText(value) + "\n");
  return {
    start: (plan, model) =>
      line({
        kind: "start",
        model: plan.name,
        compiler: plan.compiler,
        device: model.device && { class: model.device.class, name: model.device.name },
        trains: model.trains,
        data: model.data,
        cost: model.cost,
      }),
    event: (event) => {
      if (event.kind !== "progress")
        return line(event.kind === "evaluation" ? { ...event, values: numbersOf(event.values) } : event);
      const { curves, ...rest } = event;
      void curves; // every step of every column: too long for a log
      line(eventOf(rest));
    },
    result: ({ saved, ...result }) =>
      line({
        kind: "result",
        ...eventOf(result),
        measured: Object.fromEntries(
          Object.entries(result.measured).map(([split, values]) => [split, numbersOf(values)]),
        ),
        ...(saved ? { saved: saved.path } : {}),
      }),
    written: (path) => line({ kind: "written", path }),
  };
}
/** Without a loss where nothing is minimized. */
function eventOf<T extends { readonly loss: number }>({ loss, ...rest }: T): object {
  return Number.isNaN(loss) ? rest : { loss, ...rest };
}
/** Tensors as nested lists would be long: their shape and values. */
const numbersOf = (values: Measured): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === "number" ? value : { shape: value.shape, data: [...value.data] },
    ]),
  );

function textPrinter(): Printer {
  const live = process.stderr.isTTY === true && process.env["TERM"] !== "dumb";
  const width = (process.stderr.columns || 100) - 1;
  let shown = false;
  let quietUntil = 0;
  const clear = (): void => {
    if (shown) process.stderr.write("\r\x1b[K");
    shown = false;
  };
  const line = (text: string): void => {
    clear();
    process.stdout.write(text + "\n");
  };
  /** How far it is: on a terminal in place, else a line now and then. */
  const tell = (text: string): void => {
    if (live) {
      process.stderr.write("\r\x1b[K" + text.slice(0, width));
      shown = true;
    } else if (performance.now() >= quietUntil) {
      line(text);
      quietUntil = performance.now() + 5000;
    }
  };
  const figures = (values: Measured): string =>
    Object.entries(values)
      .flatMap(([name, value]) => (typeof value === "number" ? [`${name} ${figure(value)}`] : []))
      .join("  ");
  const told = ({ loss, metrics }: { loss: number; metrics: Record<string, number> }): Measured =>
    Number.isNaN(loss) ? metrics : { loss, ...metrics };
  return {
    start: (plan, model) => {
      line(`${plan.name} on ${model.device ? deviceText(model.device) : "the device given"}`);
      for (const [name, { rows, splits }] of Object.entries(model.data))
        line(
          `${name}: ${rows} rows (${Object.entries(splits)
            .map(([split, count]) => `${split} ${count}`)
            .join(", ")})`,
        );
    },
    event: (event) => {
      if (event.kind === "saved")
        return line(
          `${event.train}: ${event.path} written${event.metric ? ` (${event.mode === "min" ? "least" : "greatest"} ${event.metric} ${figure(event.value ?? NaN)})` : ""}`,
        );
      if (event.kind === "measuring")
        return tell(
          `${event.train}  step ${event.step}  measuring ${event.split}: ${event.done} of ${event.rows} rows`,
        );
      if (event.kind === "evaluation")
        return line(`${event.train}  step ${event.step}  ${event.split}: ${figures(event.values)}`);
      const epoch = event.epochs ? `epoch ${Math.min(event.epoch + 1, event.epochs)}/${event.epochs}  ` : "";
      const text = `${event.train}  ${epoch}step ${event.step}/${event.steps}  ${figures(told(event))}  ${Math.round(event.stepsPerSecond)} steps/s  ${clock(event.secondsLeft)} left`;
      tell(text);
    },
    result: (result) => {
      const measured = Object.entries(result.measured).map(([split, values]) => ` · ${split}: ${figures(values)}`);
      const ending = result.reason === "stalled" ? ", no longer better" : "";
      line(
        `${result.train}: ${result.step} of ${result.steps} steps${ending}, ${result.seconds.toFixed(1)} s, ${Math.round(result.stepsPerSecond)} steps/s${measured.join("")}`,
      );
    },
    written: (_, text) => line(text),
  };
}
const figure = (x: number): string =>
  !Number.isFinite(x)
    ? String(x)
    : x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5)
      ? x.toExponential(3)
      : x.toFixed(4);
function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return "--:--";
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
