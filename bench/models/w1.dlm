# W1: multi-layer perceptron 784-512-512-10, relu, Adam, batch 128.
data batches {
  field x: f32[784] = host("x")
  field y: i32 in 0..10 = host("y")
}
model net(x: f32[B, 784]) -> f32[B, 10] = x |> stack 2 of Linear(512, act: relu) |> Linear(10)
train fit on batches(batch: 128, seed: 1, shuffle: false) {
  minimize cross_entropy(net(x), y) by adam(lr: 1e-3)
  steps: 1000000
}
