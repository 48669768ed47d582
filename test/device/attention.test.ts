// Softmaxes between contractions in tiles, without the matrix of scores: on a device against the evaluator, with tiles of many sizes.
import { describe, expect, test } from "vitest";
import { targets, type Target } from "../../compiler/kernel/target.ts";
import type { Plan } from "../../runtime/plan.ts";
import { testDevice } from "../device.ts";
import { compareTraining } from "./training.ts";

const software = targets["software"]!;
const always: Target = { ...software, wideBytes: 0 };
/** Little memory: tiles are small, and every axis has several. */
const small: Target = { ...always, workgroupMemory: 1536 };

interface Case {
  readonly data?: string; // fields beside x and y
  readonly shape?: readonly [time: number, width: number];
  readonly model: string;
  readonly arguments?: string;
  readonly loss?: string;
  readonly inTiles: boolean;
}
function program({ data = "", shape = [12, 8], model, arguments: more = "", loss = "" }: Case): string {
  const [time, width] = shape;
  return `
const time = ${time}
const width = ${width}
data rows {
  rows: 12
  field x: f32[time, width] = normal[time, width]
  field y: f32[time, width] = normal[time, width]
${data}
}
${model}
train fit on rows(batch: 3, seed: 7, shuffle: false) {
  minimize ${loss || `mse(net(x${more}), y)`} by sgd(lr: 0.3)
  steps: 3
}`;
}
const multihead = (options: string): string => `
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> MultiHeadAttention(${options})`;
const plain = (score: string, weights = "softmax(s)"): string => `
layer Own()(x: f32[B, T, D]) -> f32[B, T, D] {
  let q = x |> Linear(D)
  let k = x |> Linear(D)
  let v = x |> Linear(D)
  let s = ${score}
  let o = ${weights} @ v
  return o |> Linear(D)
}
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Own()`;

