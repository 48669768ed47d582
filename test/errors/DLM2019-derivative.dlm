data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: f32[1] = normal[1]
}
model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(1)
train fit on points(batch: 10) {
  let loss = mse(net(x), y)
  minimize loss by adam(lr: 1e-3)
  metric slope = norm(grad(loss, wrt: net.linear.w))
  epochs: 1
}
