fn f(x: f32[4]) {
  return x
  let y = x + 1
}
export fn g(x: f32[4]) = f(x)
