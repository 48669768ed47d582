# A number from three others: how warm a room is, by the temperature outside, the wind and the hour. data/room.csv has a header that names the columns.
# Things to try: a straight line (`x |> Standardise(room.x) |> Linear(1)`), other widths, `huber` instead of `mse`.
const width = 32
const lr = 1e-2

data room {
  field x: f32[3] = csv("data/room.csv", columns: 0..3)
  field y: f32[1] = csv("data/room.csv", columns: 3..4)
  holdout test = 0.2
}

model net(x: f32[B, 3]) -> f32[B, 1] =
  x |> Standardise(room.x) |> Linear(width, act: tanh) |> Linear(width, act: tanh) |> Linear(1)

train fit on room(batch: 32, seed: 1) {
  let guess = net(x)
  minimize mse(guess, y) by adam(lr: lr)
  metric error = mae(guess, y)
  metric explained = r2(guess, y)
  epochs: 80
}

export fn predict(x: f32[B, 3]) -> f32[B, 1] = net(x)
