export fn f(x: f32) -> f32 = x^2 if true else x
