model net(x: f32[B, 4]) -> f32[B, 10] = x |> Linear(8)
export fn predict(x: f32[B, 4]) -> f32[B, 10] = net(x)
