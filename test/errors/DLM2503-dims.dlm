fn distance(a: f32[B, D], b: f32[N, D]) -> f32[B] = sum((a[0] - b[0])^2) + zeros[B]
fn widths(x: f32[B, 4]) -> f32[B, K] = x
export fn f(x: f32[B, 4]) = distance(x, x) + sum(widths(x), axis: -1)
## A constant is no dim variable.
const T = 5
export fn steps() -> f32[T] = for t: 0.5 * t
