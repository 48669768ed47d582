// The model that the page works on, with what it says to the page's parts. In: trainer.mjs beside the page. Out: one model at a time, rows of its data.
import type { Tensor } from "../../../runtime/api.ts";
import type { DeviceFacts } from "../../../runtime/device.ts";
import type { Plan } from "../../../runtime/plan.ts";
import type { TrainerModel, TrainerOptions } from "../../../runtime/trainer-api.ts";
import { type Field, fieldsOf, isTextLoader, type Use, useOf } from "./kinds.ts";

/** What trainer.mjs exports for every model. */
export interface Trainer {
  readonly plan: Plan;
  load(options?: TrainerOptions): Promise<TrainerModel>;
  fetchFile(path: string): Promise<Uint8Array>;
  browserDevice(): Promise<{ readonly device: GPUDevice; readonly facts: DeviceFacts; readonly close: () => void }>;
}
/** Some rows of a split, with all their fields; rows first. */
export interface Rows {
  readonly split: string;
  readonly places: readonly number[];
  readonly fields: Readonly<Record<string, Tensor>>;
}
type Listener = () => void;

export class Session {
  readonly trainer: Trainer;
  readonly plan: Plan;
  readonly fields: readonly Field[];
  readonly uses: readonly Use[];
  model: TrainerModel | undefined;
  readonly #loaded: Listener[] = []; // another model is there
  readonly #changed: Listener[] = []; // its weights are others
  readonly #samples = new Map<string, Promise<Rows | undefined>>();

  constructor(trainer: Trainer) {
    this.trainer = trainer;
    this.plan = trainer.plan;
    this.fields = fieldsOf(this.plan);
    this.uses = this.plan.exports.map((x) => useOf(x, this.fields));
  }
  onModel(listener: Listener): void {
    this.#loaded.push(listener);
  }
  onWeights(listener: Listener): void {
    this.#changed.push(listener);
  }
  loaded(model: TrainerModel): void {
    this.model = model;
    this.#samples.clear();
    for (const listener of this.#loaded) listener();
    this.weightsChanged();
  }
  weightsChanged(): void {
    for (const listener of this.#changed) listener();
  }
  /** The split that a model is judged by: its first holdout, else what it trains on. */
  splitOf(dataset: string): string {
    const splits = Object.keys(this.model?.data[dataset]?.splits ?? {});
    return splits.find((name) => name !== "train") ?? "train";
  }
  /** The same rows each time, chosen evenly over the split; the data's order says nothing then. */
  sample(dataset: string, split: string, count: number): Promise<Rows | undefined> {
    const key = JSON.stringify([dataset, split, count]);
    const known = this.#samples.get(key) ?? this.#read(dataset, split, count);
    this.#samples.set(key, known);
    return known;
  }
  async #read(dataset: string, split: string, count: number): Promise<Rows | undefined> {
    const { model } = this;
    const all = model?.data[dataset]?.splits[split] ?? 0;
    if (!model || !all) return undefined;
    const places = scattered(all, Math.min(count, all));
    return { split, places, fields: await model.rows(dataset, split, places) };
  }
  /** What the numbers of a field stand for. */
  namesOf(field: Field | undefined): readonly string[] | undefined {
    if (!field) return undefined;
    const classes = this.model?.data[field.dataset]?.classes ?? {};
    const found = Object.entries(classes).find(([column]) => column.split(".")[1] === field.name)?.[1];
    // what is computed of a column's classes need not count like them
    return found && (field.bare || field.loaders.some(isTextLoader)) ? found : undefined;
  }
}
/** Whole numbers below n, all different, in the same order each time: steps of the golden section, which leave no part of the range out. */
export function scattered(n: number, count: number): number[] {
  let step = Math.max(1, Math.round(n * 0.6180339887498949));
  while (gcd(step, n) !== 1) step++;
  return Array.from({ length: count }, (_, i) => (Math.floor(n / 3) + i * step) % n);
}
function gcd(a: number, b: number): number {
  while (b) [a, b] = [b, a % b];
  return a;
}
/** One row of a tensor whose rows lie along `axis`. */
export function rowOf({ shape, data, dtype }: Tensor, row: number, axis: number | undefined): Tensor {
  if (axis === undefined) return { shape, data, dtype };
  const inner = shape.slice(axis + 1).reduce((n, size) => n * size, 1);
  const rows = shape[axis]!;
  const outer = shape.slice(0, axis).reduce((n, size) => n * size, 1);
  const out = data.slice(0, outer * inner);
  for (let o = 0; o < outer; o++)
    out.set(data.subarray((o * rows + row) * inner, (o * rows + row + 1) * inner), o * inner);
  return { dtype, shape: shape.filter((_, d) => d !== axis), data: out };
}
