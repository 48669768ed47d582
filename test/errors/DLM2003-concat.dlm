export fn f(x: f32[B, 4], y: i32[B, 4]) = concat([x, y], axis: 1)
