# Metrics: written for one batch, exact over a split. `Less is better.` or `More is better.` in a function's comment says which of its values `best` and `stalled` take.

## Share of rows whose largest logit is the class y. More is better. Also called Accuracy and SparseCategoricalAccuracy.
fn accuracy(logits: f32[...S, K], y: i32[...S] in 0..K) -> f32 = mean(argmax(logits, axis: -1) == y)
## Share of rows whose class is among the k largest logits; of equal logits those of lower classes count first. More is better. Also called TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy and top_k_accuracy_score.
fn top_k_accuracy(logits: f32[...S, K], y: i32[...S] in 0..K, k: int in 1..inf = 5) -> f32 = mean(place_of(logits, y) < k)
## Mean of 1 / place of the class y among the logits, from 1. More is better. Also called MRR.
fn mean_reciprocal_rank(logits: f32[...S, K], y: i32[...S] in 0..K) -> f32 = mean(1 / (1 + f32(place_of(logits, y))))
## How many logits are above that of y, or equal and of a lower class.
fn place_of(logits: f32[...S, K], y: i32[...S] in 0..K) -> i32[...S] {
  let own = for ...: logits[..., y[...]]
  return for ...: sum over k: logits[..., k] > own[...] or logits[..., k] == own[...] and k < y[...]
}
## Share of elements where the score is above `threshold` exactly if y is above 1/2: 0 for logits, 0.5 for probabilities. More is better. Also called BinaryAccuracy.
fn binary_accuracy(score: f32[...S], y: f32[...S], threshold: f32 = 0) -> f32 = mean(equal(f32(score > threshold), f32(y > 0.5)))
## Share of rows that agree in all elements. More is better. Also called ExactMatch and subset_accuracy.
fn exact_match(guess: i32[B, ...S], y: i32[B, ...S]) -> f32 = mean(all(reshape[B, size(y) // B](guess == y), axis: -1))
## Mean absolute error. Less is better. Also called mean_absolute_error and MeanAbsoluteError.
fn mae(p: f32[...S], y: f32[...S]) -> f32 = mean(abs(p - y))
## Root of the mean squared error. Less is better. Also called root_mean_squared_error and RootMeanSquaredError.
fn rmse(p: f32[...S], y: f32[...S]) -> f32 = safe_sqrt(mean((p - y)^2))
## Coefficient of determination, 1 - residual / total sum of squares; where all y are equal 1 if p is, too, else 0. More is better. Also called r2_score and R2Score.
fn r2(p: f32[...S], y: f32[...S]) -> f32 = share_explained(sum((y - p)^2), sum(deviations(y)^2))
## 1 - residual / total; of a total of 0 1 if the residual is 0, too, else 0.
fn share_explained(residual: f32, total: f32) -> f32 =
  where(total > 0, 1 - residual / where(total > 0, total, 1), where(residual > 0, 0.0, 1.0))
## Mean of |p - y| / max(|y|, eps). Less is better. Also called mean_absolute_percentage_error and MeanAbsolutePercentageError.
fn mape(p: f32[...S], y: f32[...S], eps: f32 in 0..inf = 1e-6) -> f32 = mean(abs(p - y) / max(abs(y), eps))
## 1 - variance of y - p / variance of y: r2 without a penalty for a constant offset; where all y are equal as r2. More is better. Also called explained_variance_score and ExplainedVariance.
fn explained_variance(p: f32[...S], y: f32[...S]) -> f32 = share_explained(sum(deviations(y - p)^2), sum(deviations(y)^2))
## Pearson's correlation of p and y. More is better. Also called pearson_corrcoef and PearsonCorrelation.
fn pearson(p: f32[...S], y: f32[...S]) -> f32 {
  let (a, b) = (deviations(p), deviations(y))
  return sum(a * b) / max(norm(a) * norm(b), 1e-30)
}
## Spearman's correlation: Pearson's of the ranks, equal values sharing theirs. More is better. Also called spearman_corrcoef.
fn spearman(p: f32[N], y: f32[N]) -> f32 = pearson(shared_ranks(p), shared_ranks(y))
## For every element how many are less, and half of those that are equal.
fn shared_ranks(x: f32[N]) -> f32[N] = 0.5 * f32(count_below(x, x) + count_below(x, x, right: true))
## Counts [true class, predicted class]. Also called confusion_matrix.
fn confusion(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int) -> i32[k, k] =
  for t in 0..k, p in 0..k: sum over n: y[n] == t and guess[n] == p

## parts / wholes of classes that were counted, averaged over the classes with equal weights; 0 / 0 is 0 and counts.
fn macro_average(parts: f32[K], wholes: f32[K], rows: f32[K]) -> f32 = mean(parts / max(wholes, 1e-30))
## Sum of the parts / sum of the wholes.
fn micro_average(parts: f32[K], wholes: f32[K], rows: f32[K]) -> f32 = sum(parts) / max(sum(wholes), 1e-30)
## parts / wholes, averaged with the classes' rows as weights.
fn weighted_average(parts: f32[K], wholes: f32[K], rows: f32[K]) -> f32 = sum(rows * parts / max(wholes, 1e-30)) / max(sum(rows), 1)
## parts / wholes of every class; 0 / 0 is 0.
fn per_class(parts: f32[K], wholes: f32[K], rows: f32[K]) -> f32[K] = parts / max(wholes, 1e-30)
## parts / wholes of class 1: of two classes the positive one.
fn positive_class(parts: f32[K], wholes: f32[K], rows: f32[K]) -> f32 = parts[1] / max(wholes[1], 1e-30)
## For each of k classes: rows of it that are guessed right, rows guessed as it, rows of it.
fn class_counts(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int) -> (f32[k], f32[k], f32[k]) {
  let hits = for c in 0..k: f32(sum over n: y[n] == c and guess[n] == c)
  let guessed = for c in 0..k: f32(sum over n: guess[n] == c)
  let rows = for c in 0..k: f32(sum over n: y[n] == c)
  return (hits, guessed, rows)
}
## Of the rows that are guessed as a class, the share that is of it. `average`: macro_average, micro_average, weighted_average, per_class or positive_class. More is better. Also called precision_score and Precision.
fn precision(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int, average: fn = macro_average) {
  let (hits, guessed, rows) = class_counts(guess, y, k)
  return average(hits, guessed, rows)
}
## Of the rows of a class, the share that is guessed as it. `average` as in precision. More is better. Also called recall_score, Recall and sensitivity.
fn recall(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int, average: fn = macro_average) {
  let (hits, _, rows) = class_counts(guess, y, k)
  return average(hits, rows, rows)
}
## Weighted harmonic mean of precision and recall of a class, (1 + beta^2) P R / (beta^2 P + R). `average` as in precision. More is better. Also called fbeta_score and FBetaScore.
fn f_beta(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int, beta: f32 in 0..inf = 1, average: fn = macro_average) {
  let (hits, guessed, rows) = class_counts(guess, y, k)
  return average((1 + beta^2) * hits, beta^2 * rows + guessed, rows)
}
## f_beta with a beta of 1, the harmonic mean. `average` as in precision. More is better. Also called f1_score and F1Score.
fn f1(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int, average: fn = macro_average) = f_beta(guess, y, k, 1, average)
## Unweighted mean of the classes' F1; a class that never occurs counts 0. More is better.
fn f1_macro(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int) -> f32 = f1(guess, y, k)
## Intersection over union of a class, hits / (guessed + rows - hits). `average` as in precision. More is better. Also called jaccard_score, JaccardIndex, iou and MeanIoU.
fn jaccard(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int, average: fn = macro_average) {
  let (hits, guessed, rows) = class_counts(guess, y, k)
  return average(hits, guessed + rows - hits, rows)
}
## Mean recall of the classes that occur. More is better. Also called balanced_accuracy_score.
fn balanced_accuracy(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int) -> f32 {
  let (hits, _, rows) = class_counts(guess, y, k)
  return sum(hits / max(rows, 1)) / max(f32(sum(rows > 0)), 1)
}
## Matthews' correlation of guess and truth, for any number of classes; 0 where one of them is constant. More is better. Also called matthews_corrcoef, mcc and MatthewsCorrelation.
fn matthews(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int) -> f32 {
  let (hits, guessed, rows) = class_counts(guess, y, k)
  let (p, t) = (guessed / N, rows / N)
  let spread = sum(p * (1 - p)) * sum(t * (1 - t))
  return where(spread > 0, (sum(hits) / N - sum(p * t)) / sqrt(where(spread > 0, spread, 1)), 0)
}
## Cohen's kappa: how much more often guess and truth agree than by chance, at most 1; 0 where there is nothing but one class. More is better. Also called cohen_kappa_score and CohenKappa.
fn cohen_kappa(guess: i32[N] in 0..k, y: i32[N] in 0..k, k: int) -> f32 {
  let (hits, guessed, rows) = class_counts(guess, y, k)
  let chance = sum(guessed / N * (rows / N))
  return where(chance < 1, (sum(hits) / N - chance) / where(chance < 1, 1 - chance, 1), 0)
}

## Area under the ROC curve: the probability that a row with y above 1/2 has the larger score than one without; equal scores count half. 0 where one of the two has no
## rows. Exact, by sorting. More is better. Also called roc_auc_score, AUC and AUROC.
fn auroc(score: f32[N], y: f32[N]) -> f32 {
  let p = for n: f32(y[n] > 0.5)
  let others = for n: where(p[n] > 0, inf, score[n]) # positives are above all
  let negatives = sum over n: y[n] <= 0.5
  let less = count_below(others, score)
  let most = min(count_below(others, score, right: true), negatives) # no positive, where the score is inf itself
  return (sum over n: p[n] * 0.5 * f32(less[n] + most[n])) / max(sum(p) * f32(negatives), 1)
}
## Mean over the rows with y above 1/2 of the precision among all scores that are at least theirs: the area under the precision-recall curve, in steps. Costs as much as auroc. More is better. Also called average_precision_score and AveragePrecision.
fn average_precision(score: f32[N], y: f32[N]) -> f32 {
  let p = for n: f32(y[n] > 0.5)
  let all_less = count_below(score, score)
  let own_less = count_below(for n: where(p[n] > 0, score[n], -inf), score)
  let own = min(N - own_less, sum over n: y[n] > 0.5) # no negative, where the score is -inf itself
  return (sum over n: p[n] * f32(own[n]) / f32(max(N - all_less[n], 1))) / max(sum(p), 1)
}
## Expected calibration error: over bins of their largest probability, the sum of |right guesses - probabilities| / rows (Guo et al. 2017). Less is better. Also called ECE, expected_calibration_error and CalibrationError.
fn calibration_error(p: f32[N, K], y: i32[N] in 0..K, bins: int in 1..inf = 15) -> f32 {
  let confidence = amax(p, axis: -1)
  let excess = f32(argmax(p, axis: -1) == y) - confidence
  let by_bin = for b in 0..bins: sum over n: where(min(floor(confidence[n] * bins), bins - 1) == b, excess[n], 0)
  return sum(abs(by_bin)) / N
}
## Mean squared difference of class probabilities and the truth, summed over the classes (Brier 1950). Less is better. Also called brier_score_loss.
fn brier(p: f32[N, K], y: i32[N] in 0..K) -> f32 = mean(for n: sum over k: (p[n, k] - where(k == y[n], 1.0, 0.0))^2)
## exp of the mean negative log-likelihood. Less is better. Takes logits. Also called Perplexity.
fn perplexity(logits: f32[...S, K], y: i32[...S] in 0..K) -> f32 = exp(cross_entropy(logits, y))
