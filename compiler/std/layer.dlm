# Layers: (hyper-parameters)(inputs). Tensors are channels last. Defaults and initialisation are PyTorch's.

## y = act(x W + b) over the last axis. w: [in, out], b: [out]. Applies `act` last. Also called Dense, dense, FullyConnected and fc. `out` is also called units, features and out_features. `act` is also called activation. `bias` is also called use_bias. `weights` is also called kernel_init and kernel_initializer.
layer Linear(out: int, act: fn = |y| y, bias: bool = true, weights: dist = linear_default())
            (x: f32[...S, I]) -> f32[...S, out] {
  param w: f32[I, out] ~ weights
  param b: f32[out] ~ uniform(-1, 1) / sqrt(I)
  let y = x @ w
  return act(if bias then y + b else y)
}
## In training every element is zero with probability p, the others are scaled by 1 / (1 - p). Drops features in training. Also called dropout. `p` is also called rate and dropout_rate.
layer Dropout(p: f32 = 0.5, always: bool = false)(x: f32[...S]) -> f32[...S] =
  if training or always then x * bernoulli(1 - p)[...S] / max(1 - p, 1e-37) else x
## Normalised over the last axis with the biased variance, then gain g and offset b. Mean and variance are those of the differences from the first element,
## so that values far from 0 lose nothing. Normalises its input. A common choice: LayerNorm(). Also called LayerNormalization and layer_norm. `eps` is also called epsilon. `affine` is also called elementwise_affine.
layer LayerNorm(eps: f32 = 1e-5, affine: bool = true)(x: f32[...S, C]) -> f32[...S, C] {
  param g: f32[C] ~ ones
  param b: f32[C] ~ zeros
  let near = x - stop(x[..., 0..1])
  let d = near - mean(near, axis: -1, keep: true)
  let y = d / sqrt(mean(d^2, axis: -1, keep: true) + eps)
  return if affine then y * g + b else y
}
## x / sqrt(mean(x^2) + eps) over the last axis, times the gain g. Normalises its input. Also called RMSNormalization and rms_norm.
layer RMSNorm(eps: f32 = 1e-6)(x: f32[...S, C]) -> f32[...S, C] {
  param g: f32[C] ~ ones
  return x / sqrt(mean(x^2, axis: -1, keep: true) + eps) * g
}
## Normalised over all axes but the last: by the batch in training (biased variance), by running statistics otherwise (which take the unbiased variance).
## The batch's are those of the differences from its first row. Normalises its input. Also called BatchNorm1d, BatchNorm2d, BatchNormalization and batch_norm.
layer BatchNorm(momentum: f32 = 0.1, eps: f32 = 1e-5, affine: bool = true)(x: f32[...S, C]) -> f32[...S, C] {
  param g: f32[C] ~ ones
  param b: f32[C] ~ zeros
  state mu: f32[C] = 0
  state var: f32[C] = 1
  let n = size(x) // C
  let first = if training then stop(reshape[n, C](x)[0]) else mu
  let near = x - first
  let offset = if training then mean(near, axis: 0..-1) else 0
  let m = first + offset
  let d = near - offset
  let v = if training then mean(d^2, axis: 0..-1) else var
  next mu = mu + momentum * (m - mu), var = var + momentum * (v * n / max(n - 1, 1) - var)
  let y = d / sqrt(v + eps)
  return if affine then y * g + b else y
}
## Extent after a window of k (dilated) moved by `stride` over n with `pad` on both sides.
fn window_out(n: int, k: int, stride: int, pad: int, dilate: int = 1, ceil_mode: bool = false) -> int {
  let out = (window_room(n, k, stride, pad, dilate) + (if ceil_mode then stride - 1 else 0)) // stride + 1
  return if ceil_mode and (out - 1) * stride >= n + pad then out - 1 else out
}
## 2-D convolution (cross-correlation). w: [k, k, in / groups, out], b: [out]. Also called Conv2D, Conv, conv2d and Convolution2D. `out` is also called filters and out_channels. `k` is also called kernel_size. `stride` is also called strides. `pad` is also called padding. `dilate` is also called dilation and dilation_rate. `groups` is also called feature_group_count.
layer Conv2d(out: int, k: int[2] = 3, stride: int[2] = 1, pad: int[2] = 0, dilate: int[2] = 1, groups: int = 1, bias: bool = true)
            (x: f32[B, H, W, C]) {
  param w: f32[k[0], k[1], C / groups, out] ~ linear_default()
  param b: f32[out] ~ uniform(-1, 1) / sqrt(k[0] * k[1] * C / groups)
  let h = window_out(H, k[0], stride[0], pad[0], dilate[0])
  let v = window_out(W, k[1], stride[1], pad[1], dilate[1])
  let xg = reshape[B, H, W, groups, C / groups](x)
  let wg = reshape[k[0], k[1], C / groups, groups, out / groups](w)
  let y = for b, i in 0..h, j in 0..v, g, o: sum over r, s, c:
    (xg[b, i * stride[0] + r * dilate[0] - pad[0], j * stride[1] + s * dilate[1] - pad[1], g, c] ?? 0) * wg[r, s, c, g, o]
  let z = reshape[B, h, v, out](y)
  return if bias then z + b else z
}
## Largest element of every window; ties give the gradient to the first. With ceil_mode a last window may reach beyond the padding. Also called MaxPool2D, MaxPooling2D, max_pool2d and max_pool. `k` is also called pool_size and window_shape.
layer MaxPool2d(k: int[2] = 2, stride: int[2] = k, pad: int[2] = 0, ceil_mode: bool = false)(x: f32[B, H, W, C]) =
  for b, i in 0..window_out(H, k[0], stride[0], pad[0], ceil_mode: ceil_mode), j in 0..window_out(W, k[1], stride[1], pad[1], ceil_mode: ceil_mode), c:
    max over r in 0..k[0], s in 0..k[1]: x[b, i * stride[0] + r - pad[0], j * stride[1] + s - pad[1], c] ?? -inf
## Mean of every window. The padding counts as zeros, or not at all without count_include_pad; with ceil_mode a last window may reach beyond
## the padding, and what lies there never counts. The mean of nothing is 0. Also called AvgPool2D, AveragePooling2D, avg_pool2d and avg_pool.
layer AvgPool2d(k: int[2] = 2, stride: int[2] = k, pad: int[2] = 0, ceil_mode: bool = false, count_include_pad: bool = true)(x: f32[B, H, W, C]) {
  let h = window_out(H, k[0], stride[0], pad[0], ceil_mode: ceil_mode)
  let w = window_out(W, k[1], stride[1], pad[1], ceil_mode: ceil_mode)
  let total = for b, i in 0..h, j in 0..w, c:
    sum over r in 0..k[0], s in 0..k[1]: x[b, i * stride[0] + r - pad[0], j * stride[1] + s - pad[1], c] ?? 0
  let whole = count_include_pad and not ceil_mode
  let top = if count_include_pad then 0 else pad[0]
  let left = if count_include_pad then 0 else pad[1]
  let cells = for i in 0..h, j in 0..w: sum over r in 0..k[0], s in 0..k[1]:
    f32(i * stride[0] + r >= top and i * stride[0] + r < H + 2 * pad[0] - top and j * stride[1] + s >= left and j * stride[1] + s < W + 2 * pad[1] - left)
  return if whole then total / (k[0] * k[1]) else for b, i, j, c: total[b, i, j, c] / max(cells[i, j], 1)
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
