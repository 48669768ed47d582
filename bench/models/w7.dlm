# W7: long short-term memory, sequence 32, batch 32, input 64, hidden 128, Adam; the last hidden state is classified.
data batches {
  field x: f32[32, 64] = host("x")
  field y: i32 in 0..10 = host("y")
}
## Gates i, f, g, o; Hochreiter and Schmidhuber 1997.
layer LSTM(hidden: int)(xs: f32[B, T, I]) -> f32[B, T, hidden] {
  param wx: f32[I, 4 * hidden] ~ uniform(-1, 1) / sqrt(hidden)
  param wh: f32[hidden, 4 * hidden] ~ uniform(-1, 1) / sqrt(hidden)
  param b: f32[4 * hidden] ~ zeros
  return scan (x in xs along T; h = zeros[B, hidden], c = zeros[B, hidden]) {
    let (i, f, g, o) = split(x @ wx + h @ wh + b, 4, axis: -1)
    let c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
    let h1 = sigmoid(o) * tanh(c1)
    next h = h1, c = c1
    yield h1
  }
}
model net(x: f32[B, T, 64]) -> f32[B, 10] = x |> LSTM(128) |> last |> Linear(10)
train fit on batches(batch: 32, seed: 1, shuffle: false) {
  minimize cross_entropy(net(x), y) by adam(lr: 1e-3)
  steps: 1000000
}
