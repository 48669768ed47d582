export fn a(x: f32[6]) -> f32[2, 3] = x.view(2, 3)
export fn b(x: f32[6]) -> f32[2, 3] = (x * 2).reshape(-1, 3)
export fn c(x: f32[6]) -> f32[2, 3] = reshape[-1, 3](x)
export fn d() -> f32[2, 3] = normal(0, 2)
export fn e() -> f32[2, 3] = zeros
