# W2 used, not trained: the forward pass alone.
model net(x: f32[B, 28, 28, 1]) -> f32[B, 10] =
  x |> Conv2d(32, k: 3, pad: 1) |> relu |> MaxPool2d(2) |> Conv2d(64, k: 3, pad: 1) |> relu |> MaxPool2d(2) |> flatten
    |> Linear(128, act: relu) |> Linear(10)
export fn forward(x: f32[64, 28, 28, 1]) -> f32[64, 10] = net(x)
