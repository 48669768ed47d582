export fn f(x: f32[B, 3]) = for b, i: x[b, i + 1]
