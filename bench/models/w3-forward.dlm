# W3 used, not trained: the forward pass alone.
const vocab = 65
const ctx = 64
const width = 128
const layers = 4

layer Attention(heads: int)(x: f32[B, T, D]) -> f32[B, T, D] {
  let qkv = x |> Linear(3 * D, bias: false) |> rearrange(`b t (three h d) -> three b h t d`, three: 3, h: heads)
  let score = einsum(`b h i d, b h j d -> b h i j`, qkv[0], qkv[1]) / sqrt(D / heads)
  let seen = for b, h, i, j: where(j <= i, score[b, h, i, j], -inf)
  let o = einsum(`b h i j, b h j d -> b h i d`, softmax(seen), qkv[2])
  return rearrange(o, `b h t d -> b t (h d)`) |> Linear(D)
}
layer Block(heads: int)(x: f32[B, T, D]) -> f32[B, T, D] {
  let h = x + (x |> LayerNorm() |> Attention(heads))
  return h + (h |> LayerNorm() |> Linear(4 * D, act: gelu) |> Linear(D))
}
layer Position(longest: int)(x: f32[B, T <= longest, D]) -> f32[B, T, D] {
  param p: f32[longest, D] ~ normal(0, 0.02)
  return x + p[0..T]
}
model gpt(ids: i32[B, T <= ctx] in 0..vocab) -> f32[B, T, vocab] =
  ids |> Embedding(vocab, width) |> Position(ctx) |> stack layers of Block(heads: 4) |> LayerNorm() |> Linear(vocab, bias: false)
export fn forward(ids: i32[12, 64] in 0..vocab) -> f32[12, 64, vocab] = gpt(ids)
