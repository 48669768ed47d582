model net(x: f32[B, 4]) -> f32[B, 3] = x |> Linear(3)
export fn f(x: f32[B, 4]) -> f32[B, 3] = net.forward(x)
