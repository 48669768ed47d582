layer L()(x: f32[4]) {
  state s: f32 = 0
  next t = s + 1
  return x
}
model m(x: f32[4]) = x |> L()
export fn g(x: f32[4]) = m(x)
