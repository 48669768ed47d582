data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: f32[1] = uniform[1]
  field k: i32 in 0..3 = randint(0, 3)[]
}

model net(x: f32[B, 4]) -> f32[B, 1] = x |> Liner(8) |> Linear(1)
train fit on points(batch: 10) {
  let a = net(x)
  let b = unknown_name + 1
  minimize mse(a, y) + b by adam()
  metric m = accurcy(a, k)
  epochs: many
}
export fn f(x: f32[B, 4]) = x + undefined
export fn g(x: f32[B, 5]) = net(x)
