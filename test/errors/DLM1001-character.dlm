data d {
  rows: 10
  field x: f32[2] = csv('data/d.csv', columns: 0..2)
}
const a = 3 $ 4
