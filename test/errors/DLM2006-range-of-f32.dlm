export fn f(x: f32[B] in 0..1) = x
