const a = (1 + 2
model net(x f32[B, 4]) -> f32[B, 2] = x |> Linear(2)
fn f(x: f32) = x +
fn g(x: f32) = x * 2
train fit {
  minimize f(1.0)
  epochs 3
}
