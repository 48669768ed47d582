# A schedule that remembers, as a layer with state, fed with the last measured loss.
data points {
  rows: 400
  field x: f32[1] = uniform(-1, 1)[1]
  field y: f32[1] = 3 * x - 2
  holdout valid = 0.25
}
layer Plateau(lr: f32, factor: f32 = 0.1, patience: int = 10, threshold: f32 = 1e-4)
             (value: f32, fresh: bool = measured) -> f32 {
  state best: f32 = inf
  state bad: i32 = 0
  state rate: f32 = lr
  let better = value < best * (1 - threshold)
  let count = where(better, 0, bad + 1)
  let drop = fresh and count > patience
  let now = where(drop, rate * factor, rate)
  next best = where(fresh and better, value, best), bad = where(drop, 0, where(fresh, count, bad)), rate = now
  return now
}
model line(x: f32[B, 1]) -> f32[B, 1] = x |> Linear(1)
train fit on points(batch: 50) {
  minimize mse(line(x), y) by sgd(lr: Plateau(0.1)(valid.loss))
  epochs: 50
}
