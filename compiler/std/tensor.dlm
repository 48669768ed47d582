# Functions of tensors: elementwise helpers, statistics, shapes, masks and look-ups.

## The square root's reciprocal, 1 / sqrt(x).
fn rsqrt(x: f32[...S]) -> f32[...S] = 1 / sqrt(x)
## x * x.
fn square(x: f32[...S]) -> f32[...S] = x^2
## 1 / x.
fn reciprocal(x: f32[...S]) -> f32[...S] = 1 / x
## 2 to the power x.
fn exp2(x: f32[...S]) -> f32[...S] = 2^x
## min(max(x, lo), hi), so hi where lo > hi; the gradient passes at the bounds themselves, as in PyTorch. Bounds are numbers or tensors, which meet x as operators do. Also called clip and clip_by_value.
fn clamp(x: f32[...S], lo = -inf, hi = inf) -> f32[...S] {
  let y = where(x < lo, lo, x)
  return where(y > hi, hi, y)
}
## The sum of a * b, of tensors, or of all parameters of gradients and instances: `dot(g, v)`.
fn dot(a, b) = sum(a * b)
## a + t * (b - a).
fn lerp(a: f32[...S], b: f32[...S], t: f32[...S]) -> f32[...S] = a + t * (b - a)

## What x differs from its mean over `axis` (default: all axes), for values however far from 0: they are shifted by the least before they are summed up.
fn deviations(x: f32[...S], axis = 0..rank(x)) -> f32[...S] {
  let near = x - stop(amin(x, axis: axis, keep: true))
  return near - mean(near, axis: axis, keep: true)
}
## Variance over `axis` (default: all axes). correction 1 is unbiased, 0 divides by n; 0 where the correction leaves nothing to divide by. Also called variance.
fn var(x: f32[...S], axis = 0..rank(x), correction: int = 1, keep: bool = false) {
  let n = size(x, axis: axis)
  return sum(deviations(x, axis: axis)^2, axis: axis, keep: keep) / max(n - correction, 1)
}
## Standard deviation over `axis` (default: all axes). correction 1 is unbiased, 0 divides by n. The gradient at equal values is 0. Also called stddev and standard_deviation.
fn std(x: f32[...S], axis = 0..rank(x), correction: int = 1, keep: bool = false) =
  safe_sqrt(var(x, axis: axis, correction: correction, keep: keep))
## p-norm over `axis` (default: all axes); p = inf is the largest magnitude, -inf the smallest, 0 counts what is not 0, and a p below 0 gives 0 where an element is 0. The gradient at a zero vector is 0. Also called vector_norm.
fn norm(x: f32[...S], axis = 0..rank(x), p = 2, keep: bool = false) =
  if p == inf then amax(abs(x), axis: axis, keep: keep)
  else if p == -inf then amin(abs(x), axis: axis, keep: keep)
  else if p == 0 then sum(where(x == 0, 0.0, 1.0), axis: axis, keep: keep)
  else if p == 1 then sum(abs(x), axis: axis, keep: keep)
  else if p == 2 then safe_sqrt(sum(x^2, axis: axis, keep: keep))
  else if p < 0 then where(any(x == 0, axis: axis, keep: keep), 0, sum(where(x == 0, 1, abs(x))^p, axis: axis, keep: keep)^(1 / p))
  else safe_pow(sum(safe_pow(abs(x), p), axis: axis, keep: keep), 1 / p)
## sqrt(x) whose derivative at 0 is 0.
fn safe_sqrt(x: f32[...S]) -> f32[...S] = where(x > 0, sqrt(where(x > 0, x, 1)), 0)
## x^p for x >= 0 and p >= 0, whose derivative at 0 is 0.
fn safe_pow(x: f32[...S], p) = where(x > 0, where(x > 0, x, 1)^p, where(p == 0, 1.0, 0.0))
## x divided by its 2-norm over `axis`, the norm at least eps. Also called normalize.
fn l2_normalize(x: f32[...S], axis = -1, eps: f32 = 1e-12) -> f32[...S] = x / max(norm(x, axis: axis, keep: true), eps)
## Cosine of the angle between a and b over `axis`; the product of the norms is at least eps. Also called CosineSimilarity.
fn cosine_similarity(a: f32[...S], b: f32[...S], axis = -1, eps: f32 = 1e-8) =
  sum(a * b, axis: axis) / (max(norm(a, axis: axis), eps) * max(norm(b, axis: axis), eps))
## p-norm of a - b + eps over the last axis. Also called PairwiseDistance.
fn pairwise_distance(a: f32[...S, D], b: f32[...S, D], eps: f32 in 0..inf = 1e-6, p = 2) -> f32[...S] = norm(a - b + eps, axis: -1, p: p)
## Squared distances between the rows of a and the rows of b. Also called cdist.
fn pairwise_sqdist(a: f32[N, D], b: f32[M, D]) -> f32[N, M] = for n, m: sum over d: (a[n, d] - b[m, d])^2

