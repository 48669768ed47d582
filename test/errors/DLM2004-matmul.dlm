export fn f(a: f32[B, 4], w: f32[5, 8]) = a @ w
