export fn f(x: f32[B, 4]) = x.sum(axis: 1)
