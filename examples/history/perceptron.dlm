# Rosenblatt's perceptron learns AND and cannot learn XOR: no line parts (0, 1) and (1, 0) from (0, 0) and (1, 1).
# See `and_right` reach 1 and stay there, for the rule changes nothing once every answer is right, and `xor_right` wander below 1 for ever while its
# weights go in circles (Rosenblatt 1958; Minsky and Papert 1969). One hidden layer is enough: `../xor.dlm`.
# Reaches all four rows of AND within five epochs; of XOR one, two or three are right at a time.
data table {
  field x: f32[2] = [[0, 0], [0, 1], [1, 0], [1, 1]]
  field both: f32 = x[0] * x[1]
  field either: f32 = abs(x[0] - x[1])
}
layer Perceptron()(x: f32[B, 2]) -> f32[B] = x |> Linear(1, weights: zeros, biases: zeros) |> squeeze(-1)
model and_unit(x: f32[B, 2]) -> f32[B] = x |> Perceptron()
model xor_unit(x: f32[B, 2]) -> f32[B] = x |> Perceptron()

train fit on table(batch: 1, seed: 1) {
  let (a, b) = (and_unit(x), xor_unit(x))
  minimize perceptron_loss(a, both) + perceptron_loss(b, either) by perceptron_rule()
  metric and_right = mean(threshold_unit(a) == both)
  metric xor_right = mean(threshold_unit(b) == either)
  epochs: 50
  evaluate: 20
}

export fn answers(x: f32[B, 2]) -> (f32[B], f32[B]) = (threshold_unit(and_unit(x)), threshold_unit(xor_unit(x)))
