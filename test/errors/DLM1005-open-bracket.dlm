model net(x: f32[B, 4]) -> f32[B, 2] {
  let h = x |> Linear(8, act: relu
  return h |> Linear(2)
}
