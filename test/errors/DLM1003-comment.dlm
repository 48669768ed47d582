// a comment
export fn f(x: f32[4]) -> f32[4] = x // as it is
