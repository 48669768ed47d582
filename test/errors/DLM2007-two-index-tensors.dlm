export fn f(x: f32[4, 5], i: i32[3] in 0..4, j: i32[3] in 0..5) = x[i, j]
