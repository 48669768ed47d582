# What a network learned of the digits 0 to 4 helps with 5 to 9: its layers are kept, and a new head is trained on some 25 examples of the others.
# See `transferred` above `from_scratch`, the same network that had only those few rows (Yosinski et al. 2014).
data digits {
  field x: f32[64] = csv("../data/digits.csv", columns: 0..64) / 16
  field y: i32 in 0..10 = csv("../data/digits.csv", column: 64)
  holdout test = 0.2
}
data few {
  field x: f32[64] = csv("../data/digits.csv", columns: 0..64) / 16
  field y: i32 in 0..10 = csv("../data/digits.csv", column: 64)
  holdout test = 0.97
}
layer Body()(x: f32[B, 64]) -> f32[B, 64] = x |> Linear(128, act: relu) |> Linear(64, act: relu)
model body(x: f32[B, 64]) -> f32[B, 64] = x |> Body()
model early(x: f32[B, 64]) -> f32[B, 5] = x |> Linear(5)
model late(x: f32[B, 64]) -> f32[B, 5] = x |> Linear(5)
model scratch(x: f32[B, 64]) -> f32[B, 5] = x |> Body() |> Linear(5)

## Mean over the rows that count.
fn mean_of(l: f32[B], rows: f32[B]) -> f32 = sum(l * rows) / max(sum(rows), 1)

train first on digits(batch: 64, seed: 1) {
  let is_early = f32(y < 5)
  let z = early(body(x))
  let label = min(y, 4)
  minimize mean_of(cross_entropy(z, label, reduce: each), is_early) by adam(lr: 1e-3)
  metric acc = mean_of(f32(argmax(z, axis: -1) == label), is_early)
  epochs: 20
}
train second on few(batch: all, seed: 1) {
  let is_late = f32(y >= 5)
  let label = max(y - 5, 0)
  let (z, w) = (late(stop(body(x))), scratch(x))
  minimize mean_of(cross_entropy(z, label, reduce: each), is_late) wrt late by adam(lr: 1e-2)
  minimize mean_of(cross_entropy(w, label, reduce: each), is_late) wrt scratch by adam(lr: 1e-3)
  metric transferred = mean_of(f32(argmax(z, axis: -1) == label), is_late)
  metric from_scratch = mean_of(f32(argmax(w, axis: -1) == label), is_late)
  steps: 200
  evaluate: 200
}
