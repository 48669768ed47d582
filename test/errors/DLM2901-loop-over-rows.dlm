export fn f(x: f32[B, 4]) = for b in 0..B: fold (i in 0..3; h = x[b]) { next h = tanh(h) }
