// Steps of a train block on the f64 evaluator.
import { evaluate, type Instead } from "../../compiler/evaluate/evaluate.ts";
import type { Program, TrainProgram } from "../../compiler/elaborate/program.ts";
import type { Source } from "../../compiler/graph/types.ts";

export type TrainingValues = Map<Source, ArrayLike<number>>;
const scalars = (t: TrainProgram): TrainingValues =>
  new Map(
    t.scalars.map((s) => [
      s.source,
      [s.name === "seed" ? t.seed : s.name === "steps" ? (t.steps ?? 0) : s.name === "epochs" ? (t.epochs ?? 0) : 0],
    ]),
  );

/** What the block's `init` writes. */
export function initialOnEvaluator(t: TrainProgram): TrainingValues {
  const values = scalars(t);
  for (const p of [t.init, ...(t.begin ? [t.begin] : [])])
    for (const [target, value] of evaluate(p, values).updates) values.set(target, value);
  return values;
}
/** Writes the states after so many steps over rows in order, and gives each step's row of the ring: the loss and the metrics. */
export function stepsOnEvaluator(
  program: Program,
  t: TrainProgram,
  steps: number,
  values: TrainingValues,
  instead?: Instead,
): number[][] {
  for (const [source, value] of scalars(t)) values.set(source, value);
  const rows = program.datasets.find((d) => d.name === t.dataset)?.rowCount ?? 1;
  const width = t.batch * t.accumulate;
  return Array.from({ length: steps }, (_, k) => {
    if (t.index) {
      const index = new Array<number>(t.window * width).fill(0);
      for (let b = 0; b < width; b++) index[(k % t.window) * width + b] = (k * width + b) % rows;
      values.set(t.index, index);
    }
    for (const [target, value] of evaluate(t.step, values, {}, instead).updates) values.set(target, value);
    const ring = values.get(t.ring)!;
    return t.columns.map((_name, c) => ring[(k % t.window) * t.columns.length + c]!);
  });
}
