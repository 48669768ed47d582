export fn f(x: f32[B, 4]) = for b: avg over i: x[b, i]
