# An energy over pairs; the answer to x is the y of least energy, found by descent inside the program.
data curve {
  field x: f32[2] = csv("data/curve.csv", columns: ["x1", "x2"])
  field y: f32[1] = csv("data/curve.csv", columns: ["y"])
}
model energy(x: f32[B, 2], y: f32[B, 1]) -> f32[B] =
  concat([x, y], axis: -1) |> stack 2 of Linear(64, act: softplus) |> Linear(1) |> squeeze(-1)
train fit on curve(batch: 256) {
  let far = stop(descend(|v| energy(x, v), normal[batch, 1], iters: 30, lr: 0.1))
  minimize mean(softplus(energy(x, y) - energy(x, far))) + 1e-3 * mean(energy(x, y)^2) by adam(lr: 1e-3)
  metric gap = mean(energy(x, far) - energy(x, y))
  steps: 3000
}
export fn infer(x: f32[B, 2], y0: f32[B, 1]) -> f32[B, 1] = descend(|y| energy(x, y), y0, iters: 100, lr: 0.05)
