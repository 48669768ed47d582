# Convolutions. Tensors are channels last, [batch, positions..., channels]; defaults and initialisation are PyTorch's. One axis or two are computed as three, of which the first have extent 1.

## 1-D convolution (cross-correlation): y[b, i, o] = b[o] + sum over r, c: x[b, i * stride + r * dilate - pad, c] * w[r, c, o]. x: [B, L, in], y: [B, (L + 2 pad - dilate (k - 1) - 1) // stride + 1, out], w: [k, in / groups, out], b: [out].
## `pad` is a number, a list of [before, after] for each axis, or a rule: same, causal. What lies outside is `padding_mode`: a number, reflect, replicate or circular. `normalise` makes of w what is used: WeightNorm(), SpectralNorm(). Also called Conv1D and conv1d.
## `out` is also called filters and out_channels. `k` is also called kernel_size. `stride` is also called strides. `dilation` is also called dilation_rate. `groups` is also called feature_group_count. `weights` is also called kernel_initializer. `biases` is also called bias_initializer. `bias` is also called use_bias. Its input says `in_channels`. In place of `act` and `activation`: `|> relu` behind it. Takes channels last.
layer Conv1d(out: int, k: int[1] in 1..inf = 3, *, stride: int[1] = 1, pad = 0, dilate: int[1] = 1, groups: int = 1,
             bias: bool = true, weights: dist = linear_default(), biases: dist = linear_default(), padding_mode = 0,
             normalise: fn = |w| w, padding = pad, dilation: int[1] = dilate)
            (x: f32[B, L, C]) {
  let fan_in = k[0] * C / groups
  param w: f32[k[0], C / groups, out] ~ weights
  param b: f32[out] ~ biases
  let margin = margins([L], k, stride, dilation, padding)
  let y = with_rank(
    convolution(
      lifted(x),
      normalise(w),
      three(k, 1),
      three(stride, 1),
      margin,
      three(dilation, 1),
      groups,
      padding_mode
    ),
    rank(x)
  )
  return if bias then y + b else y
}
## 2-D convolution (cross-correlation), over x: [B, H, W, in]. w: [k, k, in / groups, out], b: [out]; all else as Conv1d, where a list names the two axes. Also called Conv2D, Conv, conv2d and Convolution2D.
## `out` is also called filters and out_channels. `k` is also called kernel_size. `stride` is also called strides. `dilation` is also called dilation_rate. `groups` is also called feature_group_count. `weights` is also called kernel_initializer. `biases` is also called bias_initializer. `bias` is also called use_bias. Its input says `in_channels`. In place of `act` and `activation`: `|> relu` behind it. Takes channels last.
layer Conv2d(out: int, k: int[2] in 1..inf = 3, *, stride: int[2] = 1, pad = 0, dilate: int[2] = 1, groups: int = 1,
             bias: bool = true, weights: dist = linear_default(), biases: dist = linear_default(), padding_mode = 0,
             normalise: fn = |w| w, padding = pad, dilation: int[2] = dilate)
            (x: f32[B, H, W, C]) {
  let fan_in = k[0] * k[1] * C / groups
  param w: f32[k[0], k[1], C / groups, out] ~ weights
  param b: f32[out] ~ biases
  let margin = margins([H, W], k, stride, dilation, padding)
  let y = with_rank(
    convolution(
      lifted(x),
      normalise(w),
      three(k, 1),
      three(stride, 1),
      margin,
      three(dilation, 1),
      groups,
      padding_mode
    ),
    rank(x)
  )
  return if bias then y + b else y
}
## 3-D convolution (cross-correlation), over x: [B, D, H, W, in]. w: [k, k, k, in / groups, out], b: [out]; all else as Conv1d, where a list names the three axes. Also called Conv3D and conv3d.
## `out` is also called filters and out_channels. `k` is also called kernel_size. `stride` is also called strides. `dilation` is also called dilation_rate. `groups` is also called feature_group_count. `weights` is also called kernel_initializer. `biases` is also called bias_initializer. `bias` is also called use_bias. Its input says `in_channels`. In place of `act` and `activation`: `|> relu` behind it. Takes channels last.
layer Conv3d(out: int, k: int[3] in 1..inf = 3, *, stride: int[3] = 1, pad = 0, dilate: int[3] = 1, groups: int = 1,
             bias: bool = true, weights: dist = linear_default(), biases: dist = linear_default(), padding_mode = 0,
             normalise: fn = |w| w, padding = pad, dilation: int[3] = dilate)
            (x: f32[B, D, H, W, C]) {
  let fan_in = k[0] * k[1] * k[2] * C / groups
  param w: f32[k[0], k[1], k[2], C / groups, out] ~ weights
  param b: f32[out] ~ biases
  let margin = margins([D, H, W], k, stride, dilation, padding)
  let y = with_rank(
    convolution(
      lifted(x),
      normalise(w),
      three(k, 1),
      three(stride, 1),
      margin,
      three(dilation, 1),
      groups,
      padding_mode
    ),
    rank(x)
  )
  return if bias then y + b else y
}
## 1-D transposed convolution, the derivative of a convolution by its input: y[b, p, o] = b[o] + sum over i, r with i * stride + r * dilate - pad == p, c: x[b, i, c] * w[r, c, o].
## x: [B, L, in], y: [B, (L - 1) stride - 2 pad + dilate (k - 1) + output_pad + 1, out], w: [k, in, out / groups], b: [out]. Initialised by the fan out / groups * k, as in PyTorch. Also called Conv1DTranspose and ConvTranspose1D.
## `out` is also called filters and out_channels. `k` is also called kernel_size. `stride` is also called strides. Its input says `in_channels`. In place of `act` and `activation`: `|> relu` behind it. Takes channels last.
layer ConvTranspose1d(out: int, k: int[1] in 1..inf = 3, *, stride: int[1] = 1, pad = 0, output_pad: int[1] = 0, groups: int = 1,
                      bias: bool = true, dilate: int[1] = 1, weights: dist = linear_default(),
                      biases: dist = linear_default(), normalise: fn = |w| w, padding = pad,
                      output_padding: int[1] = output_pad, dilation: int[1] = dilate)
                     (x: f32[B, L, C]) {
  let fan_in = k[0] * out / groups
  param w: f32[k[0], C, out / groups] ~ weights
  param b: f32[out] ~ biases
  let margin = margins([L], k, stride, dilation, padding)
  let y = with_rank(
    transposed_convolution(
      lifted(x),
      normalise(w),
      three(k, 1),
      three(stride, 1),
      margin,
      three(dilation, 1),
      groups,
      three(output_padding, 0)
    ),
    rank(x)
  )
  return if bias then y + b else y
}
## 2-D transposed convolution, over x: [B, H, W, in]. w: [k, k, in, out / groups], b: [out]; all else as ConvTranspose1d. Also called Conv2DTranspose, ConvTranspose2D, Deconvolution2D and ConvTranspose.
## `out` is also called filters and out_channels. `k` is also called kernel_size. `stride` is also called strides. Its input says `in_channels`. In place of `act` and `activation`: `|> relu` behind it. Takes channels last.
layer ConvTranspose2d(out: int, k: int[2] in 1..inf = 3, *, stride: int[2] = 1, pad = 0, output_pad: int[2] = 0, groups: int = 1,
                      bias: bool = true, dilate: int[2] = 1, weights: dist = linear_default(),
                      biases: dist = linear_default(), normalise: fn = |w| w, padding = pad,
                      output_padding: int[2] = output_pad, dilation: int[2] = dilate)
                     (x: f32[B, H, W, C]) {
  let fan_in = k[0] * k[1] * out / groups
  param w: f32[k[0], k[1], C, out / groups] ~ weights
  param b: f32[out] ~ biases
  let margin = margins([H, W], k, stride, dilation, padding)
  let y = with_rank(
    transposed_convolution(
      lifted(x),
      normalise(w),
      three(k, 1),
      three(stride, 1),
      margin,
      three(dilation, 1),
      groups,
      three(output_padding, 0)
    ),
    rank(x)
  )
  return if bias then y + b else y
}
## 3-D transposed convolution, over x: [B, D, H, W, in]. w: [k, k, k, in, out / groups], b: [out]; all else as ConvTranspose1d. Also called Conv3DTranspose and ConvTranspose3D.
## `out` is also called filters and out_channels. `k` is also called kernel_size. `stride` is also called strides. Its input says `in_channels`. In place of `act` and `activation`: `|> relu` behind it. Takes channels last.
layer ConvTranspose3d(out: int, k: int[3] in 1..inf = 3, *, stride: int[3] = 1, pad = 0, output_pad: int[3] = 0, groups: int = 1,
                      bias: bool = true, dilate: int[3] = 1, weights: dist = linear_default(),
                      biases: dist = linear_default(), normalise: fn = |w| w, padding = pad,
                      output_padding: int[3] = output_pad, dilation: int[3] = dilate)
                     (x: f32[B, D, H, W, C]) {
  let fan_in = k[0] * k[1] * k[2] * out / groups
  param w: f32[k[0], k[1], k[2], C, out / groups] ~ weights
  param b: f32[out] ~ biases
  let margin = margins([D, H, W], k, stride, dilation, padding)
  let y = with_rank(
    transposed_convolution(
      lifted(x),
      normalise(w),
      three(k, 1),
      three(stride, 1),
      margin,
      three(dilation, 1),
      groups,
      three(output_padding, 0)
    ),
    rank(x)
  )
  return if bias then y + b else y
}
## The windows of an image as rows: [B, H, W, C] becomes [B, windows, C * k * k], the elements of a channel side by side. Also called im2col.
## `k` is also called kernel_size.
layer Unfold(k: int[2], stride: int[2] = 1, pad = 0, dilate: int[2] = 1, padding = pad, dilation: int[2] = dilate)
            (x: f32[B, H, W, C]) =
  patches(x, k, stride, margins([H, W], k, stride, dilation, padding), dilation)
