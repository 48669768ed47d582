export fn f(x: f32[6]) -> f32[3] = x[::2]
