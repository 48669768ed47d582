data points {
  rows: 100
  field x: f32[4] = normal[4]
  holdout test = others
}
data others {
  rows: 100
  field x: f32[5] = normal[5]
}
