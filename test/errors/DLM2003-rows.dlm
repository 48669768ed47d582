## A graph: as many nodes as there are rows.
data nodes {
  rows: 6
  field y: i32 in 0..3 = row % 3
}
model net(h: f32[N, I]) -> f32[N, 3] = h |> Linear(3)
train fit on nodes(batch: all, shuffle: false) {
  let z = net(eye(6))
  minimize cross_entropy(z, y) by sgd(lr: 0.1)
  metric acc = accuracy(z, y)
  steps: 10
}
