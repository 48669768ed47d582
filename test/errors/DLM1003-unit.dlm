model shifted(x: f32[B]) -> f32[B] {
  param w: f32 ~ 0
  return x - w
}
train fit {
  let noise = normal[4]
  minimize mean(shifted(noise)^2) by sgd(lr: 0.1)
  steps: 20
  checkpoint: 5 minutes
  keep: 2
}
