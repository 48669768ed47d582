export fn first(x: f32[B, 6]) = expand[B, 1](x)
