fn f(x: f32) = x ** 2
