export fn f(x: f32[B, T, 4]) = categorical(x)
