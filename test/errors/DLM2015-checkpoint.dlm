data points {
  rows: 12
  field x: f32 = uniform(1, 2)[]
}
model shifted(x: f32[B]) -> f32[B] {
  param w: f32 ~ 0
  return x - w
}
train often on points(batch: 5) {
  minimize mean(shifted(x)^2) by sgd(lr: 0.1)
  steps: every 20 steps
  checkpoint: often
  keep: 0
}
train number on points(batch: 5) {
  minimize mean(shifted(x)^2) by sgd(lr: 0.1)
  steps: 20
  checkpoint: 500
}
train unit on points(batch: 5) {
  minimize mean(shifted(x)^2) by sgd(lr: 0.1)
  steps: 20
  checkpoint: every 5
  keep: 2.5
}
train known on points(batch: 5) {
  minimize mean(shifted(x)^2) by sgd(lr: 0.1)
  steps: 20
  checkpoint: every 5 minuets
}
train count on points(batch: 5) {
  minimize mean(shifted(x)^2) by sgd(lr: 0.1)
  steps: 20
  checkpoint: every 0.5 epochs
}
train time on points(batch: 5) {
  minimize mean(shifted(x)^2) by sgd(lr: 0.1)
  steps: 20
  checkpoint: every -1 hours
}
train without {
  let noise = normal[4]
  minimize mean(shifted(noise)^2) by sgd(lr: 0.1)
  steps: 20
  checkpoint: every 2 epochs
}
