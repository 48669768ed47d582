data d {
  field x: f32[4] = csv("d.csv", columns: 0..4)
  holdout valid = 20
}
