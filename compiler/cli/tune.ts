// dlm tune: other schedules of the costliest kernels of a training step, measured on the device at hand. In: a model. Out: MODEL.tune.json with those that
// are faster beyond doubt, which every command then uses; what each kernel took before and after.
// The plan carries them as alternatives, and the runtime measures these as it does for a compiled model (runtime/tune.ts), on the model's own data.
import type { TunedKernel, TuneResult } from "../../runtime/api.ts";
import { deviceText, type DeviceFacts } from "../../runtime/device.ts";
import { load } from "../../runtime/index.ts";
import { tuner } from "../../runtime/tune.ts";
import type { Target } from "../kernel/target.ts";
import { counted } from "../print/text.ts";
import { deviceFor, targetOf } from "./device.ts";
import { writeWhole } from "./files.ts";
import { dataFiles, openModel, planModel, type ModelFlags } from "./model.ts";
import { UserError } from "./problem.ts";
import { seconds } from "./progress.ts";
import { openTerminal, styles, type Terminal } from "./terminal.ts";
import { inventedRows, timeText } from "./timing.ts";
import { readTuned, tuneFormat, tunePath, type TunedSchedule, type TuneFile } from "./tuned.ts";

export interface TuneFlags extends ModelFlags {
  readonly device?: string;
  readonly train?: string;
  readonly kernels?: number; // how many of the costliest
  readonly seconds?: number; // for the measurement
  readonly json?: boolean;
}
const leastShare = 0.01; // of the step's price: cheaper kernels are not worth a measurement

export async function tune(path: string, flags: TuneFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  const opened = await deviceFor(flags.device);
  try {
    const model = openModel(path);
    const { device, facts } = opened;
    const target = targetOf(facts);
    const files = dataFiles(model, flags);
    terminal.update("compiling");
    const wanted = { kernels: flags.kernels ?? 8, share: leastShare };
    const { plan } = await planModel(model, { ...flags, tuned: {}, alternatives: wanted }, target, files);
    if (!plan.trains.some((t) => flags.train === undefined || t.name === flags.train))
      throw new UserError(
        `${plan.name} has no train block${flags.train ? ` ${flags.train}` : ""}, so there is no step to measure`,
      );
    terminal.update("reading data");
    const loaded = await load(
      plan,
      {
        ...{ device, ...files, host: inventedRows(plan) },
        ...(flags.maxData === undefined ? {} : { mostFileBytes: flags.maxData }),
        ...(flags.seed === undefined ? {} : { seed: flags.seed }),
      },
      tuner,
    );
    try {
      const result = await loaded.tune({
        ...(flags.train === undefined ? {} : { train: flags.train }),
        milliseconds: 1000 * (flags.seconds ?? 2),
        onProgress: ({ kernel, number, of }) => terminal.update(`timing ${kernel}, ${number} of ${of}`),
      });
      terminal.endUpdate();
      if (result.noMemory)
        throw new UserError(`${facts.name} has no memory for copies of what a step of ${path} writes`);
      const file = tunePath(model);
      write(file, facts, target, result.kernels);
      if (flags.json) for (const k of result.kernels) terminal.line(JSON.stringify(eventOf(k)));
      else print(terminal, path, file, facts, result);
    } finally {
      await loaded.close();
    }
  } finally {
    opened.close();
  }
}

/** Other devices that were measured stay. */
function write(file: string, facts: DeviceFacts, target: Target, measured: readonly TunedKernel[]): void {
  const kernels = measured.flatMap(({ key, kernel, schedules, microseconds, taken }): TunedSchedule[] =>
    taken
      ? [
          {
            key,
            kernel,
            schedule: schedules[taken]!,
            microseconds: [rounded(microseconds[0]!), rounded(microseconds[taken]!)],
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
/** A schedule that was not measured has no time. */
const eventOf = ({ kernel, schedules, microseconds, taken, why }: TunedKernel): object => ({
  kind: "tuned",
  kernel,
  schedules: schedules.map((schedule, k) => {
    const time = microseconds[k];
    return { schedule, ...(time !== undefined && time < Infinity ? { microseconds: rounded(time) } : {}) };
  }),
  chosen: taken,
  why,
});
function print(
  terminal: Terminal,
  path: string,
  file: string,
  facts: DeviceFacts,
  { kernels, method, seconds: took }: TuneResult,
): void {
  const { bold, dim } = styles(terminal.color);
  terminal.line(`${bold(path)} on ${deviceText(facts)}`);
  if (!kernels.length) return terminal.line("  no kernel of its step has another schedule that is worth a measurement");
  const how = method === "timestamps" ? "by timestamps" : "by repetition";
  const measured = kernels.filter((k) => k.why !== "late").length;
  terminal.line(
    dim(
      `  ${measured} of ${counted(kernels.length, "kernel")} measured in ${seconds(took)}, ${how}; --seconds N takes longer`,
    ),
  );
  const width = Math.max(6, ...kernels.map((m) => m.kernel.length));
  terminal.line(dim(`  ${"kernel".padEnd(width)}    before     after`));
  for (const { kernel, schedules, microseconds, taken, why } of kernels) {
    const after =
      why === "faster"
        ? `${timeText(microseconds[taken]!).padStart(8)}${dim(`  ${schedules[taken]!}`)}`
        : why === "noisy"
          ? "the clock is too noisy here: kept"
          : dim(why === "best" ? `kept, the best of ${schedules.length}` : "kept, there was no time to measure it");
    terminal.line(
      `  ${kernel.padEnd(width)}  ${(microseconds.length ? timeText(microseconds[0]!) : "").padStart(8)}  ${after}`,
    );
  }
  const changed = kernels.filter((m) => m.taken);
  terminal.line(
    changed.length
      ? `${counted(changed.length, "kernel")} of ${kernels.length} ${changed.length === 1 ? "has" : "have"} another schedule now: ${file}, which every command on this model reads`
      : `no other schedule is faster beyond doubt (${file})`,
  );
}
