data points {
  rows: 100
  field x: f32[4] = normal[4]
  field y: f32[1] = uniform[1]
  field k: i32 in 0..3 = randint(0, 3)[]
}
model net(x: f32[B, 4]) -> f32[B, 1] = x |> Linear(1)
fn distance(a: f32[B, D], b: f32[B, D]) -> f32[B] = sqrt(sum((a - b)^2, axis: -1))
fn safe(a: f32[B, D], b: f32[B, D]) -> f32[B] = sqrt(sum((a - b)^2, axis: -1) + 1e-9)
train fit on points(batch: 10) {
  let used = (x, y, k)
  minimize mean(distance(net(x), net(2 * x))) + mean(log(net(x))) + mean(y / net(x)) by adam()
  steps: 10
}
