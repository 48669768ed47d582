// Arguments for every declaration of the standard library that the test cannot make up by itself. A function all of whose arguments without default are
// f32[...S] needs no entry.
export interface Sample {
  readonly inputs?: Readonly<Record<string, string>>; // name: type; integers are drawn in their range
  readonly call: string;
  readonly domain?: Readonly<Record<string, readonly [number, number]>>; // of f32 inputs; default -1..1
  readonly declarations?: string;
  readonly states?: Readonly<Record<string, readonly [number, number]>>; // of states that must not be drawn in -1..1, by the end of their path
  readonly orders?: 1 | 2; // of the gradient check; default 2
}
const x23 = { x: "f32[2, 3]" };
const positive = { x: [0.3, 2] } as const;
const pair = { p: "f32[2, 3]", y: "f32[2, 3]" };
const classes = { z: "f32[3, 4]", y: "i32[3] in 0..4" };
const layer = (use: string, type = "f32[2, 3]", more: Partial<Sample> = {}): Sample => ({
  declarations: `model net(x: ${type}) = x |> ${use}`,
  inputs: { x: type },
  call: "net(x)",
  ...more,
});

export const samples: Readonly<Record<string, readonly Sample[]>> = {
  // activations
  glu: [{ inputs: { x: "f32[2, 6]" }, call: "glu(x)" }],
  softmax: [
    { inputs: x23, call: "softmax(x)" },
    { inputs: x23, call: "softmax(x, 0)" },
  ],
  log_softmax: [{ inputs: x23, call: "log_softmax(x)" }],
  softplus: [{ inputs: x23, call: "softplus(x, 3, 1.2)", domain: { x: [-1, 1] } }],
  hardtanh: [{ inputs: x23, call: "hardtanh(x, -0.5, 0.4)" }],
  hardshrink: [{ inputs: x23, call: "hardshrink(x)" }],
  // losses
  average: [{ inputs: { l: "f32[2, 3]", w: "f32[2, 3]" }, call: "average(l, w)", domain: { w: [0.5, 1] } }],
  total: [{ inputs: { l: "f32[2, 3]" }, call: "total(l)" }],
  each: [{ inputs: { l: "f32[2, 3]" }, call: "each(l)" }],
  mse: [
    { inputs: pair, call: "mse(p, y)" },
    { inputs: pair, call: "mse(p, y, reduce: each)" },
  ],
  l1: [{ inputs: pair, call: "l1(p, y)" }],
  huber: [{ inputs: pair, call: "huber(p, y, delta: 0.3)" }],
  smooth_l1: [{ inputs: pair, call: "smooth_l1(p, y, beta: 0.3)" }],
  bce: [{ inputs: pair, call: "bce(p, y)", domain: { p: [0.1, 0.9], y: [0, 1] } }],
  clamp_log: [{ inputs: x23, call: "clamp_log(x)", domain: positive }],
  bce_with_logits: [{ inputs: pair, call: "bce_with_logits(p, y, positive: 2.5)", domain: { y: [0, 1] } }],
  bce_logits: [{ inputs: pair, call: "bce_logits(p, y)", domain: { y: [0, 1] } }],
  nll: [
    {
      inputs: { z: "f32[3, 4]", y: "i32[3] in -1..4", w: "f32[4]" },
      call: "nll(z, y, weight: w, ignore: -1)",
      domain: { w: [0.5, 1.5] },
    },
  ],
  cross_entropy: [
    { inputs: classes, call: "cross_entropy(z, y)" },
    {
      inputs: { z: "f32[2, 3, 4]", y: "i32[2, 3] in -1..4", w: "f32[4]" },
      call: "cross_entropy(z, y, weight: w, smooth: 0.1, ignore: -1)",
      domain: { w: [0.5, 1.5] },
    },
  ],
  l2: [layer("Linear(2)", "f32[2, 3]", { call: "l2(net)" })],
  l1_penalty: [layer("Linear(2)", "f32[2, 3]", { call: "l1_penalty(net)" })],
  // metrics
  accuracy: [{ inputs: classes, call: "accuracy(z, y)" }],
  mae: [{ inputs: pair, call: "mae(p, y)" }],
  rmse: [{ inputs: pair, call: "rmse(p, y)" }],
  r2: [{ inputs: pair, call: "r2(p, y)" }],
  confusion: [{ inputs: { g: "i32[5] in 0..3", y: "i32[5] in 0..3" }, call: "confusion(g, y, 3)" }],
  f1_macro: [{ inputs: { g: "i32[5] in 0..3", y: "i32[5] in 0..3" }, call: "f1_macro(g, y, 3)" }],
  perplexity: [{ inputs: classes, call: "perplexity(z, y)" }],
  // layers
  Linear: [layer("Linear(4)"), layer("Linear(4, act: tanh, bias: false)")],
  Embedding: [layer("Embedding(5, 3)", "i32[2, 4] in 0..5")],
  Dropout: [layer("Dropout(0.3)"), layer("Dropout(0.3, always: true)")],
  LayerNorm: [layer("LayerNorm()"), layer("LayerNorm(affine: false)")],
  RMSNorm: [layer("RMSNorm()")],
  BatchNorm: [layer("BatchNorm()", "f32[4, 3]", { states: { var: [0.5, 2] } })],
  Conv2d: [
    layer("Conv2d(2)", "f32[2, 5, 5, 2]"),
    layer("Conv2d(4, k: [3, 2], stride: 2, pad: [1, 0], dilate: [1, 2], groups: 2)", "f32[1, 7, 6, 2]"),
  ],
  MaxPool2d: [layer("MaxPool2d(2)", "f32[1, 5, 4, 2]"), layer("MaxPool2d(3, stride: 2, pad: 1)", "f32[1, 6, 5, 1]")],
  AvgPool2d: [layer("AvgPool2d(2)", "f32[1, 5, 4, 2]"), layer("AvgPool2d(3, stride: 2, pad: 1)", "f32[1, 6, 5, 1]")],
  Standardise: [layer("Standardise(for i in 0..4, j in 0..3: f32((i + 1) * (j + 2) % 5))")],
  window_out: [{ call: "f32(window_out(9, 3, 2, 1))" }],
  // tensors
  rsqrt: [{ inputs: x23, call: "rsqrt(x)", domain: positive }],
  reciprocal: [{ inputs: x23, call: "reciprocal(x)", domain: positive }],
  clamp: [
    { inputs: x23, call: "clamp(x, -0.4, 0.5)" },
    {
      inputs: { x: "f32[2, 3]", lo: "f32[3]", hi: "f32[2, 3]" },
      call: "clamp(x, lo, hi)",
      domain: { lo: [-0.8, -0.2], hi: [0.2, 0.8] },
    },
  ],
  dot: [{ inputs: { a: "f32[2, 3]", b: "f32[2, 3]" }, call: "dot(a, b)" }],
  safe_sqrt: [{ inputs: x23, call: "safe_sqrt(x)", domain: positive }],
  safe_pow: [{ inputs: x23, call: "safe_pow(x, 2.5)", domain: positive }],
  var: [
    { inputs: x23, call: "var(x)" },
    { inputs: x23, call: "var(x, axis: 0, correction: 0, keep: true)" },
  ],
  std: [{ inputs: x23, call: "std(x, axis: -1)" }],
  norm: [
    { inputs: x23, call: "norm(x, axis: -1)" },
    { inputs: x23, call: "norm(x, p: 1)" },
    { inputs: x23, call: "norm(x, p: 3)" },
    { inputs: x23, call: "norm(x, p: 0.5)", domain: positive },
    { inputs: x23, call: "norm(x, p: inf)" },
  ],
  l2_normalize: [{ inputs: x23, call: "l2_normalize(x)" }],
  cosine_similarity: [{ inputs: { a: "f32[2, 3]", b: "f32[2, 3]" }, call: "cosine_similarity(a, b)" }],
  pairwise_distance: [{ inputs: { a: "f32[2, 3]", b: "f32[2, 3]" }, call: "pairwise_distance(a, b)" }],
  pairwise_sqdist: [{ inputs: { a: "f32[2, 3]", b: "f32[4, 3]" }, call: "pairwise_sqdist(a, b)" }],
  flatten: [{ inputs: { x: "f32[2, 3, 2]" }, call: "flatten(x)" }],
  outer: [{ inputs: { a: "f32[2]", b: "f32[3]" }, call: "outer(a, b)" }],
  last: [{ inputs: { x: "f32[2, 3, 2]" }, call: "last(x)" }],
  cumsum: [{ inputs: x23, call: "cumsum(x)" }],
  cumprod: [{ inputs: { x: "f32[2, 4]" }, call: "cumprod(x)" }],
  eye: [{ call: "eye(3)" }],
  tril: [{ inputs: { x: "f32[3, 4]" }, call: "tril(x, -1)" }],
  triu: [{ inputs: { x: "f32[3, 4]" }, call: "triu(x, 1)" }],
  diagonal: [{ inputs: { x: "f32[2, 3, 3]" }, call: "diagonal(x)" }],
  trace: [{ inputs: { x: "f32[3, 3]" }, call: "trace(x)" }],
  roll: [{ inputs: { x: "f32[2, 5]" }, call: "roll(x, 2)" }],
  repeat_interleave: [{ inputs: { x: "f32[3, 2]" }, call: "repeat_interleave(x, 2)" }],
  one_hot: [{ inputs: { i: "i32[2, 2] in 0..4" }, call: "one_hot(i, 4)" }],
  take_along: [{ inputs: { x: "f32[2, 4]", i: "i32[2, 3] in 0..4" }, call: "take_along(x, i)" }],
  scatter_add: [{ inputs: { x: "f32[3, 2]", i: "i32[4] in 0..3", a: "f32[4, 2]" }, call: "scatter_add(x, i, a)" }],
  ranks: [{ inputs: { x: "f32[2, 4]" }, call: "ranks(x)" }],
  sort_descending: [{ inputs: { x: "f32[2, 4]" }, call: "sort_descending(x)" }],
  order_descending: [{ inputs: { x: "f32[2, 4]" }, call: "order_descending(x)" }],
  top_k: [{ inputs: { x: "f32[2, 5]" }, call: "top_k(x, 2)" }],
  causal_mask: [{ call: "where(causal_mask(4), 1.0, 0.0)" }],
  random_shift: [{ inputs: { x: "f32[2, 4, 4, 1]" }, call: "random_shift(x, 1)" }],
  descend: [
    { inputs: { c: "f32[3]", y: "f32[3]" }, call: "descend(|v| sum(tanh(v * c)^2 + 0.1 * v^4), y, iters: 3, lr: 0.2)" },
  ],
};

