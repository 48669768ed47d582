# Two networks against each other: the first form with two objectives, the second with a penalty on gradients and smoothed weights.
const zdim = 64
data digits { field x: f32[784] = idx("data/train-images.idx") / 255 }
model gen(z: f32[B, zdim]) -> f32[B, 784] = z |> Linear(256, act: relu) |> Linear(784, act: sigmoid)
model disc(x: f32[B, 784]) -> f32[B] = x |> Linear(256, act: leaky_relu) |> Linear(1) |> squeeze(-1)
train gan on digits(batch: 128) {
  let fake = gen(normal[batch, zdim]) # bound once: both objectives see the same samples
  minimize bce_logits(disc(x), 0.9) + bce_logits(disc(stop(fake)), 0)
       wrt disc by adam(lr: 2e-4, b1: 0.5)
  minimize bce_logits(disc(fake), 1)
       # by the updated disc
       wrt gen by adam(lr: 2e-4, b1: 0.5)
  epochs: 30
}
train wgan on digits(batch: 64) {
  let fake = gen(normal[batch, zdim])
  let e = uniform[batch, 1]
  let mix = e * x + (1 - e) * stop(fake)
  let g = grad(sum(disc(mix)), wrt: mix)
  minimize mean(disc(stop(fake))) - mean(disc(x)) + 10 * mean((sqrt(sum(g^2, axis: -1) + 1e-12) - 1)^2)
       wrt disc by adam(lr: 1e-4, b1: 0.5)
  minimize -mean(disc(fake)) wrt gen by adam(lr: 1e-4, b1: 0.5) every 5
  state smooth = gen # a moving average of the weights
  next smooth = 0.999 * smooth + 0.001 * gen
  epochs: 30
}
export fn sample(z: f32[B, zdim]) -> f32[B, 784] = gen(z)
export fn sample_smooth(z: f32[B, zdim]) -> f32[B, 784] = wgan.smooth(z)
