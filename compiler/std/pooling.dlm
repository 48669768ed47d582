# Pooling. Tensors are channels last, [batch, positions..., channels]; defaults are PyTorch's. `k`, `stride` and `dilate` are a number or a list of one for each axis, `pad` as for Conv1d. Fractional pooling is left out.

## Largest element of every window; ties give the gradient to the first. With ceil_mode a last window may reach beyond the padding. With `indices` also where it lies, counted row by row in its image: (y, i). Also called MaxPool1D, MaxPooling1D and max_pool1d. `k` is also called pool_size and window_shape. Takes channels last.
layer MaxPool1d(k: int[1] = 2, stride: int[1] = k, pad = 0, ceil_mode: bool = false, dilate: int[1] = 1,
                indices: bool = false, padding = pad, dilation: int[1] = dilate)
               (x: f32[B, L, C]) {
  let (y, at) = max_windows(
    lifted(x),
    three(k, 1),
    three(stride, 1),
    margins([L], k, stride, dilation, padding),
    three(dilation, 1),
    ceil_mode
  )
  let z = with_rank(y, 3)
  return if indices then (z, reshape[B, size(z, 1), C](at)) else z
}
## Largest element of every window; ties give the gradient to the first. With ceil_mode a last window may reach beyond the padding. With `indices` also where it lies, counted row by row in its image: (y, i). Also called MaxPool2D, MaxPooling2D, max_pool2d and max_pool. `k` is also called pool_size and window_shape. Takes channels last.
layer MaxPool2d(k: int[2] = 2, stride: int[2] = k, pad = 0, ceil_mode: bool = false, dilate: int[2] = 1,
                indices: bool = false, padding = pad, dilation: int[2] = dilate)
               (x: f32[B, H, W, C]) {
  let (y, at) = max_windows(
    lifted(x),
    three(k, 1),
    three(stride, 1),
    margins([H, W], k, stride, dilation, padding),
    three(dilation, 1),
    ceil_mode
  )
  let z = with_rank(y, 4)
  return if indices then (z, reshape[B, size(z, 1), size(z, 2), C](at)) else z
}
## Largest element of every window, over three axes; all else as MaxPool2d. Also called MaxPool3D, MaxPooling3D and max_pool3d. `k` is also called pool_size and window_shape. Takes channels last.
layer MaxPool3d(k: int[3] = 2, stride: int[3] = k, pad = 0, ceil_mode: bool = false, dilate: int[3] = 1,
                indices: bool = false, padding = pad, dilation: int[3] = dilate)
               (x: f32[B, D, H, W, C]) {
  let (y, at) = max_windows(x, k, stride, margins([D, H, W], k, stride, dilation, padding), dilation, ceil_mode)
  return if indices then (y, at) else y
}
## y where `indices` of MaxPool1d say that it was, 0 elsewhere; where several windows name an element, their mean. `out` is the extent of the result, (L - 1) stride - 2 pad + k by default. Also called max_unpool1d. `k` is also called kernel_size. `out` is also called output_size.
layer MaxUnpool1d(k: int[1] = 2, stride: int[1] = k, pad: int[1] = 0, out: int[1] = 0, padding: int[1] = pad)
                 (y: f32[B, L, C], indices: i32[B, L, C]) =
  with_rank(
    unpooled(
      lifted(y),
      reshape[B, 1, 1, L, C](indices),
      three(k, 1),
      three(stride, 1),
      three(padding, 0),
      three(out, 0)
    ),
    3
  )
## y where `indices` of MaxPool2d say that it was, 0 elsewhere: `x |> MaxPool2d(2, indices: true) |> MaxUnpool2d(2)`; all else as MaxUnpool1d. Also called max_unpool2d. `k` is also called kernel_size. `out` is also called output_size.
layer MaxUnpool2d(k: int[2] = 2, stride: int[2] = k, pad: int[2] = 0, out: int[2] = 0, padding: int[2] = pad)
                 (y: f32[B, H, W, C], indices: i32[B, H, W, C]) =
  with_rank(
    unpooled(
      lifted(y),
      reshape[B, 1, H, W, C](indices),
      three(k, 1),
      three(stride, 1),
      three(padding, 0),
      three(out, 0)
    ),
    4
  )
