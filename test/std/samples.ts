// Arguments for every declaration of the standard library that the test cannot make up by itself. A function all of whose arguments without default are
// f32[...S] needs no entry.
import { sequenceSamples, trainedSequences } from "./sequence-samples.ts";
import { imageSamples } from "./image-samples.ts";

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
const images = { x: "f32[2, 4, 4, 1]" };
const guesses = { g: "i32[5] in 0..3", y: "i32[5] in 0..3" };
const layer = (use: string, type = "f32[2, 3]", more: Partial<Sample> = {}): Sample => ({
  declarations: `model net(x: ${type}) = x |> ${use}`,
  inputs: { x: type },
  call: "net(x)",
  ...more,
});

export const samples: Readonly<Record<string, readonly Sample[]>> = {
  ...sequenceSamples,
  ...imageSamples,
  // activations
  glu: [
    { inputs: { x: "f32[2, 6]" }, call: "glu(x)" },
    { inputs: { x: "f32[4, 3]" }, call: "glu(x, axis: 0, gate: tanh)" },
  ],
  reglu: [{ inputs: { x: "f32[2, 6]" }, call: "reglu(x)" }],
  geglu: [{ inputs: { x: "f32[2, 4, 3]" }, call: "geglu(x, axis: 1)" }],
  swiglu: [{ inputs: { x: "f32[4, 3]" }, call: "swiglu(x, 0)" }],
  maxout: [{ inputs: { x: "f32[2, 6]" }, call: "maxout(x, 3)" }],
  threshold: [{ inputs: x23, call: "threshold(x, 0.1, 20)" }],
  prelu: [
    { inputs: { x: "f32[2, 3]", w: "f32[3]" }, call: "prelu(x, w)" },
    { inputs: { x: "f32[2, 3]", w: "f32" }, call: "prelu(x, w)" },
  ],
  PReLU: [layer("PReLU()"), layer("PReLU(3, weights: constant(0.1))", "f32[2, 4, 3]")],
  rrelu: [{ inputs: x23, call: "rrelu(x)" }],
  RReLU: [layer("RReLU(0.1, 0.4)")],
  straight_through: [{ inputs: { x: "f32[2, 3]" }, call: "straight_through(x, x)" }],
  straight_through_step: [{ inputs: x23, call: "straight_through_step(stop(x))" }],
  straight_through_sign: [{ inputs: x23, call: "straight_through_sign(stop(x), 1)" }],
  gumbel_softmax: [
    { inputs: x23, call: "gumbel_softmax(x, tau: 0.7)" },
    { inputs: x23, call: "gumbel_softmax(stop(x), hard: true, axis: 0)" },
  ],
  one_hot_of_largest: [{ inputs: x23, call: "one_hot_of_largest(x, axis: 0)" }],
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
  batch_mean: [{ inputs: { l: "f32[2, 3]" }, call: "batch_mean(l)" }],
  cross_entropy_probs: [
    { inputs: { z: "f32[3, 4]", q: "f32[3, 4]" }, call: "cross_entropy_probs(z, softmax(q))" },
    {
      inputs: { z: "f32[3, 4]", q: "f32[3, 4]", w: "f32[4]" },
      call: "cross_entropy_probs(z, softmax(q), w, 0.1, each)",
      domain: { w: [0.5, 1.5] },
    },
  ],
  focal: [
    { inputs: pair, call: "focal(p, y)", domain: { y: [0, 1] } },
    { inputs: pair, call: "focal(p, y, gamma: 1.5, alpha: 0.25, reduce: each)", domain: { y: [0, 1] } },
  ],
  focal_cross_entropy: [{ inputs: classes, call: "focal_cross_entropy(z, y, gamma: 1.5)" }],
  dice: [{ inputs: { p: "f32[2, 3, 2]", y: "f32[2, 3, 2]" }, call: "dice(p, y)", domain: { p: [0, 1], y: [0, 1] } }],
  log_cosh: [{ inputs: pair, call: "log_cosh(p, y)" }],
  quantile: [{ inputs: pair, call: "quantile(p, y, 0.9)" }],
  kl_div: [
    { inputs: pair, call: "kl_div(p, y, reduce: batch_mean)", domain: { y: [0.1, 1] } },
    { inputs: pair, call: "kl_div(p, y, log_target: true)" },
  ],
  kl_normal: [{ inputs: { m: "f32[2, 3]", v: "f32[2, 3]" }, call: "kl_normal(m, v)" }],
  vae_loss: [
    {
      inputs: { z: "f32[2, 3, 2]", y: "f32[2, 3, 2]", m: "f32[2, 2]", v: "f32[2, 2]" },
      call: "vae_loss(z, y, m, v, beta: 4)",
      domain: { y: [0, 1] },
    },
  ],
  poisson_nll: [
    { inputs: pair, call: "poisson_nll(p, y)", domain: { y: [0, 5] } },
    { inputs: pair, call: "poisson_nll(p, y, log_input: false, full: true)", domain: { p: [0.2, 3], y: [1.1, 5] } },
  ],
  gaussian_nll: [
    { inputs: { ...pair, v: "f32[2, 3]" }, call: "gaussian_nll(p, y, v, full: true)", domain: { v: [0.3, 2] } },
  ],
  perceptron_loss: [{ inputs: pair, call: "perceptron_loss(p, f32(y > 0))" }],
  hinge: [{ inputs: pair, call: "hinge(p, y)" }],
  squared_hinge: [{ inputs: pair, call: "squared_hinge(p, y, margin: 0.5)" }],
  hinge_embedding: [{ inputs: pair, call: "hinge_embedding(p, sign(y))" }],
  soft_margin: [{ inputs: pair, call: "soft_margin(p, y)" }],
  multi_margin: [
    { inputs: classes, call: "multi_margin(z, y)" },
    { inputs: { ...classes, w: "f32[4]" }, call: "multi_margin(z, y, 2, 0.5, w, each)" },
  ],
  multilabel_margin: [{ inputs: { z: "f32[2, 4]", y: "f32[2, 4]" }, call: "multilabel_margin(z, f32(y > 0))" }],
  multilabel_soft_margin: [{ inputs: pair, call: "multilabel_soft_margin(p, y)", domain: { y: [0, 1] } }],
  margin_ranking: [
    {
      inputs: { a: "f32[4]", b: "f32[4]", y: "f32[4]" },
      call: "margin_ranking(a, b, sign(y), margin: 0.5, reduce: each)",
    },
  ],
  cosine_embedding: [
    { inputs: { a: "f32[4, 3]", b: "f32[4, 3]", y: "f32[4]" }, call: "cosine_embedding(a, b, sign(y), margin: 0.1)" },
  ],
  triplet_margin: [
    { inputs: { a: "f32[4, 3]", b: "f32[4, 3]", c: "f32[4, 3]" }, call: "triplet_margin(a, b, c)" },
    { inputs: { a: "f32[4, 3]", b: "f32[4, 3]", c: "f32[4, 3]" }, call: "triplet_margin(a, b, c, p: 3, swap: true)" },
  ],
  contrastive: [
    { inputs: { d: "f32[4]", y: "f32[4]" }, call: "contrastive(d, y, margin: 2)", domain: { d: [0, 3], y: [0, 1] } },
  ],
  info_nce: [{ inputs: { a: "f32[3, 4]", b: "f32[3, 4]" }, call: "info_nce(a, b, tau: 0.5, both: true)" }],
  nt_xent: [{ inputs: { a: "f32[3, 4]", b: "f32[3, 4]" }, call: "nt_xent(a, b)" }],
  ctc_loss: [
    {
      inputs: { z: "f32[5, 2, 4]", y: "i32[2, 2] in 0..4", n: "i32[2] in 4..6", m: "i32[2] in 1..3" },
      call: "ctc_loss(log_softmax(z), y, n, m)",
    },
  ],
  AdaptiveLogSoftmax: [
    layer("AdaptiveLogSoftmax(9, cutoffs: [3, 6], div: 2)", "f32[2, 6]"),
    {
      declarations:
        "model net(x: f32[3, 6], y: i32[3] in 0..9) -> f32 = AdaptiveLogSoftmax(9, cutoffs: [4], bias: true)(x, y)",
      inputs: { x: "f32[3, 6]", y: "i32[3] in 0..9" },
      call: "net(x, y)",
    },
  ],
  AdaptiveCluster: [
    {
      declarations:
        "model net(x: f32[2, 4], h: f32[2, 3], b: f32[2, 2]) -> f32[2, 5] {\n  let (_, _, y) = AdaptiveCluster(0, 2, 5, 2, 2)(x, h, b)\n  return y\n}",
      inputs: { x: "f32[2, 4]", h: "f32[2, 3]", b: "f32[2, 2]" },
      call: "net(x, h, b)",
    },
  ],
  elastic_net: [layer("Linear(2)", "f32[2, 3]", { call: "elastic_net(net, 0.1, 0.2)" })],
  orthogonality: [
    { inputs: { w: "f32[3, 2]" }, call: "orthogonality(w)" },
    { inputs: { w: "f32[2, 3]" }, call: "orthogonality(w)" },
  ],
  activity_penalty: [{ inputs: x23, call: "activity_penalty(x, l1: 0.1, l2: 0.2)" }],
  sparsity: [{ inputs: { h: "f32[4, 3]" }, call: "sparsity(h)", domain: { h: [0.1, 0.9] } }],
  l2: [layer("Linear(2)", "f32[2, 3]", { call: "l2(net)" })],
  l1_penalty: [layer("Linear(2)", "f32[2, 3]", { call: "l1_penalty(net)" })],
  // metrics
  accuracy: [{ inputs: classes, call: "accuracy(z, y)" }],
  mae: [{ inputs: pair, call: "mae(p, y)" }],
  rmse: [{ inputs: pair, call: "rmse(p, y)" }],
  r2: [{ inputs: pair, call: "r2(p, y)" }],
  share_explained: [{ inputs: { residual: "f32", total: "f32" }, call: "share_explained(residual, total)" }],
  confusion: [{ inputs: { g: "i32[5] in 0..3", y: "i32[5] in 0..3" }, call: "confusion(g, y, 3)" }],
  precision: [{ inputs: guesses, call: "precision(g, y, 3)" }],
  recall: [{ inputs: guesses, call: "recall(g, y, 3)" }],
  f_beta: [{ inputs: guesses, call: "f_beta(g, y, 3)" }],
  f1: [{ inputs: guesses, call: "f1(g, y, 3)" }],
  f1_macro: [{ inputs: guesses, call: "f1_macro(g, y, 3)" }],
  jaccard: [{ inputs: guesses, call: "jaccard(g, y, 3)" }],
  balanced_accuracy: [{ inputs: guesses, call: "balanced_accuracy(g, y, 3)" }],
  matthews: [{ inputs: guesses, call: "matthews(g, y, 3)" }],
  cohen_kappa: [{ inputs: guesses, call: "cohen_kappa(g, y, 3)" }],
  class_counts: [
    {
      declarations:
        "fn hits(g: i32[5] in 0..3, y: i32[5] in 0..3) {\n  let (h, _, _) = class_counts(g, y, 3)\n  return h\n}",
      inputs: guesses,
      call: "hits(g, y)",
    },
  ],
  macro_average: [
    {
      inputs: { a: "f32[3]", b: "f32[3]", c: "f32[3]" },
      call: "macro_average(a, b, c)",
      domain: { b: [0.5, 1], c: [1, 2] },
    },
  ],
  micro_average: [
    {
      inputs: { a: "f32[3]", b: "f32[3]", c: "f32[3]" },
      call: "micro_average(a, b, c)",
      domain: { b: [0.5, 1], c: [1, 2] },
    },
  ],
  weighted_average: [
    {
      inputs: { a: "f32[3]", b: "f32[3]", c: "f32[3]" },
      call: "weighted_average(a, b, c)",
      domain: { b: [0.5, 1], c: [1, 2] },
    },
  ],
  per_class: [
    {
      inputs: { a: "f32[3]", b: "f32[3]", c: "f32[3]" },
      call: "per_class(a, b, c)",
      domain: { b: [0.5, 1], c: [1, 2] },
    },
  ],
  positive_class: [
    {
      inputs: { a: "f32[3]", b: "f32[3]", c: "f32[3]" },
      call: "positive_class(a, b, c)",
      domain: { b: [0.5, 1], c: [1, 2] },
    },
  ],
  top_k_accuracy: [{ inputs: classes, call: "top_k_accuracy(z, y, 2)" }],
  mean_reciprocal_rank: [{ inputs: classes, call: "mean_reciprocal_rank(z, y)" }],
  place_of: [{ inputs: classes, call: "place_of(z, y)" }],
  binary_accuracy: [{ inputs: pair, call: "binary_accuracy(p, f32(y > 0))" }],
  exact_match: [{ inputs: { g: "i32[4, 2] in 0..2", y: "i32[4, 2] in 0..2" }, call: "exact_match(g, y)" }],
  mape: [{ inputs: pair, call: "mape(p, y)", domain: { y: [0.5, 1] } }],
  explained_variance: [{ inputs: pair, call: "explained_variance(p, y)" }],
  pearson: [{ inputs: pair, call: "pearson(p, y)" }],
  spearman: [{ inputs: { p: "f32[6]", y: "f32[6]" }, call: "spearman(p, y)" }],
  shared_ranks: [{ inputs: { x: "f32[6]" }, call: "shared_ranks(round(2 * x))" }],
  auroc: [{ inputs: { z: "f32[7]", y: "f32[7]" }, call: "auroc(z, f32(y > 0))" }],
  average_precision: [{ inputs: { z: "f32[7]", y: "f32[7]" }, call: "average_precision(z, f32(y > 0))" }],
  calibration_error: [{ inputs: classes, call: "calibration_error(stop(softmax(z)), y, bins: 3)" }],
  brier: [{ inputs: classes, call: "brier(softmax(z), y)" }],
  perplexity: [{ inputs: classes, call: "perplexity(z, y)" }],
  // layers
  Linear: [layer("Linear(4)"), layer("Linear(4, act: tanh, bias: false)")],
  Standardise: [layer("Standardise(for i in 0..4, j in 0..3: f32((i + 1) * (j + 2) % 5))")],
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
  cumsum: [
    { inputs: x23, call: "cumsum(x)" },
    { inputs: x23, call: "cumsum(x, axis: 0)" },
  ],
  cumprod: [{ inputs: { x: "f32[2, 4]" }, call: "cumprod(x, axis: 0)" }],
  running_sum: [{ inputs: x23, call: "running_sum(x)" }],
  running_product: [{ inputs: { x: "f32[2, 4]" }, call: "running_product(x)" }],
  eye: [{ call: "eye(3)" }, { call: "eye(3, 2)" }],
  tril: [{ inputs: { x: "f32[3, 4]" }, call: "tril(x, -1)" }],
  triu: [{ inputs: { x: "f32[3, 4]" }, call: "triu(x, 1)" }],
  diagonal: [
    { inputs: { x: "f32[2, 3, 3]" }, call: "diagonal(x)" },
    { inputs: { x: "f32[2, 3, 4]" }, call: "diagonal(x, -1)" },
    { inputs: { x: "f32[2, 3, 4]" }, call: "diagonal(x, 2)" },
  ],
  trace: [{ inputs: { x: "f32[3, 3]" }, call: "trace(x)" }],
  roll: [
    { inputs: { x: "f32[2, 5]" }, call: "roll(x, 2)" },
    { inputs: { x: "f32[5, 2]" }, call: "roll(x, -1, axis: 0)" },
  ],
  repeat_interleave: [
    { inputs: { x: "f32[3, 2]" }, call: "repeat_interleave(x, 2)" },
    { inputs: { x: "f32[3, 2]" }, call: "repeat_interleave(x, 3, axis: 1)" },
  ],
  one_hot: [{ inputs: { i: "i32[2, 2] in 0..4" }, call: "one_hot(i, 4)" }],
  take_along: [
    { inputs: { x: "f32[2, 4]", i: "i32[2, 3] in 0..4" }, call: "take_along(x, i)" },
    { inputs: { x: "f32[4, 2]", i: "i32[3, 2] in 0..4" }, call: "take_along(x, i, axis: 0)" },
  ],
  take_last: [{ inputs: { x: "f32[2, 4]", i: "i32[2, 3] in 0..4" }, call: "take_last(x, i)" }],
  scatter_add: [{ inputs: { x: "f32[3, 2]", i: "i32[4] in 0..3", a: "f32[4, 2]" }, call: "scatter_add(x, i, a)" }],
  ranks: [{ inputs: { x: "f32[2, 4]" }, call: "ranks(x)" }],
  power_of_two: [{ call: "f32(power_of_two(5))" }],
  falling_powers: [{ call: "f32(falling_powers(4, first: 2))" }],
  order_ascending: [{ inputs: { x: "f32[2, 4]" }, call: "order_ascending(x)" }],
  inverse_permutation: [{ inputs: { x: "f32[2, 4]" }, call: "inverse_permutation(ranks(x))" }],
  merged_order: [{ inputs: { x: "f32[2, 5]" }, call: "merged_order(x)" }],
  argsort: [{ inputs: { x: "f32[2, 4]" }, call: "argsort(x, axis: 0)" }],
  sort: [
    { inputs: { x: "f32[2, 4]" }, call: "sort(x)" },
    { inputs: { x: "f32[4, 2]" }, call: "sort(x, axis: 0, descending: true)" },
  ],
  sort_descending: [{ inputs: { x: "f32[2, 4]" }, call: "sort_descending(x)" }],
  order_descending: [{ inputs: { x: "f32[2, 4]" }, call: "order_descending(x)" }],
  top_k: [
    { inputs: { x: "f32[2, 5]" }, call: "top_k(x, 2)" },
    { inputs: { x: "f32[5, 2]" }, call: "top_k(x, 2, axis: 0)" },
  ],
  arg_top_k: [{ inputs: { x: "f32[5, 2]" }, call: "arg_top_k(x, 2, axis: 0)" }],
  largest_places: [{ inputs: { x: "f32[2, 5]" }, call: "largest_places(x, 2)" }],
  median: [{ inputs: { x: "f32[2, 4]" }, call: "median(x)" }],
  searchsorted: [{ inputs: { s: "f32[5]", v: "f32[2, 3]" }, call: "searchsorted(sort(s), v)" }],
  count_below: [{ inputs: { s: "f32[5]", v: "f32[2, 3]" }, call: "count_below(s, v)" }],
  histogram: [{ inputs: { x: "f32[2, 5]" }, call: "histogram(x, 4, -1, 1)" }],
  bincount: [{ inputs: { i: "i32[2, 5] in 0..3" }, call: "bincount(i, 3)" }],
  // linear algebra
  opponent: [{ call: "f32(opponent(1, 2, 4))" }],
  jacobi_tangent: [{ inputs: { d: "f32", g: "f32" }, call: "jacobi_tangent(d, g, true)" }],
  rotate_columns: [{ inputs: { x: "f32[4, 3]" }, call: "rotate_columns(x, 4, 2)" }],
  svdvals: [
    { inputs: { x: "f32[3, 4]" }, call: "svdvals(x)" },
    { inputs: { x: "f32[4, 2]" }, call: "svdvals(x)" },
    { inputs: { x: "f32[1, 3]" }, call: "svdvals(x)" },
  ],
  spectral_norm: [{ inputs: { x: "f32[3, 3]" }, call: "spectral_norm(x)" }],
  nuclear_norm: [{ inputs: { x: "f32[3, 2]" }, call: "nuclear_norm(x)" }],
  condition_number: [{ inputs: { x: "f32[3, 2]" }, call: "condition_number(x)" }],
  jacobi_sweeps: [
    {
      declarations:
        "fn swept(x: f32[3, 3]) {\n  let (a, _) = jacobi_sweeps(x + transpose(x), eye(3), 1)\n  return a\n}",
      inputs: { x: "f32[3, 3]" },
      call: "swept(x)",
    },
  ],
  eigvalsh: [{ inputs: { x: "f32[4, 4]" }, call: "eigvalsh(x)" }],
  eigh: [
    {
      declarations: "fn vectors(x: f32[3, 3]) {\n  let (_, v) = eigh(x)\n  return v\n}",
      inputs: { x: "f32[3, 3]" },
      call: "vectors(x)",
    },
  ],
  spectral_radius: [{ inputs: { x: "f32[3, 3]" }, call: "spectral_radius(x, rounds: 8)", domain: { x: [0.1, 1] } }],
  cholesky: [{ inputs: { x: "f32[3, 3]" }, call: "cholesky(x @ transpose(x) + eye(3))" }],
  eliminated: [
    {
      declarations: "fn log_of(x: f32[3, 3]) {\n  let (_, _, l) = eliminated(x, eye(3))\n  return l\n}",
      inputs: { x: "f32[3, 3]" },
      call: "log_of(x)",
    },
  ],
  solve: [
    { inputs: { x: "f32[3, 3]", b: "f32[3]" }, call: "solve(x + 2 * eye(3), b)" },
    { inputs: { x: "f32[2, 2]", b: "f32[2, 3]" }, call: "solve(x + 2 * eye(2), b)" },
  ],
  inv: [{ inputs: { x: "f32[3, 3]" }, call: "inv(x + 2 * eye(3))" }],
  slogdet: [
    {
      declarations: "fn log_det(x: f32[3, 3]) {\n  let (s, l) = slogdet(x)\n  return s + l\n}",
      inputs: { x: "f32[3, 3]" },
      call: "log_det(x)",
    },
  ],
  det: [{ inputs: { x: "f32[3, 3]" }, call: "det(x)" }],
  lstsq: [{ inputs: { x: "f32[5, 2]", y: "f32[5]" }, call: "lstsq(x, y, ridge: 0.1)" }],
  matrix_power: [{ inputs: { x: "f32[3, 3]" }, call: "matrix_power(x, 3)" }],
  ...Object.fromEntries(
    [
      ["fft", 8],
      ["fft", 6],
      ["ifft", 4],
      ["fast_fourier", 4],
      ["slow_fourier", 3],
    ]
      .map(([name, n]) => [
        name,
        {
          declarations: `fn parts(a: f32[2, ${n}], b: f32[2, ${n}]) {\n  let (c, d) = ${name}(a, b)\n  return concat([c, d])\n}`,
          inputs: { a: `f32[2, ${n}]`, b: `f32[2, ${n}]` },
          call: "parts(a, b)",
        },
      ])
      .map(([name, sample], _, all) => [name, all.filter(([other]) => other === name).map(([, x]) => x ?? sample)]),
  ),
  causal_mask: [{ call: "where(causal_mask(4), 1.0, 0.0)" }],
  // augmentation
  random_flip: [{ inputs: images, call: "random_flip(x, 0.5)" }],
  random_crop: [
    { inputs: images, call: "random_crop(x, 2)" },
    { inputs: images, call: "random_crop(x, [3, 4], pad: 1)" },
  ],
  rotate: [
    { inputs: images, call: "rotate(x, 0.3)" },
    { inputs: { ...images, a: "f32[2]" }, call: "rotate(x, a)" },
  ],
  bilinear_at: [
    {
      inputs: { ...images, i: "f32[2, 2, 2]", j: "f32[2, 2, 2]" },
      call: "bilinear_at(x, i, j)",
      domain: { i: [-1, 4] },
    },
  ],
  random_rotate: [{ inputs: images, call: "random_rotate(x, 0.2)" }],
  random_cutout: [{ inputs: images, call: "random_cutout(x, 2)" }],
  random_noise: [{ inputs: images, call: "random_noise(x)" }],
  random_brightness: [{ inputs: images, call: "random_brightness(x, 0.2)" }],
  random_contrast: [{ inputs: images, call: "random_contrast(x, 0.2)" }],
  mixup: [
    {
      declarations: "fn mixed(x: f32[3, 2], q: f32[3, 2]) {\n  let (y, r) = mixup(x, q)\n  return y + r\n}",
      inputs: { x: "f32[3, 2]", q: "f32[3, 2]" },
      call: "mixed(x, q)",
    },
  ],
  beta_draws: [{ call: "beta_draws(5, 0.3)" }],
  standardised: [{ inputs: { x: "f32[4, 3]" }, call: "standardised(x)" }],
  orthonormal: [{ inputs: { x: "f32[3, 2]" }, call: "orthonormal(x)", orders: 1 }],
  orthogonalised: [{ inputs: { x: "f32[3, 2]" }, call: "orthogonalised(x)" }],
  middle: [{ inputs: { m: "f32[2, 3]" }, call: "middle([3, 2, 2, 3], m)" }],
  anneal: [
    { inputs: { t: "f32" }, call: "anneal(1, 0.2, t)", domain: { t: [0.1, 0.9] } },
    { inputs: { t: "f32" }, call: "anneal(1, 0.2, t, linear: true)", domain: { t: [0.1, 0.9] } },
  ],
  random_shift: [{ inputs: { x: "f32[2, 4, 4, 1]" }, call: "random_shift(x, 1)" }],
  // data: draws of no gradient
  class_weights: [{ inputs: { y: "i32[9] in 0..4" }, call: "class_weights(y, 5)" }],
  moons: [{ call: "moons()" }],
  circles: [{ call: "circles()" }],
  spirals: [{ call: "spirals(3)" }],
  blobs: [{ call: "blobs()" }],
  checkerboard: [{ call: "checkerboard()" }],
  sine_wave: [{ call: "sine_wave()" }],
  committee_teacher: [{ call: "committee_teacher()" }],
  tree_properties: [{ inputs: { i: "i32[] in 0..8" }, call: "tree_properties(i, 3)" }],
  descend: [
    { inputs: { c: "f32[3]", y: "f32[3]" }, call: "descend(|v| sum(tanh(v * c)^2 + 0.1 * v^4), y, iters: 3, lr: 0.2)" },
  ],
};

