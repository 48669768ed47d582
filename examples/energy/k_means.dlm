# k-means as an energy: every point pays its squared distance to the nearest of five centres. Lloyd's algorithm sets each centre to the mean of its points
# and gradient descent rolls downhill: both come to rest in the same valley (Lloyd 1982; MacQueen 1967; Bottou and Bengio 1995).
# See `energy` and `loss` fall to 0.08, twice the variance along an axis of a cloud, once every cloud has a centre of its own. With `--seed 2` two centres
# share a cloud in the end, and the energy stays at 0.6: it has local minima.
# Reaches 0.079 by both ways, Lloyd's within 5 steps.
const k = 5
data clouds {
  rows: 1000
  let (point, class) = blobs(5, radius: 2)
  field x: f32[2] = point
}

train lloyd on clouds(batch: all, seed: 1) {
  state centres: f32[k, 2] = clouds.x[0..k]
  let distances = pairwise_sqdist(x, centres)
  let nearest = argmin(distances, axis: -1)
  metric energy = mean(min(distances, axis: -1))
  metric sizes every evaluation = for j in 0..k: sum over b: nearest[b] == j
  next centres = for j, d:
         (sum over b: where(nearest[b] == j, x[b, d], 0)) / max(1.0, sum over b: where(nearest[b] == j, 1.0, 0.0))
  steps: 20
  evaluate: 5
}

model centres() -> f32[k, 2] {
  param at: f32[k, 2] ~ clouds.x[0..k]
  return at
}
train descent on clouds(batch: all, seed: 1) {
  minimize mean(min(pairwise_sqdist(x, centres()), axis: -1)) by sgd(lr: 0.5)
  steps: 100
  evaluate: 20
}

export fn cluster(x: f32[B, 2]) -> i32[B] = argmin(pairwise_sqdist(x, lloyd.centres), axis: -1)
export fn descended(x: f32[B, 2]) -> i32[B] = argmin(pairwise_sqdist(x, centres()), axis: -1)
