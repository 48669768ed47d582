# Losses. The per-sample values and their weights go to `reduce`: average (default), total or each.

## sum(l) / sum(w): the mean, weighted.
fn average(l: f32[...S], w: f32[...S] = 1) -> f32 = sum(l) / sum(w)
## sum(l).
fn total(l: f32[...S], w: f32[...S] = 1) -> f32 = sum(l)
## The values themselves.
fn each(l: f32[...S], w: f32[...S] = 1) -> f32[...S] = l

## sum(l) divided by the extent of the first axis, PyTorch's `batchmean`.
fn batch_mean(l: f32[B, ...S], w: f32[B, ...S] = 1) -> f32 = sum(l) / B

## Mean squared error. Less is better. Also called MSELoss, mse_loss, mean_squared_error, MeanSquaredError and l2_loss.
fn mse(p: f32[...S], y: f32[...S], reduce: fn = average) = reduce((p - y)^2)
## Mean absolute error. Less is better. Also called L1Loss and l1_loss.
fn l1(p: f32[...S], y: f32[...S], reduce: fn = average) = reduce(abs(p - y))
## Quadratic up to delta, linear beyond (Huber 1964): 0.5 d^2 or delta * (|d| - delta / 2). Less is better. Also called HuberLoss and huber_loss.
fn huber(p: f32[...S], y: f32[...S], delta: f32 in 0..inf = 1, reduce: fn = average) {
  let d = p - y
  return reduce(where(abs(d) <= delta, 0.5 * d^2, delta * (abs(d) - 0.5 * delta)))
}
## 0.5 d^2 / beta up to beta, |d| - beta / 2 beyond; l1 for a beta of 0. Less is better. Also called SmoothL1Loss and smooth_l1_loss.
fn smooth_l1(p: f32[...S], y: f32[...S], beta: f32 in 0..inf = 1, reduce: fn = average) {
  let d = p - y
  return reduce(where(abs(d) < beta, 0.5 * d^2 / max(beta, 1e-37), abs(d) - 0.5 * beta))
}
## Binary cross-entropy of probabilities; the logarithms are at least -100, the slope (p - y) / max(p * (1 - p), 1e-12). `weight` broadcasts over the last axes. Less is better. Also called BCELoss, binary_cross_entropy, BinaryCrossentropy and binary_crossentropy.
fn bce(p: f32[...S], y: f32[...S], weight = 1, reduce: fn = average) {
  let plain = -y * clamp_log(p) - (1 - y) * clamp_log(1 - p)
  # where the logarithms are no longer differentiated: their value, and a parabola of PyTorch's slope that is 0 here
  let end = stop(plain) + 5e11 * ((p - y)^2 - stop((p - y)^2))
  let l: f32[...S] = weight * where(p * (1 - p) >= 1e-12, plain, end)
  return reduce(l)
}
## max(log(p), -100).
fn clamp_log(p: f32[...S]) -> f32[...S] = where(p > 3.8e-44, log(where(p > 3.8e-44, p, 1)), -100)
## Binary cross-entropy of logits, stable for any size of z. `positive` weighs the positive class, `weight` the elements; both broadcast over the last axes. Less is better. Takes logits. Also called BCEWithLogitsLoss, binary_cross_entropy_with_logits and sigmoid_binary_cross_entropy. `positive` is also called pos_weight.
fn bce_with_logits(z: f32[...S], y: f32[...S], positive = 1, reduce: fn = average, weight = 1) {
  let l: f32[...S] = weight * ((1 - y) * z + (1 + (positive - 1) * y) * logaddexp(-z, 0))
  return reduce(l)
}
## Short for bce_with_logits. Less is better. Takes logits.
fn bce_logits(z: f32[...S], y: f32[...S], reduce: fn = average) = bce_with_logits(z, y, 1, reduce)
## Negative log-likelihood of class numbers y under log-probabilities lp; y == ignore counts neither way. Less is better. Also called NLLLoss and nll_loss.
fn nll(lp: f32[...S, K], y: i32[...S] in -100..K, weight: f32[K] = 1, ignore: int = -100, reduce: fn = average) {
  let w = for ...: where(y[...] == ignore, 0, weight[y[...]] ?? 0)
  let l = for ...: where(y[...] == ignore, 0, -w[...] * (lp[..., y[...]] ?? 0))
  return reduce(l, w)
}
## Cross-entropy of class numbers y under logits. `weight` per class (the average divides by the weights), label smoothing `smooth`, y == ignore counts neither way. Less is better. Takes logits. Also called CrossEntropyLoss, cross_entropy_loss, softmax_cross_entropy, softmax_cross_entropy_with_integer_labels, SparseCategoricalCrossentropy, sparse_categorical_crossentropy and categorical_crossentropy. `smooth` is also called label_smoothing. `ignore` is also called ignore_index. `reduce` is also called reduction.
fn cross_entropy(logits: f32[...S, K], y: i32[...S] in -100..K, weight: f32[K] = 1, smooth: f32 in 0..1 = 0,
                 ignore: int = -100, reduce: fn = average) {
  let lp = log_softmax(logits)
  let w = for ...: where(y[...] == ignore, 0, weight[y[...]] ?? 0)
  let l = for ...: where(y[...] == ignore, 0, -(1 - smooth) * w[...] * (lp[..., y[...]] ?? 0)
                                              - smooth / K * sum over k: weight[k] * lp[..., k])
  return reduce(l, w)
}
## Cross-entropy of class probabilities q (one-hot, smoothed, mixed) under logits: -sum(weight * q * log_softmax(logits)) over the last axis. `smooth` mixes
## in a uniform share. The average divides by the number of samples, with class weights too. Less is better. Takes logits. Also called softmax_cross_entropy_with_probabilities, soft_cross_entropy and CategoricalCrossentropy.
fn cross_entropy_probs(logits: f32[...S, K], q: f32[...S, K], weight: f32[K] = 1, smooth: f32 in 0..1 = 0, reduce: fn = average) =
  reduce(-sum(weight * ((1 - smooth) * q + smooth / K) * log_softmax(logits), axis: -1))
