fn block(x: f32[B, 4]) = x |> Linear(4)
model net(x: f32[B, 4]) = block(x)
export fn f(x: f32[B, 4]) = net(x)
