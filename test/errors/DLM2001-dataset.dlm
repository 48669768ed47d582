model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(1)
train fit on digits(batch: 10) {
  minimize mse(net(x), y) by adam(lr: 1e-3)
  epochs: 1
}
