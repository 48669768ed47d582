model net(ids: i32[B, 4] in 0..20) = ids |> Embedding(10, 8)
export fn f(ids: i32[B, 4] in 0..20) = net(ids)
