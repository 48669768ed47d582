export fn f(a: f32[B, 4], b: f32[B]) = a - b
