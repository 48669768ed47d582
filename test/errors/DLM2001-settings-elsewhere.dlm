data d { rows: 64
  field x: f32[3] = uniform(-1, 1)[3]
  field y: i32 in 0..2 = i32(sum(x) > 0)
}
model net(x: f32[B, 3]) -> f32[B, 2] = x |> Linear(2)
train a on d(batch: 16) {
  minimize cross_entropy(net(x), y) by adam(lr: cosine)
  epochs: 3
  batch_size: 32
  shuffle: true
  patience: 3
  learning_rate: 0.1
  device: 0
}
train b on d(batch: 16) {
  minimize cross_entropy(net(x), one_hot(y)) by adam()
  epochs: 3
}
