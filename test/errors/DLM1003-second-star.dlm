layer Wide(out: int, *, k: int = 1, *, bias: bool = true)(x: f32[B, I]) = x |> Linear(k * out, bias: bias)
model m(x: f32[B, 4]) = x |> Wide(2, k: 2)
export fn f(x: f32[B, 4]) = m(x)
