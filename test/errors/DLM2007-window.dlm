model net(x: f32[B, 8, 8, 1]) = x |> Conv2d(4, k: 9) |> flatten |> Linear(2)
export fn f(x: f32[B, 8, 8, 1]) = net(x)
