fn total(x: f32[N]) = sum over i x[i]
