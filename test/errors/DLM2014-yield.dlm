export fn g(x: f32[B, 4]) = fold (v in x; s = 0.0) { next s = s + sum(v) yield s }
export fn h(x: f32[8, 4]) = fold (v in x; s = 0.0) { next s = s + sum(v) yield s }
export fn k(x: f32[8, 4]) = scan (v in x; s = 0.0) { next s = s + sum(v) }
