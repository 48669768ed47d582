modle net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)

data d {
  rows: 4
  feild x: f32[2] = normal[2]
}

train fit on d(batch: 2) {
  minimise mean(net(x)) by sgd(lr: 0.1)
  metrik size = mean(x)
  steps: 1
}
