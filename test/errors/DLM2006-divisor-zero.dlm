export fn f(x: i32[B]) = x % 0
