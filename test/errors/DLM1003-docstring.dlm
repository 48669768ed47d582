"""A doubled input."""
export fn f(x: f32[B, 4]) = 2 * x
