fn f(x: f32[B, 2 * T]) = x[:, 0..T]
export fn g(x: f32[B, 8]) = f(x)
