data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: i32 in 0..2 = i32(x[0] > 0)
}
model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(1)
train fit on points(batch: 10) {
  minimize mse(net(x), f32(y)) by adam(lr: 1e-3)
  epochs: 1
}
