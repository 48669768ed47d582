# Optimizers: hyper-parameters, then (parameter, gradient). The result is subtracted from the parameter, or is the gradient of the next in a chain.

## Scales all gradients of the line together so that their norm is at most `limit`; `order` 2 is the Euclidean one, 1 the sum of magnitudes, inf the largest. Also called clip_grad_norm_, clip_by_global_norm and clipnorm. `limit` is also called max_norm. `order` is also called norm_type.
optimizer clip_norm(limit: f32 in 0..inf, order = 2)(p: f32[...P], g: f32[...P]) {
  let size = if order == 2 then sqrt(sum over params: sum(g^2))
    else if order == inf then max over params: max(abs(g))
    else (sum over params: sum(abs(g)^order))^(1 / order)
  return g * min(1, limit / (size + 1e-6))
}
## Limits every element of the gradient to -limit..limit. Also called clip_grad_value_ and clipvalue.
optimizer clip_value(limit: f32 in 0..inf)(p: f32[...P], g: f32[...P]) = clamp(g, -limit, limit)
## Stochastic gradient descent. The momentum buffer starts as the first gradient; without momentum there is no dampening; `decay` is added as decay * p. Usual rates: up to 1. Also called SGD. `lr` is also called learning_rate. `decay` is also called weight_decay.
optimizer sgd(lr: f32 in 0..inf = 1e-3, momentum: f32 in 0..inf = 0, dampening: f32 = 0, nesterov: bool = false, decay: f32 in 0..inf = 0)
             (p: f32[...P], g: f32[...P]) {
  state v: f32[...P] = 0
  let g1 = g + decay * p
  let v1 = where(step == 0 or momentum == 0, g1, momentum * v + (1 - dampening) * g1)
  next v = v1
  return lr * (if nesterov then g1 + momentum * v1 else v1)
}
## Adam (Kingma and Ba 2015); eps is added after the root of the bias-corrected second moment; `decay` is an L2 penalty. Usual rates: up to 0.05. A common choice: adam(lr: 1e-3). Also called Adam. `b1` is also called beta1 and beta_1. `b2` is also called beta2 and beta_2.
optimizer adam(lr: f32 in 0..inf = 1e-3, b1: f32 in 0..0.999999 = 0.9, b2: f32 in 0..0.999999 = 0.999, eps: f32 in 0..inf = 1e-8, decay: f32 in 0..inf = 0, amsgrad: bool = false)
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
optimizer adamw(lr: f32 in 0..inf = 1e-3, b1: f32 in 0..0.999999 = 0.9, b2: f32 in 0..0.999999 = 0.999, eps: f32 in 0..inf = 1e-8, decay: f32 in 0..inf = 0.01, amsgrad: bool = false)
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
optimizer rmsprop(lr: f32 in 0..inf = 0.01, alpha: f32 in 0..inf = 0.99, eps: f32 in 0..inf = 1e-8, momentum: f32 in 0..inf = 0, centered: bool = false, decay: f32 in 0..inf = 0)
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
## The perceptron's rule (Rosenblatt 1958), with perceptron_loss: w grows by lr * (y - answer) * x, where the answer was wrong. Plain gradient descent with a rate of 1 that ends when nothing is wrong. Usual rates: up to 1.
optimizer perceptron_rule(lr: f32 in 0..inf = 1)(p: f32[...P], g: f32[...P]) = lr * g
## Adagrad (Duchi et al. 2011): g / (sqrt(sum of all g^2, from `start` on) + eps), by the rate lr / (1 + step * lr_decay). Usual rates: up to 1. Also called Adagrad and AdaGrad. `start` is also called initial_accumulator_value.
optimizer adagrad(lr: f32 in 0..inf = 0.01, lr_decay: f32 in 0..inf = 0, decay: f32 in 0..inf = 0, start: f32 in 0..inf = 0, eps: f32 in 0..inf = 1e-10)
                 (p: f32[...P], g: f32[...P]) {
  state v: f32[...P] = start
  let g1 = g + decay * p
  let v1 = v + g1^2
  next v = v1
  return lr / (1 + step * lr_decay) * g1 / (sqrt(v1) + eps)
}
## Adadelta (Zeiler 2012): g * sqrt(mean square of past steps + eps) / sqrt(mean square of g + eps). Usual rates: up to 10. Also called Adadelta and AdaDelta.
optimizer adadelta(lr: f32 in 0..inf = 1, rho: f32 in 0..1 = 0.9, eps: f32 in 0..inf = 1e-6, decay: f32 in 0..inf = 0)
                  (p: f32[...P], g: f32[...P]) {
  state v: f32[...P] = 0
  state u: f32[...P] = 0
  let g1 = g + decay * p
  let v1 = rho * v + (1 - rho) * g1^2
  let d = sqrt(u + eps) / sqrt(v1 + eps) * g1
  next v = v1, u = rho * u + (1 - rho) * d^2
  return lr * d
}
## Adam with the largest decayed magnitude in place of the second moment (Kingma and Ba 2015); eps is added to |g|. Usual rates: up to 0.05. Also called Adamax and AdaMax.
optimizer adamax(lr: f32 in 0..inf = 2e-3, b1: f32 in 0..0.999999 = 0.9, b2: f32 in 0..0.999999 = 0.999, eps: f32 in 0..inf = 1e-8,
                 decay: f32 in 0..inf = 0)(p: f32[...P], g: f32[...P]) {
  state m: f32[...P] = 0
  state u: f32[...P] = 0
  let g1 = g + decay * p
  let m1 = b1 * m + (1 - b1) * g1
  let u1 = max(b2 * u, abs(g1) + eps)
  next m = m1, u = u1
  return lr / (1 - b1^(step + 1)) * m1 / u1
}
## Adam with Nesterov's momentum (Dozat 2016): mu in step k is b1 * (1 - 0.96^(k * momentum_decay) / 2). `decoupled`: `decay` shrinks p, as in adamw. Usual rates: up to 0.05. Also called NAdam and Nadam. `decoupled` is also called decoupled_weight_decay.
optimizer nadam(lr: f32 in 0..inf = 2e-3, b1: f32 in 0..0.999999 = 0.9, b2: f32 in 0..0.999999 = 0.999, eps: f32 in 0..inf = 1e-8,
                decay: f32 in 0..inf = 0, momentum_decay: f32 in 0..inf = 4e-3, decoupled: bool = false)(p: f32[...P], g: f32[...P]) {
  state m: f32[...P] = 0
  state v: f32[...P] = 0
  state product: f32 = 1
  let g1 = if decoupled then g else g + decay * p
  let m1 = b1 * m + (1 - b1) * g1
  let v1 = b2 * v + (1 - b2) * g1^2
  let mu = b1 * (1 - 0.5 * 0.96^((step + 1) * momentum_decay))
  let mu_next = b1 * (1 - 0.5 * 0.96^((step + 2) * momentum_decay))
  let all = product * mu
  next m = m1, v = v1, product = all
  let ahead = (1 - mu) / (1 - all) * g1 + mu_next / (1 - all * mu_next) * m1
  let d = ahead / (sqrt(v1 / (1 - b2^(step + 1))) + eps)
  return lr * (if decoupled then d + decay * p else d)
}
## Adam whose steps are as long as the variance of the second moment allows (Liu et al. 2020): momentum alone while that is not known. `decoupled`: `decay` shrinks p, as in adamw. Usual rates: up to 0.05. Also called RAdam.
optimizer radam(lr: f32 in 0..inf = 1e-3, b1: f32 in 0..0.999999 = 0.9, b2: f32 in 0..0.999999 = 0.999, eps: f32 in 0..inf = 1e-8,
                decay: f32 in 0..inf = 0, decoupled: bool = false)(p: f32[...P], g: f32[...P]) {
  state m: f32[...P] = 0
  state v: f32[...P] = 0
  let g1 = if decoupled then g else g + decay * p
  let m1 = b1 * m + (1 - b1) * g1
  let v1 = b2 * v + (1 - b2) * g1^2
  next m = m1, v = v1
  let k = step + 1
  let first = m1 / (1 - b1^k)
  let most = 2 / (1 - b2) - 1
  let rho = most - 2 * k * b2^k / (1 - b2^k)
  let r = sqrt(max((rho - 4) * (rho - 2) * most, 0) / max((most - 4) * (most - 2) * rho, 1e-30))
  let d = where(rho > 5, first * r * sqrt(1 - b2^k) / (sqrt(v1) + eps), first)
  return lr * (if decoupled then d + decay * p else d)
}
## The sign of an interpolated momentum (Chen et al. 2023): sign(b1 m + (1 - b1) g) + decay * p. Usual rates: up to 0.01. Also called Lion.
optimizer lion(lr: f32 in 0..inf = 1e-4, b1: f32 in 0..1 = 0.9, b2: f32 in 0..1 = 0.99, decay: f32 in 0..inf = 0)
              (p: f32[...P], g: f32[...P]) {
  state m: f32[...P] = 0
  let u = sign(b1 * m + (1 - b1) * g)
  next m = b2 * m + (1 - b2) * g
  return lr * (u + decay * p)
}
## The sign of the gradient (Bernstein et al. 2018), of its momentum with b1 above 0. Usual rates: up to 0.01. Also called SignSGD and signum.
optimizer sign_sgd(lr: f32 in 0..inf = 1e-3, b1: f32 in 0..1 = 0)(p: f32[...P], g: f32[...P]) {
  state m: f32[...P] = 0
  let m1 = b1 * m + (1 - b1) * g
  next m = m1
  return lr * sign(m1)
}
## Scales the step of every tensor to `size` times its norm: norm(p) / norm(step), 1 where one of them is 0. The trust ratio of LAMB and LARS. Also called scale_by_trust_ratio.
optimizer trust_ratio(size: f32 in 0..inf = 1)(p: f32[...P], g: f32[...P]) {
  let a = norm(p)
  let b = norm(g)
  return g * where(a > 0 and b > 0, size * a / max(b, 1e-37), 1)
}
## Adam for large batches (You et al. 2020): the step of adamw, scaled for every tensor to its norm. Usual rates: up to 0.05. Also called LAMB.
optimizer lamb(lr: f32 in 0..inf = 1e-3, b1: f32 in 0..0.999999 = 0.9, b2: f32 in 0..0.999999 = 0.999, eps: f32 in 0..inf = 1e-6,
               decay: f32 in 0..inf = 0)(p: f32[...P], g: f32[...P]) {
  state m: f32[...P] = 0
  state v: f32[...P] = 0
  let m1 = b1 * m + (1 - b1) * g
  let v1 = b2 * v + (1 - b2) * g^2
  next m = m1, v = v1
  let u = (m1 / (1 - b1^(step + 1))) / (sqrt(v1 / (1 - b2^(step + 1))) + eps) + decay * p
  let a = norm(p)
  let b = norm(u)
  return lr * where(a > 0 and b > 0, a / max(b, 1e-37), 1) * u
}
## Momentum for large batches (You et al. 2017): the rate of every tensor is trust * norm(p) / (norm(g) + decay * norm(p)). Usual rates: up to 10. Also called LARS. `trust` is also called trust_coefficient.
optimizer lars(lr: f32 in 0..inf = 0.1, momentum: f32 in 0..1 = 0.9, decay: f32 in 0..inf = 0, trust: f32 in 0..inf = 1e-3)
              (p: f32[...P], g: f32[...P]) {
  state v: f32[...P] = 0
  let a = norm(p)
  let b = norm(g) + decay * a
  let v1 = momentum * v + lr * where(a > 0 and b > 0, trust * a / max(b, 1e-37), 1) * (g + decay * p)
  next v = v1
  return v1
}
## Adam whose second moment is that of the gradient's difference from its mean (Zhuang et al. 2020), with decoupled `decay`. Usual rates: up to 0.05. Also called AdaBelief.
optimizer adabelief(lr: f32 in 0..inf = 1e-3, b1: f32 in 0..0.999999 = 0.9, b2: f32 in 0..0.999999 = 0.999, eps: f32 in 0..inf = 1e-16,
                    decay: f32 in 0..inf = 0)(p: f32[...P], g: f32[...P]) {
  state m: f32[...P] = 0
  state v: f32[...P] = 0
  let m1 = b1 * m + (1 - b1) * g
  let v1 = b2 * v + (1 - b2) * (g - m1)^2 + eps
  next m = m1, v = v1
  return lr * ((m1 / (1 - b1^(step + 1))) / (sqrt(v1 / (1 - b2^(step + 1))) + eps) + decay * p)
}
## Steps of a size of its own for every element (Riedmiller and Braun 1993), for whole batches: times `up` while the gradient keeps its sign, times `down` where
## it changes, and no step there. The first are lr long. Usual rates: up to 0.1. Also called Rprop. `up` is also called etaplus. `down` is also called etaminus.
optimizer rprop(lr: f32 in 0..inf = 0.01, down: f32 in 0..1 = 0.5, up: f32 in 1..inf = 1.2, least: f32 in 0..inf = 1e-6, most: f32 in 0..inf = 50)
               (p: f32[...P], g: f32[...P]) {
  state before: f32[...P] = 0
  state size: f32[...P] = lr
  let turn = sign(before) * sign(g)
  let size1 = clamp(size * where(turn > 0, up, where(turn < 0, down, 1)), least, most)
  let g1 = where(turn < 0, 0, g)
  next before = g1, size = size1
  return sign(g1) * size1
}
## Stochastic gradient descent with lr / (1 + lambda * lr * step)^alpha as its rate, the rate of averaged SGD (Polyak and Juditsky 1992). The average itself is a
## state of the train block: `state mean = net` with `next mean = mean + (net - mean) / (step + 1)`. Usual rates: up to 1. Also called ASGD. `lambda` is also called lambd.
optimizer asgd(lr: f32 in 0..inf = 0.01, lambda: f32 in 0..inf = 1e-4, alpha: f32 in 0..inf = 0.75, decay: f32 in 0..inf = 0)
              (p: f32[...P], g: f32[...P]) {
  state eta: f32 = lr
  let d = eta * (g + (decay + lambda) * p)
  next eta = lr / (1 + lambda * lr * (step + 1))^alpha
  return d
}
## The momentum of a matrix, made orthogonal by five rounds of a Newton-Schulz iteration and scaled by sqrt(max(1, rows / columns)) (Jordan et al. 2024); for
## weights of hidden layers: biases, tables and heads go by adamw in a clause of their own. All axes but the last are the rows. Usual rates: up to 0.1. Also called Muon.
optimizer muon(lr: f32 in 0..inf = 0.02, momentum: f32 in 0..1 = 0.95, nesterov: bool = true, decay: f32 in 0..inf = 0)
              (p: f32[...P, C], g: f32[...P, C]) {
  state v: f32[...P, C] = 0
  let v1 = momentum * v + (1 - momentum) * g
  next v = v1
  let u = if nesterov then (1 - momentum) * g + momentum * v1 else v1
  let R = size(p) // C
  let o = orthogonalised(reshape[R, C](u))
  return lr * (sqrt(max(1, R / C)) * reshape[...P, C](o) + decay * p)
}
## Near U V^T of the singular value decomposition U S V^T: five rounds of x -> a x + (b x x^T + c (x x^T)^2) x after a division by its norm.
fn orthogonalised(x: f32[R, C], rounds: int in 0..inf = 5) -> f32[R, C] {
  let wide = if R > C then transpose(x) else x
  let start = wide / (norm(wide) + 1e-7)
  let y = fold (k in 0..rounds; y = start) {
    let s = y @ transpose(y)
    next y = 3.4445 * y + (-4.775 * s + 2.0315 * (s @ s)) @ y
  }
  return if R > C then transpose(y) else y
}
## Adds normal noise of variance scale / (1 + step)^gamma to the gradient (Neelakantan et al. 2015). Also called add_noise.
optimizer gradient_noise(scale: f32 in 0..inf = 0.01, gamma: f32 in 0..inf = 0.55)(p: f32[...P], g: f32[...P]) =
  g + sqrt(scale / (1 + step)^gamma) * normal[...P]
