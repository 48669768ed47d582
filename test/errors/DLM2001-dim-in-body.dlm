fn f(x: f32[B, 8]) -> f32[B, K] = x
export fn g(x: f32[B, 8]) = f(x) |> reshape[B, K]
