data fed {
  field x: f32[8] = normal[8]
  rows: 20
  holdout test: 0.25
}
model net(x: f32[B, 8]) -> f32[B, 1] = x |> Linear(1)
train fit on fed(batch: 4) {
  let y: net(x)
  minimize mean(y^2) by sgd(lr: 0.1)
  metric m: mean(y)
  steps: 3
}
