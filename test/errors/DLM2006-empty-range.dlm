export fn f(x: f32[4], k: i32 in 4..0) = x[k]