## y where `indices` of MaxPool3d say that it was, 0 elsewhere; all else as MaxUnpool1d. Also called max_unpool3d. `k` is also called kernel_size. `out` is also called output_size.
layer MaxUnpool3d(k: int[3] = 2, stride: int[3] = k, pad: int[3] = 0, out: int[3] = 0, padding: int[3] = pad)
                 (y: f32[B, D, H, W, C], indices: i32[B, D, H, W, C]) =
  unpooled(y, indices, k, stride, padding, out)
## Mean of every window. The padding counts as zeros, or not at all without count_include_pad; with ceil_mode a last window may reach beyond
## the padding, and what lies there never counts. The mean of nothing is 0. `divisor`, where it is not 0, is divided by instead. Also called AvgPool1D, AveragePooling1D and avg_pool1d. `k` is also called pool_size and window_shape. `divisor` is also called divisor_override. Takes channels last.
layer AvgPool1d(k: int[1] = 2, stride: int[1] = k, pad = 0, ceil_mode: bool = false, count_include_pad: bool = true,
                dilate: int[1] = 1, divisor: int = 0, padding = pad, dilation: int[1] = dilate)
               (x: f32[B, L, C]) =
  with_rank(
    average_pool(
      lifted(x),
      three(k, 1),
      three(stride, 1),
      margins([L], k, stride, dilation, padding),
      three(dilation, 1),
      ceil_mode,
      count_include_pad,
      divisor
    ),
    3
  )
## Mean of every window. The padding counts as zeros, or not at all without count_include_pad; with ceil_mode a last window may reach beyond
## the padding, and what lies there never counts. The mean of nothing is 0. `divisor`, where it is not 0, is divided by instead. Also called AvgPool2D, AveragePooling2D, avg_pool2d and avg_pool. `k` is also called pool_size and window_shape. `divisor` is also called divisor_override. Takes channels last.
layer AvgPool2d(k: int[2] = 2, stride: int[2] = k, pad = 0, ceil_mode: bool = false, count_include_pad: bool = true,
                dilate: int[2] = 1, divisor: int = 0, padding = pad, dilation: int[2] = dilate)
               (x: f32[B, H, W, C]) =
  with_rank(
    average_pool(
      lifted(x),
      three(k, 1),
      three(stride, 1),
      margins([H, W], k, stride, dilation, padding),
      three(dilation, 1),
      ceil_mode,
      count_include_pad,
      divisor
    ),
    4
  )
## Mean of every window, over three axes; all else as AvgPool2d. Also called AvgPool3D, AveragePooling3D and avg_pool3d. `k` is also called pool_size and window_shape. `divisor` is also called divisor_override. Takes channels last.
layer AvgPool3d(k: int[3] = 2, stride: int[3] = k, pad = 0, ceil_mode: bool = false, count_include_pad: bool = true,
                dilate: int[3] = 1, divisor: int = 0, padding = pad, dilation: int[3] = dilate)
               (x: f32[B, D, H, W, C]) =
  average_pool(
    x,
    k,
    stride,
    margins([D, H, W], k, stride, dilation, padding),
    dilation,
    ceil_mode,
    count_include_pad,
    divisor
  )
## (sum x^p)^(1/p) over every window: a sum, not a mean, of signed powers for a whole p (as in PyTorch), of powers of magnitudes for another; a negative sum gives minus the root of its magnitude. The gradient at a sum of 0 is 0. Also called lp_pool1d. `p` is also called norm_type. `k` is also called kernel_size. Takes channels last.
layer LPPool1d(p, k: int[1] = 2, stride: int[1] = k, pad = 0, ceil_mode: bool = false, dilate: int[1] = 1,
               padding = pad, dilation: int[1] = dilate)
              (x: f32[B, L, C]) =
  with_rank(
    power_pool(
      lifted(x),
      p,
      three(k, 1),
      three(stride, 1),
      margins([L], k, stride, dilation, padding),
      three(dilation, 1),
      ceil_mode
    ),
    3
  )
