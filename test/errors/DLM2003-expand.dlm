export fn f(x: f32[3, 2, 4]) = expand[2, 4](x)
