# A character GPT: 4 layers, 4 heads, width 128, context 64, batch 12 (nanoGPT's setting for a CPU). The text is data/tinyshakespeare.txt in the folder that --data names.
# After 300 steps the loss is 2.4 a character, on the last batch and on the end of the text, which was held out.
const vocab = 65
const ctx = 64
const width = 128

data text {
  field ids: i32[ctx + 1] in 0..vocab = chars("data/tinyshakespeare.txt", window: ctx + 1)
  holdout valid = 0.002
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
  return h + (h |> LayerNorm() |> Linear(4 * D, act: gelu) |> Linear(D))
}

layer Position(longest: int)(x: f32[B, T <= longest, D]) -> f32[B, T, D] {
  param p: f32[longest, D] ~ normal(0, 0.02)
  return x + p[0..T]
}

model gpt(ids: i32[B, T <= ctx] in 0..vocab) -> f32[B, T, vocab] =
  ids |> Embedding(vocab, width) |> Position(ctx) |> stack 4 of Block(heads: 4) |> LayerNorm()
    |> Linear(vocab, bias: false)

train lm on text(batch: 12, seed: 1) {
  minimize cross_entropy(gpt(ids[:, 0..-1]), ids[:, 1..ctx + 1])
        by clip_norm(1) >> adamw(lr: warmup_cosine(1e-3, warm: 30, total: steps), decay: 0.1)
  steps: 300
}

export fn next_logits(ids: i32[B, ctx] in 0..vocab) -> f32[B, vocab] = gpt(ids)[:, -1]
export fn write(ids: i32[B, ctx] in 0..vocab, temperature: f32 = 1) -> i32[200, B] =
  scan (k in 0..200; w = ids) {
    let c = categorical(gpt(w)[:, -1] / temperature)
    next w = concat([w[:, 1..ctx], reshape[B, 1](c)], axis: 1)
    yield c
  }
