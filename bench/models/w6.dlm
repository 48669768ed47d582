# W6: exclusive or, 2-8-1, tanh, plain gradient descent, the whole table of 4 rows as batch.
data table {
  field x: f32[2] = host("x")
  field y: f32[1] = host("y")
}
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(8, act: tanh) |> Linear(1)
train fit on table(batch: 4, seed: 1, shuffle: false) {
  minimize bce_with_logits(net(x), y) by sgd(lr: 0.5)
  steps: 1000000000
}
