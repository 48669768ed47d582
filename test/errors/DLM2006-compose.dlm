export fn f(x: f32[4]) = x |> exp >> tanh
