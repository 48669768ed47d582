# Optimizers: hyper-parameters, then (parameter, gradient). The result is subtracted from the parameter, or is the gradient of the next in a chain.

## Scales all gradients of the line together so that their norm is at most `limit`. Also called clip_grad_norm_, clip_by_global_norm and clipnorm. `limit` is also called max_norm.
optimizer clip_norm(limit: f32)(p: f32[...P], g: f32[...P]) {
  let size = sqrt(sum over params: sum(g^2))
  return g * min(1, limit / (size + 1e-6))
}
## Limits every element of the gradient to -limit..limit. Also called clip_grad_value_ and clipvalue.
optimizer clip_value(limit: f32)(p: f32[...P], g: f32[...P]) = clamp(g, -limit, limit)
## Stochastic gradient descent. The momentum buffer starts as the first gradient; `decay` is added as decay * p. Usual rates: up to 1. Also called SGD. `lr` is also called learning_rate. `decay` is also called weight_decay.
optimizer sgd(lr: f32 = 1e-3, momentum: f32 = 0, dampening: f32 = 0, nesterov: bool = false, decay: f32 = 0)
             (p: f32[...P], g: f32[...P]) {
  state v: f32[...P] = 0
  let g1 = g + decay * p
  let v1 = where(step == 0, g1, momentum * v + (1 - dampening) * g1)
  next v = v1
  return lr * (if nesterov then g1 + momentum * v1 else v1)
}
## Adam (Kingma and Ba 2015); eps is added after the root of the bias-corrected second moment; `decay` is an L2 penalty. Usual rates: up to 0.05. A common choice: adam(lr: 1e-3). Also called Adam. `b1` is also called beta1 and beta_1. `b2` is also called beta2 and beta_2.
optimizer adam(lr: f32 = 1e-3, b1: f32 = 0.9, b2: f32 = 0.999, eps: f32 = 1e-8, decay: f32 = 0, amsgrad: bool = false)
              (p: f32[...P], g: f32[...P]) {
  state m: f32[...P] = 0
  state v: f32[...P] = 0
  state top: f32[...P] = 0
  let g1 = g + decay * p
  let m1 = b1 * m + (1 - b1) * g1
  let v1 = b2 * v + (1 - b2) * g1^2
  let t1 = max(top, v1)
  next m = m1, v = v1, top = t1
  let second = if amsgrad then t1 else v1
  return lr * (m1 / (1 - b1^(step + 1))) / (sqrt(second / (1 - b2^(step + 1))) + eps)
}
## Adam with decoupled weight decay (Loshchilov and Hutter 2019). Usual rates: up to 0.05. Also called AdamW.
optimizer adamw(lr: f32 = 1e-3, b1: f32 = 0.9, b2: f32 = 0.999, eps: f32 = 1e-8, decay: f32 = 0.01, amsgrad: bool = false)
               (p: f32[...P], g: f32[...P]) {
  state m: f32[...P] = 0
  state v: f32[...P] = 0
  state top: f32[...P] = 0
  let m1 = b1 * m + (1 - b1) * g
  let v1 = b2 * v + (1 - b2) * g^2
  let t1 = max(top, v1)
  next m = m1, v = v1, top = t1
  let second = if amsgrad then t1 else v1
  return lr * ((m1 / (1 - b1^(step + 1))) / (sqrt(second / (1 - b2^(step + 1))) + eps) + decay * p)
}
## RMSprop (Hinton); eps outside the root; the momentum buffer accumulates g / root. Centered, v holds the mean square less the squared mean,
## by a recursion that rounding does not make negative. Usual rates: up to 0.05. Also called RMSprop and RMSProp. `alpha` is also called rho.
optimizer rmsprop(lr: f32 = 0.01, alpha: f32 = 0.99, eps: f32 = 1e-8, momentum: f32 = 0, centered: bool = false, decay: f32 = 0)
                 (p: f32[...P], g: f32[...P]) {
  state v: f32[...P] = 0
  state mu: f32[...P] = 0
  state buffer: f32[...P] = 0
  let g1 = g + decay * p
  let v1 = if centered then alpha * (v + (1 - alpha) * (g1 - mu)^2) else alpha * v + (1 - alpha) * g1^2
  let mu1 = alpha * mu + (1 - alpha) * g1
  let d = momentum * buffer + g1 / (sqrt(v1) + eps)
  next v = v1, mu = mu1, buffer = d
  return lr * d
}
