data d {
  rows: 10
  field x: f32[4] = normal[4]
  field y: i32 in 0..3 = randint(0, 3)[]
  hold test = 0.2
}
model net(x: f32[B, 4]) -> f32[B, 3] = x |> Linear(3)
export fn f(x: f32[B, 4]) = net(x)
