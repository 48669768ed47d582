export fn f(x: f32[B, 4]) = sum(x, axis: 1, keep: 1)
