# Schedules: learning rates as functions of `step`, which counts the updates from 0.

## Always lr. Its largest value is `lr`. Also called constant_schedule.
fn constant(lr: f32) -> f32 = lr
## Linear warm-up over `warm` steps, then half a cosine down to `floor` at step `total`. Its largest value is `peak`. Also called warmup_cosine_decay_schedule, cosine_with_warmup, CosineAnnealingLR and CosineDecay. `peak` is also called peak_value. `warm` is also called warmup_steps. `total` is also called decay_steps and T_max. `floor` is also called eta_min and end_value.
fn warmup_cosine(peak: f32, warm: int, total: f32, floor: f32 = 0) -> f32 =
  where(step < warm, peak * (step + 1) / max(warm, 1),
        floor + 0.5 * (peak - floor) * (1 + cos(pi * min(1, (step - warm) / max(total - warm, 1)))))
## lr * gamma^floor(step / step_size). Its largest value is `lr`. Also called StepLR.
fn step_decay(lr: f32, step_size: int, gamma: f32 = 0.1) -> f32 = lr * gamma^floor(step / step_size)
## lr * gamma^step. Its largest value is `lr`. Also called ExponentialLR, ExponentialDecay and exponential_decay.
fn exponential(lr: f32, gamma: f32) -> f32 = lr * gamma^step
