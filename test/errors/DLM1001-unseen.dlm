const a =​ 3
const b = 1 + a
