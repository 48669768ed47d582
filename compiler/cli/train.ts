// dlm train: compiles a model for the device at hand, trains every block (or one), measures it, and keeps what it learned.
// In: a model, options.   Out: progress (text or events), a checkpoint, with --out everything that `dlm compile` writes too.
// Ctrl-C: what is on the device is finished, a checkpoint is written, the way to go on is said, and the status is 130.
import { basename, join } from "node:path";
import type { Model, TrainResult } from "../../runtime/api.ts";
import { deviceText, type DeviceFacts } from "../../runtime/device.ts";
import { load } from "../../runtime/index.ts";
import type { Plan } from "../../runtime/plan.ts";
import { jsonText } from "../../runtime/tensor.ts";
import { deviceFor, portableTarget, targetOf } from "./device.ts";
import { checkWritable, ofFile, readBytes, writeWhole } from "./files.ts";
import { fileReader, openModel, planModel, type ModelFlags, type Planned } from "./model.ts";
import { nearest } from "./options.ts";
import { Interrupted, UserError } from "./problem.ts";
import { jsonProgress, resultJson, seconds, textProgress, type Progress } from "./progress.ts";
import { openTerminal, styles, type Terminal } from "./terminal.ts";
import { byteText, counted, parameterCount } from "../print/text.ts";
import { indexText } from "../print/shaders.ts";

export interface TrainFlags extends ModelFlags {
  readonly device?: string;
  readonly steps?: number;
  readonly epochs?: number;
  readonly stopAfter?: number;
  readonly train?: string; // the block
  readonly save?: string | false; // a checkpoint; false: keep nothing
  readonly weights?: string; // parameters and layer states alone
  readonly resume?: string;
  readonly out?: string; // a folder for artifacts and weights
  readonly json?: boolean;
}

export async function train(path: string, flags: TrainFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  const model = openModel(path);
  const read = fileReader(model, flags);
  const resumed = flags.resume === undefined ? undefined : readBytes(flags.resume);
  const keep = placesOf(model.name, flags);
  for (const file of [keep.checkpoint, keep.weights]) if (file) checkWritable(file);
  const opened = await deviceFor(flags.device);
  try {
    terminal.update(`compiling ${path}`);
    const compiled = await planModel(model, flags, targetOf(opened.facts), read);
    const names = blocks(compiled.plan, flags.train);
    terminal.update("reading data");
    const loaded = await load(compiled.plan, {
      device: opened.device,
      read,
      write: async (file, bytes) => writeWhole(join(model.folder, file), bytes),
      ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    });
    try {
      if (resumed) await ofFile(flags.resume!, () => loaded.restore(resumed));
      await run(loaded, names, { terminal, flags, compiled, facts: opened.facts, keep, read });
    } finally {
      loaded.close();
    }
  } finally {
    opened.close();
  }
}

interface Places {
  readonly checkpoint: string | undefined;
  readonly weights: string | undefined;
}
function placesOf(name: string, { out, save, weights }: TrainFlags): Places {
  const own = `${basename(name, ".dlm")}.safetensors`;
  return {
    checkpoint: save === false ? undefined : (save ?? (out === undefined ? own : join(out, own))),
    weights: weights ?? (out === undefined ? undefined : join(out, "weights.safetensors")),
  };
}
function blocks(plan: Plan, wanted: string | undefined): readonly string[] {
  const names = plan.trains.map((t) => t.name);
  if (!names.length) throw new UserError(`${plan.name} has no train block, so there is nothing to train`);
  if (wanted === undefined) return names;
  if (!names.includes(wanted))
    throw new UserError(
      `${plan.name} has no train block ${wanted}; it has ${names.join(", ")}${nearest(wanted, names)}`,
    );
  return [wanted];
}

