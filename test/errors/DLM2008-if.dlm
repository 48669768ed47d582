export fn f(x: f32[B, 3]) = if sum(x) > 0 then x else -x
