model net(x: f32[B, 4]) = x |> stack 2 * 0.7 of Linear(4)
export fn f(x: f32[B, 4]) = net(x)
