layer Mean()(x: f32[B, C]) -> f32[B, C] {
  state m: f32[C] = 0
  next m = x
  return x - m
}
data d {
  rows: 10
  field x: f32[4] = normal[4]
}
model net(x: f32[B, 4]) = x |> Mean() |> Linear(1)
train fit on d(batch: 5) {
  minimize mean(net(x)) by sgd()
  steps: 1
}
