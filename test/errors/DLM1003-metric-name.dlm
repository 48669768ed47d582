data d { rows: 64
  field x: f32[3] = uniform(-1, 1)[3]
  field y: i32 in 0..2 = i32(sum(x) > 0)
}
model net(x: f32[B, 3]) -> f32[B, 2] = x |> Linear(2)
train fit on d(batch: 16) {
  minimize cross_entropy(net(x), y) by adam()
  metric accuracy(net(x), y)
  epochs: 3
}