interface Run {
  readonly terminal: Terminal;
  readonly flags: TrainFlags;
  readonly compiled: Planned;
  readonly facts: DeviceFacts;
  readonly keep: Places;
  readonly read: (path: string) => Promise<Uint8Array>;
}
async function run(
  model: Model,
  names: readonly string[],
  { terminal, flags, compiled, facts, keep, read }: Run,
): Promise<void> {
  const json = (event: object): void => terminal.line(jsonText(event));
  if (flags.json) json(startEvent(model, compiled, facts));
  else start(terminal, model, compiled, facts);
  terminal.update(`the device compiles ${counted(model.cost.modules, "kernel")}`);
  const progress: Progress = flags.json ? jsonProgress(json) : textProgress(terminal, names.length);

  const interrupt = new AbortController();
  let signal: NodeJS.Signals | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    if (signal) process.exit(statusOf(name)); // the second time at once
    signal = name;
    if (!flags.json) terminal.note("stopping at the next step; once more stops at once");
    interrupt.abort();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) process.on(name, onSignal);
  const results: TrainResult[] = [];
  const files: Written[] = [];
  try {
    let left = flags.stopAfter;
    for (const name of names) {
      const from = model.step(name);
      const result = await model.train(name, {
        ...(flags.steps === undefined ? {} : { steps: flags.steps }),
        ...(flags.epochs === undefined ? {} : { epochs: flags.epochs }),
        ...(left === undefined ? {} : { stopAfter: left }),
        signal: interrupt.signal,
        onProgress: progress.event,
      });
      results.push(result);
      progress.result(result);
      if (result.reason === "paused") break;
      if (left !== undefined) left -= result.step - from;
    }
    const paused = results.at(-1)!.reason === "paused";
    const write = (path: string, bytes: Uint8Array, what: string): void => {
      writeWhole(path, bytes);
      files.push({ path, bytes: bytes.length, what });
      if (flags.json) json({ kind: "saved", path, bytes: bytes.length, what });
    };
    if (keep.checkpoint) write(keep.checkpoint, await model.checkpoint(), "checkpoint");
    if (keep.weights && !paused) write(keep.weights, await model.checkpoint({ weights: true }), "weights");
    if (flags.out !== undefined && !paused) {
      const { writeArtifacts } = await import("./artifacts.ts");
      // what others can run, whatever this device is
      const target = portableTarget(facts);
      const { plan, programs } =
        compiled.plan.target === target ? compiled : await planModel(compiled.model, flags, target, read);
      for (const { path, bytes } of await writeArtifacts(plan, {
        folder: flags.out,
        data: compiled.model.folder,
        index: indexText(plan, programs),
      })) {
        files.push({ path: join(flags.out, path), bytes, what: "artifact" });
        if (flags.json) json({ kind: "saved", path: join(flags.out, path), bytes, what: "artifact" });
      }
    }
  } finally {
    for (const name of signals) process.removeListener(name, onSignal);
  }
  if (flags.json) json(doneEvent(results));
  else end(terminal, flags, compiled, results, files, keep);
  if (signal) throw new Interrupted(statusOf(signal));
}
const statusOf = (signal: NodeJS.Signals): number => (signal === "SIGINT" ? 130 : 143);

// ---- what is said before and after

