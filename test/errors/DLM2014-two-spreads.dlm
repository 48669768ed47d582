export fn f(x: f32[2, 3]) = g(x)
fn g(x: f32[...S, ...T]) = sum(x)
