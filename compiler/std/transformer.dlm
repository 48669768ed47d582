# Transformer layers and mixtures of experts. Defaults are PyTorch's: norms behind the sums, relu, dropout 0.1, 2048 hidden units.

## An encoder layer (Vaswani et al. 2017): x + attention(x), normalised, then + linear2(act(linear1(x))), normalised; with norm_first each norm stands in front of its branch:
## x + attention(norm1(x)). x: [B, T, D] to the same; `mask`, `keep` and `length` as in MultiHeadAttention. Dropout acts on the weights of attention, on the hidden units and on
## both branches. `heads` is also called nhead. `hidden` is also called dim_feedforward. `eps` is also called layer_norm_eps. `act` is also called activation. Its input says `d_model`. In place of `batch_first`: nothing, rows are the first axis and steps the second. In place of `src_mask` and `src_key_padding_mask`: `mask` and `keep` of its inputs, which are true where a key is seen (`mask: not m`).
layer TransformerEncoderLayer(heads: int, *, hidden: int = 2048, dropout: f32 in 0..1 = 0.1, act: fn = relu,
                              norm_first: bool = false, causal: bool = false, rotary: bool = false, alibi: bool = false,
                              kv_heads: int = heads, bias: bool = true, eps: f32 in 0..1 = 1e-5)
                             (x: f32[B, T, D], mask = true, keep: bool[B, T] = true, length: i32[B] in 0..T + 1 = T) -> f32[B, T, D] {
  let self_attention = MultiHeadAttention(heads, causal, rotary, alibi, kv_heads, dropout: dropout, bias: bias)
  let linear1 = Linear(hidden, act: act, bias: bias)
  let linear2 = Linear(D, bias: bias)
  let norm1 = LayerNorm(eps: eps)
  let norm2 = LayerNorm(eps: eps)
  let drop = |z| if dropout > 0 then z |> Dropout(dropout) else z
  let attend = |z| self_attention(z, mask: mask, keep: keep, length: length) |> drop
  let think = |z| z |> linear1 |> drop |> linear2 |> drop
  let y = if norm_first then x + attend(norm1(x)) else norm1(x + attend(x))
  return if norm_first then y + think(norm2(y)) else norm2(y + think(y))
}
## A decoder layer (Vaswani et al. 2017): attention to itself, to memory: [B, S, E], then linear2(act(linear1(x))), each added and normalised as in TransformerEncoderLayer.
## `causal` is off by default as in PyTorch: a decoder that is to predict what comes next needs it on. `keep` and `length` say which places of the memory count, `mask` what is seen from where in x.
## `heads` is also called nhead. `hidden` is also called dim_feedforward. `eps` is also called layer_norm_eps. `act` is also called activation. Its input says `d_model`. In place of `batch_first`: nothing, rows are the first axis and steps the second. In place of `tgt_mask` and `memory_key_padding_mask`: `mask` and `keep` of its inputs, which are true where a key is seen (`mask: not m`).
layer TransformerDecoderLayer(heads: int, *, hidden: int = 2048, dropout: f32 in 0..1 = 0.1, act: fn = relu,
                              norm_first: bool = false, causal: bool = false, rotary: bool = false, alibi: bool = false,
                              kv_heads: int = heads, bias: bool = true, eps: f32 in 0..1 = 1e-5)
                             (x: f32[B, T, D], memory: f32[B, S, E], mask = true, keep: bool[B, S] = true,
                              length: i32[B] in 0..S + 1 = S) -> f32[B, T, D] {
  let self_attention = MultiHeadAttention(heads, causal, rotary, alibi, kv_heads, dropout: dropout, bias: bias)
  let cross_attention = MultiHeadAttention(heads, kv_heads: kv_heads, dropout: dropout, bias: bias)
  let linear1 = Linear(hidden, act: act, bias: bias)
  let linear2 = Linear(D, bias: bias)
  let norm1 = LayerNorm(eps: eps)
  let norm2 = LayerNorm(eps: eps)
  let norm3 = LayerNorm(eps: eps)
  let drop = |z| if dropout > 0 then z |> Dropout(dropout) else z
  let attend = |z| self_attention(z, mask: mask) |> drop
  let look = |z| cross_attention(z, memory, keep: keep, length: length) |> drop
  let think = |z| z |> linear1 |> drop |> linear2 |> drop
  let y = if norm_first then x + attend(norm1(x)) else norm1(x + attend(x))
  let z = if norm_first then y + look(norm2(y)) else norm2(y + look(y))
  return if norm_first then z + think(norm3(z)) else norm3(z + think(z))
}
## `layers` encoder layers one after another, with `norm` a LayerNorm behind the last (by default with norm_first, whose sums nothing else normalises). See TransformerEncoderLayer.
layer TransformerEncoder(layers: int, heads: int, hidden: int = 2048, dropout: f32 in 0..1 = 0.1, act: fn = relu,
                         norm_first: bool = false, causal: bool = false, rotary: bool = false, alibi: bool = false,
                         kv_heads: int = heads, bias: bool = true, eps: f32 in 0..1 = 1e-5, norm: bool = norm_first)
                        (x: f32[B, T, D], mask = true, keep: bool[B, T] = true, length: i32[B] in 0..T + 1 = T) -> f32[B, T, D] {
  let y =
    x
      |> stack layers of |z| TransformerEncoderLayer(
        heads,
        hidden: hidden,
        dropout: dropout,
        act: act,
        norm_first: norm_first,
        causal: causal,
        rotary: rotary,
        alibi: alibi,
        kv_heads: kv_heads,
        bias: bias,
        eps: eps
      )(z, mask, keep, length)
  return if norm then y |> LayerNorm(eps: eps) else y
}
## `layers` decoder layers one after another, with `norm` a LayerNorm behind the last (by default with norm_first). See TransformerDecoderLayer.
layer TransformerDecoder(layers: int, heads: int, hidden: int = 2048, dropout: f32 in 0..1 = 0.1, act: fn = relu,
                         norm_first: bool = false, causal: bool = false, rotary: bool = false, alibi: bool = false,
                         kv_heads: int = heads, bias: bool = true, eps: f32 in 0..1 = 1e-5, norm: bool = norm_first)
                        (x: f32[B, T, D], memory: f32[B, S, E], mask = true, keep: bool[B, S] = true,
                         length: i32[B] in 0..S + 1 = S) -> f32[B, T, D] {
  let y =
    x
      |> stack layers of |z| TransformerDecoderLayer(
        heads,
        hidden: hidden,
        dropout: dropout,
        act: act,
        norm_first: norm_first,
        causal: causal,
        rotary: rotary,
        alibi: alibi,
        kv_heads: kv_heads,
        bias: bias,
        eps: eps
      )(z, memory, mask, keep, length)
  return if norm then y |> LayerNorm(eps: eps) else y
}
## A Linear for each of E experts, on inputs of their own: y[e] = x[e] w[e] + b[e]. x: [..., E, I] to [..., E, out]. w: [E, I, out], b: [E, out], both with the fan of one expert.
layer Experts(out: int, weights: dist = linear_default(), biases: dist = linear_default())
             (x: f32[...S, E, I]) -> f32[...S, E, out] {
  let fan_in = I
  param w: f32[E, I, out] ~ weights
  param b: f32[E, out] ~ biases
  return for ..., e, o: b[e, o] + sum over i: x[..., e, i] * w[e, i, o]
}
## A mixture of experts (Shazeer et al. 2017): every row goes through the k experts that a linear router prefers, y = sum of gate[e] * down(act(up(x)))[e], where up and down are Experts. The gates are the
## router's softmax, for k > 1 (`normalise`) divided by their sum over the chosen ones. x: [..., D] to the same. router: [D, experts], up.w: [experts, D, hidden], down.w: [experts, hidden, D]; `weights` and `biases` are those of both. With return_balance
## it gives (y, balance): experts * sum over e of (share of choices that fall on e) * (mean probability of e), 1 where all are used alike (Fedus et al. 2021), to be added to
## the loss by a small factor. It is dense: every expert computes every row and the gates pick, so no row is dropped, and a step costs what all experts cost. `experts` is also called num_experts.
layer MixtureOfExperts(experts: int, hidden: int, k: int = 2, act: fn = relu, normalise: bool = k > 1,
                       return_balance: bool = false, weights: dist = linear_default(), biases: dist = linear_default())
                      (x: f32[...S, D]) {
  param router: f32[D, experts] ~ linear_default()
  let up = Experts(hidden, weights, biases)
  let down = Experts(D, weights, biases)
  let p = softmax(x @ router)
  let chosen = ranks(p) < k
  let picked = where(chosen, p, 0)
  let gate = if normalise then picked / sum(picked, axis: -1, keep: true) else picked
  let each = up(for ..., e in 0..experts, i: x[..., i]) |> act |> down
  let y = for ..., o: sum over e: gate[..., e] * each[..., e, o]
  let rows = size(p) // experts
  let share = sum(reshape[rows, experts](f32(chosen)), axis: 0) / (k * rows)
  let balance = experts * sum(share * mean(reshape[rows, experts](p), axis: 0))
  return if return_balance then (y, balance) else y
}
