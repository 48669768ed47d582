# Connectionist temporal classification as a loop over time: index notation with values outside, guards by data.
fn ctc(logits: f32[T, N, C], y: i32[N, L] in 0..C, time: i32[N] in 1..T + 1, length: i32[N] in 0..L + 1, blank: int = 0) -> f32[N] {
  let lp = log_softmax(logits)
  let z = for n, s in 0..2 * L + 1: y[n, (s - 1) / 2] ?? blank
  let skip = for n, s: z[n, s] != blank and z[n, s] != (z[n, s - 2] ?? blank)
  let a0 = for n, s in 0..2 * L + 1: where(s < 2, lp[0, n, z[n, s]], -inf)
  let a = fold (t in 1..T; a = a0) {
    let stay = for n, s: logaddexp(a[n, s], a[n, s - 1] ?? -inf)
    let jump = for n, s: where(skip[n, s], a[n, s - 2] ?? -inf, -inf)
    next a = for n, s: where(t < time[n], logaddexp(stay[n, s], jump[n, s]) + lp[t, n, z[n, s]], a[n, s])
  }
  return for n: -logaddexp(a[n, 2 * length[n]], a[n, 2 * length[n] - 1] ?? -inf)
}
export fn loss(logits: f32[12, 2, 5], y: i32[2, 3] in 0..5, time: i32[2] in 1..13, length: i32[2] in 0..4) -> f32[2] =
  ctc(logits, y, time, length)
fn auroc(score: f32[N], y: i32[N] in 0..2) -> f32 {
  let won = sum over i, j: where(y[i] == 1 and y[j] == 0, f32(score[i] > score[j]) + f32(score[i] == score[j]) / 2, 0)
  return won / (f32(sum(y)) * f32(sum(1 - y)))
}
export fn area(score: f32[20], y: i32[20] in 0..2) -> f32 = auroc(score, y)
layer ConvTranspose1d(out: int, k: int, stride: int = 1, pad: int = 0)(x: f32[B, T, C]) {
  param w: f32[k, C, out] ~ uniform(-1, 1) / sqrt(k * out)
  return for b, i in 0..(T - 1) * stride + k - 2 * pad, o:
    sum over r, c: (x[b, (i + pad - r) / stride, c] ?? 0) * w[r, c, o]
}
layer AdaptiveAvgPool1d(n: int)(x: f32[B, T, C]) -> f32[B, n, C] =
  for b, i in 0..n, c: mean over t in i * T // n..((i + 1) * T + n - 1) // n: x[b, t, c]
model up(x: f32[B, 8, 3]) = x |> ConvTranspose1d(4, 3, stride: 2) |> AdaptiveAvgPool1d(5)
export fn grow(x: f32[B, 8, 3]) -> f32[B, 5, 4] = up(x)
layer MultiHeadAttention(heads: int, causal: bool = false)
                        (x: f32[B, T, D], memory: f32[B, S, E], keep: bool[B, S] = true) -> f32[B, T, D] {
  let q = x |> Linear(D) |> rearrange(`b t (h d) -> b h t d`, h: heads)
  let k = memory |> Linear(D) |> rearrange(`b t (h d) -> b h t d`, h: heads)
  let v = memory |> Linear(D) |> rearrange(`b t (h d) -> b h t d`, h: heads)
  let score = einsum(`b h i d, b h j d -> b h i j`, q, k) / sqrt(D / heads)
  let seen = for b, h, i, j: where(keep[b, j] and (not causal or j <= i), score[b, h, i, j], -inf)
  return einsum(`b h i j, b h j d -> b h i d`, softmax(seen), v) |> rearrange(`b h t d -> b t (h d)`) |> Linear(D)
}
model attend(x: f32[B, 4, 8], m: f32[B, 6, 5]) = x |> MultiHeadAttention(2, causal: true)(m)
export fn look(x: f32[B, 4, 8], m: f32[B, 6, 5]) -> f32[B, 4, 8] = attend(x, m)