## Adds decay * p to what it is given: before an optimizer an L2 penalty, behind one (times the rate) decoupled decay. Also called add_decayed_weights.
optimizer add_decay(decay: f32 in 0..inf)(p: f32[...P], g: f32[...P]) = g + decay * p
## Takes from the gradient of a tensor with several axes its mean over all axes but the last (Yong et al. 2020). Also called centralize.
optimizer centralise()(p: f32[...P], g: f32[...P]) = if rank(g) < 2 then g else g - mean(g, axis: 0..-1, keep: true)
## Lookahead (Zhang et al. 2019), behind another optimizer: in every k-th step p goes back to a slow copy that has moved by the share `alpha` towards it.
optimizer lookahead(k: int in 1..inf = 5, alpha: f32 in 0..1 = 0.5)(p: f32[...P], g: f32[...P]) {
  state slow: f32[...P] = p
  let due = (step + 1) % k == 0
  let slow1 = where(due, slow + alpha * (p - g - slow), slow)
  next slow = slow1
  return where(due, p - slow1, g)
}
## Behind another optimizer: no element of p leaves lo..hi. Also called clip_weights and clamp_weights.
optimizer project_box(lo: f32 = -inf, hi: f32 = inf)(p: f32[...P], g: f32[...P]) = p - clamp(p - g, lo, hi)
## Behind another optimizer: p stays at least 0. Also called NonNeg.
optimizer project_nonnegative()(p: f32[...P], g: f32[...P]) = p - max(p - g, 0)
## Behind another optimizer: the norm of p is at most `limit`, or, `by_unit`, that of the weights of every unit: over all axes but the last. Also called MaxNorm and max_norm.
optimizer project_norm(limit: f32 in 0..inf, by_unit: bool = false)(p: f32[...P], g: f32[...P]) {
  let q = p - g
  let size = if by_unit then norm(q, axis: 0..-1, keep: true) else norm(q)
  return p - q * min(1, limit / max(size, 1e-37))
}

