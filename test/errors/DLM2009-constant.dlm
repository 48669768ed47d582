export fn f(x: f32[B, 8]) = x[:, 8]
