fn f(x: f32[B, T <= 4]) = sum(x)
export fn g(x: f32[B, 6]) = f(x)
