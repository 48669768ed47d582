export fn f(x: f32[n: 3]) -> f32 = sum(x)
