export fn f(x: float[B, 4]) = sum(x)
export fn g(x: f32[B, 4]) -> f64 = sum(x)
