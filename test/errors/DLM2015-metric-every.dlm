train power {
  state v = [1.0, 2.0]
  metric size every epoch = sum(v^2)
  next v = v / sqrt(sum(v^2) + 1e-9)
  steps: 10
}
