# W1 used, not trained: the forward pass alone.
model net(x: f32[B, 784]) -> f32[B, 10] = x |> stack 2 of Linear(512, act: relu) |> Linear(10)
export fn forward(x: f32[128, 784]) -> f32[128, 10] = net(x)
