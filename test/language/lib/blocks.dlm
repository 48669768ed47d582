# Data of the examples in more.dlm.
data pairs {
  rows: 512
  field a: f32[28, 28, 1] = uniform[28, 28, 1]
  field b: f32[28, 28, 1] = uniform[28, 28, 1]
  field same: f32 = bernoulli(0.5)[]
}
data digits {
  field x: f32[784] = idx("data/train-images.idx") / 255
  field y: i32 in 0..10 = idx("data/train-labels.idx")
}
data waves {
  rows: 1000
  let phase = uniform(0, 3)[]
  field xs: f32[10, 1] = uniform(-5, 5)[10, 1]
  field ys: f32[10, 1] = sin(xs + phase)
  field xq: f32[10, 1] = uniform(-5, 5)[10, 1]
  field yq: f32[10, 1] = sin(xq + phase)
}
data small {
  rows: 256
  field x: f32[784] = uniform[784]
  field y: i32 in 0..2 = randint(0, 2)[]
}
data tree {
  field x: f32[8] = [[1, 0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0]]
  field y: f32[15] = [[1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]]
}
fn contrastive(d: f32[B], same: f32[B], margin: f32 = 1) -> f32 =
  mean(same * d^2 + (1 - same) * relu(margin - d)^2)