## Binary cross-entropy of logits times (1 - p)^gamma, p the probability of what is true (Lin et al. 2017); with alpha in 0..1 positives weigh alpha, negatives
## 1 - alpha; below 0 there are no weights. Less is better. Takes logits. Also called sigmoid_focal_loss, BinaryFocalCrossentropy and FocalLoss.
fn focal(z: f32[...S], y: f32[...S], gamma: f32 in 0..inf = 2, alpha: f32 in -1..1 = -1, reduce: fn = average) {
  let wrong = y * sigmoid(-z) + (1 - y) * sigmoid(z)
  let l = safe_pow(wrong, gamma) * bce_with_logits(z, y, reduce: each)
  return reduce(l * where(alpha < 0, 1, alpha * y + (1 - alpha) * (1 - y)))
}
## Cross-entropy of class numbers under logits, times (1 - p)^gamma, p the probability of the class (Lin et al. 2017). Less is better. Takes logits. Also called CategoricalFocalCrossentropy.
fn focal_cross_entropy(logits: f32[...S, K], y: i32[...S] in 0..K, gamma: f32 in 0..inf = 2, weight: f32[K] = 1, reduce: fn = average) {
  let l = cross_entropy(logits, y, reduce: each)
  let w = for ...: weight[y[...]]
  return reduce(w * safe_pow(-expm1(-l), gamma) * l)
}
## Dice loss of every sample: 1 - (2 sum(p * y) + smooth) / (sum(p) + sum(y) + smooth) over all axes but the first (Milletari et al. 2016). Less is better. Also called DiceLoss and dice_loss.
fn dice(p: f32[B, ...S], y: f32[B, ...S], smooth: f32 in 0..inf = 1, reduce: fn = average) {
  let (a, b, both) = (sum(flatten(p), axis: -1), sum(flatten(y), axis: -1), sum(flatten(p * y), axis: -1))
  return reduce(1 - (2 * both + smooth) / (a + b + smooth))
}

