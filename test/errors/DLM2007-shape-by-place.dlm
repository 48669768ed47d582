# Sizes as other systems take them.
export fn a(x: f32[6]) -> f32[2, 3] = reshape(x, 2, 3)
export fn b(x: f32[6]) -> f32[2, 3] = x * 2 |> reshape([2, 3])
export fn c(x: f32[2, 3]) -> f32[2, 3] = x + zeros((2, 3))
export fn d(x: f32[3]) -> f32[2, 3] = expand(x, shape: (2, 3))
export fn e(x: f32[6]) -> f32[2, 3] = x |> reshape
export fn f(x: f32[6]) -> f32[2, 3] = reshape(x, -1, 3)
export fn g() -> f32[4] = ones(4)
export fn h(x: f32[6]) -> f32[6] = sum(x) |> grad
export fn i(x: f32[6]) -> f32[6] = reshape(x, (1 + 1) * (3))
export fn j(x: f32[6]) -> f32[3, 2] = reshape(shape: [3, 2], x)
export fn k(x: f32[3]) -> f32[2, 3] = expand(2, 3, x)
