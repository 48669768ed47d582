# Three recurrent networks read a text that counts from one to nine hundred ninety nine, letter by letter, and predict the next letter: a plain one
# (Elman 1990), long short-term memory (Hochreiter and Schmidhuber 1997) and gated units (Cho et al. 2014). See the gated ones learn faster, by what
# they carry over many letters; the loss is in nats a letter, on the end of the text, whose numbers no network has seen.
const vocab = 26
const window = 24

data numbers {
  field ids: i32[window + 1] in 0..vocab = chars("../data/numbers.txt", window: window + 1, stride: 8)
  holdout test = 0.1
}

model rnn(ids: i32[B, T] in 0..vocab) -> f32[B, T, vocab] = ids |> Embedding(vocab, 16) |> RNN(48) |> Linear(vocab)
model lstm(ids: i32[B, T] in 0..vocab) -> f32[B, T, vocab] = ids |> Embedding(vocab, 16) |> LSTM(48) |> Linear(vocab)
model gru(ids: i32[B, T] in 0..vocab) -> f32[B, T, vocab] = ids |> Embedding(vocab, 16) |> GRU(48) |> Linear(vocab)

train fit on numbers(batch: 32, seed: 1) {
  let (before, after) = (ids[:, 0..-1], ids[:, 1..window + 1])
  let plain = cross_entropy(rnn(before), after)
  let long_short = cross_entropy(lstm(before), after)
  let gated = cross_entropy(gru(before), after)
  minimize plain + long_short + gated by clip_norm(1) >> adam(lr: 3e-3)
  metric rnn_loss = plain
  metric lstm_loss = long_short
  metric gru_loss = gated
  epochs: 3
}

export fn next_logits(ids: i32[B, window] in 0..vocab) -> f32[B, vocab] = gru(ids)[:, -1]
