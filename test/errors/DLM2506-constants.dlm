## Two mixtures: only the second has a logarithm of its own that may be of 0.
data d {
  rows: 10
  field x: f32[3] = normal[3]
}
model net(x: f32[B, 3]) -> (f32[B, 4], f32[B, 4]) = x |> Linear(8) |> split(2, axis: -1)
train fit on d(batch: 10) {
  let (z, s) = net(x)
  let likelihood = for b: (logsumexp over j: z[b, j] - s[b, j]^2 - 0.5 * s[b, j]) - 0.5 * log(2 * pi)
  let weighted = for b: log(sum over j: s[b, j]^2) - z[b, 0] / 2
  minimize -mean(likelihood) - mean(weighted) by adam()
  steps: 10
}
