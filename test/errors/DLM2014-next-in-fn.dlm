fn f(x: f32[4]) {
  next x = x + 1
  return x
}
export fn g(x: f32[4]) = f(x)
