data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: f32[1] = uniform[1]
  field k: i32 in 0..3 = randint(0, 3)[]
}
model net(x: f32[B, 4]) -> f32[B, 1] = x |> stack 3 of Linear(8, act: sigmoid) |> Linear(8) |> sigmoid |> Linear(1)
train fit on points(batch: 10) {
  let used = (x, y, k)
  minimize mse(net(x), y) by adam()
  steps: 10
}