## (sum x^p)^(1/p) over every window; all else as LPPool1d. Also called lp_pool2d and LpPool. `p` is also called norm_type. `k` is also called kernel_size. Takes channels last.
layer LPPool2d(p, k: int[2] = 2, stride: int[2] = k, pad = 0, ceil_mode: bool = false, dilate: int[2] = 1,
               padding = pad, dilation: int[2] = dilate)
              (x: f32[B, H, W, C]) =
  with_rank(
    power_pool(
      lifted(x),
      p,
      three(k, 1),
      three(stride, 1),
      margins([H, W], k, stride, dilation, padding),
      three(dilation, 1),
      ceil_mode
    ),
    4
  )
## (sum x^p)^(1/p) over every window of three axes; all else as LPPool1d. Also called lp_pool3d. `p` is also called norm_type. `k` is also called kernel_size. Takes channels last.
layer LPPool3d(p, k: int[3] = 2, stride: int[3] = k, pad = 0, ceil_mode: bool = false, dilate: int[3] = 1,
               padding = pad, dilation: int[3] = dilate)
              (x: f32[B, D, H, W, C]) =
  power_pool(x, p, k, stride, margins([D, H, W], k, stride, dilation, padding), dilation, ceil_mode)
## log(mean(exp(beta x))) / beta over every window, a smooth maximum (Pinheiro and Collobert 2015); with average: false of the sum. What lies outside does not count. Takes channels last.
layer LSEPool1d(k: int[1] = 2, stride: int[1] = k, pad = 0, beta: f32 = 1, average: bool = true,
                ceil_mode: bool = false, dilate: int[1] = 1, padding = pad, dilation: int[1] = dilate)
               (x: f32[B, L, C]) =
  with_rank(
    smooth_pool(
      lifted(x),
      beta,
      average,
      three(k, 1),
      three(stride, 1),
      margins([L], k, stride, dilation, padding),
      three(dilation, 1),
      ceil_mode
    ),
    3
  )
## log(mean(exp(beta x))) / beta over every window; all else as LSEPool1d. Also called logsumexp_pool2d. Takes channels last.
layer LSEPool2d(k: int[2] = 2, stride: int[2] = k, pad = 0, beta: f32 = 1, average: bool = true,
                ceil_mode: bool = false, dilate: int[2] = 1, padding = pad, dilation: int[2] = dilate)
               (x: f32[B, H, W, C]) =
  with_rank(
    smooth_pool(
      lifted(x),
      beta,
      average,
      three(k, 1),
      three(stride, 1),
      margins([H, W], k, stride, dilation, padding),
      three(dilation, 1),
      ceil_mode
    ),
    4
  )
## log(mean(exp(beta x))) / beta over every window of three axes; all else as LSEPool1d. Takes channels last.
layer LSEPool3d(k: int[3] = 2, stride: int[3] = k, pad = 0, beta: f32 = 1, average: bool = true,
                ceil_mode: bool = false, dilate: int[3] = 1, padding = pad, dilation: int[3] = dilate)
               (x: f32[B, D, H, W, C]) =
  smooth_pool(x, beta, average, k, stride, margins([D, H, W], k, stride, dilation, padding), dilation, ceil_mode)
## The mean of `out` stretches of the axis, from floor(i n / out) to ceil((i + 1) n / out). [B, L, C] becomes [B, out, C]. Also called adaptive_avg_pool1d. `out` is also called output_size. Takes channels last.
layer AdaptiveAvgPool1d(out: int[1])(x: f32[B, L, C]) =
  with_rank(adaptive_average(lifted(x), three(out, 1)), 3)
## The mean of `out` stretches of each axis, from floor(i n / out) to ceil((i + 1) n / out). [B, H, W, C] becomes [B, out, out, C]. Also called adaptive_avg_pool2d. `out` is also called output_size. Takes channels last.
layer AdaptiveAvgPool2d(out: int[2])(x: f32[B, H, W, C]) =
  with_rank(adaptive_average(lifted(x), three(out, 1)), 4)
## The mean of `out` stretches of each of three axes; all else as AdaptiveAvgPool2d. Also called adaptive_avg_pool3d. `out` is also called output_size. Takes channels last.
layer AdaptiveAvgPool3d(out: int[3])(x: f32[B, D, H, W, C]) = adaptive_average(x, out)
## The largest element of `out` stretches of the axis, from floor(i n / out) to ceil((i + 1) n / out). [B, L, C] becomes [B, out, C]. Also called adaptive_max_pool1d. `out` is also called output_size. Takes channels last.
layer AdaptiveMaxPool1d(out: int[1])(x: f32[B, L, C]) =
  with_rank(adaptive_largest(lifted(x), three(out, 1)), 3)
