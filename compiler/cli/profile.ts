// dlm profile: what each kernel of a training step costs on this device, beside what the device can do.
// In: a model, a few steps of real training.   Out: for every kernel its time, FLOPs, bytes, share of the step and of the device's limit, source lines.
// Kernels are timed as they are in the step: its dispatches are recorded where they are encoded, then run again, by timestamps where these
// are fine enough for a kernel, by repetition elsewhere (software devices tell time in steps of 65 us).
import { load } from "../../runtime/index.ts";
import type { DeviceFacts } from "../../runtime/device.ts";
import { deviceText } from "../../runtime/device.ts";
import { sizeOf, type Dispatch, type Plan, type PlanTrain } from "../../runtime/plan.ts";
import { jsonText } from "../../runtime/tensor.ts";
import { deviceFor, targetOf } from "./device.ts";
import { dataFiles, openModel, planModel, type ModelFlags } from "./model.ts";
import { UsageError, UserError } from "./problem.ts";
import { nearest } from "./options.ts";
import { rate } from "./progress.ts";
import { inventedRows, record, repeated, timesOf, timeText, unrolled } from "./timing.ts";
import { bar, openTerminal, styles, type Terminal } from "./terminal.ts";
import { counted } from "../print/text.ts";

export interface ProfileFlags extends ModelFlags {
  readonly device?: string;
  readonly train?: string;
  readonly steps?: number; // of training before the measurement
  readonly json?: boolean;
}
export interface KernelProfile {
  readonly kernel: string; // the module
  readonly lines: readonly string[];
  readonly runs: number; // in a step, of all layers that run it over as much
  readonly microseconds: number; // of all its runs
  readonly share: number; // of the kernels' time
  readonly flops: number;
  readonly bytes: number; // read and written at least
  readonly ofLimit: number; // share of what the device can do, in arithmetic or in bytes
}
interface Limits {
  readonly gflops: number;
  readonly gigabytes: number; // per second
}

export async function profile(path: string, flags: ProfileFlags): Promise<void> {
  const terminal = openTerminal(flags.json === true);
  const model = openModel(path);
  const files = dataFiles(model, flags);
  const opened = await deviceFor(flags.device);
  const { device } = opened;
  try {
    const { plan } = await planModel(model, { ...flags, adapter: opened.facts.name }, targetOf(opened.facts), files);
    const train = plan.trains.find((t) => flags.train === undefined || t.name === flags.train);
    if (!train)
      throw new (plan.trains.length ? UsageError : UserError)(
        plan.trains.length
          ? `${plan.name} has no train block ${flags.train}; it has ${plan.trains.map((t) => t.name).join(", ")}${nearest(
              flags.train ?? "",
              plan.trains.map((t) => t.name),
            )}`
          : `${plan.name} has no train block, so there is no step to measure`,
      );
    const recorded = record(device, train.step.name);
    const { evaluate, evaluateEvery, stop, save, ...alone } = train;
    void [evaluate, evaluateEvery, stop, save]; // the step alone is run
    const host = inventedRows(plan);
    const loaded = await load(
      { ...plan, trains: [alone] },
      {
        device,
        ...files,
        ...(flags.maxData === undefined ? {} : { mostFileBytes: flags.maxData }),
        host,
        ...(flags.seed === undefined ? {} : { seed: flags.seed }),
      },
    );
    try {
      terminal.update("training");
      const step = await stepTime(
        async (n) => (await loaded.train(train.name, { steps: 1_000_000, stopAfter: n })).seconds,
        flags.steps ?? 20,
      );
      const dispatches = unrolled(train.step.commands);
      if (dispatches.length !== recorded.length)
        throw new UserError(
          `the step of ${train.name} ran ${recorded.length} dispatches where its plan has ${dispatches.length}: some are empty, and cannot be told apart`,
        );
      terminal.update("measuring what the device can do");
      const limits = await measureLimits(device);
      // a launch of many steps is timed in training
      const { times, how } = train.rounds
        ? {
            times: [1e6 * step],
            how: {
              method: "training",
              text: "its one launch does whole steps, many of them; their parts are in dlm inspect --stage fused",
            },
          }
        : await timesOf(device, dispatches, recorded, terminal);
      const kernels = summed(plan, train, loaded.data, dispatches, times, limits);
      terminal.endUpdate();
      if (flags.json)
        terminal.line(
          jsonText({
            kind: "profile",
            model: plan.name,
            train: train.name,
            device: { class: opened.facts.class, name: opened.facts.name },
            stepMicroseconds: 1e6 * step,
            kernelMicroseconds: times.reduce((a, b) => a + b, 0),
            method: how.method,
            limits,
            invented: Object.keys(host),
            kernels,
          }),
        );
      else print(terminal, path, train, opened.facts, step, how.text, limits, Object.keys(host), kernels);
    } finally {
      loaded.close();
    }
  } finally {
    opened.close();
  }
}

