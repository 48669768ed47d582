def relu2(x) = where(x > 0, x^2, 0)
const a = 1
