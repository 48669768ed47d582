# Triplets: an anchor, another digit of its kind and one of another kind; the embedding puts the first two nearer together than the last by a margin
# (Schroff et al. 2015), for the hardest two of the batch (Hermans et al. 2017). See `right`, the share of held-out digits whose nearest neighbour
# among them is of their own kind. Reaches right 0.975 (seed 1).
data digits {
  field x: f32[64] = csv("../data/digits.csv", columns: 0..64) / 16
  field y: i32 in 0..10 = csv("../data/digits.csv", column: 64)
  holdout test = 0.2
}
model embed(x: f32[B, 64]) -> f32[B, 8] = l2_normalize(x |> Linear(128, act: relu) |> Linear(8))

train fit on digits(batch: 96, seed: 1) {
  let v = embed(x)
  let far = pairwise_sqdist(v, v)
  let n = size(y)
  # of every anchor the farthest of its kind and the nearest of another kind in the batch
  let positive = for i in 0..n: max over j in 0..n: where(y[j] == y[i], far[i, j], -1)
  let negative = for i in 0..n: min over j in 0..n: where(y[j] == y[i], 9, far[i, j])
  minimize mean(relu(positive - negative + 0.3)) by adam(lr: 1e-3)
  let nearest = for i in 0..n: argmin over j in 0..n: where(j == i, 9, far[i, j])
  metric right = mean(for i in 0..n: y[nearest[i]] == y[i])
  epochs: 60
}

export fn embedding(x: f32[B, 64]) -> f32[B, 8] = embed(x)