## log(cosh(p - y)), quadratic near 0 and linear beyond. Less is better. Also called LogCosh.
fn log_cosh(p: f32[...S], y: f32[...S], reduce: fn = average) = reduce(logaddexp(p - y, y - p) - log(2.0))
## Of the quantile q: q * d or (q - 1) * d, d = y - p (Koenker and Bassett 1978). Less is better. Also called pinball_loss.
fn quantile(p: f32[...S], y: f32[...S], q: f32 in 0..1 = 0.5, reduce: fn = average) =
  reduce(where(y > p, q * (y - p), (1 - q) * (p - y)))
## Kullback-Leibler divergence q * (log(q) - log_p) of every element, log_p log-probabilities and q probabilities, or with `log_target` their logarithms; 0 log 0 is 0.
## The average divides by all elements, `reduce: batch_mean` by the first axis alone. Less is better. Also called KLDivLoss, KLDivergence and kl_divergence.
fn kl_div(log_p: f32[...S], q: f32[...S], log_target: bool = false, reduce: fn = average) =
  reduce(if log_target then exp(q) * (q - log_p) else where(q > 0, q * log(where(q > 0, q, 1)), 0) - q * log_p)
## KL(N(mu, exp(log_variance)) || N(0, 1)), summed over the last axis (Kingma and Welling 2014). Less is better.
fn kl_normal(mu: f32[...S, D], log_variance: f32[...S, D], reduce: fn = average) =
  reduce(0.5 * sum(mu^2 + exp(log_variance) - 1 - log_variance, axis: -1))
## Negative evidence lower bound of a variational autoencoder with binary outputs: bce_with_logits summed over the features, plus beta * kl_normal, averaged over
## the rows (Kingma and Welling 2014; beta: Higgins et al. 2017). Less is better. Takes logits. Also called vae_elbo.
fn vae_loss(z: f32[B, ...S], y: f32[B, ...S], mu: f32[B, D], log_variance: f32[B, D], beta: f32 in 0..inf = 1) -> f32 =
  bce_with_logits(z, y, reduce: batch_mean) + beta * kl_normal(mu, log_variance)
## Poisson: exp(x) - y * x, x the logarithm of the rate, or without `log_input` x - y * log(x + eps). `full` adds Stirling's y log(y) - y + log(2 pi y) / 2 where y is above 1. Less is better. Also called PoissonNLLLoss and poisson_nll_loss.
fn poisson_nll(x: f32[...S], y: f32[...S], log_input: bool = true, full: bool = false, eps: f32 in 0..inf = 1e-8, reduce: fn = average) {
  let l = if log_input then exp(x) - y * x else x - y * log(x + eps)
  let y1 = where(y > 1, y, 1)
  return reduce(if full then l + where(y > 1, y1 * log(y1) - y1 + 0.5 * log(2 * pi * y1), 0) else l)
}
## Normal: (log(v) + (mean - y)^2 / v) / 2, v the variance, at least eps, with the gradient as if it were not limited. `full` adds log(2 pi) / 2. Less is better. Also called GaussianNLLLoss and gaussian_nll_loss.
fn gaussian_nll(mean: f32[...S], y: f32[...S], variance: f32[...S], full: bool = false, eps: f32 in 0..inf = 1e-6, reduce: fn = average) {
  let v = straight_through(max(variance, eps), variance)
  let l = 0.5 * (log(v) + (mean - y)^2 / v)
  return reduce(if full then l + 0.5 * log(2 * pi) else l)
}

