data d {
  rows: 10
  field x: f32[4] = normal[4]
  field y: i32 in 0..3 = randint(0, 3)[]
}
model net(x: f32[B, 4]) -> f32[B, 3] = x |> Linear(3)
train fit on d(batch: 5) {
  let z = net(x)
  let free = logsumexp(z, axis: -1) + for b: logsumexp over k in 0..y[b] + 1: z[b, k]
  let scale = stop(log(sum(z^2))) + 1 / stop(norm(z))
  minimize mean(free) * scale + mean(log(sum(z^2, axis: -1))) by sgd()
  epochs: 1
}
