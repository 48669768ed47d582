# W2: convolutional network on 28x28x1, Adam, batch 64.
data batches {
  field x: f32[28, 28, 1] = host("x")
  field y: i32 in 0..10 = host("y")
}
model net(x: f32[B, 28, 28, 1]) -> f32[B, 10] =
  x |> Conv2d(32, k: 3, pad: 1) |> relu |> MaxPool2d(2) |> Conv2d(64, k: 3, pad: 1) |> relu |> MaxPool2d(2) |> flatten
    |> Linear(128, act: relu) |> Linear(10)
train fit on batches(batch: 64, seed: 1, shuffle: false) {
  minimize cross_entropy(net(x), y) by adam(lr: 1e-3)
  steps: 1000000
}
