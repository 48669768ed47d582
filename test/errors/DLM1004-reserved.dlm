fn f(x: f32) {
  let state = x + 1
  return state
}
