export fn f(x: f32[B, 64]) = x |> reshape[B, 8, 9]
