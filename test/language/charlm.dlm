# A transformer over characters: one block stacked, output weights tied to the table, and generation in a loop.
const vocab = 65
const ctx = 32
const width = 48
data plays {
  field ids: i32[ctx + 1] in 0..vocab = chars("data/plays.txt", window: ctx + 1)
  holdout valid = 0.1
}
layer Attention(heads: int, drop: f32)(x: f32[B, T, D]) -> f32[B, T, D] {
  let qkv = x |> Linear(3 * D, bias: false) |> rearrange(`b t (three h d) -> three b h t d`, three: 3, h: heads)
  let score = einsum(`b h i d, b h j d -> b h i j`, qkv[0], qkv[1]) / sqrt(D / heads)
  let causal = for i in 0..T, j in 0..T: j <= i
  let a = softmax(where(causal, score, -inf)) |> Dropout(drop)
  let o = einsum(`b h i j, b h j d -> b h i d`, a, qkv[2])
  return rearrange(o, `b h t d -> b t (h d)`) |> Linear(D)
}
layer Block(heads: int, drop: f32 = 0.1)(x: f32[B, T, D]) -> f32[B, T, D] {
  let h = x + (x |> LayerNorm() |> Attention(heads, drop))
  return h + (h |> LayerNorm() |> Linear(4 * D, act: gelu) |> Linear(D) |> Dropout(drop))
}
layer Position(longest: int)(x: f32[B, T <= longest, D]) -> f32[B, T, D] {
  param p: f32[longest, D] ~ normal(0, 0.02)
  return x + p[0..T]
}
model gpt(ids: i32[B, T <= ctx] in 0..vocab) -> f32[B, T, vocab] {
  let tok = Embedding(vocab, width)
  let h = tok(ids) |> Position(ctx) |> stack 2 of Block(heads: 6) |> LayerNorm()
  return h @ transpose(tok.table)
}
train lm on plays(batch: 8) {
  minimize cross_entropy(gpt(ids[:, 0..-1]), ids[:, 1..ctx + 1])
        by clip_norm(1) >> adamw(lr: warmup_cosine(3e-4, warm: 100, total: steps), decay: 0.1)
  steps: 5000
}
export fn write(ids: i32[B, ctx] in 0..vocab, temp: f32 = 1) -> i32[200, B] =
  scan (k in 0..200; w = ids) {
    let c = categorical(gpt(w)[:, -1] / temp)
    next w = concat([w[:, 1..ctx], reshape[B, 1](c)], axis: 1)
    yield c
  }
