export fn a(x: f32[6]) -> f32[2, 3] = x.view(2, 3)
export fn b(x: f32[6]) -> f32[2, 3] = (x * 2).reshape(-1, 3)
export fn c(x: f32[6]) -> f32[2, 3] = reshape[-1, 3](x)
export fn d() -> f32[2, 3] = normal(0, 2)
export fn e() -> f32[2, 3] = zeros
# What reads otherwise here, and what there is nothing for.
export fn f(x: f32[6]) -> f32[6] = x.pow(2)
export fn g(x: f32[2, 3]) -> f32[3, 2] = x.transpose(0, 1)
export fn h(x: f32[6]) -> f32[2, 3] = (x * 2).reshape(2, size(x, axis: 0) // 2)
export fn i(x: f32[6]) -> f32[6] = x.contiguous()
export fn j(x: f32[6]) -> f32 = (abs(x) + (x)).sum(axis: size([0, 0]) - 2)
export fn k() -> f32[2, 3] = normal(0, 1) * 2
export fn l(x: f32[6]) -> f32[2] = zeros[size(x) - 7]
