data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: f32[1] = uniform[1]
  field k: i32 in 0..3 = randint(0, 3)[]
}

model gen(z: f32[B, 2]) -> f32[B, 4] = z |> Linear(4)
model disc(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(1)
train gan on points(batch: 10) {
  let score = disc(gen(normal[batch, 2]))
  minimize mean(score) wrt disc by adam()
  minimize -mean(score) wrt gen by adam()
  steps: 1
}
