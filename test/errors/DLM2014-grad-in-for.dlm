export fn f(x: f32[4]) = for i: grad(x[i]^2, wrt: x)[0]
