# Two equal networks learn 300 digits, one with dropout: both know the training rows by heart, and the one with dropout makes fewer mistakes on others.
# See `plain_acc` and `dropped_acc` part on the held-out rows (Srivastava et al. 2014).
data digits {
  field x: f32[64] = csv("../data/digits.csv", columns: 0..64) / 16
  field y: i32 in 0..10 = csv("../data/digits.csv", column: 64)
  holdout test = 0.83
}
model plain(x: f32[B, 64]) -> f32[B, 10] = x |> Linear(256, act: relu) |> Linear(256, act: relu) |> Linear(10)
model dropped(x: f32[B, 64]) -> f32[B, 10] =
  x |> Dropout(0.2) |> Linear(256, act: relu) |> Dropout(0.5) |> Linear(256, act: relu) |> Dropout(0.5) |> Linear(10)

train fit on digits(batch: 50, seed: 1) {
  let (a, b) = (plain(x), dropped(x))
  minimize cross_entropy(a, y) + cross_entropy(b, y) by adam(lr: 1e-3)
  metric plain_acc = accuracy(a, y)
  metric dropped_acc = accuracy(b, y)
  epochs: 100
}
