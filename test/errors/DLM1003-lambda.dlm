export fn f(x: f32) -> f32 = x |> (lambda y: y)
