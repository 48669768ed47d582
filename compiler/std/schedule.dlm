# Schedules: learning rates as functions of `step`, which counts the updates from 0. `total: steps` is the planned number of updates.

## Always lr. Its largest value is `lr`. Also called constant_schedule and ConstantLR.
fn constant(lr: f32) -> f32 = lr
## Linear warm-up from peak / warm in step 0 to peak in step warm - 1, then peak. Its largest value is `peak`. Also called constant_schedule_with_warmup. `peak` is also called peak_value. `warm` is also called warmup_steps and num_warmup_steps.
fn linear_warmup(peak: f32, warm: int in 0..inf) -> f32 = peak * min(1, (step + 1) / max(warm, 1))
## linear_warmup, then linearly down to `floor` at step `total`, where it stays. Its largest value is `peak`. Also called linear_schedule_with_warmup.
fn warmup_linear(peak: f32, warm: int in 0..inf, total: f32, floor: f32 = 0) -> f32 =
  where(step < warm, linear_warmup(peak, warm),
        floor + (peak - floor) * clamp((total - step) / max(total - warm, 1), 0, 1))
## linear_warmup, then half a cosine down to `floor` at step `total`, where it stays. Its largest value is `peak`. Also called warmup_cosine_decay_schedule and cosine_with_warmup. `total` is also called decay_steps and num_training_steps. `floor` is also called end_value.
fn warmup_cosine(peak: f32, warm: int in 0..inf, total: f32, floor: f32 = 0) -> f32 =
  where(step < warm, linear_warmup(peak, warm),
        floor + 0.5 * (peak - floor) * (1 + cos(pi * min(1, (step - warm) / max(total - warm, 1)))))
