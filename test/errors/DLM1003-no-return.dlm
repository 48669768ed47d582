fn f(x: f32[4]) -> f32[4] {
  let y = 2 * x
  y
}
fn g(x: f32[4]) -> f32[4] { x + 1 }
