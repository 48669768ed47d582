# nothing applies this model yet
model net(x: f32[B, 4]) -> f32[B, 2] = x |> Linear(8) |> Linear(3)
