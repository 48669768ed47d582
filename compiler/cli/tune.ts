// dlm tune: other schedules of the costliest kernels of a training step, measured on the device at hand. In: a model. Out: MODEL.tune.json with those that
// are faster beyond doubt, which every command then uses; what each kernel took before and after.
// The step is compiled once more for every alternative and run with the model's own data. Kernels are timed as `dlm profile` times them, the alternatives
// of one after another and again in the next round, so that what else the machine does falls on all of them.
import { load, type Model } from "../../runtime/index.ts";
import { deviceText, type DeviceFacts } from "../../runtime/device.ts";
import type { Command, PlanTrain } from "../../runtime/plan.ts";
import { within } from "../graph/compilation.ts";
import type { Target } from "../kernel/target.ts";
import type { Launched } from "../plan/commands.ts";
import { counted } from "../print/text.ts";
import type { Tuned } from "../programs/lower.ts";
import { alternatives } from "../schedule/alternatives.ts";
import { nestOf } from "../schedule/nest.ts";
import { printSchedule } from "../schedule/schedule.ts";
import { deviceFor, targetOf } from "./device.ts";
import { writeWhole } from "./files.ts";
import { dataFiles, openModel, planModel, type ModelFlags, type Planned } from "./model.ts";
import { UserError } from "./problem.ts";
import { openTerminal, styles, type Terminal } from "./terminal.ts";
import { inventedRows, record, repeated, timeText, type Recorded } from "./timing.ts";
import { readTuned, tuneFormat, tunePath, type TuneFile, type TunedKernel } from "./tuned.ts";

export interface TuneFlags extends ModelFlags {
  readonly device?: string;
  readonly train?: string;
  readonly kernels?: number; // how many of the costliest
  readonly rounds?: number; // of measurements
  readonly json?: boolean;
}
const others = 3; // alternatives of a kernel
const leastGain = 0.95; // of the median; less is not worth an exception from the price
const mostSpread = 0.5; // of a median, between the quartiles: a measurement that says nothing

interface Kernel {
  readonly key: string;
  readonly name: string;
  readonly schedules: readonly string[]; // that of the price first
}
interface Measured {
  readonly kernel: Kernel;
  readonly medians: readonly number[]; // microseconds, by schedule
  readonly chosen: number; // of the schedules; 0: that of the price
  readonly isNoisy: boolean;
}

export async function tune(path: string, flags: TuneFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  const opened = await deviceFor(flags.device);
  const runs: Run[] = [];
  try {
    const model = openModel(path);
    const { device, facts } = opened;
    const target = targetOf(facts);
    const files = dataFiles(model, flags);
    const run = async (tuned: Tuned): Promise<Run> => {
      const compiled = await planModel(model, { ...flags, tuned }, target, files);
      const made = await started(compiled, flags, device, files);
      runs.push(made);
      return made;
    };
    terminal.update("compiling");
    const first = await run({});
    terminal.update("looking for the costliest kernels");
    const kernels = await costliest(first, flags.kernels ?? 8, device, target);
    for (let k = 1; k <= others; k++) {
      const wanted = kernels.filter((x) => x.schedules.length > k);
      if (!wanted.length) break;
      terminal.update(`compiling alternatives ${k} of ${others}`);
      await run(Object.fromEntries(wanted.map((x) => [x.key, x.schedules[k]!])));
    }
    const measured: Measured[] = [];
    for (const [i, kernel] of kernels.entries()) {
      terminal.update(`timing ${kernel.name}, ${i + 1} of ${kernels.length}`);
      measured.push(await measure(kernel, runs, device, flags.rounds ?? 7));
    }
    terminal.endUpdate();
    const file = tunePath(model);
    write(file, facts, target, measured);
    if (flags.json) for (const m of measured) terminal.line(JSON.stringify(eventOf(m)));
    else print(terminal, path, file, facts, measured);
  } finally {
    for (const r of runs) r.model.close();
    opened.close();
  }
}

// ---- a step on the device

interface Run {
  readonly model: Model;
  readonly kernels: ReadonlyMap<string, readonly Recorded[]>; // by key: the dispatches of the first step that computes so
  readonly launched: readonly Launched[];
  readonly inside: <T>(run: () => T) => T;
}
async function started(
  { plan, programs, program }: Planned,
  flags: TuneFlags,
  device: GPUDevice,
  files: ReturnType<typeof dataFiles>,
): Promise<Run> {
  const train = plan.trains.find((t) => flags.train === undefined || t.name === flags.train);
  if (!train)
    throw new UserError(
      `${plan.name} has no train block${flags.train ? ` ${flags.train}` : ""}, so there is no step to measure`,
    );
  const recorded = record(device, train.step.name);
  const { evaluate, evaluateEvery, stop, save, ...alone } = train;
  void [evaluate, evaluateEvery, stop, save]; // the step alone is run
  const model = await load(
    { ...plan, trains: [alone] },
    {
      device,
      ...files,
      ...(flags.maxData === undefined ? {} : { mostFileBytes: flags.maxData }),
      host: inventedRows(plan),
      ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    },
  );
  await model.train(train.name, { steps: 1_000_000, stopAfter: 1 });
  const { lowered } = programs.find((p) => p.name === train.step.name)!;
  const inside = <T>(run: () => T): T => (program ? within(program.compilation, run) : run());
  return { model, kernels: byKey(train, lowered, recorded), launched: lowered, inside };
}
/** A kernel of several dispatches makes its parts first. */
function byKey(train: PlanTrain, launched: readonly Launched[], recorded: readonly Recorded[]): Run["kernels"] {
  const found = new Map<string, readonly Recorded[]>();
  let at = 0;
  let next = 0;
  const walk = (commands: readonly Command[]): void => {
    for (const c of commands) {
      if (c.kind === "loop") {
        const from = at;
        for (let round = 0; round < c.count; round++) {
          at = from;
          walk(c.body);
        }
      } else if (c.kind === "dispatch") {
        const { step, kernel } = launched[at]!;
        if (kernel.key !== undefined && !found.has(kernel.key)) {
          let parts = 0;
          while (at > parts && launched[at - parts - 1]?.step === step) parts++;
          found.set(kernel.key, recorded.slice(next - parts, next + 1));
        }
        at++;
        next++;
      }
    }
  };
  walk(train.step.commands);
  return next === recorded.length ? found : new Map(); // empty ones cannot be told apart
}

