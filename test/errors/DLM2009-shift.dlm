export fn f(x: f32[B, 8]) = for b, i in 0..8: x[b, i] - x[b, i + 1]
