# W10: a small transformer, 3 blocks, 4 heads, width 96, MLP 192, context 64, vocabulary 65, Adam, batch 16.
const vocab = 65
const ctx = 64
const width = 96
const layers = 3

data batches {
  field ids: i32[ctx + 1] in 0..vocab = host("ids")
}
layer Attention(heads: int)(x: f32[B, T, D]) -> f32[B, T, D] {
  let qkv = x |> Linear(3 * D, bias: false) |> rearrange(`b t (three h d) -> three b h t d`, three: 3, h: heads)
  let score = einsum(`b h i d, b h j d -> b h i j`, qkv[0], qkv[1]) / sqrt(D / heads)
  let seen = for b, h, i, j: where(j <= i, score[b, h, i, j], -inf)
  let o = einsum(`b h i j, b h j d -> b h i d`, softmax(seen), qkv[2])
  return rearrange(o, `b h t d -> b t (h d)`) |> Linear(D)
}
layer Block(heads: int)(x: f32[B, T, D]) -> f32[B, T, D] {
  let h = x + (x |> LayerNorm() |> Attention(heads))
  return h + (h |> LayerNorm() |> Linear(2 * D, act: gelu) |> Linear(D))
}
layer Position(longest: int)(x: f32[B, T <= longest, D]) -> f32[B, T, D] {
  param p: f32[longest, D] ~ normal(0, 0.02)
  return x + p[0..T]
}
model gpt(ids: i32[B, T <= ctx] in 0..vocab) -> f32[B, T, vocab] =
  ids |> Embedding(vocab, width) |> Position(ctx) |> stack layers of Block(heads: 4) |> LayerNorm() |> Linear(vocab, bias: false)
train fit on batches(batch: 16, seed: 1, shuffle: false) {
  minimize cross_entropy(gpt(ids[:, 0..-1]), ids[:, 1..ctx + 1]) by adam(lr: 1e-3)
  steps: 1000000
}