/** Seconds of a step when everything is compiled. */
async function stepTime(run: (steps: number) => Promise<number>, warm: number): Promise<number> {
  await run(warm);
  let steps = warm;
  let seconds = await run(steps);
  while (seconds < 0.4 && steps < 100_000) seconds = await run((steps *= 4));
  return seconds / steps;
}

// ---- what the device can do

/** Arithmetic on registers, and bytes through memory, as simple kernels reach them. */
async function measureLimits(device: GPUDevice): Promise<Limits> {
  const invocations = 16384;
  const [rounds, sums] = [256, 16];
  const names = Array.from({ length: sums }, (_, i) => `s${i}`);
  const arithmetic = `@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = f32(id.x) * 1e-9 + 0.999;
  ${names.map((n, i) => `var ${n} = x + ${i}.0;`).join(" ")}
  for (var i = 0; i < ${rounds}; i++) { ${names.map((n) => `${n} = ${n} * x + 0.5;`).join(" ")} }
  y[id.x] = ${names.join(" + ")};
}`;
  const words = Math.min(1 << 23, Math.floor(device.limits.maxStorageBufferBindingSize / 16));
  const each = 8;
  const copy = `@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let at = id.x * ${each}u;
  ${Array.from({ length: each }, (_, i) => `y[at + ${i}u] = x[at + ${i}u];`).join("\n  ")}
}`;
  const vectors = Math.floor(words / 4 / (64 * each)) * 64 * each;
  const time = async (code: string, bytes: readonly number[], x: number): Promise<number> => {
    const pipeline = await device.createComputePipelineAsync({
      layout: "auto",
      compute: { module: device.createShaderModule({ code }) },
    });
    const buffers = bytes.map((size) => device.createBuffer({ size, usage: GPUBufferUsage.STORAGE }));
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    const microseconds = await repeated(device, { pipeline, group, offsets: [], x, y: 1 }, 0.1);
    for (const b of buffers) b.destroy();
    return microseconds;
  };
  const [a, b] = [
    await time(arithmetic, [4 * invocations], invocations / 64),
    await time(copy, [16 * vectors, 16 * vectors], vectors / (64 * each)),
  ];
  return { gflops: (2 * invocations * rounds * sums) / a / 1000, gigabytes: (32 * vectors) / b / 1000 };
}

// ---- adding up

