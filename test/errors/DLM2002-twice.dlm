export fn f(x: f32[B, 4]) {
  let y = x + 1
  let y = y * 2
  return y
}
fn g(x: f32) = x
fn g(x: f32, y: f32) = x + y
