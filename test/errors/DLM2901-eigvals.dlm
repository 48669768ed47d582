data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: f32[1] = uniform[1]
  field k: i32 in 0..3 = randint(0, 3)[]
  holdout valid = 0.1
}
model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(8) |> Linear(1)
train fit on points(batch: 10) {
  minimize mse(net(x), y) by adam()
  metric m = eigvals(net(x))
  steps: 10
}

