# Three networks of 1, 3 and 9 hidden layers learn the same digits with one learning rate: what suits the shallow one is too much for the deep one.
# Change `rate` and see the order turn: the deepest needs the smallest rate, and is the first to diverge (LeCun et al. 1998, Efficient BackProp).
# Reaches 93.9 % with one hidden layer, 93.6 % with three and 21.7 % with nine.
const rate = 0.2
data digits {
  field x: f32[64] = csv("../data/digits.csv", columns: 0..64) / 16
  field y: i32 in 0..10 = csv("../data/digits.csv", column: 64)
  holdout test = 0.2
}

layer Tanh(n: int)(x: f32[B, I]) -> f32[B, n] = x |> Linear(n, act: tanh)
model shallow(x: f32[B, 64]) -> f32[B, 10] = x |> Tanh(32) |> Linear(10)
model middle(x: f32[B, 64]) -> f32[B, 10] = x |> Tanh(32) |> stack 2 of Tanh(32) |> Linear(10)
model deep(x: f32[B, 64]) -> f32[B, 10] = x |> Tanh(32) |> stack 8 of Tanh(32) |> Linear(10)

train fit on digits(batch: 64, seed: 1) {
  let (a, b, c) = (shallow(x), middle(x), deep(x))
  minimize cross_entropy(a, y) + cross_entropy(b, y) + cross_entropy(c, y) by sgd(lr: rate)
  metric shallow_acc = accuracy(a, y)
  metric middle_acc = accuracy(b, y)
  metric deep_acc = accuracy(c, y)
  epochs: 15
}
