export fn f(x: f32[B], m: i32[B]) = where(x > 0, m, x)
