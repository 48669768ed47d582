fn f(x: f32) = where(x ~= 2, x, 0)