## Limited-memory BFGS (Nocedal 1980), one iteration a step: what torch.optim.LBFGS does with max_iter=1 and without a line search. The direction is H g, where the inverse Hessian H
## fits the last `history` moves s and changes of the gradient y = g' - g (those of s y > 1e-10), beginning from s y / y y of the last; the first step is lr * min(1, 1 / sum |g|). Nothing moves where no |g|
## is above `tolerance_grad`, or g H g is below `tolerance_change`. It needs the same rows in every step (`batch: all`) and comes last in a chain. It keeps 2 * history copies of the
## parameters. Usual rates: up to 1. A common choice: lbfgs(). Also called LBFGS and L-BFGS. `history` is also called history_size.
optimizer lbfgs(lr: f32 in 0..inf = 1, history: int in 1..1000 = 100, tolerance_grad: f32 in 0..inf = 1e-7,
                tolerance_change: f32 in 0..inf = 1e-9)
               (p: f32[...P], g: f32[...P]) {
  state s: f32[history, ...P] = 0
  state y: f32[history, ...P] = 0
  state sy: f32[history, history] = 0
  state yy: f32[history, history] = 0
  state moved: f32[...P] = 0
  state before: f32[...P] = 0
  let change = g - before
  let is_new = step > 0 and (sum over params: sum(change * moved)) > 1e-10
  # the oldest pair goes, the new one is the last
  let s1 = for i in 0..history, ...: where(is_new, s[i + 1, ...] ?? moved[...], s[i, ...])
  let y1 = for i in 0..history, ...: where(is_new, y[i + 1, ...] ?? change[...], y[i, ...])
  # products of all pairs: those that stay, and the new row and column
  let s_new = sum over params: for i in 0..history: sum over ...: s1[i, ...] * y1[history - 1, ...]
  let new_y = sum over params: for j in 0..history: sum over ...: s1[history - 1, ...] * y1[j, ...]
  let y_new = sum over params: for i in 0..history: sum over ...: y1[i, ...] * y1[history - 1, ...]
  let last = history - 1
  let sy1 = for i, j:
    where(is_new, where(j == last, s_new[i], where(i == last, new_y[j], sy[i + 1, j + 1] ?? 0)), sy[i, j])
  let yy1 = for i, j:
    where(is_new, where(j == last, y_new[i], where(i == last, y_new[j], yy[i + 1, j + 1] ?? 0)), yy[i, j])
  let sg = sum over params: for i in 0..history: sum over ...: s1[i, ...] * g[...]
  let yg = sum over params: for i in 0..history: sum over ...: y1[i, ...] * g[...]
  # the two loops over the pairs, on coefficients: H g = scale * (g - sum a y) + sum c s
  let rho = for i: where(sy1[i, i] > 0, 1 / max(sy1[i, i], 1e-30), 0)
  let scale = where(sy1[last, last] > 0, sy1[last, last] / max(yy1[last, last], 1e-30), 1)
  let a = fold (t in 0..history; a = zeros[history]) {
    let k = last - t
    let own = rho[k] * (sg[k] - sum over j: sy1[k, j] * a[j])
    next a = for j: where(j == k, own, a[j])
  }
  let c = fold (k in 0..history; c = zeros[history]) {
    let own = rho[k] * (scale * (yg[k] - sum over j: yy1[k, j] * a[j]) + sum over j: sy1[j, k] * c[j])
    next c = for j: where(j == k, a[k] - own, c[j])
  }
  let direction = for ...: scale * (g[...] - sum over i: a[i] * y1[i, ...]) + sum over i: c[i] * s1[i, ...]
  let largest = max over params: max(abs(g))
  let falls = sum over params: sum(g * direction)
  let first = min(1, 1 / max(sum over params: sum(abs(g)), 1e-30))
  let rate = lr * where(step == 0, first, 1)
  let move = where(largest > tolerance_grad and falls >= tolerance_change, rate * direction, 0)
  next s = s1, y = y1, sy = sy1, yy = yy1, moved = -move, before = g
  return move
}
