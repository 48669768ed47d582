# Losses. The per-sample values and their weights go to `reduce`: average (default), total or each.

## sum(l) / sum(w): the mean, weighted.
fn average(l: f32[...S], w: f32[...S] = 1) -> f32 = sum(l) / sum(w)
## sum(l).
fn total(l: f32[...S], w: f32[...S] = 1) -> f32 = sum(l)
## The values themselves.
fn each(l: f32[...S], w: f32[...S] = 1) -> f32[...S] = l

## Mean squared error. Less is better. Also called MSELoss, mse_loss, mean_squared_error, MeanSquaredError and l2_loss.
fn mse(p: f32[...S], y: f32[...S], reduce: fn = average) = reduce((p - y)^2)
## Mean absolute error. Less is better. Also called L1Loss and l1_loss.
fn l1(p: f32[...S], y: f32[...S], reduce: fn = average) = reduce(abs(p - y))
## Quadratic up to delta, linear beyond (Huber 1964): 0.5 d^2 or delta * (|d| - delta / 2). Less is better. Also called HuberLoss and huber_loss.
fn huber(p: f32[...S], y: f32[...S], delta: f32 = 1, reduce: fn = average) {
  let d = p - y
  return reduce(where(abs(d) <= delta, 0.5 * d^2, delta * (abs(d) - 0.5 * delta)))
}
## 0.5 d^2 / beta up to beta, |d| - beta / 2 beyond; l1 for a beta of 0. Less is better. Also called SmoothL1Loss and smooth_l1_loss.
fn smooth_l1(p: f32[...S], y: f32[...S], beta: f32 = 1, reduce: fn = average) {
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
## Binary cross-entropy of logits, stable for any size of z. `positive` weighs the positive class. Less is better. Takes logits. Also called BCEWithLogitsLoss, binary_cross_entropy_with_logits and sigmoid_binary_cross_entropy. `positive` is also called pos_weight.
fn bce_with_logits(z: f32[...S], y: f32[...S], positive = 1, reduce: fn = average) {
  let l: f32[...S] = (1 - y) * z + (1 + (positive - 1) * y) * logaddexp(-z, 0)
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
fn cross_entropy(logits: f32[...S, K], y: i32[...S] in -100..K, weight: f32[K] = 1, smooth: f32 = 0,
                 ignore: int = -100, reduce: fn = average) {
  let lp = log_softmax(logits)
  let w = for ...: where(y[...] == ignore, 0, weight[y[...]] ?? 0)
  let l = for ...: where(y[...] == ignore, 0, -(1 - smooth) * w[...] * (lp[..., y[...]] ?? 0)
                                              - smooth / K * sum over k: weight[k] * lp[..., k])
  return reduce(l, w)
}
## Sum of squares of all parameters of an instance. Also called l2_penalty and l2_regularization.
fn l2(net: fn) -> f32 = sum over w in net: sum(w^2)
## Sum of magnitudes of all parameters of an instance.
fn l1_penalty(net: fn) -> f32 = sum over w in net: sum(abs(w))
