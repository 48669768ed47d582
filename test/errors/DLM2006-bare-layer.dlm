model net(x: f32[B, 4]) = x |> Linear |> relu
export fn f(x: f32[B, 4]) = net(x)
