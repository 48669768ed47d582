# k-means as an energy: every point pays its squared distance to the nearest of five centres, and gradient descent on the mean of that finds them.
# See `loss` fall to 0.08, twice the variance along an axis of a cloud, once every cloud has a centre of its own, and `smallest`, the share of points of
# the smallest cluster, come near a fifth. With `seed: 2` two centres share a cloud and it stays higher: the energy has local minima
# (MacQueen 1967; Bottou and Bengio 1995, for whom Lloyd's algorithm is Newton's on this energy).
const k = 5
data clouds {
  rows: 1000
  let (point, class) = blobs(5, radius: 2)
  field x: f32[2] = point
}
model centres() -> f32[k, 2] {
  param at: f32[k, 2] ~ clouds.x[0..k]
  return at
}

train fit on clouds(batch: all, seed: 1) {
  let distances = pairwise_sqdist(x, centres())
  let nearest = argmin(distances, axis: -1)
  minimize mean(min(distances, axis: -1)) by sgd(lr: 0.5)
  metric smallest = min over j in 0..k: mean over b: nearest[b] == j
  steps: 100
  evaluate: 20
}

export fn cluster(x: f32[B, 2]) -> i32[B] = argmin(pairwise_sqdist(x, centres()), axis: -1)
