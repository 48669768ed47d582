export fn f(table: f32[10, 4], ids: i32[B]) = table[ids]
