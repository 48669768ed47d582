data points { rows: 512
  field x: f32[16] = normal[16] }
model net(x: f32[B, 16]) -> f32[B, 1] =
  x |> Linear(64, act: tanh) |> Linear(64, act: gelu) |> Linear(1)
train fit on points(batch: 256) {
  minimize mean(net(x)^2) by adam(lr: 1e-3)
  steps: 10
}