const cases: Record<string, Case> = {
  "one head": { model: plain("q @ transpose(k)"), inTiles: true },
  heads: { model: multihead("heads: 2"), inTiles: true },
  causal: { model: multihead("heads: 2, causal: true"), inTiles: true },
  "a time that no tile divides": { shape: [37, 8], model: multihead("heads: 2, causal: true"), inTiles: true },
  "a time of one": { shape: [1, 8], model: multihead("heads: 2"), inTiles: false },
  "a time of two": { shape: [2, 8], model: multihead("heads: 2, causal: true"), inTiles: true },
  "grouped queries": { shape: [12, 16], model: multihead("heads: 4, kv_heads: 2, causal: true"), inTiles: true },
  "one key for all queries": { shape: [13, 16], model: multihead("heads: 4, kv_heads: 1"), inTiles: true },
  distances: { model: multihead("heads: 2, causal: true, alibi: true"), inTiles: true },
  "turned by places": { model: multihead("heads: 2, causal: true, rotary: true"), inTiles: true },
  dropout: { model: multihead("heads: 2, dropout: 0.3"), inTiles: true },
  "lengths that are data, some of them 0": {
    data: "  field n: i32 in 0..13 = (row * 5) % 13",
    model: `
model net(x: f32[B, T, D], n: i32[B] in 0..T + 1) -> f32[B, T, D] {
  let a = MultiHeadAttention(heads: 2, causal: true)
  return a(x, length: n)
}`,
    arguments: ", n",
    inTiles: true,
  },
  "a mask that is data": {
    data: "  field keep: f32[12] = uniform[12]",
    model: `
model net(x: f32[B, T, D], keep: f32[B, T]) -> f32[B, T, D] {
  let a = MultiHeadAttention(heads: 2)
  return a(x, keep: for b, t: keep[b, t] > 0.4)
}`,
    arguments: ", keep",
    inTiles: true,
  },
  "keys and values of another length": {
    data: "  field z: f32[21, 6] = normal[21, 6]",
    model: `
model net(x: f32[B, T, D], z: f32[B, S, E]) -> f32[B, T, D] {
  let a = MultiHeadAttention(heads: 2)
  return a(x, z)
}`,
    arguments: ", z",
    inTiles: true,
  },
  "masked by infinity": {
    model: plain("for b in 0..B, i in 0..T, j in 0..T: where(j <= i, (q @ transpose(k))[b, i, j], -inf)"),
    inTiles: true,
  },
  "rows that are masked whole": {
    model: plain("for b in 0..B, i in 0..T, j in 0..T: where(i % 3 != 1, (q @ transpose(k))[b, i, j], -inf)"),
    inTiles: true,
  },
  "scores with a slope": { model: plain("tanh(q @ transpose(k)) * 5"), inTiles: true },
  "a bias that is learned": {
    model: `
layer Biased()(x: f32[B, T, D]) -> f32[B, T, D] {
  param bias: f32[T, T] ~ normal(0, 1)
  let q = x |> Linear(D)
  let k = x |> Linear(D)
  let s = q @ transpose(k) + bias
  return softmax(s) @ (x |> Linear(D))
}
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Biased()`,
    inTiles: true,
  },
  "a bias by distance that is learned": {
    model: `
layer Biased()(x: f32[B, T, D]) -> f32[B, T, D] {
  param bias: f32[2 * T - 1] ~ normal(0, 1)
  let q = x |> Linear(D)
  let k = x |> Linear(D)
  let s = for b in 0..B, i in 0..T, j in 0..T: (q @ transpose(k))[b, i, j] + bias[i - j + T - 1]
  return softmax(s) @ (x |> Linear(D))
}
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Biased()`,
    inTiles: true,
  },
  "a temperature that is learned": {
    model: `
layer Scaled()(x: f32[B, T, D]) -> f32[B, T, D] {
  param scale: f32 ~ 0.5
  let q = x |> Linear(D)
  return softmax(q @ transpose(q) * scale) @ (x |> Linear(D))
}
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Scaled()`,
    inTiles: true,
  },
  "two of them": {
    model: `
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> stack 2 of MultiHeadAttention(heads: 2, causal: true)`,
    inTiles: true,
  },
  "scores that are used elsewhere": {
    model: `
layer Own()(x: f32[B, T, D]) -> f32[B, T, D] {
  let q = x |> Linear(D)
  let s = q @ transpose(q)
  let more = s[:, :, 0..D]
  return softmax(s) @ x + more
}
model net(x: f32[B, T, D]) -> f32[B, T, D] = x |> Own()`,
    inTiles: false,
  },
  "a slope of a slope": {
    model: multihead("heads: 2, causal: true"),
    loss: "mse(net(x), y) + 0.1 * mean(grad(mse(net(x), y), wrt: x)^2)",
    inTiles: true,
  },
  "a loss over many classes": {
    data: "  field c: i32 in 0..50 = (row * 7) % 50",
    model: `
model net(x: f32[B, T, D]) -> f32[B, 50] = x |> flatten |> Linear(50)`,
    loss: "cross_entropy(net(x), c)",
    inTiles: true,
  },
  "a loss over many classes at every place, smoothed and weighed": {
    data: "  field c: i32[12] in 0..50 = for t in 0..12: (row * 7 + t) % 50",
    model: `
const weights = for k in 0..50: 1.0 + k % 3
model net(x: f32[B, T, D]) -> f32[B, T, 50] = x |> Linear(16, act: gelu) |> Linear(50, bias: false)`,
    loss: "cross_entropy(net(x), c, smooth: 0.1, ignore: 3)",
    inTiles: true,
  },
};
const isInTiles = (plan: Plan): boolean =>
  plan.modules.some((m) => m.code?.includes("in one launch, a workgroup for each of"));

describe.each([
  ["tiles as they come", always],
  ["small tiles", small],
  ["large tiles of a graphics card", { ...targets["discrete"]!, wideBytes: 0 }],
])("%s", (_name, target) => {
  test.each(Object.entries(cases))("%s", async (_title, own) => {
    const { device } = await testDevice();
    const plan = await compareTraining(program(own), device, { target, steps: 2 });
    expect(isInTiles(plan)).toBe(own.inTiles);
  });
});
