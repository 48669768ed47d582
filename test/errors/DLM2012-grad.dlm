export fn f(x: f32[B, 3], y: f32[B, 3]) = grad(sum(x^2), wrt: y)
