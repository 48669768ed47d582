data d {
  rows: 20
  field x: f32[4] = normal[4]
}
model net(x: f32[B, 4]) -> f32[B, 2] = x |> Linear(2)
train fit on d(batch: 10) {
  minimize sum(net(x)^2) / rows + f32(row) by sgd(lr: 0.1)
  steps: 2
}