/** Layers that do something else in training. */
export const trained: Readonly<Record<string, readonly { readonly use: string; readonly type: string }[]>> = {
  Dropout: [{ use: "Linear(3) |> Dropout(0.4)", type: "[5, 3]" }],
  BatchNorm: [{ use: "Linear(3) |> BatchNorm()", type: "[5, 3]" }],
  Conv2d: [
    { use: "Conv2d(2, pad: 1) |> BatchNorm() |> tanh |> MaxPool2d(2) |> flatten |> Linear(2)", type: "[2, 4, 4, 1]" },
  ],
};
/** Optimizers and schedules, as written after `by`. */
export const optimizers: Readonly<Record<string, readonly string[]>> = {
  clip_norm: ["clip_norm(0.1) >> sgd(lr: 0.1)"],
  clip_value: ["clip_value(0.05) >> sgd(lr: 0.5)"],
  sgd: ["sgd(lr: 0.1)", "sgd(lr: 0.05, momentum: 0.9, nesterov: true, decay: 0.01)"],
  adam: ["adam(lr: 0.1)", "adam(lr: 0.1, amsgrad: true, decay: 0.01)"],
  adamw: ["adamw(lr: 0.1)"],
  rmsprop: ["rmsprop(lr: 0.05, momentum: 0.5, centered: true)"],
  constant: ["sgd(lr: constant(0.1))"],
  warmup_cosine: ["sgd(lr: warmup_cosine(0.2, warm: 5, total: steps, floor: 0.01))"],
  step_decay: ["sgd(lr: step_decay(0.2, 5, 0.5))"],
  exponential: ["sgd(lr: exponential(0.2, 0.95))"],
};
/** Initialisers and the standard deviation that they have on a [64, 32] matrix. */
export const initialisers: Readonly<Record<string, { readonly use: string; readonly deviation: number }>> = {
  linear_default: { use: "linear_default()", deviation: 1 / Math.sqrt(3 * 64) },
  glorot_uniform: { use: "glorot_uniform()", deviation: Math.sqrt(2 / 96) },
  glorot_normal: { use: "glorot_normal()", deviation: Math.sqrt(2 / 96) },
  he_normal: { use: "he_normal()", deviation: Math.sqrt(2 / 64) },
  he_uniform: { use: "he_uniform()", deviation: Math.sqrt(2 / 64) },
};
