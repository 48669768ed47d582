// dlm eval and dlm run: a trained model measured and used. In: a model, its weights.   Out: numbers, as text, JSON or files.
import type { Measured, Model, Value } from "../../runtime/api.ts";
import { load } from "../../runtime/index.ts";
import type { Plan, PlanExport, PlanPort, PlanTrain } from "../../runtime/plan.ts";
import { RuntimeProblem } from "../../runtime/problem.ts";
import { readSafetensors } from "../../runtime/safetensors.ts";
import { jsonText } from "../../runtime/tensor.ts";
import { deviceFor, targetOf } from "./device.ts";
import { checkWritable, ofFile, readKept, writeWhole } from "./files.ts";
import { dataFiles, openModel, planModel, type ModelFlags } from "./model.ts";
import { nearest } from "./options.ts";
import { PortTexts, typedText, type Typed } from "./port-texts.ts";
import { UsageError, UserError } from "./problem.ts";
import { figuresOf, jsonProgress, measuredJson, tellEvents, tensorText, textProgress } from "./progress.ts";
import { openTerminal, styles, type Terminal } from "./terminal.ts";
import { checkOutput, inputValue, nested, outputBytes } from "./values.ts";
import { counted, portText, typeText } from "../print/text.ts";

interface UseFlags extends ModelFlags {
  readonly device?: string;
  readonly weights?: string;
  readonly allowNan?: boolean; // in the weights
  readonly json?: boolean;
}
export interface EvalFlags extends UseFlags {
  readonly weights: string;
  readonly train?: string;
  readonly split?: string;
}
export async function evaluate(path: string, flags: EvalFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  await withModel(
    path,
    flags,
    (plan) => plan,
    async (model, plan) => {
      const blocks = plan.trains.filter((t) => flags.train === undefined || t.name === flags.train);
      if (!blocks.length)
        throw unknown(
          `${plan.name} has no train block`,
          flags.train,
          plan.trains.map((t) => t.name),
        );
      const splitsOf = ({ dataset }: PlanTrain): string[] =>
        dataset === undefined ? ["train"] : Object.keys(model.data[dataset]?.splits ?? {});
      const known = [...new Set(blocks.flatMap(splitsOf))];
      if (flags.split !== undefined && !known.includes(flags.split))
        throw unknown(`${plan.name} has no split`, flags.split, known);
      const { bold, dim } = styles(terminal.color);
      let measured = 0;
      const progress = flags.json
        ? jsonProgress((event) => terminal.line(jsonText(event)))
        : textProgress(terminal, blocks.length);
      for (const t of blocks)
        for (const split of splitsOf(t)) {
          if ((flags.split !== undefined && split !== flags.split) || !t.evaluate) continue;
          measured++;
          const rows = t.dataset === undefined ? undefined : model.data[t.dataset]!.splits[split]!;
          const values: Measured = await model.evaluate(t.name, split, { onProgress: progress.event });
          terminal.endUpdate();
          if (flags.json)
            terminal.line(
              jsonText({
                kind: "evaluation",
                train: t.name,
                step: model.step(t.name),
                split,
                rows,
                values: measuredJson(values),
              }),
            );
          else {
            terminal.line(
              `${blocks.length > 1 ? `${t.name}  ` : ""}${bold(split.padEnd(6))} ${figuresOf(values)}${rows === undefined ? "" : dim(`  (${counted(rows, "row")})`)}`,
            );
            for (const [name, value] of Object.entries(values))
              if (typeof value !== "number") terminal.line(tensorText(`  ${name}`, value));
          }
        }
      if (!measured)
        throw new UserError(
          `${blocks.map((t) => t.name).join(", ")} trains without data, so there is nothing to measure it on`,
        );
    },
  );
}