## Half a cosine: floor + (lr - floor) * (1 + cos(pi step / total)) / 2, as PyTorch's CosineAnnealingLR, which rises again after `total` (Loshchilov and Hutter 2017). Its largest value is `lr`. Also called CosineAnnealingLR, CosineDecay and cosine_decay_schedule. `total` is also called T_max. `floor` is also called eta_min.
fn cosine(lr: f32, total: f32, floor: f32 = 0) -> f32 = floor + 0.5 * (lr - floor) * (1 + cos(pi * step / max(total, 1)))
## Half a cosine from lr to `floor` again and again: the first over `period` steps, each next one `factor` times as long (Loshchilov and Hutter 2017). Its largest value is `lr`. Also called CosineAnnealingWarmRestarts, sgdr_schedule and cosine_restarts. `period` is also called T_0 and first_decay_steps. `factor` is also called T_mult and t_mul.
fn cosine_warm_restarts(lr: f32, period: int in 1..inf, factor: int in 1..inf = 1, floor: f32 = 0) -> f32 {
  # factor^k <= 2^24 for every restart that is counted: sums of such steps are exact
  let before = |n| if factor == 1 then period * n else period * (factor^n - 1) / (factor - 1)
  let n = if factor == 1 then f32(step // period) else f32(sum over k in 1..25: f32(step) >= before(f32(k)))
  return floor + 0.5 * (lr - floor) * (1 + cos(pi * (f32(step) - before(n)) / (period * f32(factor)^n)))
}
## Between `base` and `peak` and back: up in `up` steps, down in `down` (default: as many). The height is multiplied by `shrink` after every cycle and by
## gamma^step: shrink 0.5 is PyTorch's triangular2, gamma below 1 its exp_range (Smith 2017). Its largest value is `peak`. Also called CyclicLR, triangular and cyclical_learning_rate. `base` is also called base_lr. `peak` is also called max_lr. `up` is also called step_size_up. `down` is also called step_size_down.
fn cyclic(base: f32, peak: f32, up: int in 1..inf = 2000, down: int in 1..inf = up, shrink: f32 in 0..1 = 1, gamma: f32 in 0..1 = 1) -> f32 {
  let n = step // (up + down)
  let at = f32(step - (up + down) * n)
  let height = where(at <= up, at / up, (up + down - at) / down)
  return base + (peak - base) * height * shrink^n * gamma^step
}
## One rise and one fall (Smith and Topin 2018): from peak / div to peak in step share * total - 1, then down to peak / div / final_div in step total - 1, by
## half cosines, or `linear`. With `three_phase` it comes down as it went up, then to the end. Its largest value is `peak`. Also called OneCycleLR and cosine_onecycle_schedule. `peak` is also called max_lr. `total` is also called total_steps and transition_steps. `share` is also called pct_start. `div` is also called div_factor. `final_div` is also called final_div_factor.
fn one_cycle(peak: f32, total: f32, share: f32 in 0..1 = 0.3, div: f32 in 1..inf = 25, final_div: f32 in 1..inf = 1e4, linear: bool = false,
             three_phase: bool = false) -> f32 {
  let low = peak / div
  let end = low / final_div
  let top = share * total - 1
  let turn = if three_phase then 2 * top else top
  let rise = anneal(low, peak, step / max(top, 1e-6), linear)
  let fall = anneal(peak, low, (step - top) / max(top, 1e-6), linear)
  let rest = anneal(if three_phase then low else peak, end, (step - turn) / max(total - 1 - turn, 1e-6), linear)
  return where(step <= top, rise, where(step <= turn, fall, rest))
}
## From a to b while t goes from 0 to 1, by half a cosine or linearly; a before, b after.
fn anneal(a: f32, b: f32, t: f32, linear: bool = false) -> f32 {
  let at = clamp(t, 0, 1)
  return if linear then a * (1 - at) + b * at else b + 0.5 * (a - b) * (1 + cos(pi * at))
}
## lr times a factor that goes linearly from `start` to `end` within `total` steps and stays, as PyTorch's LinearLR; for a fall to 0 see polynomial. Also called LinearLR. `start` is also called start_factor. `end` is also called end_factor. `total` is also called total_iters.
fn linear(lr: f32, total: f32 = 5, start: f32 = 1 / 3, end: f32 = 1) -> f32 =
  lr * (start + (end - start) * min(1, step / max(total, 1)))
## floor + (lr - floor) * (1 - step / total)^power down to `floor` at step `total`, where it stays; linear with a power of 1. Its largest value is `lr`. Also called PolynomialLR, PolynomialDecay, polynomial_schedule, linear_decay and linear_schedule. `floor` is also called end_learning_rate.
fn polynomial(lr: f32, total: f32, power: f32 in 0..inf = 1, floor: f32 = 0) -> f32 =
  floor + (lr - floor) * safe_pow(clamp(1 - step / max(total, 1), 0, 1), power)
## lr * gamma^floor(step / step_size). Its largest value is `lr`. Also called StepLR.
fn step_decay(lr: f32, step_size: int in 1..inf, gamma: f32 = 0.1) -> f32 = lr * gamma^floor(step / step_size)
## lr times gamma for every milestone that is reached: multi_step(0.1, [30, 80]). Its largest value is `lr`. Also called MultiStepLR, PiecewiseConstantDecay and piecewise_constant_schedule.
fn multi_step(lr: f32, milestones: i32[M], gamma: f32 = 0.1) -> f32 = lr * gamma^f32(sum over i in 0..M: milestones[i] <= step)
## lr * gamma^step. Its largest value is `lr`. Also called ExponentialLR, ExponentialDecay and exponential_decay.
fn exponential(lr: f32, gamma: f32) -> f32 = lr * gamma^step
## lr / (1 + gamma * step). Its largest value is `lr`. Also called InverseTimeDecay and inverse_time_decay.
fn inverse_time(lr: f32, gamma: f32 in 0..inf) -> f32 = lr / (1 + gamma * step)
## Linear warm-up to peak in step warm - 1, then peak * sqrt(warm / (step + 1)). Its largest value is `peak`. Also called InverseSquareRootSchedule.
fn inverse_sqrt(peak: f32, warm: int in 1..inf) -> f32 = peak * min((step + 1) / warm, sqrt(warm / (step + 1)))
## inverse_sqrt with the peak factor / sqrt(width * warm) of the first Transformer (Vaswani et al. 2017). Also called noam_schedule. `width` is also called d_model.
fn noam(width: int in 1..inf, warm: int in 1..inf = 4000, factor: f32 = 1) -> f32 = inverse_sqrt(factor / sqrt(width * warm), warm)
## lr until `value` has not got better for more than `patience` measurements, then `factor` times as much, and so on. Better is less than the best so far by more
## than the share `threshold` of it (or by `threshold` itself: `absolute`); more, with `more_is_better`. After a cut `cooldown` measurements do not count; one by no more than `eps` is left out. `value`
## is looked at where `when` holds: at first in the step after an evaluation, as in reduce_on_plateau(1e-3, value: valid.loss), with `when: true` in every step.
## The rate that a step gets knows the value of the step itself. Its largest value is `lr`. Also called ReduceLROnPlateau and reduce_on_plateau_schedule. `floor` is also called min_lr.
fn reduce_on_plateau(lr: f32, value: f32, factor: f32 in 0..1 = 0.1, patience: int in 0..inf = 10, threshold: f32 in 0..inf = 1e-4,
                     absolute: bool = false, more_is_better: bool = false, cooldown: int in 0..inf = 0, floor: f32 = 0, when = measured, eps: f32 in 0..inf = 1e-8) -> f32 {
  state best: f32 = inf
  state bad: f32 = 0
  state wait: f32 = 0
  state scale: f32 = 1
  let cost = if more_is_better then -value else value
  let margin = if absolute then threshold else threshold * abs(best)
  let better = best == inf or cost < best - margin
  let counted = where(better or wait > 0, 0, bad + 1)
  let cut = counted > patience
  let rate = max(lr * scale * factor, floor)
  let moved = where(cut and lr * scale - rate > eps, rate / lr, scale)
  next best = where(when and better, cost, best), bad = where(when, where(cut, 0, counted), bad)
  next wait = where(when, where(cut, cooldown, max(wait - 1, 0)), wait), scale = where(when, moved, scale)
  return lr * where(when, moved, scale)
}
