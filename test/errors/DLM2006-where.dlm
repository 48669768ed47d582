export fn f(x: f32[B, 4]) = where(1, x, 0)
