# nothing runs these; their names are checked all the same
layer Block(width: int)(x: f32[...S, C]) -> f32[...S, C] {
  let h = x |> Liner(width, act: rellu)
  return for ..., c: h[..., c] * scael
}
fn f(x: f32[N]) = fold (v in x; s = 0.0) { next s = s + w }
