data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: i32 in 0..3 = randint(0, 3)[]
  holdout valid = 0.1
}
## Mean entropy.
fn entropy(z: f32[B, K]) -> f32 = -mean(sum(softmax(z) * log_softmax(z), axis: -1))

model net(x: f32[B, 4]) -> f32[B, 3] = x |> Linear(3)
train fit on points(batch: 10) {
  let logits = net(x)
  minimize cross_entropy(logits, y) by adam(lr: 1e-3)
  metric nll = mean(nll(log_softmax(logits), y))
  metric error = 1 - accuracy(logits, y)
  metric entropy = entropy(logits)
  metric table = confusion(argmax(logits, axis: -1), y, 3)
  stop: stalled(valid.nll, patience: 3)
  save: best(valid.error, "net.safetensors")
  epochs: 1
}
train second on points(batch: 10) {
  let logits = net(x)
  minimize cross_entropy(logits, y) by adam(lr: 1e-3)
  metric entropy = entropy(logits)
  metric table = confusion(argmax(logits, axis: -1), y, 3)
  stop: stalled(valid.entropy)
  save: best(min: valid.table, "net.safetensors")
  epochs: 1
}
train third on points(batch: 10) {
  minimize cross_entropy(net(x), y) by adam(lr: 1e-3)
  stop: stalled(min: valid.loss, max: valid.loss)
  save: best(max: valid.loss)
  epochs: 1
}