interface Written {
  readonly path: string;
  readonly bytes: number;
  readonly what: "checkpoint" | "weights" | "artifact" | string;
}
function start(
  terminal: Terminal,
  model: Model,
  { plan, model: file, seconds: compiling }: Planned,
  facts: DeviceFacts,
): void {
  const { bold, dim } = styles(terminal.color);
  terminal.line(`${bold(file.path)} on ${deviceText(facts)}`);
  for (const [name, { rows, splits }] of Object.entries(model.data))
    terminal.line(
      `  ${name}: ${counted(rows, "row")}${
        Object.keys(splits).length > 1
          ? ` (${Object.entries(splits)
              .map(([split, n]) => `${split} ${n.toLocaleString("en")}`)
              .join(", ")})`
          : ""
      }`,
    );
  const steps = Object.entries(model.cost.trains).map(
    ([name, cost]) =>
      `${Object.keys(model.cost.trains).length > 1 ? `${name}: ` : ""}${counted(cost.dispatchesPerStep, "dispatch", "dispatches")} a step`,
  );
  terminal.line(
    dim(
      `  ${[counted(parameterCount(plan), "parameter"), counted(model.cost.modules, "kernel"), ...steps, `${byteText(model.cost.bytes)} on the device`, `compiled in ${seconds(compiling)}`].join(" · ")}`,
    ),
  );
}
function startEvent(model: Model, { plan, seconds: compiling }: Planned, facts: DeviceFacts): object {
  return {
    kind: "start",
    model: plan.name,
    compiler: plan.compiler,
    device: { class: facts.class, name: facts.name, vendor: facts.vendor, architecture: facts.architecture },
    plan: {
      target: plan.target,
      parameters: parameterCount(plan),
      bytes: model.cost.bytes,
      modules: model.cost.modules,
      trains: model.cost.trains,
    },
    data: model.data,
    compileSeconds: compiling,
  };
}
/** Of the last block: what a script wants to know; of all blocks: under `results`. */
function doneEvent(results: readonly TrainResult[]): object {
  return {
    kind: "done",
    ...resultJson(results.at(-1)!),
    wallSeconds: performance.now() / 1000,
    results: Object.fromEntries(results.map((r) => [r.train, resultJson(r)])),
  };
}
function end(
  terminal: Terminal,
  flags: TrainFlags,
  { model, plan }: Planned,
  results: readonly TrainResult[],
  files: readonly Written[],
  keep: Places,
): void {
  const { bold, dim, cyan } = styles(terminal.color);
  const last = results.at(-1)!;
  terminal.line();
  if (last.reason === "paused") {
    if (!keep.checkpoint) return terminal.line("Nothing was kept (--no-save).");
    terminal.line(
      `${keep.checkpoint} holds everything so far (${byteText(files[0]?.bytes ?? 0)}). To go on, to the same bits:`,
    );
    return terminal.line(`  ${cyan(`dlm ${resumeArguments(process.argv.slice(2), keep.checkpoint)}`)}`);
  }
  const row = (path: string, text: string): void => terminal.line(`  ${path.padEnd(34)} ${dim(text)}`);
  const folder = flags.out;
  if (folder !== undefined) {
    const shaders = files.filter((f) => f.path.endsWith(".wgsl"));
    const size = (name: string): string => byteText(files.find((f) => f.path === join(folder, name))?.bytes ?? 0);
    terminal.line(bold("Written"));
    row(
      join(folder, "shaders", "*.wgsl"),
      `${counted(shaders.length, "kernel")}, ${byteText(shaders.reduce((n, f) => n + f.bytes, 0))}`,
    );
    row(join(folder, "plan.json"), `what runs when, in which memory, ${size("plan.json")}`);
    row(join(folder, "trainer.mjs"), `trains anywhere: node ${join(folder, "trainer.mjs")}, ${size("trainer.mjs")}`);
    row(join(folder, "index.html"), "trains in a browser, served together with its data");
  } else if (files.length) terminal.line(bold("Written"));
  for (const f of files.filter((x) => x.what !== "artifact"))
    row(f.path, `${f.what === "weights" ? "weights" : "weights and all that --resume needs"}, ${byteText(f.bytes)}`);
  const weights = keep.checkpoint ?? keep.weights;
  if (weights !== undefined) {
    terminal.line(bold("Next"));
    const again = [
      ...Object.entries(flags.set ?? {})
        .filter(([name]) => !["epochs", "steps", "batch", "accumulate"].includes(name))
        .map(([name, value]) => `--set ${name}=${value}`),
      ...(flags.data === undefined ? [] : [`--data ${flags.data}`]),
    ]
      .map((text) => ` ${text}`)
      .join("");
    if (plan.trains.some((t) => t.evaluate)) terminal.line(`  dlm eval ${model.path} --weights ${weights}${again}`);
    const [x] = plan.exports;
    if (x)
      terminal.line(
        `  dlm run ${model.path} ${x.name} --weights ${weights}${x.inputs.map((i) => (i.optional === undefined ? ` --input ${i.name}=FILE` : "")).join("")}${again}`,
      );
  }
  terminal.line(dim(`${seconds(performance.now() / 1000)} in all`));
}
/** The command line again, going on from the checkpoint. */
function resumeArguments(args: readonly string[], checkpoint: string): string {
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (/^--(resume|stop-after)=/.test(args[i]!)) continue;
    if (/^--(resume|stop-after)$/.test(args[i]!)) i++;
    else kept.push(args[i]!);
  }
  return [...kept, "--resume", checkpoint]
    .map((a) => (/^[\w@%+=:,./-]+$/.test(a) ? a : `'${a.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}
