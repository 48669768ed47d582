fn two(x: f32[B, 4]) = (x, x + 1)
export fn f(x: f32[B, 4]) {
  let (a, b, c) = two(x)
  return a + b + c
}
