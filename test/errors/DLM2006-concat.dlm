export fn f(x: f32[6]) -> f32[12] = concat(x, x)
