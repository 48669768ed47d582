data d {
  rows: 10
  field x: f32[4] = normal[4]
  field y: i32 in 0..3 = randint(0, 3)[]
}
model net(x: f32[B, 4]) -> f32[B, 2] = x |> Linear(3)
train fit on d(batch: 5) {
  minimize cross_entropy(net(x), y) by sgd()
  epochs: 1
}
export fn f(x: f32[B, 4]) -> f32[B, 2] = net(x)