## All axes but the first become one. Changes the shape only. Also called Flatten.
fn flatten(x: f32[B, ...S]) = reshape[B, size(x, axis: 1..rank(x))](x)
## Outer product. Also called ger.
fn outer(a: f32[N], b: f32[M]) -> f32[N, M] = for n, m: a[n] * b[m]
## The last element of axis 1: the final state of a sequence.
fn last(x: f32[B, T, ...S]) = x[:, -1]
## Running sum along `axis`. Also called cumulative_sum.
fn cumsum(x: f32[...S], axis: int = -1) -> f32[...S] = move_axis(running_sum(move_axis(x, axis, -1)), -1, axis)
## Running sum along the last axis; where it is longer than 1024, by doubling the part that is summed up.
fn running_sum(x: f32[...S, N]) -> f32[...S, N] {
  let is_long = is_known(N) and N > 1024
  return if is_long then (
    fold (t in 0..ceil(log2(N)); s = x) {
      let d = power_of_two(t)
      next s = for ..., i: s[..., i] + (s[..., i - d] ?? 0)
    }
  ) else for ..., i in 0..N: sum over j in 0..i + 1: x[..., j]
}
## Running product along `axis`. Also called cumulative_prod.
fn cumprod(x: f32[...S], axis: int = -1) -> f32[...S] = move_axis(running_product(move_axis(x, axis, -1)), -1, axis)
## Running product along the last axis.
fn running_product(x: f32[...S, N]) -> f32[...S, N] =
  scan (v in x along -1; p = ones[...S]) {
    next p = p * v
    yield p * v
  }
## The identity matrix, or n rows and m columns with ones on the diagonal.
fn eye(n: int, m: int = n) -> f32[n, m] = for i in 0..n, j in 0..m: f32(i == j)
## Entries on and below diagonal d; zero elsewhere.
fn tril(x: f32[...S, M, N], d: int = 0) -> f32[...S, M, N] = for ..., i, j: where(j <= i + d, x[..., i, j], 0)
## Entries on and above diagonal d; zero elsewhere.
fn triu(x: f32[...S, M, N], d: int = 0) -> f32[...S, M, N] = for ..., i, j: where(j >= i + d, x[..., i, j], 0)
## The diagonal of the last two axes, `offset` places above the main one (below it where negative). Also called diag.
fn diagonal(x: f32[...S, M, N], offset: int = 0) {
  let n = if offset < 0 then min(M + offset, N) else min(M, N - offset)
  let (down, right) = (max(-offset, 0), max(offset, 0))
  return for ..., i in 0..n: x[..., i + down, i + right]
}
## Sum of the diagonal.
fn trace(x: f32[N, N]) -> f32 = sum over i: x[i, i]
## Rotated along `axis` by `shift` places towards its end: what leaves there comes in at its beginning.
fn roll(x: f32[...S], shift: int, axis: int = -1) -> f32[...S] {
  let y = move_axis(x, axis, -1)
  let n = size(y, axis: -1)
  return move_axis(for ..., i in 0..n: y[..., (i - shift) % n], -1, axis)
}
## Every element of `axis` `n` times in a row. Also called repeat.
fn repeat_interleave(x: f32[...S], n: int in 1..inf, axis: int = 0) {
  let y = move_axis(x, axis, 0)
  return move_axis(y[for i in 0..len(y) * n: i // n], 0, axis)
}
## One-hot vectors over a new last axis of n classes. Also called OneHot and to_categorical.
fn one_hot(i: i32[...S] in 0..n, n: int) -> f32[...S, n] = for ..., k in 0..n: f32(i[...] == k)
## x[..., i[..., k]] for every k on `axis`; all other axes are the same. Also called gather and take_along_axis.
fn take_along(x: f32[...S], i: i32[...T], axis: int = -1) = move_axis(take_last(move_axis(x, axis, -1), move_axis(i, axis, -1)), -1, axis)
## x[..., i[..., k]] for every k.
fn take_last(x: f32[...S, N], i: i32[...S, K] in 0..N) -> f32[...S, K] = for ..., k: x[..., i[..., k]]
## x with the rows of `add` added at rows i; repeated rows accumulate. Also called index_add.
fn scatter_add(x: f32[N, D], i: i32[K] in 0..N, add: f32[K, D]) -> f32[N, D] =
  for n, d: x[n, d] + sum over k: where(i[k] == n, add[k, d], 0)
## The pattern of a causal mask: true where key j may be seen from query i.
fn causal_mask(t: int) -> bool[t, t] = for i in 0..t, j in 0..t: j <= i
## n steps of gradient descent on sum(f(y)) from y0.
fn descend(f: fn, y0: f32[...S], iters: int, lr: f32) -> f32[...S] =
  fold (k in 0..iters; y = y0) {
    next y = y - lr * grad(sum(f(y)), wrt: y)
  }
