# A recurrence written in the language, run in both directions, and a mean over what is there.
layer LSTM(hidden: int)(xs: f32[B, T, I], h0: f32[B, hidden] = 0, c0: f32[B, hidden] = 0) -> f32[B, T, hidden] {
  param wx: f32[I, 4 * hidden] ~ uniform(-1, 1) / sqrt(hidden)
  param wh: f32[hidden, 4 * hidden] ~ uniform(-1, 1) / sqrt(hidden)
  param b: f32[4 * hidden] ~ zeros
  return scan (x in xs along T; h = h0, c = c0) {
    let (i, f, g, o) = split(x @ wx + h @ wh + b, 4, axis: -1)
    let c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
    let h1 = sigmoid(o) * tanh(c1)
    next h = h1, c = c1
    yield h1
  }
}
layer BiLSTM(hidden: int)(xs: f32[B, T, I]) -> f32[B, T, 2 * hidden] {
  let ahead = LSTM(hidden)
  let back = LSTM(hidden)
  return concat([ahead(xs), flip(back(flip(xs, axis: 1)), axis: 1)], axis: -1)
}
data reviews {
  field ids: i32[200] in 0..5000 = tokens("data/reviews.txt", pad: 200)
  field length: i32 in 1..201 = token_count("data/reviews.txt", pad: 200)
  field good: i32 in 0..2 = csv("data/reviews.csv", column: "good")
  holdout valid = 0.1
}
model sentiment(ids: i32[B, T] in 0..5000, length: i32[B] in 1..T + 1) -> f32[B, 2] {
  let h = ids |> Embedding(5000, 64) |> stack 2 of BiLSTM(64)
  return (for b, d: mean over t in 0..length[b]: h[b, t, d]) |> Linear(2)
}
train fit on reviews(batch: 32) {
  let logits = sentiment(ids, length)
  minimize cross_entropy(logits, good) by clip_norm(1) >> adam(lr: 2e-3)
  metric acc = accuracy(logits, good)
  epochs: 8
}
