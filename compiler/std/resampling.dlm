# Padding, resampling and rearranging of images and signals. Tensors are channels last, [batch, positions..., channels].

## x with amounts[i] = [before, after] more elements along axis i, fewer where negative. What stands there is `fill`: a number, or a padding mode: reflect, replicate, circular. Also called ConstantPad2d, ZeroPad2d, ReflectionPad2d, ReplicationPad2d and CircularPad2d.
fn pad(x: f32[...S], amounts: int[N], fill = 0) = x |> stack i in 0..N of |y| pad_axis(y, i, amounts[i], fill)
## As `pad`, along one axis.
fn pad_axis(x: f32[...S], axis: int, amount: int[2], fill = 0) =
  if amount[0] == 0 and amount[1] == 0 then x
  else move_axis(
    pad_last(
      move_axis(x, axis, -1),
      amount,
      if callable(fill) then fill else |read, i, n| read(i),
      if callable(fill) then 0 else fill
    ),
    -1,
    axis
  )
## As `pad`, along the last axis; `outside` is what the mode reads beyond the ends.
fn pad_last(x: f32[...S, N], amount: int[2], mode: fn, outside: f32) =
  for ..., i in 0..N + amount[0] + amount[1]: mode(|j| x[..., j] ?? outside, i - amount[0], N)
