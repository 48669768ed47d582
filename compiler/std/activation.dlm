# Activations. Slopes at kinks are PyTorch's.

## max(x, 0); slope 0 at 0. A common choice: relu. Also called ReLU.
fn relu(x: f32[...S]) -> f32[...S] = where(x > 0, x, 0)
## relu limited to 6. Also called ReLU6.
fn relu6(x: f32[...S]) -> f32[...S] = hardtanh(x, 0, 6)
## x where positive, else slope * x. Also called LeakyReLU. `slope` is also called negative_slope.
fn leaky_relu(x: f32[...S], slope: f32 = 0.01) -> f32[...S] = where(x > 0, x, slope * x)
## x where positive, else alpha * (exp(x) - 1). Also called ELU.
fn elu(x: f32[...S], alpha: f32 = 1) -> f32[...S] = where(x > 0, x, alpha * expm1(where(x > 0, 0, x)))
## x where positive, else alpha * (exp(x / alpha) - 1). Also called CELU.
fn celu(x: f32[...S], alpha: f32 = 1) -> f32[...S] = where(x > 0, x, alpha * expm1(where(x > 0, 0, x) / alpha))
## Scaled elu that keeps mean and variance (Klambauer et al. 2017). Also called SELU.
fn selu(x: f32[...S]) -> f32[...S] =
  1.0507009873554805 * where(x > 0, x, 1.6732632423543772 * expm1(where(x > 0, 0, x)))
## x * Phi(x), Phi the normal distribution function. A common choice: gelu. Also called GELU.
fn gelu(x: f32[...S]) -> f32[...S] = 0.5 * x * (1 + erf(x * 0.7071067811865476))
## gelu by the tanh approximation. Also called gelu_new.
fn gelu_tanh(x: f32[...S]) -> f32[...S] = 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x^3)))
## x * sigmoid(1.702 x). Also called QuickGELU.
fn quick_gelu(x: f32[...S]) -> f32[...S] = x * sigmoid(1.702 * x)
## x * sigmoid(x). Also called SiLU, swish and Swish.
fn silu(x: f32[...S]) -> f32[...S] = x * sigmoid(x)
## x * tanh(softplus(x)). Also called Mish.
fn mish(x: f32[...S]) -> f32[...S] = x * tanh(softplus(x))
## log(1 + exp(beta x)) / beta; linear above the threshold. Also called Softplus.
fn softplus(x: f32[...S], beta: f32 = 1, threshold: f32 = 20) -> f32[...S] =
  where(beta * x > threshold, x, logaddexp(beta * x, 0) / beta)
## log(sigmoid(x)). Also called logsigmoid and LogSigmoid.
fn log_sigmoid(x: f32[...S]) -> f32[...S] = -logaddexp(-x, 0)
## x / (1 + |x|). Also called Softsign and soft_sign.
fn softsign(x: f32[...S]) -> f32[...S] = x / (1 + abs(x))
## x - tanh(x). Also called Tanhshrink and tanh_shrink.
fn tanhshrink(x: f32[...S]) -> f32[...S] = x - tanh(x)
## x above `threshold`, else `value`; slope 0 at the threshold. Also called Threshold.
fn threshold(x: f32[...S], threshold: f32, value: f32) -> f32[...S] = where(x > threshold, x, value)
## x where positive, else slope * x, by a slope that is learned: a number, or a tensor that is aligned with the last axes of x (He et al. 2015).
fn prelu(x: f32[...S], slope) -> f32[...S] = where(x > 0, x, slope * x)
## prelu with a slope of its own, `w`: [1], or [channels] where `channels` is the extent of the last axis. It begins at 0.25. Also called ParametricReLU and parametric_relu. `channels` is also called num_parameters. `weights` is also called alpha_initializer.
layer PReLU(channels: int in 1..inf = 1, weights: dist = 0.25)(x: f32[...S]) -> f32[...S] {
  param w: f32[channels] ~ weights
  return prelu(x, if channels == 1 then w[0] else w)
}
## x where positive, else slope * x: in training a slope for every element from lower..upper, otherwise their mean (Xu et al. 2015). Also called randomized_leaky_relu.
fn rrelu(x: f32[...S], lower: f32 in 0..inf = 1 / 8, upper: f32 in lower..inf = 1 / 3) -> f32[...S] =
  where(x > 0, x, x * (if training then uniform(lower, upper)[...S] else (lower + upper) / 2))
## rrelu as a layer. Also called RandomizedLeakyReLU.
layer RReLU(lower: f32 in 0..inf = 1 / 8, upper: f32 in lower..inf = 1 / 3)(x: f32[...S]) -> f32[...S] = rrelu(x, lower, upper)
## x outside -lambda..lambda, 0 inside. Also called Hardshrink and hard_shrink. `lambda` is also called lambd.
fn hardshrink(x: f32[...S], lambda: f32 in 0..inf = 0.5) -> f32[...S] = where(abs(x) > lambda, x, 0)
## x moved towards 0 by lambda. Also called Softshrink and soft_shrink. `lambda` is also called lambd.
fn softshrink(x: f32[...S], lambda: f32 in 0..inf = 0.5) -> f32[...S] =
  where(x > lambda, x - lambda, where(x < -lambda, x + lambda, 0))
