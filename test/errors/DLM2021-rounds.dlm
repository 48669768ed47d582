export fn f(x: f32[1000, 4]) = sum over k: fold (i in 0..3; h = x[k]) { next h = tanh(h) }
