// Whole programs over all of the language elaborate without errors, and are in the house style.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { format } from "../../compiler/format/format.ts";
import { analyse } from "../../compiler/front.ts";
import { renderDiagnostics } from "../../grammar/render.ts";
import { initialValues, sourceOf } from "../reference/evaluator.ts";

const folder = new URL(".", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, folder), "utf8");
const files = readdirSync(folder).filter((f) => f.endsWith(".dlm"));
describe("programs", () => {
  test.each(files)("%s", (name) => {
    const { program, diagnostics } = analyse(read(name), { name, imports: (path) => read(path) });
    expect(renderDiagnostics(diagnostics)).toBe("");
    expect(program).toBeDefined();
    expect(format(read(name))).toBe(read(name));
  });
});

test("a state that holds parameters is written by arithmetic of instances, with the updated ones", () => {
  const { program, diagnostics } = analyse(`
data points {
  rows: 8
  field x: f32[2] = normal[2]
  field y: f32[1] = normal[1]
}
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)
train fit on points(batch: 8, shuffle: false) {
  minimize mse(net(x), y) by sgd(lr: 0.1)
  state smooth = net
  next smooth = 0.75 * smooth + 0.25 * net
  steps: 2
}
export fn guess(x: f32[B, 2]) -> f32[B, 1] = fit.smooth(x)
export fn guess_now(x: f32[B, 2]) -> f32[B, 1] = net(x)
`);
  expect(renderDiagnostics(diagnostics)).toBe("");
  const train = program!.trains[0]!;
  const values = initialValues(program!, train.init, 1);
  const of = (path: string): number[] => [...Array.from(values.get(sourceOf(program!, path))!)];
  expect(of("fit.smooth.net.linear.w")).toEqual(of("net.linear.w"));
  values.set(
    train.index!,
    Array.from({ length: train.window * 8 }, (_, i) => i % 8),
  );
  for (const c of program!.datasets[0]!.columns) values.set(c.source, []);
  values.set(program!.trains[0]!.scalars.find((s) => s.name === "seed")!.source, [1]);
  const before = of("net.linear.w");
  const { updates } = evaluate(train.step, values);
  for (const [target, value] of updates) values.set(target, value);
  const after = of("net.linear.w");
  expect(after).not.toEqual(before);
  of("fit.smooth.net.linear.w").forEach((s, i) => expect(s).toBeCloseTo(0.75 * before[i]! + 0.25 * after[i]!, 6));
  // and the export reads the smoothed parameters
  const guess = program!.exports.find((e) => e.name === "guess")!;
  expect(guess.program.inputs.map((s) => s.path)).toContain("fit.smooth.net.linear.w");
  expect(guess.program.inputs.map((s) => s.path)).not.toContain("net.linear.w");
});
