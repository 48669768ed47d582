model net(x: f32[B, 4]) -> f32[B, 2] = x |> Linear(8 act: relu) |> Linear(2)
