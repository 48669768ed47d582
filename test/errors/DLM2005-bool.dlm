export fn f(x: f32[B]) = sum((x > 0) * x)
