export fn halves(x: f32[B, 8]) = for i in 0..B // 2: x[2 * i, 0]
