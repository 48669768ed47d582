// Train blocks that minimize nothing (states and metrics), evaluations over the rows that are trained on, and metrics of evaluations alone.
import { describe, expect, test } from "vitest";
import type { Measured, TrainResult } from "../../runtime/api.ts";
import { made, withModel } from "../model.ts";
import { expectNear } from "./trained.ts";
import { errorsOf } from "./values.ts";

interface Told {
  readonly result: TrainResult;
  readonly evaluations: readonly { step: number; split: string; rows: number; values: Measured }[];
  readonly curves: Readonly<Record<string, readonly number[]>>;
  readonly held: Readonly<Record<string, readonly number[]>>;
}
async function run(text: string): Promise<Told> {
  return withModel(made(text), async (model) => {
    const evaluations: { step: number; split: string; rows: number; values: Measured }[] = [];
    const curves: Record<string, number[]> = {};
    const result = await model.train(model.trains[0]!, {
      onProgress: (e) => {
        if (e.kind === "evaluation") evaluations.push(e);
        if (e.kind === "progress")
          for (const [name, x] of Object.entries(e.curves)) (curves[name] ??= []).push(...Array.from(x));
      },
    });
    const all = Object.entries(await model.parameters({ all: true }));
    return { result, evaluations, curves, held: Object.fromEntries(all.map(([k, x]) => [k, Array.from(x.data)])) };
  });
}
const points = [0, 4, 0.5, 4.25, 1, 4.5, 1.5, 4.75];
const data = (more = ""): string => `data blobs {
  rows: 8
  field x: f32[1] = [f32(row % 2) * 4 + 0.25 * f32(row // 2) * (2 - f32(row % 2))]
  ${more}
}`;
const kmeans = (more: string): string => `
train kmeans on blobs(batch: all, shuffle: false) {
  state centres: f32[2, 1] = [[0.0], [1.0]]
  let near = for b: argmin over k: sum over d: (x[b, d] - centres[k, d])^2
  let one = for b, k in 0..2: f32(near[b] == k)
  metric energy = mean over b: amin over k: sum over d: (x[b, d] - centres[k, d])^2
  next centres = for k, d: (sum over b: one[b, k] * x[b, d]) / max(1.0, sum over b: one[b, k])
  ${more}
}`;
/** Lloyd's algorithm: the energy of every step, and the centres after it. */
function lloyd(steps: number): { energies: number[]; centres: number[][] } {
  let c = [0, 1];
  const [energies, centres]: [number[], number[][]] = [[], []];
  for (let k = 0; k < steps; k++) {
    const near = points.map((x) => ((x - c[0]!) ** 2 <= (x - c[1]!) ** 2 ? 0 : 1));
    energies.push(points.reduce((s, x, i) => s + (x - c[near[i]!]!) ** 2, 0) / points.length);
    c = [0, 1].map((j) => {
      const own = points.filter((_, i) => near[i] === j);
      return own.reduce((s, x) => s + x, 0) / Math.max(1, own.length);
    });
    centres.push(c);
  }
  return { energies, centres };
}