## The images of `out` (height and width) whose windows are the rows of x, overlapping elements added up: the transpose of Unfold. Also called col2im.
## `k` is also called kernel_size. `out` is also called output_size.
layer Fold(out: int[2], k: int[2], stride: int[2] = 1, pad = 0, dilate: int[2] = 1, padding = pad,
           dilation: int[2] = dilate)
          (x: f32[B, N, K]) {
  let image = zeros[B, out[0], out[1], K / (k[0] * k[1])]
  return grad(sum(patches(image, k, stride, margins(out, k, stride, dilation, padding), dilation) * x), wrt: image)
}
## What Unfold gives, for amounts before and after each axis.
fn patches(x: f32[B, H, W, C], k: int[2], stride: int[2], margin, dilate: int[2]) {
  let h = window_moves(H, k[0], stride[0], margin[1], dilate[0])
  let v = window_moves(W, k[1], stride[1], margin[2], dilate[1])
  let y = for b, i in 0..h, j in 0..v, c, r in 0..k[0], s in 0..k[1]:
    x[b, i * stride[0] + r * dilate[0] - margin[1][0], j * stride[1] + s * dilate[1] - margin[2][0], c] ?? 0
  return reshape[B, h * v, C * k[0] * k[1]](y)
}
## The cross-correlation that Conv1d, Conv2d and Conv3d are made of. `margin`: before and after each axis.
fn convolution(x: f32[B, D, H, W, C], w: f32[...K, I, O], k: int[3], stride: int[3], margin, dilate: int[3],
               groups: int, padding_mode = 0) {
  let none = [[0, 0], [0, 0], [0, 0]]
  let within = if callable(padding_mode) then none else margin
  let outside = if callable(padding_mode) then 0 else padding_mode
  let a = if callable(padding_mode) then surrounded(x, margin, padding_mode) else x
  let d = window_moves(size(a, 1), k[0], stride[0], within[0], dilate[0])
  let h = window_moves(size(a, 2), k[1], stride[1], within[1], dilate[1])
  let v = window_moves(size(a, 3), k[2], stride[2], within[2], dilate[2])
  let xg = reshape[B, size(a, 1), size(a, 2), size(a, 3), groups, I](a)
  let wg = reshape[k[0], k[1], k[2], I, groups, O / groups](w)
  let y = for b, i in 0..d, j in 0..h, l in 0..v, g, o:
    sum over r, s, t, c:
      (
          xg[
            b,
            i * stride[0] + r * dilate[0] - within[0][0],
            j * stride[1] + s * dilate[1] - within[1][0],
            l * stride[2] + t * dilate[2] - within[2][0],
            g,
            c
          ] ?? outside
        )
        * wg[r, s, t, c, g, o]
  return reshape[B, d, h, v, O](y)
}
## x with what a padding mode reads around it, one axis after another.
fn surrounded(x: f32[B, D, H, W, C], margin, mode: fn) {
  let (d, h, w) = (margin[0], margin[1], margin[2])
  let u =
    if w[0] + w[1] == 0 then x
    else for b, i, j, l in 0..W + w[0] + w[1], c: mode(|p| x[b, i, j, p, c] ?? 0, l - w[0], W)
  let v =
    if h[0] + h[1] == 0 then u
    else for b, i, j in 0..H + h[0] + h[1], l, c: mode(|p| u[b, i, p, l, c] ?? 0, j - h[0], H)
  return if d[0] + d[1] == 0 then v
  else for b, i in 0..D + d[0] + d[1], j, l, c: mode(|p| v[b, p, j, l, c] ?? 0, i - d[0], D)
}
## What ConvTranspose1d, ConvTranspose2d and ConvTranspose3d are made of: written as the derivative that it is, so that only the elements of w that meet an element of x are multiplied.
fn transposed_convolution(x: f32[B, D, H, W, C], w: f32[...K, C, O], k: int[3], stride: int[3], margin, dilate: int[3],
                          groups: int, output_pad: int[3]) {
  let d = transposed_out(D, k[0], stride[0], margin[0], dilate[0], output_pad[0])
  let h = transposed_out(H, k[1], stride[1], margin[1], dilate[1], output_pad[1])
  let v = transposed_out(W, k[2], stride[2], margin[2], dilate[2], output_pad[2])
  let xg = reshape[B, D, H, W, groups, C / groups](x)
  let wg = reshape[k[0], k[1], k[2], groups, C / groups, O](w)
  let z = zeros[B, d, h, v, groups, O]
  let y = for b, i in 0..D, j in 0..H, l in 0..W, g, c:
    sum over r, s, t, o:
      (
          z[
            b,
            i * stride[0] + r * dilate[0] - margin[0][0],
            j * stride[1] + s * dilate[1] - margin[1][0],
            l * stride[2] + t * dilate[2] - margin[2][0],
            g,
            o
          ] ?? 0
        )
        * wg[r, s, t, g, c, o]
  # where all windows lie in the margin y is free of z; floor(z) has slope 0 and costs nothing
  return reshape[B, d, h, v, groups * O](grad(sum(y * xg) + sum(floor(z)), wrt: z))
}
## [B, L, C], [B, H, W, C] or [B, D, H, W, C] with three axes of positions, of which the first may have extent 1.
fn lifted(x: f32[B, ...S, C]) =
  if rank(x) == 3 then reshape[B, 1, 1, size(x, 1), C](x)
  else if rank(x) == 4 then reshape[B, 1, size(x, 1), size(x, 2), C](x)
  else x
