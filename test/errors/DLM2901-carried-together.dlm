data d {
  rows: 10
  field x: f32 = sin(f32(row))
}
train t on d(batch: 2, shuffle: false) {
  state h: f32[batch] = zeros[batch]
  metric m = mean(h + x)
  next h = x + mean(h)
  steps: 3
}
