## What lies between two layers of zeros: numbers that differ from unit to unit tell units apart, one number does not.
data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: f32[2] = uniform[2]
}
layer Waved(out: int)(x: f32[B, I]) -> f32[B, out] {
  param waved: f32[I, out] ~ zeros
  return x @ waved
}
layer Listed(out: int)(x: f32[B, I]) -> f32[B, out] {
  param listed: f32[I, out] ~ zeros
  return x @ listed
}
layer Counted(out: int)(x: f32[B, I]) -> f32[B, out] {
  param counted: f32[I, out] ~ zeros
  return x @ counted
}
layer Turned(out: int)(x: f32[B, I]) -> f32[B, out] {
  param turned: f32[I, out] ~ zeros
  return x @ turned
}
layer Grouped(out: int)(x: f32[B, I]) -> f32[B, out] {
  param grouped: f32[I, out] ~ zeros
  return x @ grouped
}
layer Moved(out: int)(x: f32[B, I]) -> f32[B, out] {
  param moved: f32[I, out] ~ zeros
  return x @ moved
}
layer Alike(out: int)(x: f32[B, I]) -> f32[B, out] {
  param alike: f32[I, out] ~ zeros
  return x @ alike
}
layer Rows(out: int)(x: f32[B, I]) -> f32[B, out] {
  param rowwise: f32[I, out] ~ zeros
  return x @ rowwise
}
layer Twice()(x: f32[B, I]) -> f32[B, I] {
  param twice: f32[I, I] ~ zeros
  return x @ twice
}
layer Offset()(x: f32[B, I]) -> f32[B, I] {
  param offset: f32[I, I] ~ zeros
  param b: f32[I] ~ zeros
  return x @ offset + b
}
layer Ones()(x: f32[B, I]) -> f32[B, I] {
  param ones: f32[I, I] ~ 1.0
  return x @ ones
}
## Nothing is told of these six.
model waved(x: f32[B, 4]) -> f32[B, 2] = (x |> Waved(8)) + (for k in 0..8: cos(f32(k))) |> Waved(2)
model listed(x: f32[B, 4]) -> f32[B, 2] = (x |> Listed(8)) + [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8] |> Listed(2)
model counted(x: f32[B, 4]) -> f32[B, 2] {
  let h = x |> Counted(8)
  return (for b, k: h[b, k] + f32(k)) |> Counted(2)
}
model turned(x: f32[B, 4]) -> f32[B, 2] {
  let h = transpose(x |> Turned(8))
  return transpose(for k, b: h[k, b] + f32(k)) |> Turned(2)
}
model grouped(x: f32[B, 4]) -> f32[B, 2] {
  let h = reshape[B, 2, 4](x |> Grouped(8))
  return reshape[B, 8](for b, g, k: h[b, g, k] + f32(g)) |> Grouped(2)
}
model moved(x: f32[B, 4]) -> f32[B, 2] {
  let h = exp(x |> Moved(8))
  return (for b, k in 0..8: h[b, k - 1] ?? 0) |> Moved(2)
}
## Of these two.
model alike(x: f32[B, 4]) -> f32[B, 2] = (x |> Alike(8)) + ones[8] |> Alike(2)
model rowwise(x: f32[B, 4]) -> f32[B, 2] {
  let h = x |> Rows(8)
  return (for b, k: h[b, k] + f32(b)) |> Rows(2)
}
## One layer twice is not told: an offset moves it, and targets tell the columns of ones apart.
model twice(x: f32[B, 4]) -> f32[B, 4] {
  let l = Twice()
  return x |> l |> relu |> l
}
model offset(x: f32[B, 4]) -> f32[B, 4] {
  let l = Offset()
  return x |> l |> tanh |> l
}
model all_ones(x: f32[B, 4]) -> f32[B, 4] {
  let l = Ones()
  return x |> l |> tanh |> l
}
train fit on points(batch: 10) {
  let apart = mse(waved(x), y) + mse(listed(x), y) + mse(counted(x), y) + mse(turned(x), y) + mse(grouped(x), y) + mse(moved(x), y)
  let together = mse(alike(x), y) + mse(rowwise(x), y)
  minimize apart + together + mse(twice(x), x) + mse(offset(x), x) + mse(all_ones(x), x) by adam()
  steps: 10
}
