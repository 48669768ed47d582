layer Deeper(width: int)(x: f32[B, D]) = x |> Linear(width) |> Deeper(width)
model net(x: f32[B, 3]) = x |> Deeper(3)
export fn use(x: f32[4, 3]) = net(x)
