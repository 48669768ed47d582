# A classifier of images, with everything a training run can ask for.
data digits {
  field x: f32[784] = idx("data/train-images.idx") / 255
  field y: i32 in 0..10 = idx("data/train-labels.idx")
  holdout valid = 0.1
}
model mlp(x: f32[B, 784]) -> f32[B, 10] =
  x |> Linear(256, act: relu) |> Dropout(0.2) |> Linear(256, act: relu) |> Linear(10)
train fit on digits(batch: 128, seed: 1) {
  let logits = mlp(x)
  minimize cross_entropy(logits, y) + 1e-4 * l2(mlp)
        by clip_norm(1) >> adam(lr: warmup_cosine(1e-3, warm: 200, total: steps))
  metric acc = accuracy(logits, y)
  metric f1 = f1_macro(argmax(logits, axis: -1), y, 10) # over the whole split at once
  epochs: 20
  stop: stalled(min: valid.loss, patience: 3)
  save: best(max: valid.acc, "mlp.safetensors")
}
export fn predict(x: f32[B, 784]) -> f32[B, 10] = softmax(mlp(x))