## The perceptron criterion (step(z) - y) * z for classes 0 and 1, 0 where the answer z >= 0 is right: its gradient by z is answer - y. Less is better.
fn perceptron_loss(z: f32[...S], y: f32[...S], reduce: fn = average) = reduce((threshold_unit(z) - y) * z)
## max(0, margin - y * score) for y of -1 and 1; slope 0 at the margin. Less is better. Also called Hinge, hinge_loss and svm_loss.
fn hinge(score: f32[...S], y: f32[...S], margin: f32 = 1, reduce: fn = average) = reduce(relu(margin - y * score))
## max(0, margin - y * score)^2 for y of -1 and 1. Less is better. Also called SquaredHinge.
fn squared_hinge(score: f32[...S], y: f32[...S], margin: f32 = 1, reduce: fn = average) = reduce(relu(margin - y * score)^2)
## x where y is 1, max(0, margin - x) where y is -1; slope -1 at the margin. Less is better. Also called HingeEmbeddingLoss and hinge_embedding_loss.
fn hinge_embedding(x: f32[...S], y: f32[...S], margin: f32 = 1, reduce: fn = average) = reduce(where(y > 0, x, clamp(margin - x, 0)))
## log(1 + exp(-y * x)) for y of -1 and 1. Less is better. Also called SoftMarginLoss, soft_margin_loss and logistic_loss.
fn soft_margin(x: f32[...S], y: f32[...S], reduce: fn = average) = reduce(logaddexp(-y * x, 0))
## Over the wrong classes k: sum(max(0, margin - x[y] + x[k])^p) * weight[y] / classes. Less is better. Also called MultiMarginLoss, multi_margin_loss and CategoricalHinge.
fn multi_margin(x: f32[...S, K], y: i32[...S] in 0..K, p: int in 1..3 = 1, margin: f32 = 1, weight: f32[K] = 1, reduce: fn = average) {
  let own = for ...: x[..., y[...]]
  let w = for ...: weight[y[...]]
  return reduce(for ...: w[...] / K * sum over k: where(k == y[...], 0, relu(margin - own[...] + x[..., k])^p))
}
## Over pairs of a class i that holds (y 1) and one that does not (y 0): sum(max(0, 1 - x[i] + x[j])) / classes. Less is better. Also called MultiLabelMarginLoss and multilabel_margin_loss.
fn multilabel_margin(x: f32[...S, K], y: f32[...S, K], reduce: fn = average) =
  reduce(for ...: 1 / K * sum over i, j: where(y[..., i] > 0.5 and y[..., j] <= 0.5, relu(1 - x[..., i] + x[..., j]), 0))
## bce_with_logits averaged over the classes, the last axis, times a weight per class. Less is better. Takes logits. Also called MultiLabelSoftMarginLoss and multilabel_soft_margin_loss.
fn multilabel_soft_margin(x: f32[...S, K], y: f32[...S, K], weight: f32[K] = 1, reduce: fn = average) =
  reduce(mean(weight * bce_with_logits(x, y, reduce: each), axis: -1))
## max(0, margin - y * (a - b)): a should be larger where y is 1, smaller where y is -1; at the margin the slope is that above it. Less is better. Also called MarginRankingLoss and margin_ranking_loss.
fn margin_ranking(a: f32[...S], b: f32[...S], y: f32[...S], margin: f32 = 0, reduce: fn = average) =
  reduce(clamp(margin - y * (a - b), 0))
