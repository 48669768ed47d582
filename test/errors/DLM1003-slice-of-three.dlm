export fn f(x: f32[8]) -> f32[3] = x[0:6:2]
