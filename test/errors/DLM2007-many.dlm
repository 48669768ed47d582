export fn f(x: f32[B, 3], y: f32[B, 3]) = mse(x, y, average, 0.5)