## x limited to lo..hi; slope 0 at the bounds. Also called Hardtanh and hard_tanh. `lo` is also called min_val. `hi` is also called max_val.
fn hardtanh(x: f32[...S], lo: f32 = -1, hi: f32 = 1) -> f32[...S] = where(x <= lo, lo, where(x >= hi, hi, x))
## (x + 3) / 6 limited to 0..1. Gives probabilities. Its slope is at most 1/4. Also called Hardsigmoid and hard_sigmoid.
fn hardsigmoid(x: f32[...S]) -> f32[...S] = where(x <= -3, 0, where(x >= 3, 1, x / 6 + 0.5))
## x * hardsigmoid(x). Also called Hardswish, hard_swish and hard_silu.
fn hardswish(x: f32[...S]) -> f32[...S] = where(x < -3, 0, where(x <= 3, x * (x + 3) / 6, x))
## 0 below 0, 1 above, `at_zero` at 0; no gradient. Also called unit_step.
fn heaviside(x: f32[...S], at_zero: f32 = 0) -> f32[...S] = where(x > 0, 1.0, where(x < 0, 0.0, at_zero))
## The threshold unit of McCulloch and Pitts (1943): 1 where z is at least `threshold`, else 0; no gradient. `Linear(1, act: threshold_unit)` is a perceptron. Also called ThresholdUnit, threshold_gate and linear_threshold_unit.
fn threshold_unit(z: f32[...S], threshold: f32 = 0) -> f32[...S] = where(z >= threshold, 1.0, 0.0)
## The value y, with the gradient of x: what is rounded or chosen trains as if it were x (Bengio et al. 2013). Also called straight_through_estimator.
fn straight_through(y: f32[...S], x: f32[...S]) -> f32[...S] = stop(y) + (x - stop(x))
## 1 where x is at least 0, else 0; the gradient is 1 where |x| is at most `limit`, else 0. Also called ste_step and binary_step.
fn straight_through_step(x: f32[...S], limit: f32 in 0..inf = inf) -> f32[...S] =
  straight_through(where(x >= 0, 1.0, 0.0), where(abs(x) <= limit, x, stop(x)))
## sign(x), 0 at 0; the gradient is 1 where |x| is at most `limit`, else 0: a limit of 1 is that of binarised networks (Courbariaux et al. 2016). Also called ste_sign and binarize.
fn straight_through_sign(x: f32[...S], limit: f32 in 0..inf = inf) -> f32[...S] =
  straight_through(sign(x), where(abs(x) <= limit, x, stop(x)))
## The first half of `axis` times `gate` of the second half (Dauphin et al. 2017). Also called GLU and gated_linear_unit.
fn glu(x: f32[...S], axis: int = -1, gate: fn = sigmoid) {
  let (a, b) = split(x, 2, axis: axis)
  return a * gate(b)
}
## glu with relu as its gate (Shazeer 2020). Also called ReGLU.
fn reglu(x: f32[...S], axis: int = -1) = glu(x, axis, relu)
## glu with gelu as its gate (Shazeer 2020). Also called GEGLU.
fn geglu(x: f32[...S], axis: int = -1) = glu(x, axis, gelu)
## glu with silu as its gate (Shazeer 2020). Also called SwiGLU.
fn swiglu(x: f32[...S], axis: int = -1) = glu(x, axis, silu)
## The largest of every `pieces` neighbours on the last axis (Goodfellow et al. 2013). Also called MaxOut.
fn maxout(x: f32[...S, N], pieces: int in 1..inf) -> f32[...S, N / pieces] =
  amax(reshape[...S, N / pieces, pieces](x), axis: -1)
## exp(x) / sum(exp(x)) over `axis`. Gives probabilities. Also called Softmax.
fn softmax(x: f32[...S], axis: int = -1) -> f32[...S] {
  let e = exp(x - stop(max(x, axis: axis, keep: true)))
  return e / sum(e, axis: axis, keep: true)
}
## softmax(-x). Gives probabilities. Also called Softmin.
fn softmin(x: f32[...S], axis: int = -1) -> f32[...S] = softmax(-x, axis)
## x - log(sum(exp(x))) over `axis`. Also called LogSoftmax and logsoftmax.
fn log_softmax(x: f32[...S], axis: int = -1) -> f32[...S] {
  let z = x - stop(max(x, axis: axis, keep: true))
  return z - log(sum(exp(z), axis: axis, keep: true))
}
## softmax((x + Gumbel noise) / tau) over `axis`: a draw of a class that has a gradient (Jang et al. 2017), at every call, in exports too. `hard`: exactly
## one-hot, with the gradient of the soft draw. Gives probabilities. Also called GumbelSoftmax. `tau` is also called temperature.
fn gumbel_softmax(x: f32[...S], tau: f32 in 0..inf = 1, hard: bool = false, axis: int = -1) -> f32[...S] {
  let soft = softmax((x - log(-log1p(max(uniform[...S], 2^-24) - 1))) / tau, axis)
  return if hard then straight_through(one_hot_of_largest(soft, axis), soft) else soft
}
## 1 at the first largest element of `axis`, else 0; no gradient.
fn one_hot_of_largest(x: f32[...S], axis: int = -1) -> f32[...S] {
  let best = argmax(x, axis: axis)
  return move_axis(one_hot(best, size(x, axis: axis)), -1, axis)
}
