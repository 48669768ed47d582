data d {
  field x: f32[3] = csv("d.csv", columns: 0..4)
}