## 1 - cos(a, b) where y is 1, max(0, cos(a, b) - margin) where y is -1, over the last axis; 1e-12 is added to both squared norms. Less is better. Also called CosineEmbeddingLoss and cosine_embedding_loss.
fn cosine_embedding(a: f32[...S, D], b: f32[...S, D], y: f32[...S], margin: f32 = 0, reduce: fn = average) {
  let c = sum(a * b, axis: -1) / sqrt((sum(a^2, axis: -1) + 1e-12) * (sum(b^2, axis: -1) + 1e-12))
  return reduce(where(y > 0, 1 - c, clamp(c - margin, 0)))
}
## max(0, d(anchor, positive) - d(anchor, negative) + margin), d the p-norm of the difference + eps over the last axis. `swap` takes d(positive, negative) where it
## is the smaller (Balntas et al. 2016). Less is better. Also called TripletMarginLoss, triplet_margin_loss, triplet_loss and triplet.
fn triplet_margin(anchor: f32[...S, D], positive: f32[...S, D], negative: f32[...S, D], margin: f32 = 1, p = 2, eps: f32 in 0..inf = 1e-6,
                  swap: bool = false, reduce: fn = average) {
  let near = pairwise_distance(anchor, positive, eps, p)
  let far = pairwise_distance(anchor, negative, eps, p)
  return reduce(clamp(near - (if swap then min(far, pairwise_distance(positive, negative, eps, p)) else far) + margin, 0))
}
## (same * d^2 + (1 - same) * max(0, margin - d)^2) / 2 for distances d, same 1 for alike pairs, else 0 (Hadsell et al. 2006). Less is better. Also called ContrastiveLoss and contrastive_loss.
fn contrastive(distance: f32[...S], same: f32[...S], margin: f32 = 1, reduce: fn = average) =
  reduce(0.5 * (same * distance^2 + (1 - same) * relu(margin - distance)^2))
