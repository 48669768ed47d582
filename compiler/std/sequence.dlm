# Rows of different lengths: masks (true where something stands) and what is computed under them.

## Whether time t lies before the end of a row.
fn length_mask(length: i32[B], t: int) -> bool[B, t] = for b, i in 0..t: i < length[b]
## Softmax over the last axis of what `mask` keeps: exp(x) / sum(exp(x)), 0 elsewhere. A row that keeps nothing gives zeros, and no gradient.
fn masked_softmax(x: f32[...S, N], mask: bool[...S, N]) -> f32[...S, N] {
  let seen = where(mask, x, -inf)
  let e = where(mask, exp(seen - stop(max(seen, axis: -1, keep: true))), 0)
  return e / (sum(e, axis: -1, keep: true) + 1e-30)
}
## Sum over time of what `mask` keeps. x: [B, T, ...].
fn masked_sum(x: f32[B, T, ...S], mask: bool[B, T]) -> f32[B, ...S] = for b, ...: sum over t: where(mask[b, t], x[b, t, ...], 0)
## Mean over time of what `mask` keeps, 0 where that is nothing: the pooling of sequences with lengths, masked_mean(h, length_mask(n, T)). x: [B, T, ...].
fn masked_mean(x: f32[B, T, ...S], mask: bool[B, T]) -> f32[B, ...S] {
  let n = sum(mask, axis: 1)
  let s = masked_sum(x, mask)
  return for b, ...: s[b, ...] / f32(max(n[b], 1))
}
## Largest over time of what `mask` keeps, 0 where that is nothing; ties give the gradient to the first. x: [B, T, ...].
fn masked_max(x: f32[B, T, ...S], mask: bool[B, T]) -> f32[B, ...S] {
  let some = any(mask, axis: 1)
  let top = for b, ...: max over t: where(mask[b, t], x[b, t, ...], -inf)
  return for b, ...: where(some[b], top[b, ...], 0)
}
## What stands at the end of every row, x[b, length[b] - 1]; zeros for a row of length 0. x: [B, T, ...].
fn last_at(x: f32[B, T, ...S], length: i32[B] in 0..T + 1) -> f32[B, ...S] = for b, ...: x[b, length[b] - 1, ...] ?? 0
## Every row in reverse up to its end; what lies beyond stays. x: [B, T, ...].
fn reverse_sequence(x: f32[B, T, ...S], length: i32[B] in 0..T + 1) -> f32[B, T, ...S] =
  for b, t, ...: where(t < length[b], x[b, length[b] - 1 - t, ...] ?? 0, x[b, t, ...])
