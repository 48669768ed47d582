fn f(x: f32[B, 4]) {
  let y = x + 1
}
export fn g(x: f32[B, 4]) = f(x)
