# W8: 64 layers of width 64, tanh, Adam, batch 32: many small kernels.
data batches {
  field x: f32[64] = host("x")
  field y: f32[64] = host("y")
}
model net(x: f32[B, 64]) -> f32[B, 64] = x |> stack 64 of Linear(64, act: tanh)
train fit on batches(batch: 32, seed: 1, shuffle: false) {
  minimize mse(net(x), y) by adam(lr: 1e-4)
  steps: 1000000
}