// ---- measurement

async function timeOf(of: readonly Recorded[] | undefined, device: GPUDevice, seconds: number): Promise<number> {
  if (!of?.length) return NaN;
  let sum = 0;
  for (const r of of) sum += await repeated(device, r, seconds);
  return sum;
}
/** Those that take most of the step and have other schedules. */
async function costliest(run: Run, most: number, device: GPUDevice, target: Target): Promise<readonly Kernel[]> {
  const times: { readonly launched: Launched; readonly key: string; readonly time: number }[] = [];
  for (const [key, dispatches] of run.kernels) {
    const same = run.launched.filter((l) => l.kernel.key === key);
    const time = (await timeOf(dispatches, device, 0.004)) * same.length;
    times.push({ launched: same[0]!, key, time });
  }
  return times
    .sort((a, b) => b.time - a.time)
    .slice(0, most)
    .map(({ launched: { step, kernel }, key }): Kernel => ({
      key,
      name: step.spec.name,
      schedules: [
        printSchedule(kernel.before ? kernel.before[0]!.schedule : kernel.schedule),
        ...run.inside(() => alternatives(nestOf(step.spec), target, others)).map(printSchedule),
      ],
    }))
    .filter((k) => k.schedules.length > 1);
}
async function measure(kernel: Kernel, runs: readonly Run[], device: GPUDevice, rounds: number): Promise<Measured> {
  const times = kernel.schedules.map((): number[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [k, list] of times.entries()) list.push(await timeOf(runs[k]?.kernels.get(kernel.key), device, 0.01));
  const sorted = times.map((list) => list.filter((t) => t > 0).sort((a, b) => a - b));
  const quantile = (k: number, q: number): number => {
    const list = sorted[k]!;
    return list.length ? list[Math.round(q * (list.length - 1))]! : Infinity;
  };
  const medians = sorted.map((_, k) => quantile(k, 0.5));
  const spread = (k: number): number => (quantile(k, 0.75) - quantile(k, 0.25)) / quantile(k, 0.5);
  const best = medians.indexOf(Math.min(...medians));
  const isNoisy = spread(0) > mostSpread || spread(best) > mostSpread;
  const isFaster = medians[best]! < leastGain * medians[0]! && quantile(best, 0.75) < quantile(0, 0.25);
  return { kernel, medians, chosen: isFaster && !isNoisy ? best : 0, isNoisy };
}

// ---- what it came to

/** Other devices that were measured stay. */
function write(file: string, facts: DeviceFacts, target: Target, measured: readonly Measured[]): void {
  const kernels = measured.flatMap(({ kernel, medians, chosen }): TunedKernel[] =>
    chosen
      ? [
          {
            key: kernel.key,
            kernel: kernel.name,
            schedule: kernel.schedules[chosen]!,
            microseconds: [rounded(medians[0]!), rounded(medians[chosen]!)],
          },
        ]
      : [],
  );
  const before = readTuned(file).devices.filter((d) => d.device !== facts.name || d.target !== target.name);
  const made: TuneFile = {
    format: tuneFormat,
    devices: [...before, { device: facts.name, target: target.name, kernels }],
  };
  writeWhole(file, JSON.stringify(made, undefined, 2) + "\n");
}
const rounded = (t: number): number => Number(t.toPrecision(4));
const eventOf = ({ kernel, medians, chosen, isNoisy }: Measured): object => ({
  kind: "tuned",
  kernel: kernel.name,
  schedules: kernel.schedules.map((schedule, k) => ({ schedule, microseconds: rounded(medians[k]!) })),
  chosen,
  noisy: isNoisy,
});
function print(
  terminal: Terminal,
  path: string,
  file: string,
  facts: DeviceFacts,
  measured: readonly Measured[],
): void {
  const { bold, dim } = styles(terminal.color);
  terminal.line(`${bold(path)} on ${deviceText(facts)}`);
  const width = Math.max(6, ...measured.map((m) => m.kernel.name.length));
  terminal.line(dim(`  ${"kernel".padEnd(width)}    before     after`));
  for (const { kernel, medians, chosen, isNoisy } of measured) {
    const after = chosen
      ? timeText(medians[chosen]!).padStart(8)
      : isNoisy
        ? "the clock is too noisy here: kept"
        : dim(`kept, the best of ${medians.length}`);
    terminal.line(
      `  ${kernel.name.padEnd(width)}  ${timeText(medians[0]!).padStart(8)}  ${after}${chosen ? dim(`  ${kernel.schedules[chosen]!}`) : ""}`,
    );
  }
  const changed = measured.filter((m) => m.chosen);
  terminal.line(
    changed.length
      ? `${counted(changed.length, "kernel")} of ${measured.length} have another schedule now: ${file}, which every command on this model reads`
      : `the schedules that the price chose are the best that were found (${file})`,
  );
}