## What `lifted` made of a tensor of this rank, with the axes that it had.
fn with_rank(x: f32[B, D, H, W, C], n: int) =
  if n == 3 then reshape[B, W, C](x) else if n == 4 then reshape[B, H, W, C](x) else x
## Extent after a transposed convolution: (n - 1) stride - margin + dilate (k - 1) + output_pad + 1.
fn transposed_out(n: int, k: int, stride: int, margin: int[2], dilate: int, output_pad: int) -> int =
  (n - 1) * stride - margin[0] - margin[1] + dilate * (k - 1) + output_pad + 1
## A rule for `pad`: as much before and after as makes ceil(n / stride) positions, an odd element after.
fn same(n: int, k: int, stride: int, dilate: int) -> int[2] {
  let all = max(((n + stride - 1) // stride - 1) * stride + dilate * (k - 1) + 1 - n, 0)
  return [all // 2, all - all // 2]
}
## As `same`, an odd element before.
fn same_lower(n: int, k: int, stride: int, dilate: int) -> int[2] {
  let m = same(n, k, stride, dilate)
  return [m[1], m[0]]
}
## A rule for `pad`: nothing.
fn valid(n: int, k: int, stride: int, dilate: int) -> int[2] = [0, 0]
## A rule for `pad`: dilate * (k - 1) before, so that no position sees a later one.
fn causal(n: int, k: int, stride: int, dilate: int) -> int[2] = [dilate * (k - 1), 0]
## Before and after each of three axes, of what `pad` says of the last N: a number for all, a list of one for each, a list of [before, after] for each, or a rule (n, k, stride, dilate) for all.
fn margins(n: int[N], k: int[N], stride: int[N], dilate: int[N], pad) {
  let at = |i| if callable(pad) then pad(n[i], k[i], stride[i], dilate[i])
  else if rank(pad) == 2 then pad[i]
  else both_sides(n, pad, i)
  return if N == 3 then [at(0), at(1), at(2)] else if N == 2 then [[0, 0], at(0), at(1)] else [[0, 0], [0, 0], at(0)]
}
## pad[i] twice.
fn both_sides(n: int[N], pad: int[N], i: int) -> int[2] = [pad[i], pad[i]]
## Three numbers: those of the last N axes, `fill` for the others.
fn three(v: int[N], fill: int) -> int[3] =
  if N == 3 then v else if N == 2 then [fill, v[0], v[1]] else [fill, fill, v[0]]
## Extent after a window of k (dilated) moved by `stride` over n with margin[0] elements before and margin[1] after. With ceil_mode a last window may reach beyond, if it begins within.
fn window_moves(n: int, k: int, stride: int, margin: int[2], dilate: int = 1, ceil_mode: bool = false) -> int {
  let room =
    if margin[0] == margin[1] then window_room(n, k, stride, margin[0], dilate)
    else window_room(n + margin[0] + margin[1], k, stride, 0, dilate)
  let out = (room + (if ceil_mode then stride - 1 else 0)) // stride + 1
  return if ceil_mode and (out - 1) * stride >= n + margin[0] then out - 1 else out
}
## As window_moves, with `pad` on both sides.
fn window_out(n: int, k: int, stride: int, pad: int, dilate: int = 1, ceil_mode: bool = false) -> int =
  window_moves(n, k, stride, [pad, pad], dilate, ceil_mode)
