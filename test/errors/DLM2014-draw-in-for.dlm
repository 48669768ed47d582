export fn f(x: f32[4]) = for i: x[i] + normal[]
