# Rows that are made: each call draws one row, so a data block says `rows: 1000` and `let (point, class) = moons()`.

## Two interleaved half circles of radius 1 and their class: around (0, 0) above, around (1, 0.5) below. Also called make_moons.
fn moons(noise: f32 = 0.1) -> (f32[2], i32 in 0..2) {
  let class = randint(0, 2)[]
  let angle = uniform(0, 3.141592653589793)[]
  let (x, y) = (cos(angle), sin(angle))
  return (where(class == 0, [x, y], [1 - x, 0.5 - y]) + noise * normal[2], class)
}
## Two circles around (0, 0) and their class: 0 has radius 1, 1 has radius `factor`. Also called make_circles.
fn circles(noise: f32 = 0.05, factor: f32 = 0.5) -> (f32[2], i32 in 0..2) {
  let class = randint(0, 2)[]
  let angle = uniform(0, 6.283185307179586)[]
  return (where(class == 0, 1.0, factor) * [cos(angle), sin(angle)] + noise * normal[2], class)
}
## Spiral arms from (0, 0) to radius 1 and their class, each `turns` around, equally far apart. Lang and Witbrock 1988 took two arms of three turns.
fn spirals(classes: int = 2, turns: f32 = 1, noise: f32 = 0.02) -> (f32[2], i32 in 0..classes) {
  let class = randint(0, classes)[]
  let radius = uniform(0, 1)[]
  let angle = 6.283185307179586 * (turns * radius + f32(class) / classes)
  return (radius * [cos(angle), sin(angle)] + noise * normal[2], class)
}
## Normal clouds around centres that lie equally far apart on a circle, and their class. `spread` is the standard deviation. Also called make_blobs.
fn blobs(classes: int = 3, radius: f32 = 1, spread: f32 = 0.2) -> (f32[2], i32 in 0..classes) {
  let class = randint(0, classes)[]
  let angle = 6.283185307179586 / classes * f32(class)
  return (radius * [cos(angle), sin(angle)] + spread * normal[2], class)
}
## A point of the square -1..1 and the colour of its field on a board of `cells` by `cells`; 2 is XOR of the signs.
fn checkerboard(cells: int = 4) -> (f32[2], i32 in 0..2) {
  let point = uniform(-1, 1)[2]
  let cell = floor((point + 1) * (cells / 2))
  return (point, i32((cell[0] + cell[1]) % 2) % 2)
}
## x uniform in low..high, and amplitude * sin(frequency * x + phase) + noise * normal.
fn sine_wave(low: f32 = -3.141592653589793, high: f32 = 3.141592653589793, amplitude: f32 = 1, frequency: f32 = 1,
             phase: f32 = 0, noise: f32 = 0.1) -> (f32, f32) {
  let x = low + (high - low) * uniform(0, 1)[]
  return (x, amplitude * sin(frequency * x + phase) + noise * normal[])
}
## Rows from a teacher, for students to be measured by: x of independent standard normals, and the sum of erf(x[k] / sqrt(2)) over the `hidden` units of a
## soft committee machine plus noise * normal. Its weight vectors are orthonormal and lie along the first axes: x has no direction of its own, so every
## such teacher gives the same task (Saad and Solla 1995).
fn committee_teacher(inputs: int in 1..inf = 16, hidden: int in 1..inf = 3, noise: f32 = 0) -> (f32[inputs], f32) {
  let x = normal[inputs]
  return (x, sum(erf(x[0..hidden] * 0.7071067811865476)) + noise * normal[])
}
## The properties of an item that is a leaf of a binary tree: one for each node of the tree, 1 for those above the leaf and itself. Nodes are numbered
## from the root, level by level. Items that part late share most properties (Saxe, McClelland and Ganguli 2014).
fn tree_properties(item: i32 in 0..2^depth, depth: int = 3) -> f32[2 * 2^depth - 1] =
  for node in 0..2 * 2^depth - 1:
    sum over up in 0..depth + 1: f32(floor(f32(item + 2^depth) / (prod over j in 0..up: 2.0)) == f32(node + 1))

## Weights of classes in inverse proportion to how often each occurs: N / (k * count), so that every class weighs the same; 0 for one that does not
## occur. For the `weight:` of a loss, from a column: `class_weights(digits.label, 10)`. Also called compute_class_weight.
fn class_weights(y: i32[N] in 0..k, k: int) -> f32[k] {
  let count = for c in 0..k: sum over n: f32(y[n] == c)
  return where(count > 0, size(y) / (k * max(count, 1)), 0)
}
