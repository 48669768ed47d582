const a = [1, 2, 3]
export fn f(x: f32[B]) = x * a[3]
