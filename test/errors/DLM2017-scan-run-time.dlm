export fn f(x: f32[B, T, 4]) = sum(scan (v in x along T) { yield v })
