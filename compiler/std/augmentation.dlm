# Augmentation: images [rows, height, width, channels], drawn anew for every row in every step. Outside training what draws gives back what it gets (random_crop the middle).

## Images moved by up to n pixels in each direction, drawn for the whole batch element; nothing outside training. Also called RandomTranslation.
fn random_shift(x: f32[B, H, W, C], n: int) -> f32[B, H, W, C] {
  let dy = randint(-n, n + 1)[B]
  let dx = randint(-n, n + 1)[B]
  return if training then (for b, i in 0..H, j in 0..W, c: x[b, i + dy[b], j + dx[b], c] ?? 0) else x
}
## Images mirrored left to right, or `vertical` top to bottom, each with probability p; nothing outside training. Also called RandomHorizontalFlip, RandomVerticalFlip and RandomFlip.
fn random_flip(x: f32[B, H, W, C], p: f32 in 0..1 = 0.5, vertical: bool = false) -> f32[B, H, W, C] {
  let flipped = bernoulli(p)[B]
  let y = flip(x, axis: if vertical then 1 else 2)
  return if training then (for b, i, j, c: where(flipped[b] > 0, y[b, i, j, c], x[b, i, j, c])) else x
}
## A part of height and width `out` (a number or two) at a random place of every image with `pad` zeros around; outside training the middle. Also called RandomCrop.
fn random_crop(x: f32[B, H, W, C], out: int[2], pad: int in 0..inf = 0) {
  let (h, w) = (out[0], out[1])
  let (free_h, free_w) = (H + 2 * pad - h, W + 2 * pad - w)
  let top = if training then randint(0, free_h + 1)[B] else for b in 0..B: free_h // 2
  let left = if training then randint(0, free_w + 1)[B] else for b in 0..B: free_w // 2
  return for b, i in 0..h, j in 0..w, c: x[b, top[b] + i - pad, left[b] + j - pad, c] ?? 0
}
## Images turned counter-clockwise about their middle by `angle` radians, one number or one for every row: bilinear between pixels, 0 outside.
fn rotate(x: f32[B, H, W, C], angle) -> f32[B, H, W, C] {
  let a = angle + zeros[B]
  let (middle_i, middle_j) = ((H - 1) / 2, (W - 1) / 2)
  let at_i = for b, i in 0..H, j in 0..W: middle_i + cos(a[b]) * (i - middle_i) + sin(a[b]) * (j - middle_j)
  let at_j = for b, i in 0..H, j in 0..W: middle_j - sin(a[b]) * (i - middle_i) + cos(a[b]) * (j - middle_j)
  return bilinear_at(x, at_i, at_j)
}
## The pixels of images at places (i, j), bilinear between pixels, 0 outside.
fn bilinear_at(x: f32[B, H, W, C], at_i: f32[B, P, Q], at_j: f32[B, P, Q]) -> f32[B, P, Q, C] {
  let (i0, j0) = (i32(floor(at_i)), i32(floor(at_j)))
  let (u, v) = (at_i - floor(at_i), at_j - floor(at_j))
  let row = |i| for b, p, q, c: (1 - v[b, p, q]) * (x[b, i[b, p, q], j0[b, p, q], c] ?? 0) + v[b, p, q] * (x[b, i[b, p, q], j0[b, p, q] + 1, c] ?? 0)
  let (upper, lower) = (row(i0), row(i0 + 1))
  return for b, p, q, c: (1 - u[b, p, q]) * upper[b, p, q, c] + u[b, p, q] * lower[b, p, q, c]
}
## Images turned by up to `angle` radians to either side; nothing outside training. Also called RandomRotation.
fn random_rotate(x: f32[B, H, W, C], angle: f32 in 0..inf) -> f32[B, H, W, C] =
  if training then rotate(x, uniform(-angle, angle)[B]) else x
## Images with a square of `size` pixels set to `value`, its middle anywhere in the image (DeVries and Taylor 2017); nothing outside training. Also called cutout, random_erase, RandomErasing and Cutout.
fn random_cutout(x: f32[B, H, W, C], size: int in 1..inf, value: f32 = 0) -> f32[B, H, W, C] {
  let (top, left) = (randint(0, H)[B], randint(0, W)[B])
  let low = size // 2
  let is_within = |at, i| at - low <= i and i < at - low + size
  return if training then (for b, i, j, c: where(is_within(top[b], i) and is_within(left[b], j), value, x[b, i, j, c])) else x
}
## x plus normal noise of deviation std; nothing outside training. Also called GaussianNoise and gaussian_noise.
fn random_noise(x: f32[...S], std: f32 in 0..inf = 0.1) -> f32[...S] = if training then x + std * normal[...S] else x
## Rows with up to `amount` added to all their elements; nothing outside training. Also called RandomBrightness.
fn random_brightness(x: f32[B, ...S], amount: f32 in 0..inf) -> f32[B, ...S] {
  let d = uniform(-amount, amount)[B]
  return if training then (for b, ...: x[b, ...] + d[b]) else x
}
## Rows whose differences from their mean are multiplied by a factor from 1 - amount to 1 + amount; nothing outside training. Also called RandomContrast.
fn random_contrast(x: f32[B, ...S], amount: f32 in 0..1) -> f32[B, ...S] {
  let f = uniform(1 - amount, 1 + amount)[B]
  let m = mean(flatten(x), axis: -1)
  return if training then (for b, ...: m[b] + f[b] * (x[b, ...] - m[b])) else x
}
## Every row mixed with the next one of the batch, and their class probabilities alike: t * a + (1 - t) * b, t from Beta(alpha, alpha) (Zhang et al. 2018); nothing
## outside training. Gives both, for cross_entropy_probs: `let (x, q) = mixup(d.x, one_hot(d.y, 10))`.
fn mixup(x: f32[B, ...S], q: f32[B, K], alpha: f32 in 0.01..1 = 0.2) -> (f32[B, ...S], f32[B, K]) {
  let t = beta_draws(B, alpha)
  let mixed = for b, ...: t[b] * x[b, ...] + (1 - t[b]) * x[(b + 1) % B, ...]
  let targets = for b, k: t[b] * q[b, k] + (1 - t[b]) * q[(b + 1) % B, k]
  return if training then (mixed, targets) else (x, q)
}
## n draws from Beta(alpha, alpha) for alpha up to 1: the first of 16 tries whose sum is at most 1 (Joehnk 1964), else the last.
fn beta_draws(n: int, alpha: f32 in 0.01..1) -> f32[n] {
  let (u, v) = (uniform[16, n]^(1 / alpha), uniform[16, n]^(1 / alpha))
  let first = argmax(for k, b: u[k, b] + v[k, b] <= 1 and u[k, b] + v[k, b] > 0 or k == 15, axis: 0)
  return for b: (u[first[b], b] + 1e-30) / (u[first[b], b] + v[first[b], b] + 2e-30)
}
## Every element minus the mean of its place over the rows, divided by its deviation (at least eps): for a whole column of data. A layer that keeps both: Standardise.
fn standardised(x: f32[N, ...S], eps: f32 in 0..inf = 1e-8) -> f32[N, ...S] =
  deviations(x, axis: 0) / max(std(x, axis: 0, correction: 0, keep: true), eps)
