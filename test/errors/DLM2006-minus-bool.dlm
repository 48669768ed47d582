export fn f(x: f32[B, 4]) = -(x > 0)
