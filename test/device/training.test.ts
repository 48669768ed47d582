// Whole training steps through every phase, on a device against the evaluator.
import { describe, test } from "vitest";
import { testDevice } from "../device.ts";
import { compareTraining } from "./training.ts";

const classes = `
data points {
  rows: 64
  field x: f32[6] = normal[6]
  field y: i32 in 0..3 = randint(0, 3)[]
}
`;
const images = `
data pictures {
  rows: 32
  field x: f32[8, 8, 2] = normal[8, 8, 2]
  field y: i32 in 0..4 = randint(0, 4)[]
}
`;
const words = `
data texts {
  rows: 32
  field ids: i32[7] in 0..11 = for k in 0..7: (row * 5 + k * k) % 11
}
`;
const models: Record<string, string> = {
  "a perceptron with clipping, penalty, schedule and adamw": `${classes}
model net(x: f32[B, 6]) -> f32[B, 3] = x |> Linear(16, act: relu) |> Dropout(0.25) |> Linear(12, act: tanh) |> Linear(3)
train fit on points(batch: 16, seed: 5, shuffle: false) {
  let logits = net(x)
  minimize cross_entropy(logits, y) + 1e-3 * l2(net) by clip_norm(0.5) >> adamw(lr: warmup_cosine(1e-2, warm: 2, total: steps))
  metric acc = accuracy(logits, y)
  steps: 10
}`,
  "one layer whose gradients are numbers, momentum": `
data line { rows: 40 field x: f32[1] = uniform(-1, 1)[1] field y: f32[1] = 3 * x - 2 + 0.1 * normal[1] }
model net(x: f32[B, 1]) -> f32[B, 1] = x |> Linear(1)
train fit on line(batch: 10, seed: 2, shuffle: false) { minimize mse(net(x), y) by sgd(lr: 0.1, momentum: 0.9) steps: 10 }`,
  "one row, one output: the loss is that row's": `
data line { rows: 20 field x: f32[1] = normal[1] field y: f32[1] = normal[1] }
model net(x: f32[B, 1]) -> f32[B, 1] = x |> Linear(1, act: relu) |> Linear(1)
train fit on line(batch: 1, shuffle: false) { minimize mse(net(x), y) by sgd(lr: 0.05) steps: 10 }`,
  "convolutions, batch normalisation and pooling": `${images}
model net(x: f32[B, 8, 8, 2]) -> f32[B, 4] = x |> Conv2d(5, k: 3, pad: 1) |> BatchNorm() |> relu |> MaxPool2d(2) |> Conv2d(6, k: 3, stride: 2) |> relu |> flatten |> Linear(4)
train fit on pictures(batch: 8, seed: 3, shuffle: false) { minimize cross_entropy(net(x), y) by sgd(lr: 0.1, momentum: 0.9) steps: 5 }`,
  "attention over embedded characters": `${words}
layer Attention(heads: int)(x: f32[B, T, D]) -> f32[B, T, D] {
  let qkv = x |> Linear(3 * D, bias: false) |> rearrange(\`b t (three h d) -> three b h t d\`, three: 3, h: heads)
  let score = einsum(\`b h i d, b h j d -> b h i j\`, qkv[0], qkv[1]) / sqrt(D / heads)
  let seen = for b, h, i, j: where(j <= i, score[b, h, i, j], -inf)
  let o = einsum(\`b h i j, b h j d -> b h i d\`, softmax(seen), qkv[2])
  return rearrange(o, \`b h t d -> b t (h d)\`) |> Linear(D)
}
layer Block(heads: int)(x: f32[B, T, D]) -> f32[B, T, D] {
  let h = x + (x |> LayerNorm() |> Attention(heads))
  return h + (h |> LayerNorm() |> Linear(2 * D, act: gelu) |> Linear(D))
}
model gpt(ids: i32[B, T] in 0..11) -> f32[B, T, 11] = ids |> Embedding(11, 8) |> stack 3 of Block(heads: 2) |> LayerNorm() |> Linear(11, bias: false)
train lm on texts(batch: 4, seed: 1, shuffle: false) {
  minimize cross_entropy(gpt(ids[:, 0..-1]), ids[:, 1..7]) by clip_norm(1) >> adamw(lr: 1e-2, decay: 0.1)
  steps: 5
}`,
  "a recurrent network by scan": `${words}
layer LSTM(hidden: int)(xs: f32[B, T, I]) -> f32[B, T, hidden] {
  param wx: f32[I, 4 * hidden] ~ uniform(-1, 1) / sqrt(hidden)
  param wh: f32[hidden, 4 * hidden] ~ uniform(-1, 1) / sqrt(hidden)
  param b: f32[4 * hidden] ~ zeros
  return scan (x in xs along T; h = zeros[B, hidden], c = zeros[B, hidden]) {
    let (i, f, g, o) = split(x @ wx + h @ wh + b, 4, axis: -1)
    let c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
    let h1 = sigmoid(o) * tanh(c1)
    next h = h1, c = c1
    yield h1
  }
}
model net(ids: i32[B, T] in 0..11) -> f32[B, T, 11] = ids |> Embedding(11, 6) |> LSTM(8) |> Linear(11)
train lm on texts(batch: 4, seed: 1, shuffle: false) { minimize cross_entropy(net(ids[:, 0..-1]), ids[:, 1..7]) by adam(lr: 1e-2) steps: 5 }`,
  "two objectives that see each other's updates": `
const zdim = 3
data ring { rows: 64 let k = randint(0, 8)[] field x: f32[2] = [cos(f32(k)), sin(f32(k))] + 0.05 * normal[2] }
model gen(z: f32[B, zdim]) -> f32[B, 2] = z |> Linear(8, act: relu) |> Linear(2)
model disc(x: f32[B, 2]) -> f32[B] = x |> Linear(8, act: leaky_relu) |> Linear(1) |> squeeze(-1)
train gan on ring(batch: 16, seed: 1, shuffle: false) {
  let fake = gen(normal[batch, zdim])
  minimize bce_logits(disc(x), 0.9) + bce_logits(disc(stop(fake)), 0) wrt disc by adam(lr: 1e-2, b1: 0.5)
  minimize bce_logits(disc(fake), 1) wrt gen by adam(lr: 1e-2, b1: 0.5) every 2
  state smooth = gen
  next smooth = 0.9 * smooth + 0.1 * gen
  steps: 10
}`,
  "gradients inside the objective": `${classes}
model net(x: f32[B, 6]) -> f32[B, 3] = x |> Linear(10, act: tanh) |> Linear(3)
train robust on points(batch: 8, seed: 4, shuffle: false) {
  let clean = cross_entropy(net(x), y)
  let g = grad(clean, wrt: x)
  let moved = stop(x + 0.1 * sign(g))
  minimize 0.5 * clean + 0.5 * cross_entropy(net(moved), y) + sum(g^2) by sgd(lr: 0.1)
  steps: 5
}`,
  "a model after a step of gradient descent; averaged batches": `
data waves { rows: 16 let a = uniform(0.5, 2)[] field xs: f32[5, 1] = uniform(-2, 2)[5, 1] field ys: f32[5, 1] = a * sin(xs) field xq: f32[5, 1] = uniform(-2, 2)[5, 1] field yq: f32[5, 1] = a * sin(xq) }
model wave(x: f32[B, 1]) -> f32[B, 1] = x |> Linear(6, act: tanh) |> Linear(1)
train maml on waves(batch: 1, seed: 1, shuffle: false) {
  let fast = wave - 0.1 * grad(mse(wave(xs[0]), ys[0]), wrt: wave)
  minimize mse(fast(xq[0]), yq[0]) by adam(lr: 1e-2)
  accumulate: 4
  steps: 5
}`,
  "an inner minimisation by fold": `
data curve { rows: 32 field x: f32[2] = normal[2] field y: f32[1] = uniform(-1, 1)[1] }
model energy(x: f32[B, 2], y: f32[B, 1]) -> f32[B] = concat([x, y], axis: -1) |> stack 2 of Linear(6, act: softplus) |> Linear(1) |> squeeze(-1)
train fit on curve(batch: 8, seed: 1, shuffle: false) {
  let far = stop(descend(|v| energy(x, v), normal[batch, 1], iters: 4, lr: 0.1))
  minimize mean(softplus(energy(x, y) - energy(x, far))) + 1e-3 * mean(energy(x, y)^2) by adam(lr: 1e-3)
  steps: 5
}`,
};
describe("training steps on a device agree with the evaluator", () => {
  for (const [name, source] of Object.entries(models))
    test(name, async () => void (await compareTraining(source, (await testDevice()).device)), 120_000);
});
