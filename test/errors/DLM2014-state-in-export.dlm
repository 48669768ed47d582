export fn f(x: f32[B, 4]) {
  state s: f32 = 0
  return x
}
