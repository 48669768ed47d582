# Metrics: written for one batch, exact over a split. `Less is better.` or `More is better.` in a function's comment says which of its values `best` and `stalled` take.

## Share of rows whose largest logit is the class y. More is better. Also called Accuracy and SparseCategoricalAccuracy.
fn accuracy(logits: f32[...S, K], y: i32[...S] in 0..K) -> f32 = mean(argmax(logits, axis: -1) == y)
## Mean absolute error. Less is better. Also called mean_absolute_error and MeanAbsoluteError.
fn mae(p: f32[...S], y: f32[...S]) -> f32 = mean(abs(p - y))
## Root of the mean squared error. Less is better. Also called root_mean_squared_error and RootMeanSquaredError.
fn rmse(p: f32[...S], y: f32[...S]) -> f32 = safe_sqrt(mean((p - y)^2))
## Coefficient of determination, 1 - residual / total sum of squares. More is better. Also called r2_score and R2Score.
fn r2(p: f32[...S], y: f32[...S]) -> f32 = 1 - sum((y - p)^2) / sum(deviations(y)^2)
## Counts [true class, predicted class]. Also called confusion_matrix.
fn confusion(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int) -> i32[k, k] =
  for t in 0..k, p in 0..k: sum over n: y[n] == t and guess[n] == p
## Unweighted mean of the classes' F1; a class that never occurs counts 0. More is better. Also called f1_score and F1Score.
fn f1_macro(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int) -> f32 {
  let m = f32(confusion(guess, y, k))
  return mean(for c: 2 * m[c, c] / max(1, (sum over p: m[c, p]) + (sum over t: m[t, c])))
}
## exp of the mean negative log-likelihood. Less is better. Takes logits. Also called Perplexity.
fn perplexity(logits: f32[...S, K], y: i32[...S] in 0..K) -> f32 = exp(cross_entropy(logits, y))
