data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: f32[1] = normal[1]
}
model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(1)
model idle(x: f32[B, D]) -> f32[B, 1] = x |> Linear(1)
train fit on points(batch: 10) {
  minimize mse(net(x), y) + 1e-3 * l2(net) + 1e-3 * l2(idle) by adam(lr: 1e-3)
  epochs: 1
}
