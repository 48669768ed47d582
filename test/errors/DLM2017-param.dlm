layer Bias()(x: f32[B, C]) {
  param b: f32[B, C] ~ zeros
  return x + b
}
model net(x: f32[B, 4]) = x |> Bias()
export fn f(x: f32[B, 4]) = net(x)
