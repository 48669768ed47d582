// What a training run measures over splits: which, when, and what follows: the early stop and the saving of checkpoints.
// Everything is a function of the step, so a run that is interrupted anywhere and resumed does what it would have done.
import type { Measured, TrainOptions, TrainResult } from "./api.ts";
import { measuringProgress, prepareEvaluation, runEvaluation, splitsOf } from "./evaluate.ts";
import type { PreparedEvaluation } from "./evaluate.ts";
import type { PlanTrain } from "./plan.ts";
import { messageOf, RuntimeProblem } from "./problem.ts";
import { nextEpoch, rowsPerStep, trainingRows, writeCheckpoint } from "./session.ts";
import type { Session, TrainState } from "./session.ts";

/** The splits that are measured at every evaluation, and those at the end. */
interface Splits {
  readonly regular: readonly string[];
  readonly last: readonly string[];
}
function measuredSplits(s: Session, t: PlanTrain, total: number): Splits {
  if (!t.evaluate) return { regular: [], last: [] };
  const holdouts = splitsOf(s, t).filter((name) => name !== "train");
  const watched = [t.stop?.metric, t.save?.metric, ...t.scalars.map((p) => p.name)];
  const isAsked = !holdouts.length && t.evaluateEvery !== undefined;
  const onTraining = isAsked || watched.some((name) => name?.startsWith("train."));
  const regular = [...holdouts, ...(onTraining ? ["train"] : [])];
  // without holdouts the training rows are measured at the end, unless there are more of them than were trained on
  const rows = trainingRows(s, t).length;
  return { regular, last: regular.length || total * rowsPerStep(t) < rows ? regular : ["train"] };
}
function checkWatched(t: PlanTrain, regular: readonly string[]): void {
  for (const name of [t.stop?.metric, t.save?.metric]) {
    if (name === undefined) continue;
    const dot = name.indexOf(".");
    const [split, metric] = [name.slice(0, dot), name.slice(dot + 1)];
    if (!(regular.includes(split) && t.evaluate?.metrics.some((m) => m.name === metric && !m.shape.length)))
      throw new RuntimeProblem(`${t.name} watches ${name}, and no such number is measured`);
  }
}
function isBetter(value: number, best: number | undefined, mode: "min" | "max"): boolean {
  if (best === undefined) return true;
  if (Number.isNaN(best)) return !Number.isNaN(value);
  return mode === "min" ? value < best : value > best;
}

export class Measurements {
  readonly regular: readonly string[];
  /** Of the last evaluation, by split. */
  measured: Record<string, Measured> = {};
  saved: TrainResult["saved"];
  seconds = 0; // that evaluations took
  private readonly session: Session;
  private readonly block: PlanTrain;
  private readonly total: number; // steps
  private readonly tell: TrainOptions["onProgress"];
  private readonly state: TrainState;
  private readonly last: readonly string[];
  private prepared: ReadonlyMap<string, PreparedEvaluation> = new Map();

  constructor(s: Session, t: PlanTrain, total: number, tell: TrainOptions["onProgress"]) {
    this.session = s;
    this.block = t;
    this.total = total;
    this.tell = tell;
    this.state = s.states.get(t.name)!;
    const { regular, last } = measuredSplits(s, t, total);
    checkWatched(t, regular);
    this.regular = regular;
    this.last = last;
  }
  /** Memory for all evaluations of the run. */
  async prepare(): Promise<void> {
    const { session, block } = this;
    const made = await Promise.all(this.last.map((split) => prepareEvaluation(session, block, split, block.sample)));
    this.prepared = new Map(made.map((p) => [p.split, p]));
  }
  /** The step of the next evaluation after this one. */
  after(step: number): number {
    const { block, total } = this;
    if (!this.regular.length) return total;
    if (!block.evaluateEvery) return Math.min(total, nextEpoch(step, trainingRows(this.session, block).length, block));
    return Math.min(total, (Math.floor(step / block.evaluateEvery) + 1) * block.evaluateEvery);
  }
  async measure(splits: readonly string[] = this.regular): Promise<void> {
    const { session, block, state } = this;
    const results: Record<string, Measured> = {};
    for (const split of splits) {
      const prepared = this.prepared.get(split)!;
      const started = performance.now();
      const values = await runEvaluation(
        session,
        block,
        prepared,
        measuringProgress(session, block, prepared, this.tell),
      );
      this.seconds += (performance.now() - started) / 1000;
      results[split] = values;
      for (const [name, v] of Object.entries(values)) if (typeof v === "number") state.values[`${split}.${name}`] = v;
      this.tell?.({
        kind: "evaluation",
        train: block.name,
        step: state.step,
        split,
        rows: prepared.rows.length,
        of: prepared.of,
        values,
      });
    }
    this.measured = results;
    state.measured = splits.length > 0;
  }
  /** What is due at this step: evaluation, early stop, saving. The record changes in one go, so that a checkpoint never holds half of it. */
  async settle(): Promise<void> {
    const { state } = this;
    const end = state.step >= this.total;
    await this.measure(end ? this.last : this.regular);
    state.due = false;
    if (this.block.stop && this.regular.length) this.watch(this.block.stop);
    if (this.block.save) await this.saveIfDue(this.block.save, end);
  }

  private watch({ metric, mode, patience }: NonNullable<PlanTrain["stop"]>): void {
    const { state } = this;
    const value = state.values[metric]!;
    if (isBetter(value, state.best.stop, mode)) [state.best.stop, state.bad] = [value, 0];
    else if (++state.bad >= patience) state.stalled = true;
  }
  private async saveIfDue({ metric, mode }: NonNullable<PlanTrain["save"]>, end: boolean): Promise<void> {
    const { state } = this;
    if (metric === undefined) {
      if (end || state.stalled) await this.save();
      return;
    }
    const value = state.values[metric]!;
    if (!isBetter(value, state.best.save, mode)) return;
    state.best.save = value;
    await this.save(metric, value);
  }
  private async save(metric?: string, value?: number): Promise<void> {
    const { session, block, state } = this;
    const bytes = await writeCheckpoint(session, true);
    const { path, mode } = block.save!;
    this.saved = { path, bytes };
    try {
      await session.options.write?.(path, bytes);
    } catch (error) {
      throw error instanceof RuntimeProblem ? error : new RuntimeProblem(`cannot write ${path}: ${messageOf(error)}`);
    }
    const watched = metric === undefined ? {} : { metric, mode, value: value! };
    this.tell?.({ kind: "saved", train: block.name, step: state.step, path, ...watched });
  }
}
