data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: f32[1] = uniform[1]
}

model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(1)
train fit on points(batch: 10) {
  let e = mse(net(x), y)
  epochs: 1
}