## The largest element of `out` stretches of each axis; all else as AdaptiveAvgPool2d; ties give the gradient to the first. Also called adaptive_max_pool2d. `out` is also called output_size. Takes channels last.
layer AdaptiveMaxPool2d(out: int[2])(x: f32[B, H, W, C]) =
  with_rank(adaptive_largest(lifted(x), three(out, 1)), 4)
## The largest element of `out` stretches of each of three axes; all else as AdaptiveMaxPool2d. Also called adaptive_max_pool3d. `out` is also called output_size. Takes channels last.
layer AdaptiveMaxPool3d(out: int[3])(x: f32[B, D, H, W, C]) = adaptive_largest(x, out)
## The mean over all positions: [B, ..., C] becomes [B, C], or with `keep` extents of 1 between. Also called GlobalAveragePooling2D, GlobalAveragePool and global_avg_pool.
layer GlobalAvgPool(keep: bool = false)(x: f32[B, ...S, C]) = mean(x, axis: 1..-1, keep: keep)
## The mean over all positions of [B, L, C], as GlobalAvgPool.
const GlobalAvgPool1d = GlobalAvgPool
## The mean over all positions of [B, H, W, C], as GlobalAvgPool.
const GlobalAvgPool2d = GlobalAvgPool
## The mean over all positions of [B, D, H, W, C], as GlobalAvgPool.
const GlobalAvgPool3d = GlobalAvgPool
## The largest element over all positions: [B, ..., C] becomes [B, C], or with `keep` extents of 1 between; ties give the gradient to the first. Also called GlobalMaxPooling2D and global_max_pool.
layer GlobalMaxPool(keep: bool = false)(x: f32[B, ...S, C]) = max(x, axis: 1..-1, keep: keep)
## The largest element over all positions of [B, L, C], as GlobalMaxPool.
const GlobalMaxPool1d = GlobalMaxPool
## The largest element over all positions of [B, H, W, C], as GlobalMaxPool.
const GlobalMaxPool2d = GlobalMaxPool
## The largest element over all positions of [B, D, H, W, C], as GlobalMaxPool.
const GlobalMaxPool3d = GlobalMaxPool

## How often windows fit: of each of three axes the extent after them.
fn windows(n: int[3], k: int[3], stride: int[3], margin, dilate: int[3], ceil_mode: bool) -> int[3] =
  [
    window_moves(n[0], k[0], stride[0], margin[0], dilate[0], ceil_mode),
    window_moves(n[1], k[1], stride[1], margin[1], dilate[1], ceil_mode),
    window_moves(n[2], k[2], stride[2], margin[2], dilate[2], ceil_mode)
  ]