describe("a block without `minimize`", () => {
  test("k-means: states and a metric", async () => {
    const { energies, centres } = lloyd(4);
    const { curves, result, held } = await run(data() + kmeans("steps: 4"));
    expectNear(curves["energy"], energies, "energy");
    expect(Object.keys(curves)).toEqual(["energy"]);
    expectNear(held["kmeans.centres"], centres[3]!, "centres");
    expect(result.loss).toBeNaN();
    expectNear([result.metrics["energy"]!], [energies[3]!], "the result");
  });
  test("states alone", async () => {
    const { held, result, curves } = await run(
      "train halves {\n  state z = 1.0\n  next z = 0.5 * z\n  steps: 5\n}\nexport fn now() -> f32 = halves.z",
    );
    expect(held["halves.z"]).toEqual([1 / 32]);
    expect([result.metrics, curves, result.step]).toEqual([{}, {}, 5]);
  });
  test("a metric may be named loss", async () => {
    const { curves } = await run(
      "train halves {\n  state z = 1.0\n  metric loss = z\n  next z = 0.5 * z\n  steps: 3\n}",
    );
    expect(curves["loss"]).toEqual([1, 0.5, 0.25]);
  });
  test("stops when what is measured gets no better", async () => {
    const { result } = await run(
      data() + kmeans("evaluate: 1\nstop: stalled(min: train.energy, patience: 2)\nsteps: 50"),
    );
    const { energies } = lloyd(10);
    const settled = energies.findIndex((e, i) => i > 0 && e === energies[i - 1]);
    expect(result.reason).toBe("stalled");
    expect(result.step).toBe(settled + 1); // measured after its step: the first as good as the one before, and one more
  });
  test("does something", () => {
    expect(errorsOf("train idle {\n  state z = 1.0\n  steps: 5\n}")).toEqual(["DLM2015"]);
  });
});
describe("evaluate: n", () => {
  test("without a holdout: over the rows that are trained on", async () => {
    const { evaluations } = await run(data() + kmeans("evaluate: 2\nsteps: 5"));
    const { centres } = lloyd(5);
    expect(evaluations.map((e) => [e.step, e.split, e.rows])).toEqual([2, 4, 5].map((s) => [s, "train", 8]));
    for (const { step, values } of evaluations) {
      const c = centres[step - 1]!;
      const want = points.reduce((s, x) => s + Math.min((x - c[0]!) ** 2, (x - c[1]!) ** 2), 0) / 8;
      expectNear([values["energy"] as number], [want], `energy after ${step}`);
    }
  });
  test("with a holdout: over that", async () => {
    const { evaluations } = await run(data("holdout rest = 0.25") + kmeans("evaluate: 2\nsteps: 4"));
    expect(evaluations.map((e) => [e.step, e.split])).toEqual([2, 4].map((s) => [s, "rest"]));
  });
  test("of a block without data", async () => {
    const { evaluations } = await run(
      "train halves {\n  state z = 1.0\n  metric twice = 2 * z\n  next z = 0.5 * z\n  evaluate: 2\n  steps: 5\n}",
    );
    expect(evaluations.map((e) => [e.step, e.rows, e.values["twice"]])).toEqual([
      [2, 0, 0.5],
      [4, 0, 0.125],
      [5, 0, 0.0625],
    ]);
  });
  test("what was measured on the rows of training is read in the block", async () => {
    const { curves } = await run(
      "data d {\n rows: 4\n field x: f32 = f32(row) }\ntrain fit on d(batch: 4) {\n state z = 1.0\n metric m = z + 0 * mean(x)\n metric seen = train.m\n next z = 2 * z\n evaluate: 2\n steps: 4 }",
    );
    expect(curves["seen"]).toEqual([1, 1, 4, 4]); // before the first step, after the second
  });
});
describe("metric m every evaluation", () => {
  const text = (word: string): string =>
    `data d {\n rows: 8\n field x: f32 = f32(row)\n holdout valid = 0.25 }
train fit on d(batch: 2) {
  state z = 1.0
  metric cheap = z + 0 * mean(x)
  metric dear${word} = sum(for i in 0..3: z * sin(f32(i) + z)) + mean(x) * 0
  metric curve${word} = for i in 0..3: z * f32(i)
  next z = 2 * z
  evaluate: 3
  steps: 6
}`;
  test("is measured, and is no column of the steps", async () => {
    const { curves, evaluations, result } = await run(text(" every evaluation"));
    expect(Object.keys(curves)).toEqual(["cheap"]);
    expect(Object.keys(result.metrics)).toEqual(["cheap"]);
    for (const { step, values } of evaluations) {
      const z = 2 ** step;
      expectNear([values["dear"] as number], [[0, 1, 2].reduce((s, i) => s + z * Math.sin(i + z), 0)], "dear");
      expect((values["curve"] as { data: ArrayLike<number> }).data).toEqual(Float32Array.of(0, z, 2 * z));
    }
    expect(evaluations.map((e) => e.step)).toEqual([3, 6]);
  });
  test("costs a step nothing", () => {
    const step = (word: string): string => JSON.stringify(made(text(word)).program.trains[0]!.columns);
    expect(step(" every evaluation")).toBe('["cheap"]');
    const sines = (word: string): number =>
      made(text(word)).plan.modules.filter((m) => m.name.startsWith("fit") && m.code?.includes("sin")).length;
    expect(sines("")).toBeGreaterThan(sines(" every evaluation"));
  });
  test("no other interval", () => {
    expect(errorsOf(text(" every step"))).toEqual(["DLM2015", "DLM2015"]);
  });
});
