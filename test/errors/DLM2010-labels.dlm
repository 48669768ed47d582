data d {
  field x: f32[4] = csv("d.csv", columns: 0..4)
  field y: i32 = csv("d.csv", column: 4)
}
model net(x: f32[B, 4]) -> f32[B, 3] = x |> Linear(3)
train fit on d(batch: 10) {
  let logits = net(x)
  minimize cross_entropy(logits, y) by adam()
  metric acc = accuracy(logits, y)
  epochs: 1
}
