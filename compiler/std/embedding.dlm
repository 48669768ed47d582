# Embeddings of class numbers, and the bilinear layer.

## A table of n vectors of width dim, looked up by class number. table: [n, dim]. The row padding_idx (a negative one counts from the end;
## default: none) begins as zeros and stays: no gradient comes from what is looked up, and decay leaves zeros as they are. Also called Embed, embedding and EmbeddingLayer. `n` is also called num_embeddings and vocab_size. `dim` is also called embedding_dim.
layer Embedding(n: int, dim: int, padding_idx: int = n, weights: dist = normal(0, 1))(ids: i32[...S] in 0..n) -> f32[...S, dim] {
  let pad = if padding_idx < 0 then padding_idx + n else padding_idx
  param table: f32[n, dim] ~ if pad == n then weights else weights * for r in 0..n, d in 0..dim: f32(r != pad)
  let rows = if pad == n then table else for r, d: where(r == pad, stop(table[pad, d]), table[r, d])
  return rows[ids]
}
## Rows of a table of n vectors of width dim, reduced over each bag: sum, mean (the default) or max over the last axis of ids: [B, L]. `length` (default L): bags end
## there. The row padding_idx (as in Embedding) counts neither way; a bag of nothing gives 0. Every row is multiplied by its `factor` first; PyTorch allows that with
## sum alone. table: [n, dim]. `n` is also called num_embeddings. `dim` is also called embedding_dim. `factor` is also called per_sample_weights.
layer EmbeddingBag(n: int, dim: int, mode: fn = mean, padding_idx: int = n, weights: dist = normal(0, 1))
                  (ids: i32[B, L] in 0..n, factor: f32[B, L] = 1, length: i32[B] in 0..L + 1 = L) -> f32[B, dim] {
  let pad = if padding_idx < 0 then padding_idx + n else padding_idx
  param table: f32[n, dim] ~ if pad == n then weights else weights * for r in 0..n, d in 0..dim: f32(r != pad)
  let counts = for b: sum over l in 0..length[b]: ids[b, l] != pad
  let top = for b, d in 0..dim: max over l in 0..length[b]: where(ids[b, l] == pad, -inf, factor[b, l] * table[ids[b, l], d])
  let total = for b, d in 0..dim: sum over l in 0..length[b]: where(ids[b, l] == pad, 0, factor[b, l] * table[ids[b, l], d])
  return if mode == max then (for b, d: where(counts[b] > 0, top[b, d], 0))
    else if mode == mean then (for b, d: total[b, d] / f32(max(counts[b], 1)))
    else total
}
## Uniform in +-1 / sqrt(n) for a parameter of n rows: what PyTorch does for Bilinear.
init bilinear_default() = uniform(-1, 1) / sqrt(shape[0])
## y[o] = act(sum over i, j: x1[i] w[i, j, o] x2[j] + b[o]) over the last axes. w: [I, J, out], b: [out], both uniform in +-1 / sqrt(I). `out` is also called out_features. Its inputs say `in1_features` and `in2_features`.
layer Bilinear(out: int, act: fn = |y| y, bias: bool = true, weights: dist = bilinear_default(), biases: dist = linear_default())
              (x1: f32[...S, I], x2: f32[...S, J]) -> f32[...S, out] {
  let fan_in = I
  param w: f32[I, J, out] ~ weights
  param b: f32[out] ~ biases
  let y = for ..., o: sum over i, j: x1[..., i] * x2[..., j] * w[i, j, o]
  return act(if bias then y + b else y)
}