type DataFacts = Awaited<ReturnType<typeof load>>["data"];
function summed(
  plan: Plan,
  train: PlanTrain,
  data: DataFacts,
  dispatches: readonly Dispatch[],
  times: readonly number[],
  limits: Limits,
): KernelProfile[] {
  const total = times.reduce((a, b) => a + b, 0);
  const dims: Record<string, number> = Object.fromEntries(
    Object.entries(data).flatMap(([name, d]) => [
      [`rows.${name}`, d.rows],
      [`training.${name}`, d.splits["train"] ?? d.rows],
    ]),
  );
  const kernels = new Map<string, KernelProfile>();
  dispatches.forEach((d, i) => {
    const flops = d.flops === undefined ? 0 : sizeOf(d.flops, dims);
    const bytes = d.bindings.reduce((n, b) => n + touched(plan, train, b, dims), 0);
    const key = [d.module, flops, bytes].join(); // the same kernel over as much: equal layers
    const before = kernels.get(key) ?? {
      kernel: plan.modules[d.module]!.name,
      lines: [],
      runs: 0,
      microseconds: 0,
      share: 0,
      flops: 0,
      bytes: 0,
      ofLimit: 0,
    };
    const all = {
      microseconds: before.microseconds + times[i]!,
      flops: before.flops + flops,
      bytes: before.bytes + bytes,
    };
    const ofLimit = Math.max(all.flops / limits.gflops, all.bytes / limits.gigabytes) / all.microseconds / 1000;
    kernels.set(key, {
      ...before,
      ...all,
      lines: [...new Set([...before.lines, ...(d.lines ?? [])])],
      runs: before.runs + 1,
      share: all.microseconds / total,
      ofLimit,
    });
  });
  return [...kernels.values()].sort((a, b) => b.microseconds - a.microseconds);
}
/** Of data, row numbers and losses a step touches its own rows only. */
function touched(
  plan: Plan,
  train: PlanTrain,
  b: Dispatch["bindings"][number],
  dims: Readonly<Record<string, number>>,
): number {
  const rows = train.batch * train.accumulate;
  const column = plan.datasets.flatMap((d) => d.columns).find((c) => c.buffer === b.buffer);
  if (column)
    return (
      rows *
      (column.loader.kind === "windows" ? column.loader.window : column.shape.reduce((n, size) => n * size, 1)) *
      (column.storage === "u8" ? 1 : 4)
    );
  if (b.buffer === train.batchIndex?.buffer) return 4 * rows;
  if (b.buffer === train.ring.buffer && b.offset === train.ring.offset) return 4 * train.ring.columns.length;
  return sizeOf(b.bytes, dims);
}

// ---- printing

const mostShown = 30;
function print(
  terminal: Terminal,
  path: string,
  train: PlanTrain,
  facts: DeviceFacts,
  step: number,
  how: string,
  limits: Limits,
  invented: readonly string[],
  kernels: readonly KernelProfile[],
): void {
  const { bold, dim } = styles(terminal.color);
  const total = kernels.reduce((n, k) => n + k.microseconds, 0);
  const runs = kernels.reduce((n, k) => n + k.runs, 0);
  terminal.line(`${bold(path)} on ${deviceText(facts)}`);
  terminal.line(
    `  a step of ${train.name}: ${timeText(1e6 * step)} in training (${rate(1 / step)}), of ${counted(runs, "dispatch", "dispatches")} that ${runs === 1 ? "takes" : "take"} ${timeText(total)} alone`,
  );
  terminal.line(
    dim(
      `  ${how}; this device does ${limits.gflops.toPrecision(3)} GFLOP/s and ${limits.gigabytes.toPrecision(3)} GB/s`,
    ),
  );
  if (invented.length)
    terminal.line(
      dim(`  ${invented.join(", ")}: random rows, since a program feeds ${invented.length === 1 ? "it" : "them"}`),
    );
  const width = Math.max(6, ...kernels.map((k) => k.kernel.length));
  terminal.line();
  terminal.line(
    bold(
      `${"share".padStart(6)}  ${"".padEnd(8)}  ${"time".padStart(8)}  ${"runs".padStart(4)}  ${"GFLOP/s".padStart(7)}  ${"GB/s".padStart(6)}  ${"of limit".padStart(8)}  ${"kernel".padEnd(width)}  from`,
    ),
  );
  const percent = (x: number): string => `${(100 * x).toFixed(x < 0.0995 ? 1 : 0)} %`;
  const shown = kernels.slice(0, mostShown);
  for (const k of shown) {
    terminal.line(
      `${percent(k.share).padStart(6)}  ${bar(k.share / kernels[0]!.share, 8)}  ${timeText(k.microseconds).padStart(8)}  ${String(k.runs).padStart(4)}  ${(k.flops / k.microseconds / 1000).toFixed(2).padStart(7)}  ${(k.bytes / k.microseconds / 1000).toFixed(2).padStart(6)}  ${percent(k.ofLimit).padStart(8)}  ${k.kernel.padEnd(width)}  ${dim(k.lines.slice(0, 3).join(", ") + (k.lines.length > 3 ? ", …" : ""))}`,
    );
  }
  const rest = kernels.slice(mostShown);
  if (rest.length)
    terminal.line(
      dim(
        `${percent(rest.reduce((n, k) => n + k.share, 0)).padStart(6)}  ${"".padEnd(8)}  in ${counted(rest.length, "more kernel")}; --json has them all`,
      ),
    );
}