/** Layers that do something else in training. */
export const trained: Readonly<Record<string, readonly { readonly use: string; readonly type: string }[]>> = {
  ...trainedSequences,
  Dropout: [{ use: "Linear(3) |> Dropout(0.4)", type: "[5, 3]" }],
  PReLU: [{ use: "Linear(3) |> PReLU(3)", type: "[5, 3]" }],
  RReLU: [{ use: "Linear(3) |> RReLU()", type: "[5, 3]" }],
  augmentation: [
    {
      use: "random_rotate(0.2) |> random_shift(1) |> random_flip(0.5) |> random_cutout(1) |> random_crop(3, pad: 1) |> random_noise |> random_brightness(0.1) |> random_contrast(0.1) |> flatten |> Linear(2)",
      type: "[2, 4, 4, 1]",
    },
  ],
  BatchNorm: [{ use: "Linear(3) |> BatchNorm()", type: "[5, 3]" }],
  InstanceNorm: [
    { use: "Conv1d(2) |> InstanceNorm(track: true) |> Dropout1d(0.3) |> DropPath(0.3)", type: "[2, 5, 3]" },
  ],
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
  perceptron_rule: ["perceptron_rule(0.1)"],
  adagrad: ["adagrad(lr: 0.1)", "adagrad(lr: 0.1, lr_decay: 0.1, decay: 0.01, start: 0.1)"],
  adadelta: ["adadelta(lr: 10)"],
  adamax: ["adamax(lr: 0.1)"],
  nadam: ["nadam(lr: 0.1)", "nadam(lr: 0.1, decay: 0.01, decoupled: true)"],
  radam: ["radam(lr: 0.1)", "radam(lr: 0.1, b2: 0.9, decay: 0.01, decoupled: true)"],
  lion: ["lion(lr: 0.05)"],
  sign_sgd: ["sign_sgd(lr: 0.05)", "sign_sgd(lr: 0.05, b1: 0.5)"],
  trust_ratio: ["sgd(lr: 0.1) >> trust_ratio(0.1)"],
  lamb: ["lamb(lr: 0.1)"],
  lars: ["lars(lr: 1, trust: 0.1, momentum: 0.5)"],
  adabelief: ["adabelief(lr: 0.1)"],
  rprop: ["rprop()"],
  asgd: ["asgd(lr: 0.1)"],
  muon: ["muon(lr: 0.05)"],
  lbfgs: ["lbfgs(lr: 0.2, history: 4)"],
  gradient_noise: ["gradient_noise(1e-4) >> sgd(lr: 0.1)"],
  add_decay: ["add_decay(0.01) >> sgd(lr: 0.1)"],
  centralise: ["centralise() >> sgd(lr: 0.1)"],
  lookahead: ["adam(lr: 0.1) >> lookahead(k: 3)"],
  project_box: ["sgd(lr: 0.1) >> project_box(-1, 1)"],
  project_nonnegative: ["sgd(lr: 0.1) >> project_nonnegative()"],
  project_norm: ["sgd(lr: 0.1) >> project_norm(2)", "sgd(lr: 0.1) >> project_norm(2, by_unit: true)"],
  linear_warmup: ["sgd(lr: linear_warmup(0.1, warm: 10))"],
  warmup_linear: ["sgd(lr: warmup_linear(0.2, warm: 5, total: steps))"],
  cosine: ["sgd(lr: cosine(0.2, total: steps))"],
  cosine_warm_restarts: [
    "sgd(lr: cosine_warm_restarts(0.2, 5))",
    "sgd(lr: cosine_warm_restarts(0.2, 5, factor: 2, floor: 0.01))",
  ],
  cyclic: ["sgd(lr: cyclic(0.05, 0.2, up: 4, shrink: 0.5, gamma: 0.99))"],
  one_cycle: [
    "sgd(lr: one_cycle(0.2, total: steps))",
    "sgd(lr: one_cycle(0.2, total: steps, three_phase: true, linear: true))",
  ],
  linear: ["sgd(lr: linear(0.1))"],
  polynomial: ["sgd(lr: polynomial(0.2, total: steps, power: 2))"],
  multi_step: ["sgd(lr: multi_step(0.2, [10, 15]))"],
  inverse_time: ["sgd(lr: inverse_time(0.2, 0.1))"],
  inverse_sqrt: ["sgd(lr: inverse_sqrt(0.2, warm: 5))"],
  noam: ["sgd(lr: noam(16, warm: 5))"],
  reduce_on_plateau: ["sgd(lr: reduce_on_plateau(0.1, value: 1, when: true, patience: 5))"],
  constant: ["sgd(lr: constant(0.1))"],
  warmup_cosine: ["sgd(lr: warmup_cosine(0.2, warm: 5, total: steps, floor: 0.01))"],
  step_decay: ["sgd(lr: step_decay(0.2, 5, 0.5))"],
  exponential: ["sgd(lr: exponential(0.2, 0.95))"],
};
/** Initialisers and the mean (default 0) and deviation that they have on a [64, 32] matrix. */
export const initialisers: Readonly<
  Record<string, { readonly use: string; readonly mean?: number; readonly deviation: number }>
