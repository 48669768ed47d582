export fn f(logits: f32[B, 3]) = cross_entropy(logits)
