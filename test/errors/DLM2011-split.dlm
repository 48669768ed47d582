export fn f(x: f32[B, 10]) {
  let (a, b, c) = split(x, 3, axis: -1)
  return a + b + c
}
