## Masks of weights: whole numbers and truth values are no parameters.
data points {
  rows: 64
  field x: f32[4] = normal[4]
  field y: f32[1] = for k: sum(x)
}
model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(8, act: tanh) |> Linear(1)
train first on points(batch: 16) {
  minimize mse(net(x), y) by sgd()
  state mask = where(abs(net) > 0.2, 1, 0)
  metric kept = mean(mask)
  steps: 5
}
train second on points(batch: 16) {
  state large = 0 * net
  next large = abs(net) > 0.2
  steps: 5
}
