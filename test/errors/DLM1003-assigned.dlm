export fn f(x: f32) -> f32 { x += 1 return x }
