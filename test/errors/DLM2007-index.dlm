export fn f(x: f32[B, 3]) = x[0, 1, 2]
