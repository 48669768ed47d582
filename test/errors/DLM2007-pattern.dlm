export fn f(x: f32[B, T, 8]) = rearrange(x, `b t (h d) -> b h t d`)
