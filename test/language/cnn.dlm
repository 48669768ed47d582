# A block of the user's own with state inside, and images that are shifted at random while training.
data digits {
  field x: f32[28, 28, 1] = idx("data/train-images.idx") / 255 |> reshape[28, 28, 1]
  field y: i32 in 0..10 = idx("data/train-labels.idx")
  holdout valid = 0.1
}
layer ConvBlock(out: int)(x: f32[B, H, W, C]) -> f32[B, H // 2, W // 2, out] =
  x |> Conv2d(out, k: 3, pad: 1) |> BatchNorm() |> relu |> MaxPool2d(2)
model cnn(x: f32[B, 28, 28, 1]) -> f32[B, 10] =
  x |> ConvBlock(32) |> ConvBlock(64) |> flatten |> Dropout(0.3) |> Linear(10)
train fit on digits(batch: 64) {
  let logits = cnn(x |> random_shift(2))
  minimize cross_entropy(logits, y) by adam(lr: 1e-3)
  metric acc = accuracy(logits, y)
  epochs: 5
}
export fn predict(x: f32[B, 28, 28, 1]) -> i32[B] = argmax(cnn(x), axis: -1)
