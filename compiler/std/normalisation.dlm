# Normalisation. Tensors are channels last; variances are biased and `eps` is added to them, as in PyTorch. Means and variances are those of the differences from one of the elements, so that values far from 0 lose nothing.

## Normalised over the last `axes` axes, then gain g and offset b, of the shape of these axes (of several: scale.g, scale.b). Normalises its input. A common choice: LayerNorm(). Also called LayerNormalization and layer_norm. `eps` is also called epsilon. `affine` is also called elementwise_affine. Its input says `normalized_shape`.
layer LayerNorm(eps: f32 in 0..1 = 1e-5, affine: bool = true, axes: int = 1, bias: bool = affine, weights: dist = ones,
                biases: dist = zeros)
               (x: f32[...S, C]) -> f32[...S, C] {
  param g: f32[C] ~ weights
  param b: f32[C] ~ biases
  let scale = Scale(affine, bias, weights, biases)
  let last = rank(x) - axes..rank(x)
  let near = x - stop(if axes == 1 then x[..., 0..1] else amin(x, axis: last, keep: true))
  let d = near - mean(near, axis: last, keep: true)
  let y = d / sqrt(mean(d^2, axis: last, keep: true) + eps)
  let z = if axes == 1 and affine then y * g else y
  return if axes > 1 then scale(y, sum(x, axis: 0..rank(x) - axes)) else if bias then z + b else z
}
## x / sqrt(mean(x^2) + eps) over the last `axes` axes, times the gain g, of the shape of these axes (of several: scale.g). Normalises its input. Also called RMSNormalization and rms_norm. `affine` is also called elementwise_affine. Its input says `normalized_shape`.
layer RMSNorm(eps: f32 in 0..1 = 1e-6, affine: bool = true, axes: int = 1, weights: dist = ones)
             (x: f32[...S, C]) -> f32[...S, C] {
  param g: f32[C] ~ weights
  let scale = Scale(affine, false, weights, zeros)
  let y = x / sqrt(mean(x^2, axis: rank(x) - axes..rank(x), keep: true) + eps)
  return if axes > 1 then scale(y, sum(x, axis: 0..rank(x) - axes)) else if affine then y * g else y
}
## x * g + b with a gain and an offset for every element of the last axes, whose shape is that of `like`.
layer Scale(affine: bool = true, bias: bool = true, weights: dist = ones, biases: dist = zeros)
           (x: f32[...S], like: f32[...N]) -> f32[...S] {
  param g: f32[...N] ~ weights
  param b: f32[...N] ~ biases
  let y = if affine then x * g else x
  return if bias then y + b else y
}
## Normalised over all axes but the last: by the batch in training (biased variance), by running statistics otherwise (which take the unbiased variance); with track: false always by the batch.
## Then gain g and offset b of each channel. The batch's statistics are those of the differences from its first row. Normalises its input. Also called BatchNormalization and batch_norm. `track` is also called track_running_stats. `eps` is also called epsilon. Its input says `num_features`.
layer BatchNorm(momentum: f32 in 0..1 = 0.1, eps: f32 in 0..1 = 1e-5, affine: bool = true, track: bool = true, weights: dist = ones,
                biases: dist = zeros)
               (x: f32[...S, C]) -> f32[...S, C] {
  param g: f32[C] ~ weights
  param b: f32[C] ~ biases
  state mu: f32[C] = 0
  state var: f32[C] = 1
  let n = size(x, axis: 0..-1)
  let first = if training or not track then stop(reshape[n, C](x)[0]) else mu
  let near = x - first
  let offset = if training or not track then mean(near, axis: 0..-1) else 0
  let m = first + offset
  let d = near - offset
  let v = if training or not track then mean(d^2, axis: 0..-1) else var
  next mu = mu + momentum * (m - mu), var = var + momentum * (v * n / max(n - 1, 1) - var)
  let y = d / sqrt(v + eps)
  return if affine then y * g + b else y
}
## BatchNorm of [B, C] or [B, L, C]. Takes channels last.
const BatchNorm1d = BatchNorm
## BatchNorm of [B, H, W, C]. Takes channels last.
const BatchNorm2d = BatchNorm
## BatchNorm of [B, D, H, W, C]. Takes channels last.
const BatchNorm3d = BatchNorm
## Normalised over all positions and the channels of each of `groups` groups of neighbouring channels, in every row of [B, ..., C] (Wu and He 2018). Then gain g and offset b of each channel. Normalises its input. Also called GroupNormalization and group_norm. `groups` is also called num_groups. `eps` is also called epsilon. In place of `num_channels`: nothing, the input says it.
layer GroupNorm(groups: int, eps: f32 in 0..1 = 1e-5, affine: bool = true, weights: dist = ones, biases: dist = zeros)
               (x: f32[B, ...S, C]) -> f32[B, ...S, C] {
  param g: f32[C] ~ weights
  param b: f32[C] ~ biases
  let rows = reshape[B, size(x, axis: 1..-1), groups, C / groups](x)
  let near = rows - stop(rows[:, 0..1, :, 0..1])
  let d = near - mean(near, axis: [1, 3], keep: true)
  let y = reshape[B, ...S, C](d / sqrt(mean(d^2, axis: [1, 3], keep: true) + eps))
  return if affine then y * g + b else y
}
## Normalised over all positions, each channel of each row of [B, ..., C] for itself (Ulyanov et al. 2016). With `affine` then gain g and offset b of each channel; with `track` by running statistics outside training
## (which take the unbiased variance). Normalises its input. Also called InstanceNormalization and instance_norm. `track` is also called track_running_stats. `eps` is also called epsilon. Its input says `num_features`.
layer InstanceNorm(momentum: f32 in 0..1 = 0.1, eps: f32 in 0..1 = 1e-5, affine: bool = false, track: bool = false,
                   weights: dist = ones, biases: dist = zeros)
                  (x: f32[B, ...S, C]) -> f32[B, ...S, C] {
  param g: f32[C] ~ weights
  param b: f32[C] ~ biases
  let n = size(x, axis: 1..-1)
  let rows = reshape[B, n, C](x)
  let near = rows - stop(rows[:, 0..1])
  let offset = mean(near, axis: 1, keep: true)
  let d = near - offset
  let v = mean(d^2, axis: 1, keep: true)
  let running = Running(momentum)
  let z = if track then running(rows, stop(rows[:, 0..1] + offset), v, eps) else d / sqrt(v + eps)
  let y = reshape[B, ...S, C](z)
  return if affine then y * g + b else y
}
## InstanceNorm of [B, L, C]. Takes channels last.
const InstanceNorm1d = InstanceNorm
## InstanceNorm of [B, H, W, C]. Takes channels last.
const InstanceNorm2d = InstanceNorm
## InstanceNorm of [B, D, H, W, C]. Takes channels last.
const InstanceNorm3d = InstanceNorm
## Rows [B, N, C] normalised by their own mean and variance in training, which running ones follow, and by these otherwise.
layer Running(momentum: f32 in 0..1 = 0.1)(x: f32[B, N, C], m: f32[B, 1, C], v: f32[B, 1, C], eps: f32) -> f32[B, N, C] {
  state mu: f32[C] = 0
  state var: f32[C] = 1
  next mu = mu + momentum * (mean(m, axis: 0..-1) - mu),
       var = var + momentum * (mean(v, axis: 0..-1) * N / max(N - 1, 1) - var)
  let near = if training then x - m else x - mu
  let d = if training then near - mean(near, axis: 1, keep: true) else near
  return d / sqrt((if training then v else var) + eps)
}
## x / (k + alpha * s)^beta, s the mean of the squares of the `n` channels around each, zeros outside (Krizhevsky et al. 2012). Also called local_response_norm, LocalResponseNormalization and LRN. `n` is also called size.
layer LocalResponseNorm(n: int, alpha: f32 = 1e-4, beta: f32 = 0.75, k: f32 = 1)(x: f32[...S, C]) -> f32[...S, C] {
  let squares = x^2
  let s = for ..., c in 0..C: sum over r in 0..n: squares[..., c + r - n // 2] ?? 0
  return x / (k + alpha * s / n)^beta
}
## w / |w| * g: every output (the last axis) has a direction and a length, which begins as `weights` (Salimans and Kingma 2016). Used as `Linear(8, normalise: WeightNorm())`; g: [out]. With lengths of one's own: weight_norm(w, g).
layer WeightNorm(weights: dist = ones)(w: f32[...K, O]) -> f32[...K, O] {
  param g: f32[O] ~ weights
  return weight_norm(w, g)
}
## w / |w| * g, |w| the 2-norm over all axes but the last.
fn weight_norm(w: f32[...K, O], g: f32[O]) -> f32[...K, O] = w * (g / sqrt(sum(w^2, axis: 0..-1)))
## w divided by its largest singular value as a matrix [all else, out], which `iterations` of the power method follow in training from the state u: [out] (Miyato et al. 2018). Used as `Linear(8, normalise: SpectralNorm())`.
## `iterations` is also called n_power_iterations.
layer SpectralNorm(iterations: int = 1, eps: f32 in 0..1 = 1e-12)(w: f32[...K, O]) -> f32[...K, O] {
  state u: f32[O] = l2_normalize(normal[O])
  let m = stop(reshape[size(w) // O, O](w))
  let rounds = if training then iterations else 0
  let after = fold (k in 0..rounds; a = u) {
    next a = l2_normalize(l2_normalize(m @ a, eps: eps) @ m, eps: eps)
  }
  next u = after
  let v = l2_normalize(m @ after, eps: eps)
  return w / sum(v * (reshape[size(w) // O, O](w) @ after))
}
