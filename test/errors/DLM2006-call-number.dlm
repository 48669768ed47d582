const a = 3
export fn f(x: f32[B]) = a(x)
