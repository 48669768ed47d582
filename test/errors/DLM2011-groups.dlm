model net(x: f32[B, 8, 8, 6]) = x |> Conv2d(8, groups: 4)
export fn f(x: f32[B, 8, 8, 6]) = net(x)
