const a = .5
const b = 2. * a
const c = 1.e-3
