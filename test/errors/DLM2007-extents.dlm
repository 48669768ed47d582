export fn f(x: f32[B, 3], y: f32[B, 4]) = for b, i: x[b, i] * y[b, i]
