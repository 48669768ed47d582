import "lib/blocks.dlm"
# siamese: the model is one instance, so both uses share its weights
model embed(x: f32[B, 28, 28, 1]) -> f32[B, 64] =
  x |> Conv2d(16) |> relu |> MaxPool2d(2) |> Conv2d(32) |> relu |> flatten |> Linear(64)
fn distance(a: f32[B, D], b: f32[B, D]) -> f32[B] = sqrt(sum((a - b)^2, axis: -1) + 1e-9)
train pairwise on pairs(batch: 64) {
  minimize contrastive(distance(embed(a), embed(b)), same) by adam(lr: 1e-3)
  epochs: 10
}
# variational auto-encoder: the sample is arithmetic on a draw, so the gradient passes
model latent(x: f32[B, 784]) -> (f32[B, 8], f32[B, 8]) {
  let h = x |> Linear(128, act: relu)
  return (h |> Linear(8), h |> Linear(8))
}
model decoder(z: f32[B, 8]) -> f32[B, 784] = z |> Linear(128, act: relu) |> Linear(784)
train vae on digits(batch: 128) {
  let (mu, logvar) = latent(x)
  let z = mu + exp(logvar / 2) * normal[batch, 8]
  let kl = -0.5 * sum(1 + logvar - mu^2 - exp(logvar)) / batch
  minimize bce_logits(decoder(z), x, reduce: total) / batch + kl by adam(lr: 1e-3)
  epochs: 20
}
# meta-learning: one step of descent inside, differentiated through; a row is a task, four tasks an update
model wave(x: f32[B, 1]) -> f32[B, 1] = x |> Linear(40, act: tanh) |> Linear(1)
train maml on waves(batch: 1) {
  let fast = wave - 0.1 * grad(mse(wave(xs[0]), ys[0]), wrt: wave)
  minimize mse(fast(xq[0]), yq[0]) by adam(lr: 1e-3)
  accumulate: 4
  steps: 5000
}
# adversarial training
model net(x: f32[B, 784]) -> f32[B, 10] = x |> Linear(128, act: relu) |> Linear(10)
train robust on digits(batch: 128) {
  let clean = cross_entropy(net(x), y)
  let x_adv = stop(clamp(x + 0.1 * sign(grad(clean, wrt: x)), 0, 1))
  minimize 0.5 * clean + 0.5 * cross_entropy(net(x_adv), y) by sgd(lr: 0.05, momentum: 0.9)
  epochs: 10
}
# hyper-network: one model makes the weights of another
model hyper(x: f32[B, 8], task: f32[B, 4]) -> f32[B, 5] {
  let w = task |> Linear(64, act: tanh) |> Linear(8 * 5) |> reshape[B, 8, 5]
  return for b, o: sum over i: x[b, i] * w[b, i, o]
}
# transfer: a loaded body, frozen first, then trained at a rate of its own
model body(x: f32[B, 784]) -> f32[B, 128] = x |> stack 3 of Linear(128, act: relu)
model head(h: f32[B, 128]) -> f32[B, 2] = h |> Linear(2)
train tune on small(batch: 32) {
  minimize cross_entropy(head(frozen(body)(x)), y) by adam(lr: 1e-3)
  load: from("body.safetensors", into: body)
  epochs: 5
}
train all_parts on small(batch: 32) {
  minimize cross_entropy(head(body(x)), y) wrt head by adam(lr: 1e-3) wrt body by adam(lr: 1e-5)
  epochs: 5
}
# ensemble: a tuple goes through the stack, input and running sum
layer Member(n: int)(x: f32[B, 784], p: f32[B, 10]) -> (f32[B, 784], f32[B, 10]) =
  (x, p + (x |> Linear(64, act: relu) |> Linear(10) |> softmax) / n)
model committee(x: f32[B, 784]) -> f32[B, 10] {
  let (_, p) = (x, zeros[B, 10]) |> stack 5 of Member(5)
  return p
}
export fn vote(x: f32[B, 784]) -> f32[B, 10] = committee(x)
# Monte-Carlo dropout: another draw in every round
model mc(x: f32[B, 784]) -> f32[B, 10] =
  x |> Linear(64, act: relu) |> Dropout(0.2, always: true) |> Linear(10)
export fn spread(x: f32[B, 784]) -> f32[B, 10] = std(scan (k in 0..20) { yield softmax(mc(x)) }, axis: 0)
# deep linear network: its matrix is its value on the identity
model deep_linear(x: f32[B, 8]) -> f32[B, 15] =
  x |> stack 3 of Linear(16, bias: false, weights: normal(0, 0.05)) |> Linear(15, bias: false)
train saxe on tree(batch: all) {
  minimize mse(deep_linear(x), y) by sgd(lr: 0.1)
  metric gain = sum(deep_linear(eye(8))^2)
  steps: 2000
}
