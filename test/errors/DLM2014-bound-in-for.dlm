export fn f(x: f32[4, 4]) -> f32[4, 4] = for i in 0..4, j in 0..i: x[i, j]
