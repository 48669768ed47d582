## Layers of the library: the weights that are made alike at the user's own line. Offsets that are drawn tell units apart.
data points {
  rows: 100
  field x: f32[4] = normal[4]
  field p: f32[8, 8, 3] = normal[8, 8, 3]
  field y: f32[1] = uniform[1]
}
model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(8, weights: zeros, biases: zeros) |> tanh |> Linear(1, weights: zeros)
model drawn(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(8, weights: zeros) |> tanh |> Linear(1, weights: zeros)
model filters(x: f32[B, 8, 8, 3]) -> f32[B, 1] {
  let h = x |> Conv2d(4, 3, pad: 1, weights: 0.1, bias: false) |> relu
  return h |> Conv2d(4, 3, pad: 1, weights: 0.1, bias: false) |> flatten |> Linear(1)
}
train fit on points(batch: 10) {
  minimize mse(net(x), y) + mse(drawn(x), y) + mse(filters(p), y) by adam()
  steps: 10
}