## The largest element of every window, and its place in the image, row by row.
fn max_windows(x: f32[B, D, H, W, C], k: int[3], stride: int[3], margin, dilate: int[3], ceil_mode: bool) {
  let n = windows([D, H, W], k, stride, margin, dilate, ceil_mode)
  let y = for b, i in 0..n[0], j in 0..n[1], l in 0..n[2], c:
    max over r in 0..k[0], s in 0..k[1], t in 0..k[2]:
      x[
        b,
        i * stride[0] + r * dilate[0] - margin[0][0],
        j * stride[1] + s * dilate[1] - margin[1][0],
        l * stride[2] + t * dilate[2] - margin[2][0],
        c
      ] ?? -inf
  let best = for b, i in 0..n[0], j in 0..n[1], l in 0..n[2], c:
    argmax over r in 0..k[0], s in 0..k[1], t in 0..k[2]:
      x[
        b,
        i * stride[0] + r * dilate[0] - margin[0][0],
        j * stride[1] + s * dilate[1] - margin[1][0],
        l * stride[2] + t * dilate[2] - margin[2][0],
        c
      ] ?? -inf
  let at = for b, i, j, l, c:
    (
          (i * stride[0] + best[b, i, j, l, c] // (k[1] * k[2]) * dilate[0] - margin[0][0]) * H + j * stride[1]
            + best[b, i, j, l, c] // k[2] % k[1] * dilate[1] - margin[1][0]
        )
        * W
      + l * stride[2] + best[b, i, j, l, c] % k[2] * dilate[2] - margin[2][0]
  return (y, at)
}
## Every element where one of the windows around it says that it was the largest.
fn unpooled(y: f32[B, D, H, W, C], at: i32[B, D, H, W, C], k: int[3], stride: int[3], pad: int[3], out: int[3]) {
  let d = if out[0] == 0 then (D - 1) * stride[0] - 2 * pad[0] + k[0] else out[0]
  let h = if out[1] == 0 then (H - 1) * stride[1] - 2 * pad[1] + k[1] else out[1]
  let w = if out[2] == 0 then (W - 1) * stride[2] - 2 * pad[2] + k[2] else out[2]
  let count = |p| (k[p] + stride[p] - 1) // stride[p]
  let sums = for b, i in 0..d, j in 0..h, l in 0..w, c:
    sum over r in 0..count(0), s in 0..count(1), t in 0..count(2):
      where(
        (at[b, (i + pad[0]) // stride[0] - r, (j + pad[1]) // stride[1] - s, (l + pad[2]) // stride[2] - t, c] ?? -1) ==
          (i * h + j) * w + l,
        y[b, (i + pad[0]) // stride[0] - r, (j + pad[1]) // stride[1] - s, (l + pad[2]) // stride[2] - t, c] ?? 0,
        0
      )
  let named = for b, i in 0..d, j in 0..h, l in 0..w, c:
    sum over r in 0..count(0), s in 0..count(1), t in 0..count(2):
      f32(
        (at[b, (i + pad[0]) // stride[0] - r, (j + pad[1]) // stride[1] - s, (l + pad[2]) // stride[2] - t, c] ?? -1) ==
          (i * h + j) * w + l
      )
  return if count(0) == 1 and count(1) == 1 and count(2) == 1 then sums else sums / max(named, 1)
}
## The sum of every window; what lies outside is 0.
fn window_sum(x: f32[B, D, H, W, C], k: int[3], stride: int[3], margin, dilate: int[3], ceil_mode: bool) {
  let n = windows([D, H, W], k, stride, margin, dilate, ceil_mode)
  return for b, i in 0..n[0], j in 0..n[1], l in 0..n[2], c:
    sum over r in 0..k[0], s in 0..k[1], t in 0..k[2]:
      x[
        b,
        i * stride[0] + r * dilate[0] - margin[0][0],
        j * stride[1] + s * dilate[1] - margin[1][0],
        l * stride[2] + t * dilate[2] - margin[2][0],
        c
      ] ?? 0
}
## How many elements of every window lie in three axes of n, or in their padding too: at least 1.
fn window_cells(n: int[3], k: int[3], stride: int[3], margin, dilate: int[3], ceil_mode: bool, padded: bool) {
  let m = windows(n, k, stride, margin, dilate, ceil_mode)
  let low = |a| if padded then 0 else margin[a][0]
  let end = |a| if padded then margin[a][0] + n[a] + margin[a][1] else margin[a][0] + n[a]
  let count = |a| for i in 0..m[a]:
    sum over r in 0..k[a]: f32(i * stride[a] + r * dilate[a] >= low(a) and i * stride[a] + r * dilate[a] < end(a))
  let (d, h, w) = (count(0), count(1), count(2))
  return for i, j, l: max(d[i] * h[j] * w[l], 1)
}
## What AvgPool1d, AvgPool2d and AvgPool3d are made of.
fn average_pool(x: f32[B, D, H, W, C], k: int[3], stride: int[3], margin, dilate: int[3], ceil_mode: bool,
                count_include_pad: bool, divisor: int) {
  let sums = window_sum(x, k, stride, margin, dilate, ceil_mode)
  let cells = window_cells([D, H, W], k, stride, margin, dilate, ceil_mode, count_include_pad)
  return if divisor != 0 then sums / divisor
  else if count_include_pad and not ceil_mode then sums / (k[0] * k[1] * k[2])
  else for b, i, j, l, c: sums[b, i, j, l, c] / cells[i, j, l]
}
## What LPPool1d, LPPool2d and LPPool3d are made of.
fn power_pool(x: f32[B, D, H, W, C], p, k: int[3], stride: int[3], margin, dilate: int[3], ceil_mode: bool) {
  let sums = window_sum(if p % 1 == 0 then x^p else safe_pow(abs(x), p), k, stride, margin, dilate, ceil_mode)
  return if p == 1 then sums
  else if p == 2 then safe_sqrt(sums)
  else if p % 2 == 0 then safe_pow(sums, 1 / p)
  else sign(sums) * safe_pow(abs(sums), 1 / p)
}
## What LSEPool1d, LSEPool2d and LSEPool3d are made of.
fn smooth_pool(x: f32[B, D, H, W, C], beta: f32, average: bool, k: int[3], stride: int[3], margin, dilate: int[3],
               ceil_mode: bool) {
  let n = windows([D, H, W], k, stride, margin, dilate, ceil_mode)
  let z = beta * x
  let y = for b, i in 0..n[0], j in 0..n[1], l in 0..n[2], c:
    logsumexp over r in 0..k[0], s in 0..k[1], t in 0..k[2]:
      z[
        b,
        i * stride[0] + r * dilate[0] - margin[0][0],
        j * stride[1] + s * dilate[1] - margin[1][0],
        l * stride[2] + t * dilate[2] - margin[2][0],
        c
      ] ?? -inf
  let count = log(window_cells([D, H, W], k, stride, margin, dilate, ceil_mode, false))
  return if average then (for b, i, j, l, c: (y[b, i, j, l, c] - count[i, j, l]) / beta) else y / beta
}
## Where the i-th of m stretches of n begins: floor(i n / m); bin_end: where it ends, ceil((i + 1) n / m); bin_most: the longest of them.
fn bin_start(i: int, n: int, m: int) = i * n // m
## Where the i-th of m stretches of n ends: ceil((i + 1) n / m).
fn bin_end(i: int, n: int, m: int) = ((i + 1) * n + m - 1) // m
## A bound of what m stretches of n hold.
fn bin_most(n: int, m: int) -> int = if m == 1 then n else if n % m == 0 then n // m else n // m + 2
## What AdaptiveAvgPool1d, AdaptiveAvgPool2d and AdaptiveAvgPool3d are made of.
fn adaptive_average(x: f32[B, D, H, W, C], out: int[3]) =
  for b, i in 0..out[0], j in 0..out[1], l in 0..out[2], c:
    (
        sum over r in 0..bin_most(D, out[0]), s in 0..bin_most(H, out[1]), t in 0..bin_most(W, out[2]):
          where(
            bin_start(i, D, out[0]) + r < bin_end(i, D, out[0]) and bin_start(j, H, out[1]) + s < bin_end(j, H, out[1])
              and bin_start(l, W, out[2]) + t < bin_end(l, W, out[2]),
            x[b, bin_start(i, D, out[0]) + r, bin_start(j, H, out[1]) + s, bin_start(l, W, out[2]) + t, c] ?? 0,
            0
          )
      )
      / f32(
        (bin_end(i, D, out[0]) - bin_start(i, D, out[0])) * (bin_end(j, H, out[1]) - bin_start(j, H, out[1]))
          * (bin_end(l, W, out[2]) - bin_start(l, W, out[2]))
      )
## What AdaptiveMaxPool1d, AdaptiveMaxPool2d and AdaptiveMaxPool3d are made of.
fn adaptive_largest(x: f32[B, D, H, W, C], out: int[3]) =
  for b, i in 0..out[0], j in 0..out[1], l in 0..out[2], c:
    max over r in 0..bin_most(D, out[0]), s in 0..bin_most(H, out[1]), t in 0..bin_most(W, out[2]):
      where(
        bin_start(i, D, out[0]) + r < bin_end(i, D, out[0]) and bin_start(j, H, out[1]) + s < bin_end(j, H, out[1])
          and bin_start(l, W, out[2]) + t < bin_end(l, W, out[2]),
        x[b, bin_start(i, D, out[0]) + r, bin_start(j, H, out[1]) + s, bin_start(l, W, out[2]) + t, c] ?? -inf,
        -inf
      )
