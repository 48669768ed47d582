# What has no name here, or another form.
export fn a(x: f32[6]) -> f32[3] = for i in range(3): x[i]
export fn b() -> f32[3] = arange(3)
export fn c() -> f32[3] = linspace(0, 1, 3)
export fn d() -> f32[2, 3] = full([2, 3], 0.5)
export fn e(x: f32[6]) -> f32[6] = zeros_like(x)
export fn f(x: f32[6]) -> f32[1, 6] = x[None]
export fn g(x: f32[6]) -> i32 = shape(x)
export fn h(x: f32[6]) -> f32[6] = x + constructor
model i(x: f32[B, 6]) -> f32[B, 2] = x |> Linear(2) |> self
export fn j(x: f32[6]) -> f32[6] = softmax(x, axis: None)
