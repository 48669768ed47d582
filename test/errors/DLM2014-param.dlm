fn f(x: f32[B, 4]) {
  param w: f32[4] ~ normal(0, 1)
  return x * w
}
export fn g(x: f32[B, 4]) = f(x)
