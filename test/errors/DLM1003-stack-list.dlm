export fn f(x: f32[4]) -> f32[2, 4] = stack([x, x])
export fn g(x: f32[4]) = x
