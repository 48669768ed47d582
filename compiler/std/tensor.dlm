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
  let n = size(x) // size(mean(x, axis: axis, keep: true))
  return sum(deviations(x, axis: axis)^2, axis: axis, keep: keep) / max(n - correction, 1)
}
## Standard deviation over `axis` (default: all axes). correction 1 is unbiased, 0 divides by n. The gradient at equal values is 0. Also called stddev and standard_deviation.
fn std(x: f32[...S], axis = 0..rank(x), correction: int = 1, keep: bool = false) =
  safe_sqrt(var(x, axis: axis, correction: correction, keep: keep))
## p-norm over `axis` (default: all axes); p = inf is the largest magnitude. The gradient at a zero vector is 0. Also called vector_norm.
fn norm(x: f32[...S], axis = 0..rank(x), p = 2, keep: bool = false) =
  if p == inf then amax(abs(x), axis: axis, keep: keep)
  else if p == 1 then sum(abs(x), axis: axis, keep: keep)
  else if p == 2 then safe_sqrt(sum(x^2, axis: axis, keep: keep))
  else safe_pow(sum(safe_pow(abs(x), p), axis: axis, keep: keep), 1 / p)
## sqrt(x) whose derivative at 0 is 0.
fn safe_sqrt(x: f32[...S]) -> f32[...S] = where(x > 0, sqrt(where(x > 0, x, 1)), 0)
## x^p for x >= 0, whose derivative at 0 is 0.
fn safe_pow(x: f32[...S], p) = where(x > 0, where(x > 0, x, 1)^p, 0)
## x divided by its 2-norm over `axis`, the norm at least eps. Also called normalize.
fn l2_normalize(x: f32[...S], axis = -1, eps: f32 = 1e-12) -> f32[...S] = x / max(norm(x, axis: axis, keep: true), eps)
## Cosine of the angle between a and b over `axis`; the product of the norms is at least eps. Also called CosineSimilarity.
fn cosine_similarity(a: f32[...S], b: f32[...S], axis = -1, eps: f32 = 1e-8) =
  sum(a * b, axis: axis) / (max(norm(a, axis: axis), eps) * max(norm(b, axis: axis), eps))
## 2-norm of a - b + eps over the last axis. Also called PairwiseDistance.
fn pairwise_distance(a: f32[...S, D], b: f32[...S, D], eps: f32 = 1e-6) -> f32[...S] = sqrt(sum((a - b + eps)^2, axis: -1))
## Squared distances between the rows of a and the rows of b. Also called cdist.
fn pairwise_sqdist(a: f32[N, D], b: f32[M, D]) -> f32[N, M] = for n, m: sum over d: (a[n, d] - b[m, d])^2

## All axes but the first become one. Changes the shape only. Also called Flatten.
fn flatten(x: f32[B, ...S]) = reshape[B, size(x) // B](x)
## Outer product. Also called ger.
fn outer(a: f32[N], b: f32[M]) -> f32[N, M] = for n, m: a[n] * b[m]
## The last element of axis 1: the final state of a sequence.
fn last(x: f32[B, T, ...S]) = x[:, -1]
## Running sum along the last axis. Also called cumulative_sum.
fn cumsum(x: f32[...S, N]) -> f32[...S, N] = for ..., i in 0..N: sum over j in 0..i + 1: x[..., j]
## Running product along the last axis. Also called cumulative_prod.
fn cumprod(x: f32[...S, N]) -> f32[...S, N] =
  scan (v in x along -1; p = ones[...S]) {
    next p = p * v
    yield p * v
  }
## The identity matrix. Also called identity.
fn eye(n: int) -> f32[n, n] = for i in 0..n, j in 0..n: f32(i == j)
## Entries on and below diagonal d; zero elsewhere.
fn tril(x: f32[...S, M, N], d: int = 0) -> f32[...S, M, N] = for ..., i, j: where(j <= i + d, x[..., i, j], 0)
## Entries on and above diagonal d; zero elsewhere.
fn triu(x: f32[...S, M, N], d: int = 0) -> f32[...S, M, N] = for ..., i, j: where(j >= i + d, x[..., i, j], 0)
## The diagonal of the last two axes. Also called diag.
fn diagonal(x: f32[...S, N, N]) -> f32[...S, N] = for ..., i: x[..., i, i]
## Sum of the diagonal.
fn trace(x: f32[N, N]) -> f32 = sum over i: x[i, i]
## Rotated along the last axis by `shift` places to the right.
fn roll(x: f32[...S, N], shift: int) -> f32[...S, N] = for ..., i in 0..N: x[..., (i - shift) % N]
## Every element of the first axis `n` times in a row. Also called repeat.
fn repeat_interleave(x: f32[N, ...S], n: int) -> f32[N * n, ...S] = x[for i in 0..N * n: i // n]
## One-hot vectors over a new last axis of n classes. Also called OneHot and to_categorical.
fn one_hot(i: i32[...S] in 0..n, n: int) -> f32[...S, n] = for ..., k in 0..n: f32(i[...] == k)
## x[..., i[..., k]] for every k. Also called gather and take_along_axis.
fn take_along(x: f32[...S, N], i: i32[...S, K] in 0..N) -> f32[...S, K] = for ..., k: x[..., i[..., k]]
## x with the rows of `add` added at rows i; repeated rows accumulate. Also called index_add.
fn scatter_add(x: f32[N, D], i: i32[K] in 0..N, add: f32[K, D]) -> f32[N, D] =
  for n, d: x[n, d] + sum over k: where(i[k] == n, add[k, d], 0)
## For every element its place in descending order, 0 = largest; equal elements keep their order. A permutation.
fn ranks(x: f32[...S, N]) -> i32[...S, N] =
  for ..., i: sum over j: x[..., j] > x[..., i] or x[..., j] == x[..., i] and j < i
## The elements of the last axis in descending order.
fn sort_descending(x: f32[...S, N]) -> f32[...S, N] {
  let r = ranks(x)
  return for ..., k in 0..N: sum over i: where(r[..., i] == k, x[..., i], 0)
}
## The places of the elements of the last axis in descending order. Also called argsort.
fn order_descending(x: f32[...S, N]) -> i32[...S, N] in 0..N {
  let r = ranks(x)
  return for ..., k in 0..N: argmax over i: where(r[..., i] == k, 1.0, 0.0)
}
## The k largest elements of the last axis, in descending order; an axis of known size must have as many. Also called topk.
fn top_k(x: f32[...S, N], k: int) -> f32[...S, k] {
  let others = zeros[N - k]
  let r = ranks(x)
  return for ..., j in 0..k: sum over i: where(r[..., i] == j, x[..., i], 0)
}
## The pattern of a causal mask: true where key j may be seen from query i.
fn causal_mask(t: int) -> bool[t, t] = for i in 0..t, j in 0..t: j <= i
## Images moved by up to n pixels in each direction, drawn for the whole batch element; nothing outside training. Also called RandomTranslation.
fn random_shift(x: f32[B, H, W, C], n: int) -> f32[B, H, W, C] {
  let dy = randint(-n, n + 1)[B]
  let dx = randint(-n, n + 1)[B]
  return if training then (for b, i in 0..H, j in 0..W, c: x[b, i + dy[b], j + dx[b], c] ?? 0) else x
}
## n steps of gradient descent on sum(f(y)) from y0.
fn descend(f: fn, y0: f32[...S], iters: int, lr: f32) -> f32[...S] =
  fold (k in 0..iters; y = y0) {
    next y = y - lr * grad(sum(f(y)), wrt: y)
  }
