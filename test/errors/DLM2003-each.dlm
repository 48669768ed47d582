export fn a(x: f32[4, 2, 2]) -> f32[4, 2, 2] = inv(x)
export fn b(x: f32[4, 3, 2, 2]) -> f32[4, 3] = det(x)
export fn c(x: f32[4, 2, 2], y: f32[4, 2]) -> f32[4, 2] = solve(x, y)
export fn d(x: f32[2]) -> f32[2] = inv(x)
