# Attention and positions. Sequences are [batch, time, features]; masks are true where a key may be seen (PyTorch's key_padding_mask is the opposite).

## How much every query sees of every key: softmax(q k^T * scale + bias) over the keys that `mask` and `causal` (key j from query i where j <= i) leave. q: [..., T, D],
## k: [..., S, D] to [..., T, S]. `mask` (bool) and `bias` broadcast to that. A query that may see no key has zeros; one whose keys all have the bias -inf sees them alike.
fn attention_weights(q: f32[...Q, T, D], k: f32[...K, S, D], mask = true, causal: bool = false, scale: f32 = 1 / sqrt(D), bias = 0) -> f32[...Q, T, S] {
  let score = q @ transpose(k) * scale + bias
  let seen = expand[...Q, T, S](mask)
  let before = expand[...Q, T, S](for i in 0..T, j in 0..S: j <= i)
  return masked_softmax(score, if causal then seen and before else seen)
}
## Scaled dot-product attention (Vaswani et al. 2017): softmax(q k^T / sqrt(D)) v. q: [..., T, D], k: [..., S, D], v: [..., S, E] to [..., T, E]; leading axes of k and v
## broadcast to those of q. `mask` is bool (true: may be seen), `bias` is added to the scores, both broadcast to [..., T, S]; `causal`: key j is seen from query i where
## j <= i. In training `dropout` of the weights are left out. A query that may see no key gives zeros. Also called sdpa. `mask` is also called attn_mask. `causal` is also called is_causal. `dropout` is also called dropout_p.
fn scaled_dot_product_attention(q: f32[...Q, T, D], k: f32[...K, S, D], v: f32[...V, S, E], mask = true, causal: bool = false, scale: f32 = 1 / sqrt(D),
                                bias = 0, dropout: f32 in 0..1 = 0) -> f32[...Q, T, E] {
  let a = attention_weights(q, k, mask, causal, scale, bias)
  return (if training and dropout > 0 then a * bernoulli(1 - dropout)[...Q, T, S] / max(1 - dropout, 1e-37) else a) @ v
}
## Multi-head attention (Vaswani et al. 2017). x: [B, T, D] attends to memory: [B, S, E] (default x) with the values: [B, S, V] (default memory), giving [B, T, D]. The columns of
## w: [D, (heads + 2 * kv_heads) * size] make queries, keys and values, head after head; size is head_dim, default D / heads. Where memory or values have another width they are
## made by wq: [D, heads * size], wk: [E, kv_heads * size] and wv: [V, kv_heads * size] instead. With kv_heads fewer than heads, heads / kv_heads queries in a row share keys and
## values. b: as wide as w, wo: [heads * size, D], bo: [D]. `keep` (bool[B, S]) and `length` (i32[B]) say which keys count, `mask` (bool, [T, S] or [B, 1 or heads, T, S]) which are seen from
## where, `causal` those up to the query's own place. `rotary` turns queries and keys by their places (base 10000), `alibi` lowers scores by distance. A query that may see no key
## gives bo alone. In training `dropout` of the weights are left out. With return_weights it gives (y, weights), [B, heads, T, S]. As in PyTorch w (in_proj_weight, transposed) is Glorot
## uniform, wo (out_proj.weight, transposed) uniform in +-1 / sqrt(heads * size), biases are 0. Also called MultiheadAttention. `heads` is also called num_heads. `causal` is also called is_causal. Its input says `embed_dim`. In place of `key_padding_mask`: `keep` of its inputs, which is true where a key counts (`keep: not m`). In place of `attn_mask`: `mask` of its inputs, which is true where a key is seen (`mask: not m`). In place of `need_weights`: `return_weights: true`, which is off by default. In place of `batch_first`: nothing, rows are the first axis and steps the second.
layer MultiHeadAttention(heads: int, causal: bool = false, rotary: bool = false, alibi: bool = false, kv_heads: int = heads, head_dim: int = 0, dropout: f32 in 0..1 = 0,
                         bias: bool = true, return_weights: bool = false, weights: dist = glorot_uniform(), biases: dist = 0)
                        (x: f32[B, T, D], memory: f32[B, S, E] = x, values: f32[B, S, V] = memory, mask = true, keep: bool[B, S] = true,
                         length: i32[B] in 0..S + 1 = S) {
  let size = if head_dim > 0 then head_dim else D / heads
  let n = heads * size
  let m = kv_heads * size
  param w: f32[D, n + 2 * m] ~ weights
  param wq: f32[D, n] ~ weights
  param wk: f32[E, m] ~ weights
  param wv: f32[V, m] ~ weights
  param b: f32[n + 2 * m] ~ biases
  param wo: f32[n, D] ~ linear_default()
  param bo: f32[D] ~ biases
  let with = |z, from, to| if bias then z + b[from..to] else z
  let (queries, keys, contents) =
    if not (E == D and V == D) then (with(x @ wq, 0, n), with(memory @ wk, n, n + m), with(values @ wv, n + m, n + 2 * m))
    else if is_same(memory, x) and is_same(values, x) then split(with(x @ w, 0, n + 2 * m), [n, m, m], axis: -1)
    else (with(x @ w[:, 0..n], 0, n), with(memory @ w[:, n..n + m], n, n + m), with(values @ w[:, n + m..n + 2 * m], n + m, n + 2 * m))
  let group = heads / kv_heads
  let shared = |z| if group == 1 then z else for b, h in 0..heads, t, d: z[b, h // group, t, d]
  let turned = |z| if rotary then rotary_positions(z) else z
  let q = rearrange(queries, `b t (h d) -> b h t d`, h: heads) |> turned
  let k = rearrange(keys, `b t (h d) -> b h t d`, h: kv_heads) |> turned |> shared
  let v = rearrange(contents, `b t (h d) -> b h t d`, h: kv_heads) |> shared
  let counts = for b, i in 0..T, j: keep[b, j] and j < length[b]
  let a = attention_weights(q, k, unsqueeze(counts, 1) and mask, causal, bias: if alibi then alibi_bias(heads, T, S) else 0)
  let y = rearrange((if dropout > 0 then Dropout(dropout)(a) else a) @ v, `b h t d -> b t (h d)`) @ wo
  let z = if bias then y + bo else y
  return if return_weights then (z, a) else z
}
## Attention by a layer over query and key (Bahdanau et al. 2015): the weights are softmax(w . tanh(query Wq + keys Wk)) over the keys that count. query: [B, Q] and
## keys: [B, S, K] to [B, V], the weighted mean of values: [B, S, V] (default: keys). wq: [Q, hidden], wk: [K, hidden], w: [hidden]. `keep` and `length` as in MultiHeadAttention.
## With return_weights it gives (y, weights), [B, S]. Also called BahdanauAttention.
layer AdditiveAttention(hidden: int, return_weights: bool = false, weights: dist = linear_default())
                       (query: f32[B, Q], keys: f32[B, S, K], values: f32[B, S, V] = keys, keep: bool[B, S] = true, length: i32[B] in 0..S + 1 = S) {
  param wq: f32[Q, hidden] ~ weights
  param wk: f32[K, hidden] ~ weights
  param w: f32[hidden] ~ uniform(-1, 1) / sqrt(hidden)
  let score = tanh(unsqueeze(query @ wq, 1) + keys @ wk) @ w
  let a = masked_softmax(score, for b, s: keep[b, s] and s < length[b])
  let y = for b, d: sum over s: a[b, s] * values[b, s, d]
  return if return_weights then (y, a) else y
}

## Rotary positions (Su et al. 2021): pairs of features turn by (t + start) / base^(2 j / size), j the number of the pair. x: [..., T, D] to the same. Pairs are 2j and 2j + 1, not
## interleaved j and j + size / 2; features from `size` on (default D) stay.
fn rotary_positions(x: f32[...S, T, D], base: f32 = 10000, start: i32 = 0, interleaved: bool = true, size: int = D) -> f32[...S, T, D] {
  let half = size / 2
  let angle = for t in 0..T, j in 0..half: f32(t + start) / base^(2 * j / size)
  let c = cos(angle)
  let s = sin(angle)
  return if interleaved
    then for ..., t, d: where(d >= size, x[..., t, d], x[..., t, d] * (c[t, d // 2] ?? 0) +
      where(d % 2 == 0, -(x[..., t, d + 1] ?? 0), x[..., t, d - 1] ?? 0) * (s[t, d // 2] ?? 0))
    else for ..., t, d: where(d >= size, x[..., t, d], x[..., t, d] * (c[t, d % half] ?? 0) +
      where(d < half, -(x[..., t, d + half] ?? 0), x[..., t, d - half] ?? 0) * (s[t, d % half] ?? 0))
}
## Short for rotary_positions. Also called rope and RotaryEmbedding.
fn rotary(x: f32[...S, T, D], base: f32 = 10000, start: i32 = 0, interleaved: bool = true, size: int = D) -> f32[...S, T, D] =
  rotary_positions(x, base, start, interleaved, size)
## Sinusoidal positions (Vaswani et al. 2017): sin(t / base^(2 j / width)) at feature 2j, the cosine at 2j + 1.
fn sinusoidal_positions(t: int, width: int, base: f32 = 10000) -> f32[t, width] =
  for i in 0..t, d in 0..width: where(d % 2 == 0, sin(i / base^(2 * (d // 2) / width)), cos(i / base^(2 * (d // 2) / width)))
## x plus its sinusoidal positions. x: [..., T, D]. `dropout` of it are left out in training. Also called PositionalEncoding and SinePositionEncoding.
layer SinusoidalPositions(dropout: f32 in 0..1 = 0, base: f32 = 10000)(x: f32[...S, T, D]) -> f32[...S, T, D] =
  if dropout > 0 then x + sinusoidal_positions(T, D, base) |> Dropout(dropout) else x + sinusoidal_positions(T, D, base)
## x plus a learned vector for every place. x: [..., T, D], T at most `longest`. table: [longest, D]. Also called PositionEmbedding and PositionalEmbedding.
layer LearnedPositions(longest: int, weights: dist = normal(0, 0.02))(x: f32[...S, T <= longest, D]) -> f32[...S, T, D] {
  param table: f32[longest, D] ~ weights
  return x + table[0..T]
}
## Slopes of the heads in ALiBi (Press et al. 2022): 2^(-8 h / heads) for h = 1 .. heads; for a number of heads that is no power of 2, those of the power below, then
## every second one of the power above.
fn alibi_slopes(heads: int) -> f32[heads] {
  let below = 2^floor(log2(heads + 0.5))
  return for h in 0..heads: where(h < below, 2^(-8 * (h + 1) / below), 2^(-4 * (2 * (h - below) + 1) / below))
}
## What ALiBi adds to the scores: minus slope times distance, -alibi_slopes(heads)[h] |i - j| for query i and key j.
fn alibi_bias(heads: int, t: int, s: int) -> f32[heads, t, s] {
  let slope = alibi_slopes(heads)
  return for h, i in 0..t, j in 0..s: -slope[h] * f32(abs(i - j))
}
