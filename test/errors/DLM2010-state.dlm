layer Turn()(x: f32[B, 2]) -> f32[B, 2] {
  state k: i32 in 0..2 = 0
  param t: f32[2] ~ ones
  next k = k + 1
  return x * t[k]
}
model net(x: f32[B, 2]) -> f32[B, 2] = x |> Turn()
train fit {
  minimize mean(net(ones[3, 2])^2) by sgd()
  steps: 1
}