## InfoNCE: cross-entropy of picking b[n] for a[n] among all rows of b, by cosines / tau (van den Oord et al. 2018); `both` averages it with that of picking
## a for b, as CLIP does (Radford et al. 2021). Less is better. Also called InfoNCE, clip_loss and ntxent. `tau` is also called temperature.
fn info_nce(a: f32[N, D], b: f32[N, D], tau = 0.07, both: bool = false, reduce: fn = average) {
  let z = l2_normalize(a) @ transpose(l2_normalize(b)) / tau
  let own = for n in 0..N: n
  let forth = cross_entropy(z, own, reduce: reduce)
  return if both then 0.5 * (forth + cross_entropy(transpose(z), own, reduce: reduce)) else forth
}
## Two views a[n], b[n] of every row, each to be told from all other rows of both (SimCLR, Chen et al. 2020). Less is better. Also called NTXentLoss. `tau` is also called temperature.
fn nt_xent(a: f32[N, D], b: f32[N, D], tau = 0.5, reduce: fn = average) {
  let x = l2_normalize(concat([a, b]))
  let s = x @ transpose(x) / tau
  let z = for i, j: where(i == j, -inf, s[i, j])
  return cross_entropy(z, for i in 0..2 * N: (i + N) % (2 * N), reduce: reduce)
}
## Connectionist temporal classification (Graves et al. 2006), one loss for every row: -log of the probability that log_p, time first, spells the target, with
## `blank` between and around its symbols. What lies behind input_length and target_length is not read. A target that does not fit into its input costs 3.4e38, or with
## `zero_infinity` 0, without gradient. PyTorch's mean is mean(ctc_loss(...) / f32(max(target_length, 1))). Less is better. Also called CTCLoss and ctc.
fn ctc_loss(log_p: f32[T, N, K], target: i32[N, L] in 0..K, input_length: i32[N] in 0..T + 1, target_length: i32[N] in 0..L + 1,
            blank: int in 0..K = 0, zero_infinity: bool = false, reduce: fn = each) {
  # places: blank, symbol 1, blank, symbol 2, ..., blank
  let symbol = for n, s in 0..2 * L + 1: where(s % 2 == 0, blank, target[n, s // 2] ?? blank)
  let jump = for n, s: s % 2 == 1 and symbol[n, s] != (symbol[n, s - 2] ?? blank)
  let begin = for n in 0..N, s in 0..2 * L + 1: where(s == 0, 0.0, -inf)
  let a = fold (lp in log_p, t in 0..T; a = begin) {
    let from = for n, s: logaddexp(logaddexp(a[n, s], a[n, s - 1] ?? -inf), where(jump[n, s], a[n, s - 2] ?? -inf, -inf))
    let moved = for n, s: from[n, s] + lp[n, symbol[n, s]]
    next a = for n, s: where(t < input_length[n], moved[n, s], a[n, s])
  }
  let l = for n: -logaddexp(a[n, 2 * target_length[n]] ?? -inf, a[n, 2 * target_length[n] - 1] ?? -inf)
  return reduce(if zero_infinity then where(l > 1e30, 0, l) else l)
}

## Softmax over many classes by frequency (Grave et al. 2017): the first cutoffs[0] classes and one entry for every cluster of rarer ones come from the head, the
## classes of cluster i from two matrices through in / div^(i + 1) features. `layer(x)` gives log-probabilities [..., classes], `layer(x, y)` the mean negative
## log-likelihood of classes y (`reduce: each`: of every row). Less is better. Also called AdaptiveLogSoftmaxWithLoss. `div` is also called div_value. `bias` is also called head_bias. `classes` is also called n_classes. Its input says `in_features`.
layer AdaptiveLogSoftmax(classes: int in 2..inf, cutoffs: int[M], div: f32 in 1..inf = 4, bias: bool = false)
                        (x: f32[...S, I], y = -1, reduce: fn = average) {
  let head = Linear(cutoffs[0] + M, bias: bias)
  let z = log_softmax(head(x))
  let (_, _, lp) = (x, z, z[..., 0..cutoffs[0]]) |> stack i in 0..M of AdaptiveCluster(
    i, cutoffs[i], if i + 1 < M then cutoffs[i + 1] else classes, floor(I / div^(i + 1)), cutoffs[0])
  return if rank(y) == 0 then lp else nll(lp, y, reduce: reduce)
}
## A cluster of AdaptiveLogSoftmax: the log-probabilities of classes lo..hi behind those of the classes before, from the head's entry of the cluster.
layer AdaptiveCluster(i: int, lo: int, hi: int, hidden: int, first: int)(x: f32[...S, I], head: f32[...S, H], before: f32[...S, N]) {
  let z = x |> Linear(hidden, bias: false) |> Linear(hi - lo, bias: false) |> log_softmax
  return (x, head, concat([before, z + head[..., first + i..first + i + 1]], axis: -1))
}

## Sum of squares of all parameters of an instance. Also called l2_penalty and l2_regularization.
fn l2(net: fn) -> f32 = sum over w in net: sum(w^2)
## Sum of magnitudes of all parameters of an instance.
fn l1_penalty(net: fn) -> f32 = sum over w in net: sum(abs(w))
## l1 * sum of magnitudes + l2 * sum of squares of all parameters of an instance (Zou and Hastie 2005). Also called L1L2.
fn elastic_net(net: fn, l1: f32 in 0..inf = 0.01, l2: f32 in 0..inf = 0.01) -> f32 = sum over w in net: l1 * sum(abs(w)) + l2 * sum(w^2)
## Sum of the squares of w^T w - 1, or of w w^T - 1 where there are fewer rows than columns; 0 for what is orthogonal. Also called OrthogonalRegularizer.
fn orthogonality(w: f32[I, O]) -> f32 = sum(((if I < O then w @ transpose(w) else transpose(w) @ w) - eye(min(I, O)))^2)
## (l1 * sum of magnitudes + l2 * sum of squares) / rows of what a layer gives. Also called ActivityRegularization and activity_regularizer.
fn activity_penalty(h: f32[B, ...S], l1: f32 in 0..inf = 0, l2: f32 in 0..inf = 0) -> f32 = (l1 * sum(abs(h)) + l2 * sum(h^2)) / B
## Sum over units of KL(target || mean of h over the rows), h in 0..1: units of a sparse autoencoder are active with probability `target`.
fn sparsity(h: f32[B, H], target: f32 in 0..1 = 0.05) -> f32 {
  let m = clamp(mean(h, axis: 0), 1e-6, 1 - 1e-6)
  return sum(target * log(target / m) + (1 - target) * log((1 - target) / (1 - m)))
}