## A padding mode: mirrored at the first and the last element, which are not repeated.
fn reflect(read: fn, i: int, n: int) = where(i < 0, read(-i), where(i >= n, read(2 * (n - 1) - i), read(i)))
## A padding mode: mirrored so that the first and the last element are repeated.
fn symmetric(read: fn, i: int, n: int) = where(i < 0, read(-1 - i), where(i >= n, read(2 * n - 1 - i), read(i)))
## A padding mode: the first and the last element again. Also called edge.
fn replicate(read: fn, i: int, n: int) = where(i < 0, read(0), where(i >= n, read(n - 1), read(i)))
## A padding mode: from the other end. Also called wrap.
fn circular(read: fn, i: int, n: int) = where(i < 0, read(i + n), where(i >= n, read(i - n), read(i)))
## All positions of [B, ..., C] (one axis to three) resampled: to `out` elements (a number, or a list of one for each axis), or by `scale`, of which a fraction is taken in parts of 5040. `mode`: nearest, bilinear (linear in every axis) or bicubic. With align_corners the first and the last elements stay where they are.
## Also called interpolate, UpsamplingBilinear2d, UpsamplingNearest2d, UpSampling2D and Resize. `scale` is also called scale_factor. `out` is also called size.
layer Upsample(scale = 2, mode: fn = nearest, align_corners: bool = false, out = 0)(x: f32[B, ...S, C]) {
  let n = rank(x)
  let fit = |i, extent| if i < 5 - n then fitted(extent, 1, extent, false)
  else fitted(extent, nth(scale, i + n - 5), nth(out, i + n - 5), align_corners)
  let y = lifted(x)
  return with_rank(y |> resampled(mode, fit(0, size(y, 1)), fit(1, size(y, 2)), fit(2, size(y, 3))), n)
}
## The i-th of a list, or a number itself.
fn nth(v, i: int) = if rank(v) == 0 then v else v[i]
## How n elements become `out`, or, where that is 0, floor(n * scale): [how many, a, c, d], the i-th lying at (a i + c) / d.
fn fitted(n: int, scale, out: int, align_corners: bool) {
  let parts = if scale % 1 == 0 then 1 else 5040
  let whole = if out == 0 then i32(round(scale * parts)) else out
  let step = if out == 0 then parts else n
  let m = if out == 0 then n * whole // parts else out
  return if align_corners then [m, n - 1, 0, max(m - 1, 1)] else [m, 2 * step, step - whole, 2 * whole]
}
## Three axes resampled one after another, each as `fitted` says.
fn resampled(x: f32[B, D, H, W, C], mode: fn, d: int[4], h: int[4], w: int[4]) {
  let kept = |n, fit| fit[0] == n and fit[1] == fit[3] and fit[2] == 0
  let u = if kept(W, w) then x else for b, i, j, l in 0..w[0], c: mode(|p| x[b, i, j, p, c] ?? 0, l, W, w)
  let v = if kept(H, h) then u else for b, i, j in 0..h[0], l, c: mode(|p| u[b, i, p, l, c] ?? 0, j, H, h)
  return if kept(D, d) then v else for b, i in 0..d[0], j, l, c: mode(|p| v[b, p, j, l, c] ?? 0, i, D, d)
}
## A mode of resampling: the element at or before i n / out, without regard to where elements have their middle.
fn nearest(read: fn, i: int, n: int, fit: int[4]) = read(fit[1] * i // fit[3])
## A mode of resampling: between the two elements around, in proportion; the first and the last go on beyond the ends.
fn bilinear(read: fn, i: int, n: int, fit: int[4]) = blended(read, i, n, fit, 2, |t| 1 - t)
## A mode of resampling: linear in each of three axes, as bilinear.
const trilinear = bilinear
## A mode of resampling: Keys' cubic of the four elements around, with the parameter -0.75; the first and the last go on beyond the ends.
fn bicubic(read: fn, i: int, n: int, fit: int[4]) = blended(read, i, n, fit, 4, keys)
## The sum of `taps` elements around place i, each weighed by its distance; the ends also have the weights of what lies beyond them.
fn blended(read: fn, i: int, n: int, fit: int[4], taps: int, weight: fn) {
  let first = (fit[1] * i + fit[2]) // fit[3] - (taps // 2 - 1)
  let part = f32((fit[1] * i + fit[2]) % fit[3]) / fit[3] + (taps // 2 - 1)
  let weigh = |r| weight(abs(part - r))
  return sum over r in 0..taps:
    read(first + r)
      * (
        weigh(r) + where(first + r == 0, sum over q in 0..r: weigh(q), 0)
          + where(first + r == n - 1, sum over q in r + 1..taps: weigh(q), 0)
      )
}
## Keys' cubic at the distance t, with the parameter -0.75 (Keys 1981).
fn keys(t: f32) -> f32 =
  where(t <= 1, (1.25 * t - 2.25) * t^2 + 1, where(t < 2, -0.75 * (((t - 5) * t + 8) * t - 4), 0))
## Channels to positions: [B, H, W, C r r] becomes [B, H r, W r, C]; the channel (c r + i) r + j goes to row i and column j of its square (Shi et al. 2016). Also called pixel_shuffle and depth_to_space.
## `r` is also called upscale_factor.
layer PixelShuffle(r: int)(x: f32[B, H, W, C]) =
  for b, i in 0..H * r, j in 0..W * r, c in 0..C / (r * r): x[b, i // r, j // r, (c * r + i % r) * r + j % r]
## Positions to channels: [B, H, W, C] becomes [B, H / r, W / r, C r r], the inverse of PixelShuffle. Also called pixel_unshuffle and space_to_depth. `r` is also called downscale_factor.
layer PixelUnshuffle(r: int)(x: f32[B, H, W, C]) =
  for b, i in 0..H / r, j in 0..W / r, k in 0..C * r * r: x[b, i * r + k // r % r, j * r + k % r, k // (r * r)]
## Channels weighed by what the whole image holds (Hu et al. 2018): x * sigmoid(W2 act(W1 mean(x))), C / reduction features between. x: [B, ..., C]. Also called SELayer and SqueezeExcitation.
layer SqueezeExcite(reduction: int = 16, act: fn = relu)(x: f32[B, ...S, C]) -> f32[B, ...S, C] {
  let weights = mean(x, axis: 1..-1) |> Linear(max(C // reduction, 1), act: act) |> Linear(C, act: sigmoid)
  return for b, ..., c: x[b, ..., c] * weights[b, c]
}
