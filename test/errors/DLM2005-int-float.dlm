export fn f(ids: i32[B] in 0..10, x: f32[B]) = ids * x
