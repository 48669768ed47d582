# Sequence to sequence: in training the true token is fed, in use the guess.
const go = 11 # every target begins with it
layer GRUCell(hidden: int)(x: f32[B, I], h: f32[B, hidden]) -> f32[B, hidden] {
  param wx: f32[I, 3 * hidden] ~ uniform(-1, 1) / sqrt(hidden)
  param wh: f32[hidden, 3 * hidden] ~ uniform(-1, 1) / sqrt(hidden)
  param bx: f32[3 * hidden] ~ zeros
  param bh: f32[3 * hidden] ~ zeros
  let (rx, zx, nx) = split(x @ wx + bx, 3, axis: -1)
  let (rh, zh, nh) = split(h @ wh + bh, 3, axis: -1)
  let z = sigmoid(zx + zh)
  return (1 - z) * tanh(nx + sigmoid(rx + rh) * nh) + z * h
}
layer GRU(hidden: int)(xs: f32[B, T, I]) -> f32[B, T, hidden] {
  let cell = GRUCell(hidden)
  return scan (x in xs along T; h = zeros[B, hidden]) {
    let h1 = cell(x, h)
    next h = h1
    yield h1
  }
}
data sums {
  field src: i32[7] in 0..12 = tokens("data/sums.src", pad: 7)
  field tgt: i32[6] in 0..12 = tokens("data/sums.tgt", pad: 6)
}
model encode(src: i32[B, T] in 0..12) -> f32[B, 128] = src |> Embedding(12, 64) |> GRU(128) |> last
model decode(y: i32[B] in 0..12, h: f32[B, 128]) -> (f32[B, 12], f32[B, 128]) {
  let h1 = GRUCell(128)(Embedding(12, 64)(y), h)
  return (Linear(12)(h1), h1)
}
train fit on sums(batch: 64) {
  let logits = scan (y in tgt[:, 0..-1] along 1; h = encode(src)) {
    let (z, h1) = decode(y, h)
    next h = h1
    yield z
  }
  minimize cross_entropy(logits, tgt[:, 1..6]) by adam(lr: 1e-3)
  metric exact = mean(all(argmax(logits, axis: -1) == tgt[:, 1..6], axis: -1))
  epochs: 30
}
export fn solve(src: i32[B, 7] in 0..12) -> i32[5, B] =
  scan (k in 0..5; y = expand[B](go), h = encode(src)) {
    let (z, h1) = decode(y, h)
    let guess = argmax(z, axis: -1)
    next y = guess, h = h1
    yield guess
  }
