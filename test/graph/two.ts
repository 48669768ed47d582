// Two programs for one process. They share names, sizes and layers, so that whatever one compilation left behind would be met by the other.
const data = `data table {
  field x: f32[4, 2] = [[[0, 0], [0, 1], [1, 0], [1, 1]], [[1, 0], [0, 0], [1, 1], [0, 1]]]
  field y: f32[1] = [[0], [1]]
}
`;
/** A net that is trained, and an export of it. */
export const net = `${data}model net(x: f32[B, 4, 2]) -> f32[B, 1] = x |> Linear(8, act: tanh) |> flatten |> Linear(1)
train fit on table(batch: all, seed: 3) {
  minimize bce_with_logits(net(x), y) by sgd(lr: 0.5, momentum: 0.9)
  steps: 10
}
export fn predict(x: f32[B, 4, 2]) -> f32[B, 1] = sigmoid(net(x))
`;
/** The same data read by a loop. */
export const loop = `${data}layer Recurrent(hidden: int)(xs: f32[B, T, I]) -> f32[B, hidden] {
  param wx: f32[I, hidden] ~ uniform(-1, 1)
  param wh: f32[hidden, hidden] ~ uniform(-1, 1)
  let hs = scan (x in xs along T; h = zeros[B, hidden]) {
    let h1 = tanh(x @ wx + h @ wh)
    next h = h1
    yield h1
  }
  return hs[:, -1]
}
model net(x: f32[B, 4, 2]) -> f32[B, 1] = x |> Recurrent(8) |> Linear(1)
train fit on table(batch: all, seed: 3) {
  minimize mean((net(x) - y)^2) by adam(lr: 0.01)
  steps: 10
}
export fn predict(x: f32[B, 4, 2]) -> f32[B, 1] = sigmoid(net(x))
`;
