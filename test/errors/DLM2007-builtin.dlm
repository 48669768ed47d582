export fn f(x: f32[B, 3]) = exp(x, 2)
