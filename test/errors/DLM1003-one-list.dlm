layer Block(x: f32[B, D]) -> f32[B, D] = x |> Linear(4)
model net(x: f32[B, 4]) -> f32[B, 4] = x |> Block()
