# Layers: (hyper-parameters)(inputs). Tensors are channels last. Defaults and initialisation are PyTorch's.

## y = act(x W + b) over the last axis. w: [in, out], b: [out]. Applies `act` last. Also called Dense, dense, FullyConnected and fc. `out` is also called units, features and out_features. `act` is also called activation. `bias` is also called use_bias. `weights` is also called kernel_init and kernel_initializer.
layer Linear(out: int, act: fn = |y| y, bias: bool = true, weights: dist = linear_default(), biases: dist = linear_default(), normalise: fn = |w| w)
            (x: f32[...S, I]) -> f32[...S, out] {
  let fan_in = I
  param w: f32[I, out] ~ weights
  param b: f32[out] ~ biases
  let y = x @ normalise(w)
  return act(if bias then y + b else y)
}
## A table of n vectors of width dim, looked up by class number. table: [n, dim]. The row padding_idx (a negative one counts from the end;
## default: none) begins as zeros and gets no gradient from what is looked up. Also called Embed, embedding and EmbeddingLayer. `n` is also called num_embeddings and vocab_size. `dim` is also called embedding_dim.
layer Embedding(n: int, dim: int, padding_idx: int = n, weights: dist = normal(0, 1))(ids: i32[...S] in 0..n) -> f32[...S, dim] {
  let pad = if padding_idx < 0 then padding_idx + n else padding_idx
  param table: f32[n, dim] ~ if pad == n then weights else weights * for r in 0..n, d in 0..dim: f32(r != pad)
  let rows = if pad == n then table else for r, d: where(r == pad, stop(table[pad, d]), table[r, d])
  return rows[ids]
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