export interface RunFlags extends UseFlags {
  readonly input?: readonly string[];
  readonly output?: string;
}
export async function run(path: string, name: string, flags: RunFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  let given: readonly (readonly [PlanPort, Value | Typed])[] = [];
  // an export needs no data, unless its weights are those that training begins with
  const part = (plan: Plan): Plan => {
    const x = exportNamed(plan, name);
    if (flags.output !== undefined) {
      checkOutput(flags.output, x.outputs);
      checkWritable(flags.output);
    }
    given = (flags.input ?? []).map((text) => inputOf(text, x));
    return flags.weights === undefined ? plan : { ...plan, trains: [] };
  };
  await withModel(path, flags, part, async (model, plan) => {
    const x = exportNamed(plan, name);
    const draws = flags.seed !== undefined && x.inputs.some((p) => p.name === "seed") ? { seed: flags.seed } : {};
    const texts = new PortTexts(plan, dataFiles(openModel(path), flags));
    const inputs: Record<string, Value> = { ...draws };
    for (const [port, value] of given)
      inputs[port.name] = isTyped(value) ? await texts.input(port, value, terminal.note) : value;
    if (flags.weights === undefined && plan.states.some((s) => s.kind === "parameter"))
      terminal.note("without --weights: the parameters are the initial ones");
    const results = await model.run(name, inputs);
    if (flags.output !== undefined) writeWhole(flags.output, outputBytes(flags.output, results));
    const read = new Map<string, Awaited<ReturnType<PortTexts["output"]>>>();
    for (const port of x.outputs) read.set(port.name, await texts.output(x, port, results[port.name]!));
    if (flags.json)
      terminal.line(
        jsonText({
          kind: "result",
          export: name,
          outputs: Object.fromEntries(
            Object.entries(results).map(([key, t]) => {
              const text = read.get(key)?.map((row) => row.text);
              return [key, { dtype: t.dtype, shape: t.shape, values: nested(t), ...(text ? { text } : {}) }];
            }),
          ),
          ...(flags.output === undefined ? {} : { file: flags.output }),
        }),
      );
    else if (flags.output !== undefined)
      terminal.line(
        `${flags.output}  ${styles(terminal.color).dim(
          Object.entries(results)
            .map(([key, t]) => `${key}: ${t.dtype}[${t.shape.join(", ")}]`)
            .join("  "),
        )}`,
      );
    else
      for (const [key, t] of Object.entries(results)) {
        const rows = read.get(key);
        if (!rows) terminal.line(tensorText(key, t));
        else {
          terminal.line(`${key}: ${t.dtype}[${t.shape.join(", ")}]`);
          for (const { text, after } of rows) {
            if (after !== undefined) terminal.line(styles(terminal.color).dim(`  after ${JSON.stringify(after)}`));
            terminal.line(text.replaceAll(/^/gm, "  "));
          }
        }
      }
  });
}
function exportNamed(plan: Plan, name: string): PlanExport {
  const found = plan.exports.find((x) => x.name === name);
  if (found) return found;
  throw unknown(
    `${plan.name} exports no function`,
    name,
    plan.exports.map((x) => x.name),
  );
}
const isTyped = (value: Value | Typed): value is Typed => Array.isArray(value) && typeof value[0] === "string";
function inputOf(text: string, x: PlanExport): readonly [PlanPort, Value | Typed] {
  const [, name, value] = /^([\w.]+)=(.*)$/s.exec(text) ?? [];
  const signature = `${x.name}(${x.inputs.map(portText).join(", ")}) -> ${x.outputs.map(typeText).join(", ")}`;
  if (name === undefined || value === undefined)
    throw new UsageError(`--input ${text}: it is written name=FILE or name=value: ${signature}`);
  const port = x.inputs.find((p) => p.name === name);
  if (!port)
    throw new UsageError(
      `${x.name} has no input ${name}${nearest(
        name,
        x.inputs.map((p) => p.name),
      )}: ${signature}`,
    );
  return [port, typedText(value) ?? inputValue(value, port, x.name)];
}
const unknown = (what: string, name: string | undefined, names: readonly string[]): UserError =>
  new (name === undefined ? UserError : UsageError)(
    `${name === undefined ? what : `${what} ${name}`}; ${names.length ? `there ${names.length === 1 ? "is" : "are"} ${names.join(", ")}${nearest(name ?? "", names)}` : "there is none"}`,
  );

/** Compiles for the device at hand, loads `part` of the plan with its weights, and closes everything afterwards. */
async function withModel(
  path: string,
  flags: UseFlags,
  part: (plan: Plan) => Plan,
  use: (model: Model, plan: Plan) => Promise<void>,
): Promise<void> {
  const model = openModel(path);
  const bytes = flags.weights === undefined ? undefined : readKept(flags.weights, "read the weights from");
  const files = dataFiles(model, flags);
  if (bytes) await ofFile(flags.weights!, () => readSafetensors(bytes));
  const opened = await deviceFor(flags.device);
  try {
    const { plan } = await planModel(model, flags, targetOf(opened.facts), files);
    const wanted = part(plan);
    const loaded = await load(wanted, {
      device: opened.device,
      ...(flags.allowNan ? { allowNaN: true } : {}),
      onEvent: tellEvents(openTerminal(flags.json === true), flags.json === true, flags.weights),
      ...files,
      ...(flags.maxData === undefined ? {} : { mostFileBytes: flags.maxData }),
      ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    });
    try {
      if (bytes) await take(loaded, bytes, flags, openTerminal(flags.json === true));
      await use(loaded, wanted);
    } finally {
      loaded.close();
    }
  } finally {
    opened.close();
  }
}
/** A checkpoint knows which rows were held out; a file of weights does not. */
async function take(model: Model, bytes: Uint8Array, flags: UseFlags, terminal: Terminal): Promise<void> {
  const whole = readSafetensors(bytes).metadata["kind"] === "checkpoint";
  if (whole && flags.seed === undefined && model.trains.length) {
    try {
      return await model.restore(bytes);
    } catch (error) {
      if (!(error instanceof RuntimeProblem)) throw error;
      await ofFile(flags.weights!, () => model.loadWeights(bytes));
      return terminal.note(
        `${flags.weights} is not of this model and these data as they are (${error.message.replace(/^this checkpoint cannot be resumed from: /, "")}): its weights are taken, the rows that it held out are not known`,
      );
    }
  }
  await ofFile(flags.weights!, () => model.loadWeights(bytes));
  if (flags.seed !== undefined || !model.trains.length || (await model.holdOutAs(bytes))) return;
  if (model.plan.datasets.some((d) => !d.windowed && d.holdouts.some((h) => h.fraction !== undefined)))
    terminal.note(
      `${flags.weights} does not say which rows were held out when it was trained: those of the model's seed are (--seed N says otherwise)`,
    );
}
