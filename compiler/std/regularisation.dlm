# Regularisation: layers that draw in training and pass what they get otherwise.

## In training every element is zero with probability p, the others are scaled by 1 / (1 - p). Drops features in training. Also called dropout. `p` is also called rate and dropout_rate.
layer Dropout(p: f32 in 0..1 = 0.5, always: bool = false)(x: f32[...S]) -> f32[...S] =
  if training or always then x * bernoulli(1 - p)[...S] / max(1 - p, 1e-37) else x
## Dropout of whole channels: in training all positions of a channel of [B, ..., C] are zero with probability p, the others are scaled by 1 / (1 - p) (Tompson et al. 2015). Drops features in training. Also called SpatialDropout2D and FeatureDropout. `p` is also called rate.
layer ChannelDropout(p: f32 in 0..1 = 0.5, always: bool = false)(x: f32[B, ...S, C]) -> f32[B, ...S, C] {
  let keep = bernoulli(1 - p)[B, C]
  return if training or always then (for b, ..., c: x[b, ..., c] * keep[b, c] / max(1 - p, 1e-37)) else x
}
## Dropout of whole channels of [B, L, C], as ChannelDropout.
const Dropout1d = ChannelDropout
## Dropout of whole channels of [B, H, W, C], as ChannelDropout.
const Dropout2d = ChannelDropout
## Dropout of whole channels of [B, D, H, W, C], as ChannelDropout.
const Dropout3d = ChannelDropout
## In training every element is, with probability p, what selu tends to, and all are scaled and moved so that mean 0 and variance 1 stay (Klambauer et al. 2017): a * (x or -1.7580993) + b, a = 1 / sqrt((1 - p) (1 + p 1.7580993^2)), b = 1.7580993 a p.
## Drops features in training. Also called alpha_dropout. `p` is also called rate.
layer AlphaDropout(p: f32 in 0..1 = 0.5, always: bool = false)(x: f32[...S]) -> f32[...S] {
  let keep = bernoulli(1 - p)[...S]
  return if training or always then alpha_dropped(x, keep, p) else x
}
## AlphaDropout of whole channels of [B, ..., C]. Drops features in training. Also called feature_alpha_dropout. `p` is also called rate.
layer FeatureAlphaDropout(p: f32 in 0..1 = 0.5, always: bool = false)(x: f32[B, ...S, C]) -> f32[B, ...S, C] {
  let keep = bernoulli(1 - p)[B, C]
  return if training or always then alpha_dropped(x, (for b, ..., c: keep[b, c] + 0 * x[b, ..., c]), p) else x
}
## x where `keep` is 1, what selu tends to where it is 0, with mean 0 and variance 1 as before; 0 for p = 1.
fn alpha_dropped(x: f32[...S], keep: f32[...S], p: f32) -> f32[...S] {
  let a = 1 / sqrt(max((1 - p) * (1 + p * 1.7580993408473766^2), 1e-37))
  let y = a * (x * keep - 1.7580993408473766 * (1 - keep)) + 1.7580993408473766 * a * p
  return where(p < 1, y, 0)
}
## Stochastic depth (Huang et al. 2016): in training all of a row of [B, ...] is zero with probability p, the others are scaled by 1 / (1 - p): `x + (f(x) |> DropPath(0.1))`. Drops features in training. Also called StochasticDepth and drop_path. `p` is also called drop_prob.
layer DropPath(p: f32 in 0..1 = 0.5, always: bool = false)(x: f32[B, ...S]) -> f32[B, ...S] {
  let keep = bernoulli(1 - p)[B]
  return if training or always then (for b, ...: x[b, ...] * keep[b] / max(1 - p, 1e-37)) else x
}
