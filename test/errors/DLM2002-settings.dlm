data points {
  rows: 100
  field x: f32[4] = normal[4]
  holdout valid = 0.1
  holdout valid = 0.2
}
model net(x: f32[B, 4]) = x |> Linear(1)
train fit on points(batch: 10) {
  minimize mean(net(x)) by adam()
  metric m = mean(net(x))
  metric m = sum(net(x))
  epochs: 1
  epochs: 2
}
