fn blur(x: f32[...S], p: f32 in 0..1 = 0.5, n: int in 1..inf = 3) -> f32[...S] = x * p^n
layer Damp(p: f32 in 0..1)(x: f32[...S]) -> f32[...S] = x * p
model net(x: f32[B, 2]) -> f32[B, 2] = x |> Damp(1)
export fn a(x: f32[B]) = blur(x, 1.5)
export fn b(x: f32[B]) = blur(x, -0.001)
export fn c(x: f32[B]) = blur(x, n: 0)
export fn d(x: f32[B]) = blur(x, 0, n: 2)
export fn e(x: f32[B, 2]) = net(x)
export fn f(x: f32[4]) = x * bernoulli(1.5)[4]
export fn g(x: f32[4]) = x + normal(0, -1)[4]
