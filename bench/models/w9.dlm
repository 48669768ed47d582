# W9: softmax and layer norm over 4096 rows of 1024, forward and backward; dy is the gradient that arrives.
export fn softmax_both(x: f32[4096, 1024], dy: f32[4096, 1024]) -> (f32[4096, 1024], f32[4096, 1024]) {
  let y = softmax(x)
  return (y, grad(sum(y * dy), wrt: x))
}
fn layer_norm(x: f32[N, C], g: f32[C], b: f32[C]) -> f32[N, C] {
  let m = mean(x, axis: -1, keep: true)
  let v = mean((x - m)^2, axis: -1, keep: true)
  return (x - m) / sqrt(v + 1e-5) * g + b
}
export fn layer_norm_both(x: f32[4096, 1024], g: f32[1024], b: f32[1024], dy: f32[4096, 1024])
    -> (f32[4096, 1024], f32[4096, 1024], f32[1024], f32[1024]) {
  let y = layer_norm(x, g, b)
  let (dx, dg, db) = grad(sum(y * dy), wrt: (x, g, b))
  return (y, dx, dg, db)
}
