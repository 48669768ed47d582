export fn f(x: f32[B, 3]) = grad(x^2, wrt: x)