> = {
  linear_default: { use: "linear_default()", deviation: 1 / Math.sqrt(3 * 64) },
  glorot_uniform: { use: "glorot_uniform()", deviation: Math.sqrt(2 / 96) },
  glorot_normal: { use: "glorot_normal()", deviation: Math.sqrt(2 / 96) },
  he_normal: { use: "he_normal()", deviation: Math.sqrt(2 / 64) },
  bilinear_default: { use: "bilinear_default()", deviation: 1 / Math.sqrt(3 * 64) },
  he_uniform: { use: "he_uniform(backward: true)", deviation: Math.sqrt(2 / 32) },
  lecun_normal: { use: "lecun_normal()", deviation: 1 / 8 },
  lecun_uniform: { use: "lecun_uniform", deviation: 1 / 8 },
  truncated_normal: { use: "truncated_normal(0.02)", deviation: 0.02 * 0.8796 },
  orthogonal: { use: "orthogonal()", deviation: 1 / 8 },
  dirac: { use: "dirac()", mean: 1 / 64, deviation: Math.sqrt(63) / 64 },
  identity: { use: "identity(2)", mean: 2 / 64, deviation: (2 * Math.sqrt(63)) / 64 },
  delta_orthogonal: { use: "delta_orthogonal(2)", deviation: 1 / 4 },
  sparse: { use: "sparse(0.25)", deviation: 0.01 * Math.sqrt(0.75) },
};
