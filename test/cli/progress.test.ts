// What a run shows: a live line that fits every width, evaluations that do not flood, events that lose no step.
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { jsonProgress, tensorText, textProgress } from "../../compiler/cli/progress.ts";
import type { Terminal } from "../../compiler/cli/terminal.ts";
import type { ProgressEvent, TrainResult } from "../../runtime/api.ts";

interface Fake extends Terminal {
  readonly lines: string[];
  readonly updates: string[];
}
const fake = (live: boolean, width: number): Fake => {
  const [lines, updates] = [[] as string[], [] as string[]];
  return {
    color: live,
    errorColor: live,
    live,
    width,
    lines,
    updates,
    line: (text = "") => void lines.push(stripVTControlCharacters(text)),
    note: () => {},
    update: (text) => void updates.push(stripVTControlCharacters(text)),
    endUpdate: () => {},
  };
};
const steps = 2000;
const event = (step: number, losses: number[] = [1 / step]): ProgressEvent => ({
  kind: "progress",
  train: "fit",
  epoch: Math.floor(step / 20),
  epochs: 100,
  step,
  steps,
  loss: losses.at(-1)!,
  metrics: { accuracy: 0.5, f1: 0.25 },
  curves: { loss: Float32Array.from(losses) },
  stepsPerSecond: 1234.5,
  secondsLeft: (steps - step) / 1234.5,
});
const result: TrainResult = {
  train: "fit",
  reason: "finished",
  step: steps,
  steps,
  loss: 0.0005,
  metrics: {},
  measured: { test: { loss: 0.125, table: { dtype: "i32", shape: [2, 2], data: Int32Array.of(10, 0, 3, 7) } } },
  measuringSeconds: 0,
  seconds: 1.6,
  stepsPerSecond: 1250,
  submits: 40,
};

test("an evaluation that takes long says how far it is, a sample of what it is one, and steps per second are those of the steps", () => {
  const far = { kind: "measuring", train: "fit", step: 250, split: "valid", done: 4096, rows: 111_000 } as const;
  const terminal = fake(true, 80);
  const progress = textProgress(terminal, 1);
  progress.event(far);
  expect(terminal.updates.at(-1)).toContain("measuring valid: 4,096 of 111,000 rows");
  progress.event(event(1));
  progress.event({
    kind: "evaluation",
    train: "fit",
    step: steps,
    split: "valid",
    rows: 2000,
    of: 111_000,
    values: { loss: 0.1 },
  });
  progress.result({ ...result, seconds: 1196, measuringSeconds: 842, measured: { valid: { loss: 0.1 } } });
  expect(terminal.lines.join("\n")).toContain("in 19:56 (14:02 of it measuring, 1,250 steps/s)");
  expect(terminal.lines.join("\n")).toContain("(2,000 of 111,000 rows)");
  const events: object[] = [];
  jsonProgress((e) => void events.push(e)).event(far);
  expect(events).toEqual([far]);
});
test("the live line fits: what tells most stays, the bar keeps its width", () => {
  for (const width of [40, 60, 80, 100, 120, 200]) {
    const terminal = fake(true, width);
    const progress = textProgress(terminal, 1);
    for (let step = 1; step <= steps; step += 37) {
      progress.event(event(step));
      if (step % 5 === 0)
        progress.event({
          kind: "evaluation",
          train: "fit",
          step,
          split: "test",
          rows: 30,
          of: 30,
          values: { loss: 0.2, accuracy: 0.75 },
        });
    }
    for (const line of terminal.updates) {
      expect(line.length).toBeLessThan(width);
      expect(line).toMatch(/step +\d+\/2000 · loss \d/);
      if (width >= 60) expect(line).toMatch(/· \d\d:\d\d left$/);
      if (width >= 120) expect(line).toMatch(/epoch +\d+\/100 .* accuracy 0\.5000 · f1 0\.2500 .* steps\/s/);
    }
    const first = terminal.updates.map((line) => line.search(/epoch|step/));
    expect(new Set(first.slice(10)).size).toBeLessThanOrEqual(2); // once a measured number is there, it takes its room
  }
});
test("evaluations of a long run are a dozen lines; the last stands in the result, with its curve and tensors", () => {
  const terminal = fake(false, 80);
  const progress = textProgress(terminal, 1);
  for (let step = 10; step <= steps; step += 10) {
    progress.event(
      event(
        step,
        Array.from({ length: 10 }, (_, i) => 1 / (step + i)),
      ),
    );
    progress.event({
      kind: "evaluation",
      train: "fit",
      step,
      split: "test",
      rows: 30,
      of: 30,
      values: { loss: 0.125 },
    });
  }
  progress.result(result);
  const evaluations = terminal.lines.filter((line) => line.startsWith("step"));
  expect(evaluations.length).toBeGreaterThan(8);
  expect(evaluations.length).toBeLessThan(16);
  expect(terminal.lines.slice(-4)).toEqual([
    "2,000 steps in 1.6 s (1,250 steps/s)",
    expect.stringMatching(/^ {2}loss {3}0\.1000 █[▁-█]{39} 5\.000e-4$/) as string,
    "  test   loss 0.1250  (30 rows)",
    "  table: i32[2, 2]\n    10  0\n     3  7",
  ]);
  expect(terminal.updates).toEqual([]);
});
test("--json: few events of progress, and every step's loss in one of them", () => {
  const written: Record<string, unknown>[] = [];
  const progress = jsonProgress((e) => void written.push(e as Record<string, unknown>));
  for (let step = 1; step <= steps; step++) progress.event(event(step, [step]));
  expect(written.length).toBeLessThan(steps / 10);
  expect(written.flatMap((e) => e["losses"])).toEqual(Array.from({ length: steps }, (_, i) => i + 1));
  expect(written.at(-1)).toMatchObject({ kind: "progress", step: steps });
  expect(written.every((e) => !("curves" in e))).toBe(true);
});
test("tensors of all sizes as text", () => {
  expect(tensorText("y", { dtype: "f32", shape: [], data: Float32Array.of(0.5) })).toBe("y: f32\n  0.5000");
  expect(tensorText("m", { dtype: "bool", shape: [2], data: Uint8Array.of(1, 0) })).toBe("m: bool[2]\n  true  false");
  const large = tensorText("x", { dtype: "i32", shape: [40, 40], data: new Int32Array(1600) }).split("\n");
  expect(large).toHaveLength(18);
  expect(large[1]).toMatch(/^ {2}0( {2}0){15} {2}…$/);
  expect(large.at(-1)).toBe("  … (40 rows)");
});
