data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: f32[1] = uniform[1]
  field k: i32 in 0..3 = randint(0, 3)[]
}
layer Plain(out: int)(x: f32[B, I]) -> f32[B, out] {
  param w: f32[I, out] ~ zeros
  param b: f32[out] ~ zeros
  return x @ w + b
}
model net(x: f32[B, 4]) -> f32[B, 1] = x |> Plain(8) |> tanh |> Plain(1)
## One such matrix is fine: its targets, or what is behind it, tell the units apart.
model softmax_regression(x: f32[B, 4]) -> f32[B, 3] = x |> Plain(3)
model residual(x: f32[B, 4]) -> f32[B, 3] = x + (x |> Linear(16, act: relu) |> Plain(4)) |> Linear(3)
train fit on points(batch: 10) {
  let z = softmax_regression(x) + residual(x)
  minimize mse(net(x), y) + cross_entropy(z, k) by adam()
  steps: 10
}
