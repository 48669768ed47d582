## Names of functions and constants that stand for something else here; `ln_2` is a constant.
data d {
  rows: 10
  field x: f32[3] = normal[3]
}
const ln_2 = log(2)
model net(x: f32[B, 3]) -> f32[B] = x |> Linear(1) |> squeeze
fn logarithm(exp: f32[B]) -> f32[B] = log(exp)
train fit on d(batch: 10) {
  let max = net(x)^2
  let pi = net(2 * x)
  let sign = net(3 * x)
  minimize mean(log(max)) + mean(log(2 * pi)) + mean(1 / sign) + mean(logarithm(net(x))) + mean(net(x) / ln_2) by adam()
  steps: 10
}
