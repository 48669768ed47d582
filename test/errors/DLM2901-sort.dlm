export fn f(x: f32[4]) = sort(x)
