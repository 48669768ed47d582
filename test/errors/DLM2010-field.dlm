data d {
  field x: f32[1] = [[0.5], [1.5], [2.5]]
  field y: i32 in 0..3 = [0, 1, 3]
  field z: i32 in 0..3 = 2 * y + 5
}
export fn f(k: i32 in 0..4 = 4) = k
