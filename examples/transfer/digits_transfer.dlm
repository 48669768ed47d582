# What a network learns of the digits 0 to 4 helps with 5 to 9: its layers are kept, and with a new head they go on with some 90 examples of the others.
# Digits lie anywhere on a canvas of 12x12, and that a digit stays the same wherever it lies is what is worth transferring. See `transferred` above
# `from_scratch`, the same network that saw only those 90 rows (Yosinski et al. 2014). Without the shifts 18 rows are enough for a digit, and what was
# learned of others does harm.
# Reaches 65.4 % with and 51.9 % without.
data digits {
  field pixels: f32[64] = csv("../data/digits.csv", columns: 0..64)
  let (down, right) = (randint(0, 5)[], randint(0, 5)[])
  field x: f32[12, 12, 1] = canvas(pixels, down, right)
  field y: i32 in 0..10 = csv("../data/digits.csv", column: 64)
  holdout test = 0.2
}
data few {
  field pixels: f32[64] = csv("../data/digits.csv", columns: 0..64)
  let (down, right) = (randint(0, 5)[], randint(0, 5)[])
  field x: f32[12, 12, 1] = canvas(pixels, down, right)
  field y: i32 in 0..10 = csv("../data/digits.csv", column: 64)
  holdout test = 0.9
}
## The 8x8 pixels on an empty canvas, brightness 0 to 1.
fn canvas(pixels: f32[64], down: i32, right: i32) -> f32[12, 12, 1] {
  let image = reshape[8, 8](pixels) / 16
  return for i in 0..12, j in 0..12, c in 0..1: image[i - down, j - right] ?? 0
}
layer Body()(x: f32[B, 12, 12, 1]) -> f32[B, 64] =
  x |> Conv2d(8, 5, stride: 2, padding: 2) |> relu |> Conv2d(16, 3, padding: 1) |> relu |> flatten
    |> Linear(64, act: relu)
model body(x: f32[B, 12, 12, 1]) -> f32[B, 64] = x |> Body()
model early(h: f32[B, 64]) -> f32[B, 5] = h |> Linear(5)
model late(h: f32[B, 64]) -> f32[B, 5] = h |> Linear(5)
model scratch(x: f32[B, 12, 12, 1]) -> f32[B, 5] = x |> Body() |> Linear(5)

## Mean over the rows that count.
fn mean_of(l: f32[B], rows: f32[B]) -> f32 = sum(l * rows) / max(sum(rows), 1)

train first on digits(batch: 64, seed: 1) {
  let is_early = f32(y < 5)
  let label = min(y, 4)
  let logits = early(body(random_shift(x, 2)))
  minimize mean_of(cross_entropy(logits, label, reduce: each), is_early) by adam(lr: 3e-3)
  metric acc = mean_of(f32(argmax(logits, axis: -1) == label), is_early)
  epochs: 20
  evaluate: 225
}
train second on few(batch: all, seed: 1) {
  let is_late = f32(y >= 5)
  let label = max(y - 5, 0)
  let (a, b) = (late(body(x)), scratch(x))
  minimize mean_of(cross_entropy(a, label, reduce: each), is_late) by adam(lr: 1e-3)
  minimize mean_of(cross_entropy(b, label, reduce: each), is_late) by adam(lr: 1e-3)
  metric transferred = mean_of(f32(argmax(a, axis: -1) == label), is_late)
  metric from_scratch = mean_of(f32(argmax(b, axis: -1) == label), is_late)
  steps: 100
  evaluate: 100
}
