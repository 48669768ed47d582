fn count(step_size: f32) -> f32 {
  state n: f32 = 0
  next n = n + step_size
  return n
}
fn twice() -> f32 = 2 * count(1)
data d {
  rows: 8
  field x: f32[2] = normal[2]
}
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)
train fit on d(batch: 4) {
  let rate = twice()
  minimize mean(net(x)^2) by sgd(lr: 0.1)
  metric seen = count(1)
  steps: 2
}
export fn f(x: f32[B, 2]) = net(x) * count(1)
