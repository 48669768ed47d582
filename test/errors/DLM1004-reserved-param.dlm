fn f(in: f32, by: f32) = in * by
