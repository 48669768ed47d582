fn f(x: f32) = where(x = 1, 2.0, x)
