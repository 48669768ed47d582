# A deep linear network learns the items of a tree one split at a time: its singular values rise in steps, the widest split first.
# See the metrics `all`, `half`, `quarter` and `eighth`, the strength of the map along the mean of the items and along each split of the tree: each waits
# near 0 and then rises within a few steps, as Saxe, McClelland and Ganguli 2014 derived, although the map is linear in its input.
data items {
  rows: 8
  field item: i32 in 0..8 = row
  field y: f32[15] = tree_properties(item, 3)
}

model net(x: f32[B, 8]) -> f32[B, 15] =
  x |> Linear(32, bias: false, weights: normal(0, 0.03)) |> Linear(32, bias: false, weights: normal(0, 0.03))
    |> Linear(15, bias: false, weights: normal(0, 0.03))

train fit on items(batch: all, seed: 2) {
  minimize 0.5 * sum((net(one_hot(item, 8)) - y)^2) by sgd(lr: 0.02)
  # unit vectors over the items are the data's own singular vectors
  metric all = norm(net([[1, 1, 1, 1, 1, 1, 1, 1]] / sqrt(8)))
  metric half = norm(net([[1, 1, 1, 1, -1, -1, -1, -1]] / sqrt(8)))
  metric quarter = norm(net([[1, 1, -1, -1, 0, 0, 0, 0]] / 2))
  metric eighth = norm(net([[1, -1, 0, 0, 0, 0, 0, 0]] / sqrt(2)))
  steps: 600
}
