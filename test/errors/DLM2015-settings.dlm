data points {
  rows: 100
  field x: f32[4] = normal[4]
  holdout valid = 0.1
  holdout test = 0.9
}
model net(x: f32[B, 4]) = x |> Linear(1)
train fit on points(batch: 10, seed: 1.5, shuffle: 1) {
  minimize mean(net(x)) by adam() every 2.5
  metric loss = mean(net(x))
  epochs: 0
  evaluate: often
  seed: "one"
  stop: stalled(validation.loss)
  save: best(valid.accuracy, "net.safetensors")
  load: from("net.safetensors", into: nett)
}
