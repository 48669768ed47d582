# Logistic regression tells two of the three irises from the rest by a line in the plane of petal length and width.
# See the loss fall without a bump (it is convex) and the weights grow slowly once every row is right: decay holds them. Cox 1958; data of Fisher 1936.
# Reaches every held-out row.
data iris {
  field x: f32[2] = (csv("../data/iris.csv", columns: 2..4) - [3.8, 1.2]) / [1.8, 0.8]
  field y: f32 = f32(csv("../data/iris.csv", column: 4) == 0)
  holdout test = 0.3
}

model line(x: f32[B, 2]) -> f32[B] = x |> Linear(1) |> squeeze(-1)

train fit on iris(batch: all, seed: 1) {
  let z = line(x)
  minimize bce_with_logits(z, y) + 1e-3 * l2(line) by sgd(lr: 1)
  metric acc = mean((z > 0) == (y > 0.5))
  steps: 300
}

export fn probability(x: f32[B, 2]) -> f32[B] = sigmoid(line(x))
