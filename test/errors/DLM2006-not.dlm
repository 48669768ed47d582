export fn f(x: f32[B, 4]) = not x
