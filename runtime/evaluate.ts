// Evaluation: loss and metrics over a split, as if it were one batch. The rows run in chunks, what is kept of them is put together, and the
// finish runs once over all.
import type { Measured, MeasuringEvent, Tensor } from "./api.ts";
import { sampleOf } from "./batches.ts";
import { checkBindings } from "./check.ts";
import { streamRows } from "./data.ts";
import type { Recording } from "./recording.ts";
import { dispatchesOf } from "./plan.ts";
import type { PlanEvaluation, PlanProgram, PlanTrain } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";
import { totalSteps, writeScalars } from "./session.ts";
import type { Session } from "./session.ts";
import { fromWords, product } from "./tensor.ts";

/** Made before training starts: sizes are checked and memory is there. Kernels are compiled while the first steps run. */
export interface PreparedEvaluation {
  readonly split: string;
  readonly rows: Int32Array;
  readonly of: number; // rows of the split, of which these are a sample or all
  readonly recordings: Promise<{ readonly chunks: ReadonlyMap<number, Recording>; readonly finish: Recording }>; // chunks by rows
  readonly wholeIndex: boolean; // the finish reads row numbers too
}
const bound = (program: PlanProgram, buffer: (b: number) => boolean): boolean =>
  dispatchesOf(program.commands).some((c) => c.bindings.some((b) => buffer(b.buffer)));

/** The parts of its data that a block can be measured on; a block without data is measured as it is, which is `train` too. */
export const splitsOf = (s: Session, t: PlanTrain): readonly string[] =>
  t.dataset === undefined ? (t.evaluate ? ["train"] : []) : [...s.splits.get(t.dataset)!.keys()];
