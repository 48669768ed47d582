export fn f(x: f32[B, 3]) = sum(x, axis: 2)
