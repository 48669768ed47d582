// The training loop: windows of steps (windows.ts), and what is due between them (measurements.ts).
// Everything is a function of the step, so a run that is interrupted anywhere and resumed does what it would have done.
import type { ProgressEvent, TrainOptions, TrainResult } from "./api.ts";
import { Measurements } from "./measurements.ts";
import { firstNonFinite } from "./nonfinite.ts";
import type { PlanTrain } from "./plan.ts";
import { messageOf, RuntimeProblem } from "./problem.ts";
import { epochOf, readWeights, runOnce, totalSteps, trainingRows, writeScalars } from "./session.ts";
import type { Session } from "./session.ts";
import { Snapshots } from "./snapshots.ts";
import { NonFiniteLoss, rowFloats, stepsAlike, Windows, type DoneWindow } from "./windows.ts";

export async function train(s: Session, t: PlanTrain, options: TrainOptions): Promise<TrainResult> {
  const state = s.states.get(t.name)!;
  const total = totalSteps(s, t, options);
  if (options.steps !== undefined || options.epochs !== undefined) state.steps = total;
  if (state.step === 0) {
    await loadInitial(s, t);
    if (t.begin) await runOnce(s, t.begin, () => writeScalars(s, t, total));
  }
  const measurements = new Measurements(s, t, total, options.onProgress);
  const [recording] = await Promise.all([s.machine.record(t.step, s.dims), measurements.prepare()]);

  const started = performance.now();
  const firstStep = state.step;
  const end = Math.min(total, options.stopAfter === undefined ? Infinity : firstStep + options.stopAfter);
  const windows = new Windows(s, t, recording, total, (done) => options.onProgress?.(progressOf(s, t, total, done)));
  const snapshots = new Snapshots(s, t, options.snapshots);
  try {
    await snapshots.begin();
    // a block that reads measured numbers has them from its first step on
    if (state.step === 0 && !state.measured && t.scalars.some((p) => p.name.includes(".")))
      await measurements.measure();
    windows.restartClock();
    while (!options.signal?.aborted) {
      if (state.due) {
        await windows.drain();
        await measurements.settle();
        windows.restartClock();
      }
      if (state.step >= end || state.stalled) break;
      if (snapshots.isDue) {
        await windows.drain();
        await snapshots.take();
        windows.restartClock();
      }
      const due = measurements.after(state.step);
      windows.submit(Math.min(windows.size, end - state.step, due - state.step, snapshots.stepsLeft, stepsAlike(s, t)));
      state.due = state.step === due;
      await windows.keepUp();
    }
    await windows.drain();
  } catch (error) {
    await windows.settle();
    const { newest } = snapshots;
    if (!newest || !(error instanceof NonFiniteLoss)) throw error;
    // what goes wrong while it is looked for is not what went wrong
    const made = await firstNonFinite(s, t, recording, total, newest, error.step).catch(() => undefined);
    throw made === undefined ? error : error.with(made);
  }
  const seconds = (performance.now() - started) / 1000;
  const { lastRow } = windows;
  return {
    train: t.name,
    reason: state.step >= total && !state.due ? "finished" : state.stalled ? "stalled" : "paused",
    step: state.step,
    steps: total,
    loss: lastRow ? lossOf(t, lastRow) : NaN,
    metrics: lastRow ? metricsOf(t, lastRow) : {},
    measured: measurements.measured,
    seconds,
    measuringSeconds: measurements.seconds,
    stepsPerSecond: (state.step - firstStep) / Math.max(1e-9, seconds - measurements.seconds),
    submits: windows.submits,
    ...(measurements.saved ? { saved: measurements.saved } : {}),
  };
}

function progressOf(s: Session, t: PlanTrain, total: number, done: DoneWindow): ProgressEvent {
  const { columns } = t.ring;
  const floats = rowFloats(t);
  const { count, values, stepsPerSecond } = done;
  const rows = trainingRows(s, t).length;
  const step = done.from + count;
  const row = values.subarray((count - 1) * floats);
  const curve = (c: number): Float32Array => Float32Array.from({ length: count }, (_, i) => values[i * floats + c]!);
  return {
    kind: "progress",
    train: t.name,
    epoch: epochOf(step - 1, rows, t),
    ...(rows ? { epochs: epochOf(total - 1, rows, t) + 1 } : {}), // the last step may reach into the next one
    step,
    steps: total,
    loss: lossOf(t, row),
    metrics: metricsOf(t, row),
    curves: Object.fromEntries(columns.map((name, c) => [name, curve(c)])),
    stepsPerSecond,
    secondsLeft: (total - step) / stepsPerSecond,
  };
}
const lossOf = (t: PlanTrain, row: Float32Array): number => (t.ring.columns[0] === "loss" ? row[0]! : NaN);
const metricsOf = (t: PlanTrain, row: Float32Array): Record<string, number> =>
  Object.fromEntries(t.ring.columns.flatMap((name, i) => (name === "loss" ? [] : [[name, row[i]!] as const])));

async function loadInitial(s: Session, t: PlanTrain): Promise<void> {
  for (const { path, into } of t.load ?? []) {
    if (!s.options.read) throw new RuntimeProblem(`${t.name} begins with weights from ${path}; load() needs \`read\``);
    let bytes: Uint8Array;
    try {
      bytes = await s.options.read(path);
    } catch (error) {
      throw error instanceof RuntimeProblem
        ? error
        : new RuntimeProblem(`cannot read ${path}, which ${t.name} begins with: ${messageOf(error)}`);
    }
    readWeights(s, bytes, into, path);
  }
}
