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
## x outside -lambda..lambda, 0 inside. Also called Hardshrink and hard_shrink. `lambda` is also called lambd.
fn hardshrink(x: f32[...S], lambda: f32 = 0.5) -> f32[...S] = where(abs(x) > lambda, x, 0)
## x moved towards 0 by lambda. Also called Softshrink and soft_shrink. `lambda` is also called lambd.
fn softshrink(x: f32[...S], lambda: f32 = 0.5) -> f32[...S] =
  where(x > lambda, x - lambda, where(x < -lambda, x + lambda, 0))
## x limited to lo..hi; slope 0 at the bounds. Also called Hardtanh and hard_tanh. `lo` is also called min_val. `hi` is also called max_val.
fn hardtanh(x: f32[...S], lo: f32 = -1, hi: f32 = 1) -> f32[...S] = where(x <= lo, lo, where(x >= hi, hi, x))
## (x + 3) / 6 limited to 0..1. Gives probabilities. Its slope is at most 1/4. Also called Hardsigmoid and hard_sigmoid.
fn hardsigmoid(x: f32[...S]) -> f32[...S] = where(x <= -3, 0, where(x >= 3, 1, x / 6 + 0.5))
## x * hardsigmoid(x). Also called Hardswish, hard_swish and hard_silu.
fn hardswish(x: f32[...S]) -> f32[...S] = where(x < -3, 0, where(x <= 3, x * (x + 3) / 6, x))
## 0 below 0, 1 above, `at_zero` at 0; no gradient. Also called unit_step.
fn heaviside(x: f32[...S], at_zero: f32 = 0) -> f32[...S] = where(x > 0, 1.0, where(x < 0, 0.0, at_zero))
## The first half of the last axis, gated by the sigmoid of the second. Also called GLU.
fn glu(x: f32[...S, N]) -> f32[...S, N / 2] {
  let (a, b) = split(x, 2, axis: -1)
  return a * sigmoid(b)
}
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
