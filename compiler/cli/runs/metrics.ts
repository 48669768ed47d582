// What training measures, as rows of a table. In: the runtime's events.   Out: a row for each of the first thousand steps, then for stretches of 2, 4, 8 steps
// with their means, a few thousand in all; and one for every evaluation. Stretches go by the step alone, so that all runs have rows at the same ones.
import type { Measured, Model, ProgressEvent, TrainEvent } from "../../../runtime/api.ts";
import type { Plan } from "../../../runtime/plan.ts";
import { epochOf } from "../../../runtime/session.ts";
import { shortest } from "../values.ts";
import { titlesBeside } from "./table.ts";

export interface MetricRow {
  readonly train: string; // the block
  readonly step: number; // after so many steps
  readonly epoch?: number; // from 0; of batches
  readonly split?: string; // that was measured; absent: means of the batches since the row before
  readonly seconds: number; // of training, measuring included
  readonly values: Readonly<Record<string, number>>; // "loss" and metrics
}
/** Steps that have no row yet; `sums` of what each measured. */
export interface Stretch {
  readonly train: string;
  readonly step: number; // the last of them
  readonly count: number;
  readonly sums: Readonly<Record<string, number>>;
}
/** What was measured of a run before this process went on with it. */
export interface Earlier {
  readonly rows: readonly MetricRow[];
  readonly open?: Stretch;
}
const single = 1000; // steps with a row each; as long as they were, stretches get twice as long

/** Steps from one row to the next around this one. */
const rowEvery = (step: number): number => (step <= single ? 1 : 2 ** (Math.floor(Math.log2((step - 1) / single)) + 1));

export class Recorder {
  readonly rows: MetricRow[] = [];
  readonly #began = performance.now();
  readonly #epochOf: (train: string, step: number) => number;
  readonly #written: (row: MetricRow) => void;
  #stretch: { train: string; step: number; count: number; sums: Map<string, number> } | undefined;

  /** `epochOf`: that the step, from 0, begins in. */
  constructor(
    epochOf: (train: string, step: number) => number,
    written: (row: MetricRow) => void = () => {},
    { rows, open }: Earlier = { rows: [] },
  ) {
    this.#epochOf = epochOf;
    this.#written = written;
    this.rows.push(...rows);
    this.#stretch = open && { ...open, sums: new Map(Object.entries(open.sums)) };
    this.#began -= 1000 * (rows.at(-1)?.seconds ?? 0);
  }
  event(event: TrainEvent): void {
    if (event.kind === "progress") this.#progress(event);
    else if (event.kind === "evaluation") {
      this.end(); // rows are in the order of the steps
      this.#add({ train: event.train, step: event.step, split: event.split, values: numbersOf(event.values) });
    }
  }
  /** The stretch that is not over yet. */
  get open(): Stretch | undefined {
    return this.#stretch && { ...this.#stretch, sums: Object.fromEntries(this.#stretch.sums) };
  }
  /** Its row. */
  end(): void {
    const s = this.#stretch;
    this.#stretch = undefined;
    if (!s) return;
    const means = [...s.sums].map(([name, sum]) => [name, shortest(Math.fround(sum / s.count))] as const);
    const epoch = this.#epochOf(s.train, s.step - 1);
    this.#add({ train: s.train, step: s.step, epoch, values: Object.fromEntries(means) });
  }
  #progress({ train, step, steps, curves }: ProgressEvent): void {
    const columns = Object.entries(curves);
    const count = columns[0]?.[1].length ?? 0;
    if (this.#stretch && this.#stretch.train !== train) this.end();
    for (let i = 0; i < count; i++) {
      const s = (this.#stretch ??= { train, step: 0, count: 0, sums: new Map() });
      s.step = step - count + i + 1;
      s.count++;
      for (const [name, values] of columns) s.sums.set(name, (s.sums.get(name) ?? 0) + values[i]!);
      if (s.step % rowEvery(s.step) === 0 || s.step === steps) this.end();
    }
  }
  #add(row: Omit<MetricRow, "seconds">): void {
    const made = { ...row, seconds: Math.round(performance.now() - this.#began) / 1000 };
    this.rows.push(made);
    this.#written(made);
  }
}
/** Of a step, from 0, of a train block. A window of the device may reach over several. */
export const epochsOf =
  ({ trains }: Plan, { data }: Model) =>
  (train: string, step: number): number => {
    const block = trains.find((t) => t.name === train)!;
    const rows = block.dataset === undefined ? 0 : (data[block.dataset]?.splits["train"] ?? 0);
    return epochOf(step, rows, block);
  };
/** Without what is no number: confusion tables and the like. */
export const numbersOf = (values: Measured): Record<string, number> =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (typeof value === "number" ? [[name, shortest(value)]] : [])),
  );

// ---- as text

const fixed = ["train", "step", "epoch", "split", "seconds"] as const;
/** The names of all that the model's blocks can measure. */
export const columnsOf = (plan: Plan): readonly string[] => [
  ...new Set(
    plan.trains.flatMap((t) => [
      ...t.ring.columns,
      ...(t.evaluate?.metrics ?? []).flatMap((m) => (m.shape.length ? [] : [m.name])),
    ]),
  ),
];
/** A metric may bear the name of a column. */
export const csvHead = (columns: readonly string[]): string =>
  `${[...fixed, ...titlesBeside(fixed, columns, "metric_")].join()}\n`;
export const csvLine = (row: MetricRow, columns: readonly string[]): string =>
  `${[...fixed.map((f) => row[f]), ...columns.map((name) => (Object.hasOwn(row.values, name) ? row.values[name] : undefined))].map((cell) => cell ?? "").join()}\n`;
