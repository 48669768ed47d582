# Layers: (hyper-parameters)(inputs). Tensors are channels last. Defaults and initialisation are PyTorch's.

## y = act(x W + b) over the last axis. w: [in, out], b: [out]. Applies `act` last. Also called Dense, dense, FullyConnected and fc. `out` is also called units, features and out_features. `act` is also called activation. `bias` is also called use_bias. `weights` is also called kernel_init and kernel_initializer. Its input says `in_features`.
layer Linear(out: int, act: fn = |y| y, bias: bool = true, weights: dist = linear_default(), biases: dist = linear_default(), normalise: fn = |w| w)
            (x: f32[...S, I]) -> f32[...S, out] {
  let fan_in = I
  param w: f32[I, out] ~ weights
  param b: f32[out] ~ biases
  let y = x @ normalise(w)
  return act(if bias then y + b else y)
}
## Standardised by the mean and deviation of a data column: x |> Standardise(iris.x). A feature that is constant but for rounding (a deviation of
## 2^-23 of the mean at most) keeps its scale, as in scikit-learn: only its mean is subtracted. Also called Standardize, Normalization and StandardScaler.
layer Standardise(seen: f32[N, D])(x: f32[...S, D]) -> f32[...S, D] {
  let near = seen - seen[0]
  let offset = mean(near, axis: 0)
  state mu: f32[D] = seen[0] + offset
  state sd: f32[D] = sqrt(sum((near - offset)^2, axis: 0) / max(size(seen) // D - 1, 1))
  return (x - mu) / where(sd > 1.1920929e-7 * abs(mu), sd, 1)
}
