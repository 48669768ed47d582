// L-BFGS against its two loops over vectors (Nocedal 1980) in plain arithmetic, on parameters of several shapes: Rosenbrock's valley, a quadratic that a long
// history solves, a start at the minimum.
import { expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import { initialOnEvaluator } from "../device/evaluator.ts";
import { made } from "../model.ts";
import { trained } from "../numbers/trained.ts";

type Vector = readonly number[];
const dot = (a: Vector, b: Vector): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
const plus = (a: Vector, b: Vector, k = 1): number[] => a.map((v, i) => v + k * b[i]!);
interface Settings {
  readonly lr: number;
  readonly history: number;
}
/** The points that are visited. */
function visited(gradient: (x: Vector) => number[], start: Vector, steps: number, { lr, history }: Settings): Vector[] {
  const pairs: { s: Vector; y: Vector }[] = [];
  let [x, moved, before] = [[...start], start.map(() => 0), start.map(() => 0)];
  return Array.from({ length: steps }, (_, step) => {
    const g = gradient(x);
    const y = plus(g, before, -1);
    if (step > 0 && dot(y, moved) > 1e-10) pairs.push({ s: moved, y });
    if (pairs.length > history) pairs.shift();
    let q = [...g];
    const a = new Map<object, number>();
    for (const pair of [...pairs].reverse()) {
      a.set(pair, dot(pair.s, q) / dot(pair.y, pair.s));
      q = plus(q, pair.y, -a.get(pair)!);
    }
    const newest = pairs.at(-1);
    const scale = newest ? dot(newest.s, newest.y) / dot(newest.y, newest.y) : 1;
    let r = q.map((v) => scale * v);
    for (const pair of pairs) r = plus(r, pair.s, a.get(pair)! - dot(pair.y, r) / dot(pair.y, pair.s));
    const total = g.reduce((sum, v) => sum + Math.abs(v), 0);
    const rate = step === 0 ? Math.min(1, 1 / total) * lr : lr;
    const rests = Math.max(...g.map(Math.abs)) <= 1e-7 || dot(g, r) < 1e-9;
    moved = r.map((v) => (rests ? 0 : -rate * v));
    before = g;
    x = plus(x, moved);
    return x;
  });
}
const valley = {
  text: `model net() -> f32 {
  param w: f32[3] ~ [-0.5, 1.5, 0.5]
  param c: f32[2, 1] ~ [[0.25], [-0.75]]
  return sum((1 - w)^2) + 10 * (w[1] - w[0]^2)^2 + 10 * (w[2] - w[1]^2)^2 + 3 * sum((c[:, 0] - w[0..2])^2)
}
`,
  start: [-0.5, 1.5, 0.5, 0.25, -0.75],
  gradient: ([a, b, d, e, f]: Vector): number[] => [
    -2 * (1 - a!) - 40 * a! * (b! - a! ** 2) - 6 * (e! - a!),
    -2 * (1 - b!) + 20 * (b! - a! ** 2) - 40 * b! * (d! - b! ** 2) - 6 * (f! - b!),
    -2 * (1 - d!) + 20 * (d! - b! ** 2),
    6 * (e! - a!),
    6 * (f! - b!),
  ],
};
const trainText = (by: string, steps: number): string =>
  `train fit {\n  minimize net() by ${by}\n  steps: ${steps}\n}\n`;
/** w and c after every step, on the evaluator. */
function stepped(text: string, steps: number): Vector[] {
  const { program } = made(text);
  const t = program.trains[0]!;
  const values = initialOnEvaluator(t);
  return Array.from({ length: steps }, () => {
    for (const [target, value] of evaluate(t.step, values).updates) values.set(target, value);
    return program.parameters.flatMap((p) => Array.from(values.get(p.source)!));
  });
}
test.each<Settings>([
  { lr: 1, history: 100 },
  { lr: 1, history: 3 },
  { lr: 0.7, history: 1 },
])("goes where the two loops go: %o", ({ lr, history }) => {
  const steps = 25;
  const got = stepped(valley.text + trainText(`lbfgs(lr: ${lr}, history: ${history})`, steps), steps);
  const want = visited(valley.gradient, valley.start, steps, { lr, history });
  want.forEach((x, k) =>
    x.forEach((v, i) => expect(Math.abs(got[k]![i]! - v), `step ${k}, number ${i}`).toBeLessThan(1e-6)),
  );
});
test("on the device it ends in the valley, in fewer steps than gradient descent", async () => {
  const [own, descent] = [
    await trained(valley.text + trainText("lbfgs(history: 10)", 40)),
    await trained(valley.text + trainText("sgd(lr: 0.01)", 40)),
  ];
  expect(own.curves["loss"]!.at(-1)).toBeLessThan(1e-9);
  expect(descent.curves["loss"]!.at(-1)).toBeGreaterThan(1e-3);
});
test("rests at a minimum, and goes on from a gradient of zero without a fault", async () => {
  const text = `model net() -> f32 {
  param w: f32[3] ~ [1.0, 2.0, 3.0]
  return sum((w - [1.0, 2.0, 3.0])^2)
}
`;
  const { held } = await trained(text + trainText("lbfgs()", 5));
  expect(held["net.w"]).toEqual([1, 2, 3]);
});