function rowsOfSplit(s: Session, t: PlanTrain, split: string): Int32Array {
  if (t.dataset === undefined && splitsOf(s, t).includes(split)) return new Int32Array(0);
  const splits = t.dataset === undefined ? undefined : s.splits.get(t.dataset);
  const rows = splits?.get(split);
  if (!rows)
    throw new RuntimeProblem(
      splits
        ? `${t.name} has no split ${split}; there ${splits.size === 1 ? "is" : "are"} ${[...splits.keys()].join(", ")}`
        : `${t.name} trains without data, so there is no split to measure`,
    );
  return rows;
}
/** `sample`: at most so many rows. */
export async function prepareEvaluation(
  s: Session,
  t: PlanTrain,
  split: string,
  sample = Infinity,
): Promise<PreparedEvaluation> {
  const e = evaluationOf(t);
  const all = rowsOfSplit(s, t, split);
  const rows = sampleOf(all, sample, s.states.get(t.name)!.seed);
  const n = rows.length;
  const { machine } = s;
  const at = (count: number): Record<string, number> => ({ ...s.dims, rows: count });
  const sizes = machine.sizesOf(e.finish, at(n));
  machine.sizesOf(e.rows, at(Math.min(n, e.chunk)), sizes);
  const grow = (buffer: number, bytes: number): void => void sizes.set(buffer, Math.max(sizes.get(buffer) ?? 0, bytes));
  for (const k of e.kept) {
    grow(k.to, k.bytesPerRow * n);
    grow(k.from, k.bytesPerRow * Math.min(n, e.chunk));
  }
  for (const c of e.carried?.states ?? [])
    for (const buffer of [c.from, c.to]) grow(buffer, c.bytesPerRow * Math.min(n, e.chunk));
  if (e.first) grow(e.first.buffer, e.first.offset + 4);
  if (e.carried) grow(e.carried.begins.buffer, e.carried.begins.offset + 4);
  grow(e.index.buffer, e.index.offset + 4 * Math.min(n, e.chunk));
  for (const m of e.metrics) grow(m.buffer, m.offset + 4 * product(m.shape.map((x) => machine.size(x, at(n), m.name))));
  const counts = [...new Set([Math.min(n, e.chunk), n % e.chunk])].filter((count) => count);
  checkBindings(machine.device, dispatchesOf(e.finish.commands), s.plan, at(n));
  if (counts.length) checkBindings(machine.device, dispatchesOf(e.rows.commands), s.plan, at(counts[0]!));
  await machine.allocate(sizes);
  const data = s.data.get(t.dataset ?? "");
  if (data?.streamed && bound(e.finish, (b) => s.plan.buffers[b]!.role === "data"))
    throw new RuntimeProblem(
      `a metric of ${t.name} needs the rows of ${t.dataset} again when all are known, and they are streamed`,
    );
  const recordings = Promise.all([
    machine.record(e.finish, at(n)),
    ...counts.map((count) => machine.record(e.rows, at(count))),
  ]).then(([finish, ...chunks]) => ({
    finish: finish!,
    chunks: new Map(counts.map((count, i) => [count, chunks[i]!])),
  }));
  recordings.catch(() => {}); // told to who runs it
  return { split, rows, of: all.length, recordings, wholeIndex: bound(e.finish, (b) => b === e.index.buffer) };
}
/** `told`: how many rows the device has done, now and then. Weights must not change meanwhile; without it nothing waits between the chunks. */
export function runEvaluation(
  s: Session,
  t: PlanTrain,
  prepared: PreparedEvaluation,
  told?: (rows: number) => void,
): Promise<Measured> {
  const result = s.measuring.then(() => measureRows(s, t, prepared, told));
  s.measuring = result.catch(() => {}); // told to who asked for it
  return result;
}
const [firstTold, betweenTold] = [0.5, 0.2]; // seconds before an evaluation tells how far it is, and between two such
/** What to call with the rows that are done: it tells now and then. */
export function measuringProgress(
  s: Session,
  t: PlanTrain,
  { split, rows }: PreparedEvaluation,
  tell: ((event: MeasuringEvent) => void) | undefined,
): ((done: number) => void) | undefined {
  if (!tell) return undefined;
  const { step } = s.states.get(t.name)!;
  let quietUntil = performance.now() + 1000 * firstTold;
  return (done) => {
    if (performance.now() < quietUntil || done === rows.length) return;
    quietUntil = performance.now() + 1000 * betweenTold;
    tell({ kind: "measuring", train: t.name, step, split, done, rows: rows.length });
  };
}
const chunksAhead = 2;
async function measureRows(
  s: Session,
  t: PlanTrain,
  prepared: PreparedEvaluation,
  told: ((rows: number) => void) | undefined,
): Promise<Measured> {
  const e = evaluationOf(t);
  const { machine } = s;
  const { rows } = prepared;
  const { chunks, finish } = await prepared.recordings;
  writeScalars(s, t, totalSteps(s, t));
  const pending: Promise<void>[] = [];
  for (let from = 0; from < rows.length; from += e.chunk) {
    const part = rows.slice(from, from + e.chunk);
    machine.write(e.index.buffer, e.index.offset, streamRows(s.data.get(t.dataset!)!, part, machine));
    if (e.first) machine.write(e.first.buffer, e.first.offset, Int32Array.of(from));
    if (e.carried) machine.write(e.carried.begins.buffer, e.carried.begins.offset, Int32Array.of(from === 0 ? 1 : 0));
    const encoder = machine.encoder(e.rows.name);
    machine.replay(encoder, chunks.get(part.length)!);
    for (const k of e.kept)
      machine.copy(
        encoder,
        { buffer: k.from, offset: 0 },
        { buffer: k.to, offset: k.bytesPerRow * from },
        k.bytesPerRow * part.length,
      );
    for (const c of e.carried?.states ?? [])
      machine.copy(encoder, { buffer: c.from, offset: 0 }, { buffer: c.to, offset: 0 }, c.bytesPerRow * part.length);
    encoder.submit();
    if (!told) continue;
    const upTo = from + part.length;
    pending.push(machine.device.queue.onSubmittedWorkDone().then(() => told(upTo)));
    if (pending.length > chunksAhead) await pending.shift();
  }
  if (prepared.wholeIndex) machine.write(e.index.buffer, e.index.offset, rows.slice());
  const dims = { ...s.dims, rows: rows.length };
  const shapes = e.metrics.map((m) => m.shape.map((n) => machine.size(n, dims, m.name)));
  const encoder = machine.encoder(e.finish.name);
  machine.replay(encoder, finish);
  const fetched = machine.fetch(
    encoder,
    e.metrics.map((m, i) => ({ buffer: m.buffer, offset: m.offset, bytes: 4 * product(shapes[i]!) })),
  );
  encoder.submit();
  const parts = await fetched();
  return Object.fromEntries(e.metrics.map((m, i) => [m.name, numberOr(fromWords(parts[i]!, m.dtype, shapes[i]!))]));
}
const numberOr = (t: Tensor): number | Tensor => (t.shape.length ? t : t.data[0]!);
function evaluationOf(t: PlanTrain): PlanEvaluation {
  if (!t.evaluate) throw new RuntimeProblem(`${t.name} measures nothing outside of training`);
  return t.evaluate;
}
