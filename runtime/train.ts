// The training loop: windows of steps, each one submit of one pass; the host is at most two windows ahead of the device and reads the ring
// of losses behind it. Evaluation, early stop and saving at their steps. Everything is a function of the step, so a run that is interrupted
// anywhere and resumed does what it would have done.
import type { Measured, TrainOptions, TrainResult } from "./api.ts";
import { batchStream } from "./batches.ts";
import { streamRows } from "./data.ts";
import { prepareEvaluation, runEvaluation } from "./evaluate.ts";
import type { PlanTrain } from "./plan.ts";
import { messageOf, RuntimeProblem } from "./problem.ts";
import {
  epochOf,
  nextEpoch,
  readWeights,
  rowsPerStep,
  totalSteps,
  trainingRows,
  writeCheckpoint,
  writeScalars,
} from "./session.ts";
import type { Session } from "./session.ts";

const submitSeconds = 0.06; // how long a submit should take: short enough for live progress, other work of the device and its watchdog
const windowsAhead = 2;
interface Pending {
  readonly from: number; // first step
  readonly count: number;
  readonly done: Promise<Float32Array>;
}

export async function train(s: Session, t: PlanTrain, options: TrainOptions): Promise<TrainResult> {
  const { machine } = s;
  const state = s.states.get(t.name)!;
  const rows = trainingRows(s, t);
  const total = totalSteps(s, t, options);
  if (options.steps !== undefined || options.epochs !== undefined) state.steps = total;
  const perStep = rowsPerStep(t);
  if (state.step === 0) await loadInitial(s, t);

  // ---- what is measured, and when
  const holdouts =
    t.dataset === undefined ? [] : [...s.splits.get(t.dataset)!.keys()].filter((name) => name !== "train");
  const watched = [t.stop?.metric, t.save?.metric, ...t.scalars.map((p) => p.name)].filter(
    (name): name is string => name?.includes(".") ?? false,
  );
  const regular = t.evaluate
    ? [...holdouts, ...(watched.some((name) => name.startsWith("train.")) ? ["train"] : [])]
    : [];
  // without holdouts the training rows are measured at the end, unless there are more of them than were trained on
  const last = regular.length || !t.evaluate || !rows.length || total * perStep < rows.length ? regular : ["train"];
  for (const name of [t.stop?.metric, t.save?.metric]) {
    const [split, metric] = [name?.slice(0, name.indexOf(".")), name?.slice(name.indexOf(".") + 1)];
    if (
      name !== undefined &&
      !(regular.includes(split!) && t.evaluate?.metrics.some((m) => m.name === metric && !m.shape.length))
    )
      throw new RuntimeProblem(`${t.name} watches ${name}, and no such number is measured`);
  }
  const [recording, ...evaluations] = await Promise.all([
    machine.record(t.step, s.dims),
    ...last.map((split) => prepareEvaluation(s, t, split)),
  ]);
  const prepared = new Map(evaluations.map((p) => [p.split, p]));
  const usesScalar = (name: string): boolean => t.scalars.some((p) => p.name === name);
  const nextEvaluation = (step: number): number =>
    Math.min(
      total,
      !regular.length
        ? total
        : t.evaluateEvery
          ? (Math.floor(step / t.evaluateEvery) + 1) * t.evaluateEvery
          : nextEpoch(step, rows.length, t),
    );

  const stream = batchStream(rows, state.seed, t.shuffle);
  const columns = t.ring.columns;
  const index = new Int32Array(t.window * perStep);
  const started = performance.now();
  const firstStep = state.step;
  const pending: Pending[] = [];
  let lastRow: Float32Array | undefined;
  let measured: Record<string, Measured> = {};
  let saved: TrainResult["saved"];
  let submits = 0;
  let windowSize = 1;
  let rate = 0; // steps per second of late
  let lastDone = started;

  const submit = (count: number): void => {
    writeScalars(s, t, total);
    const row = state.step % t.window;
    if (t.batchIndex && t.dataset !== undefined) {
      const part = index.subarray(0, count * perStep);
      stream(state.step * perStep, part);
      machine.write(
        t.batchIndex.buffer,
        t.batchIndex.offset + 4 * row * perStep,
        streamRows(s.data.get(t.dataset)!, part, machine),
      );
    }
    const encoder = machine.encoder(t.step.name);
    if (t.rounds) machine.writeWord(t.rounds.buffer, t.rounds.offset, Int32Array.of(count));
    machine.replay(encoder, recording, t.rounds ? 1 : count);
    const fetched = machine.fetch(encoder, [
      { buffer: t.ring.buffer, offset: t.ring.offset + 4 * row * columns.length, bytes: 4 * count * columns.length },
    ]);
    machine.submit(encoder);
    submits++;
    const done = fetched().then(([bytes]) => new Float32Array(bytes!.buffer));
    done.catch(() => {}); // told where it is awaited
    pending.push({ from: state.step, count, done });
    state.step += count;
    state.measured = false;
  };
  const take = async (): Promise<void> => {
    const p = pending[0]!;
    const values = await p.done;
    pending.shift();
    const now = performance.now();
    const seconds = Math.max(1e-6, (now - lastDone) / 1000);
    lastDone = now;
    const current = p.count / seconds;
    rate = rate && p.from > firstStep ? rate + (current - rate) * Math.min(1, seconds / 0.5 + 0.05) : current; // the first step includes compiling
    if (p.from === firstStep) rate = 0;
    windowSize = Math.max(1, Math.min(t.window, windowSize * 4, Math.floor(submitSeconds * current)));
    for (let i = 0; i < p.count; i++) {
      const loss = values[i * columns.length]!;
      if (!Number.isFinite(loss))
        throw new RuntimeProblem(
          `the loss of ${t.name} is ${loss} at step ${p.from + i}${p.from + i ? "" : ", the first"}: a smaller learning rate, clip_norm, or an epsilon under a square root, logarithm or division may help`,
        );
    }
    lastRow = values.subarray((p.count - 1) * columns.length);
    if (!options.onProgress) return;
    const step = p.from + p.count;
    const epochs = rows.length ? epochOf(total - 1, rows.length, t) + 1 : undefined; // the last step may reach into the next one
    options.onProgress({
      kind: "progress",
      train: t.name,
      epoch: epochOf(step - 1, rows.length, t),
      ...(epochs === undefined ? {} : { epochs }),
      step,
      steps: total,
      loss: lastRow[0]!,
      metrics: metricsOf(columns, lastRow),
      curves: Object.fromEntries(
        columns.map((name, c) => [
          name,
          Float32Array.from({ length: p.count }, (_, i) => values[i * columns.length + c]!),
        ]),
      ),
      stepsPerSecond: rate || current,
      secondsLeft: (total - step) / (rate || current),
    });
  };
  const drain = async (): Promise<void> => {
    while (pending.length) await take();
  };
  const measure = async (splits: readonly string[]): Promise<void> => {
    const results: Record<string, Measured> = {};
    for (const split of splits) {
      const values = await runEvaluation(s, t, prepared.get(split)!);
      results[split] = values;
      for (const [name, v] of Object.entries(values)) if (typeof v === "number") state.values[`${split}.${name}`] = v;
      options.onProgress?.({
        kind: "evaluation",
        train: t.name,
        step: state.step,
        split,
        rows: prepared.get(split)!.rows.length,
        values,
      });
    }
    measured = results;
    state.measured = splits.length > 0;
    lastDone = performance.now();
  };
  const save = async (metric?: string, value?: number): Promise<void> => {
    const bytes = await writeCheckpoint(s, true);
    saved = { path: t.save!.path, bytes };
    try {
      await s.options.write?.(saved.path, bytes);
    } catch (error) {
      throw error instanceof RuntimeProblem
        ? error
        : new RuntimeProblem(`cannot write ${saved.path}: ${messageOf(error)}`);
    }
    options.onProgress?.({
      kind: "saved",
      train: t.name,
      step: state.step,
      path: saved.path,
      ...(metric === undefined ? {} : { metric, mode: t.save!.mode, value: value! }),
    });
  };
  const better = (value: number, best: number | undefined, mode: "min" | "max"): boolean =>
    best === undefined ||
    (mode === "min" ? value < best : value > best) ||
    (Number.isNaN(best) && !Number.isNaN(value));
  /** What is due at this step: evaluation, early stop, saving. The record of it changes in one go, so that a checkpoint never holds half. */
  const settle = async (): Promise<void> => {
    await drain();
    const end = state.step >= total;
    await measure(end ? last : regular);
    state.due = false;
    const value = (name: string): number => state.values[name]!;
    if (t.stop && regular.length) {
      if (better(value(t.stop.metric), state.best.stop, t.stop.mode))
        [state.best.stop, state.bad] = [value(t.stop.metric), 0];
      else if (++state.bad >= t.stop.patience) state.stalled = true;
    }
    if (!t.save) return;
    const { metric } = t.save;
    if (metric === undefined) {
      if (end || state.stalled) await save();
    } else if (better(value(metric), state.best.save, t.save.mode)) {
      state.best.save = value(metric);
      await save(metric, value(metric));
    }
  };

  try {
    // a block that reads measured numbers has them from its first step on
    if (state.step === 0 && !state.measured && t.scalars.some((p) => p.name.includes(".")) && regular.length)
      await measure(regular);
    const end = Math.min(total, options.stopAfter === undefined ? Infinity : firstStep + options.stopAfter);
    while (!options.signal?.aborted) {
      if (state.due) await settle();
      const { step } = state;
      if (step >= end || state.stalled) break;
      const due = nextEvaluation(step);
      let count = Math.min(windowSize, t.window - (step % t.window), end - step, due - step);
      if (usesScalar("epoch")) count = Math.min(count, nextEpoch(step, rows.length, t) - step);
      if (usesScalar("measured") && state.measured) count = 1;
      submit(count);
      state.due = state.step === due;
      while (pending.length >= windowsAhead) await take();
    }
    await drain();
  } finally {
    await Promise.allSettled(pending.map((p) => p.done));
  }
  const seconds = (performance.now() - started) / 1000;
  return {
    train: t.name,
    reason: state.step >= total && !state.due ? "finished" : state.stalled ? "stalled" : "paused",
    step: state.step,
    steps: total,
    loss: lastRow?.[0] ?? NaN,
    metrics: lastRow ? metricsOf(columns, lastRow) : {},
    measured,
    seconds,
    stepsPerSecond: (state.step - firstStep) / Math.max(1e-9, seconds),
    submits,
    ...(saved ? { saved } : {}),
  };
}
const metricsOf = (columns: readonly string[], row: Float32Array): Record<string, number> =>
  Object.fromEntries(columns.slice(1).map((name, i) => [name, row[i + 1]!]));

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
