# Three spirals of points in the plane, told apart by a small network. data/points.csv has a point a line: x, y, and the arm it lies on.
# Things to try: `width` 4 or 64 (--set width=4), `act: relu`, without the second layer; then `dlm compare` the runs.
const width = 32
const lr = 1e-2

data points {
  field x: f32[2] = csv("data/points.csv", columns: 0..2)
  field arm: i32 in 0..3 = csv("data/points.csv", column: "arm")
  holdout test = 0.25
}

model net(x: f32[B, 2]) -> f32[B, 3] = x |> Linear(width, act: tanh) |> Linear(width, act: tanh) |> Linear(3)

train fit on points(batch: 30, seed: 1) {
  let logits = net(x)
  minimize cross_entropy(logits, arm) by adam(lr: lr)
  metric acc = accuracy(logits, arm)
  epochs: 60
}

export fn predict(x: f32[B, 2]) -> f32[B, 3] = softmax(net(x))
