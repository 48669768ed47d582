// Plans within a budget of memory: fewer bytes, and the values of the plan without one.
import { describe, expect, test } from "vitest";
import { compile, type CompileOptions } from "../../compiler/compile.ts";
import { targets } from "../../compiler/kernel/target.ts";
import { bytesOfPlan } from "../../compiler/plan/fit.ts";
import { smoothProgram } from "../fuzz/smooth.ts";
import { exactProgram } from "../fuzz/exact.ts";
import { trainingArea } from "../fuzz/training.ts";
import { made, withModel, type Made } from "../model.ts";

/** Every kernel has a launch of its own, however small it is. */
const software = targets["software"]!;
const target = { ...software, launchNs: 0, ns: { ...software.ns, barrier: 1e6 } };

/** The plan of fewest bytes. */
function tightest(text: string, options: CompileOptions = {}): Made {
  const { memory } = compile(text, { name: "test.dlm", target, verify: true, memory: 1, ...options });
  const found = made(text, { target, verify: true, memory: memory!.bytes[1], ...options });
  expect(bytesOfPlan(found.plan)).toBeLessThanOrEqual(memory!.bytes[1]);
  return found;
}
type Numbers = Readonly<Record<string, ArrayLike<number>>>;
async function trained(of: Made, steps: number): Promise<Numbers> {
  return withModel(of, async (model) => {
    const found: Record<string, ArrayLike<number>> = {};
    for (const { name } of of.plan.trains) {
      const { loss, metrics } = await model.train(name, { stopAfter: steps });
      found[`${name}: loss`] = [loss];
      for (const [metric, value] of Object.entries(metrics)) found[`${name}: ${metric}`] = [value];
    }
    for (const [path, { data }] of Object.entries(await model.parameters({ all: true }))) found[path] = data;
    return found;
  });
}
function expectSame(got: Numbers, want: Numbers): void {
  expect(Object.keys(got)).toEqual(Object.keys(want));
  for (const [name, values] of Object.entries(want)) {
    const scale = Array.from(values).reduce((m, x) => Math.max(m, Math.abs(x)), 1e-3);
    const off = Array.from(values, (x, i) => Math.abs(x - got[name]![i]!) / scale);
    expect(Math.max(0, ...off), name).toBeLessThanOrEqual(1e-5);
  }
}
const againIn = ({ memory }: Made): number => memory!.trades.reduce((n, t) => n + t.again, 0);

const points = (width: number, classes: number): string =>
  `data points { rows: 64 field x: f32[${width}] = normal[${width}] field y: i32 in 0..${classes} = row % ${classes} }\n`;
const fit = (loss: string, by: string): string =>
  `train fit on points(batch: 16, seed: 1) { minimize ${loss} by ${by} metric size = sqrt(l2(net)) steps: 10 }`;
const models: readonly (readonly [name: string, share: number, text: string])[] = [
  [
    "a deep net with dropout: the same draws",
    0.75,
    `${points(24, 3)}model net(x: f32[B, 24]) -> f32[B, 3] = x |> stack 6 of Linear(40, act: gelu) |> Dropout(0.3) |> stack 4 of Linear(40, act: tanh) |> Dropout(0.3) |> Linear(3)\n${fit("cross_entropy(net(x), y)", "clip_norm(1) >> adam(lr: 1e-2)")}`,
  ],
  [
    "states that a layer writes",
    0.95,
    `${points(24, 3)}layer Block()(x: f32[B, N]) -> f32[B, N] = x + (x |> Linear(48) |> BatchNorm() |> relu |> Linear(N))\nmodel net(x: f32[B, 24]) -> f32[B, 3] = x |> stack 4 of Block() |> Linear(3)\n${fit("cross_entropy(net(x), y)", "sgd(lr: 0.1, momentum: 0.9)")}`,
  ],
  [
    "attention",
    0.75,
    `data points { rows: 64 field x: i32[13] in 0..11 = for k in 0..13: (row * 5 + k * k) % 11 }
layer Block()(x: f32[B, T, D]) -> f32[B, T, D] {
  let h = x + (x |> LayerNorm() |> MultiHeadAttention(2, causal: true))
  return h + (h |> LayerNorm() |> Linear(4 * D, act: gelu) |> Linear(D))
}
model net(x: i32[B, T] in 0..11) -> f32[B, T, 11] = x |> Embedding(11, 16) |> stack 3 of Block() |> Linear(11)
train fit on points(batch: 8, seed: 1) { minimize cross_entropy(net(x[:, 0..12]), x[:, 1..13]) by adamw(lr: 1e-3) steps: 10 }`,
  ],
  [
    "convolutions and pooling",
    0.97,
    `data points { rows: 64 field x: f32[12, 12, 1] = normal[12, 12, 1] field y: i32 in 0..3 = row % 3 }
model net(x: f32[B, 12, 12, 1]) -> f32[B, 3] = x |> Conv2d(8, k: 3, pad: 1) |> gelu |> Conv2d(8, k: 3, pad: 1) |> gelu |> MaxPool2d(2) |> Conv2d(8, k: 3) |> tanh |> flatten |> Linear(3)
${fit("cross_entropy(net(x), y)", "adam(lr: 1e-3)")}`,
  ],
  [
    "a loop whose history is kept, between layers",
    1,
    `data points { rows: 64 field x: f32[9, 6] = normal[9, 6] field y: i32 in 0..3 = row % 3 }
model net(x: f32[B, 9, 6]) -> f32[B, 3] = x |> LSTM(6) |> stack 4 of Linear(96, act: gelu) |> (|h| mean(h, axis: 1)) |> Linear(3)
${fit("cross_entropy(net(x), y)", "adam(lr: 1e-2)").replace("batch: 16", "batch: 64")}`,
  ],
];
describe("the fewest bytes that a model can do with", () => {
  test.each(models)("%s", { timeout: 300_000 }, async (_, share, text) => {
    const whole = made(text, { target });
    const tight = tightest(text);
    expect(againIn(tight)).toBeGreaterThan(0);
    expect(bytesOfPlan(tight.plan)).toBeLessThan(share * bytesOfPlan(whole.plan));
    expectSame(await trained(tight, 3), await trained(whole, 3));
  });
});

describe("random programs", () => {
  const seeds = Array.from({ length: 5 }, (_, k) => k);
  test("train as they do without", { timeout: 300_000 }, async () => {
    let again = 0;
    for (const seed of seeds) {
      const { text, steps } = trainingArea.make(seed);
      if (!compile(text).plan) continue;
      const tight = tightest(text);
      again += againIn(tight);
      expectSame(await trained(tight, steps), await trained(made(text, { target }), steps));
    }
    expect(again).toBeGreaterThan(0);
  });
  test("have the results that they have without", { timeout: 300_000 }, async () => {
    let again = 0;
    for (const seed of seeds)
      for (const { text, inputs } of [smoothProgram(seed), exactProgram(seed)]) {
        if (!compile(text).plan) continue;
        const tight = tightest(text);
        again += againIn(tight);
        const results = (of: Made): Promise<Numbers> =>
          withModel(of, async (model) => {
            const found: Record<string, ArrayLike<number>> = {};
            for (const x of of.plan.exports) {
              const given = Object.fromEntries(x.inputs.map(({ name }) => [name, inputs[name] ?? 3]));
              for (const [k, { data }] of Object.entries(await model.run(x.name, given)))
                found[`${x.name}: ${k}`] = data;
            }
            return found;
          });
        expectSame(await results(tight), await results(made(text, { target })));
      }
    expect(again).toBeGreaterThan(0);
  });
});
