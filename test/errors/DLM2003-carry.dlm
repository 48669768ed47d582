fn last(xs: f32[4]) -> f32[4] = scan (x in xs; h = 0.0, seen = false) {
  next h = x > 0.0, seen = 1
  yield h
}
export fn f(xs: f32[4]) = last(xs)
