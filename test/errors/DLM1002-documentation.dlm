"""
A function.
"""
export fn f(x: f32[4]) -> f32[4] = x
