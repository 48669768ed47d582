# A recurrent network reads a text letter by letter and learns to say which comes next; `write` goes on from what is typed:
# dlm run characters.dlm write --weights characters.safetensors --input 'ids="one hundred "'
# data/text.txt counts from one to nine hundred ninety-nine in words. Put a text of your own there: `vocab` is how many different characters it has, in the
# order of their codes, which `dlm train` says if it is wrong.
const vocab = 19
const ctx = 24
const hidden = 48
const lr = 1e-2

data text {
  field ids: i32[ctx + 1] in 0..vocab = chars("data/text.txt", window: ctx + 1, stride: 8)
  holdout valid = 0.05
}

model reader(ids: i32[B, T] in 0..vocab) -> f32[B, T, vocab] =
  ids |> Embedding(vocab, 16) |> GRU(hidden) |> Linear(vocab)

train fit on text(batch: 32, seed: 1) {
  let logits = reader(ids[:, 0..-1])
  minimize cross_entropy(logits, ids[:, 1..ctx + 1]) by clip_norm(1) >> adam(lr: lr)
  metric acc = accuracy(logits, ids[:, 1..ctx + 1])
  epochs: 4
}

export fn write(ids: i32[B, ctx] in 0..vocab, temperature: f32 = 0.7) -> i32[60, B] =
  scan (k in 0..60; window = ids) {
    let c = categorical(reader(window)[:, -1] / temperature)
    next window = concat([window[:, 1..ctx], reshape[B, 1](c)], axis: 1)
    yield c
  }
