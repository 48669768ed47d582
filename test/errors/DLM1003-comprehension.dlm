export fn f(x: f32[6]) -> f32[6] = [x[i] for i in 0..6]
