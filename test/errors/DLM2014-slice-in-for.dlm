export fn f(x: f32[B, 4]) = for b: softmax(x[b])
