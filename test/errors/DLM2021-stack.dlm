model net(x: f32[B, 8]) = x |> stack 100000 of Linear(8)
export fn f(x: f32[B, 8]) = net(x)
