# Recurrent layers and cells, batch first: [batch, time, features]. Initialisation, gates and their order are PyTorch's. `wx` and `wh` are the transposes
# of PyTorch's weight_ih and weight_hh, `bx` and `bh` its bias_ih and bias_hh: weight_ih_l0 of `net.lstm` is net.lstm.recurrence[0].wx,
# weight_hh_l1_reverse is net.lstm.recurrence[1].wh_reverse, weight_hr_l0 is net.lstm.recurrence[0].wp.

## One step of a plain recurrent network (Elman 1990): act(z + h W), where z is what input and biases give. h: [..., H], w: [H, H].
fn rnn_step(z: f32[...S, H], h: f32[...S, H], w: f32[H, H], act: fn = tanh) -> f32[...S, H] = act(z + h @ w)
## One step of a long short-term memory (Hochreiter and Schmidhuber 1997; forget gates by Gers et al. 2000): c' = sigmoid(f) c + sigmoid(i) tanh(g) and
## h' = sigmoid(o) tanh(c'), where the columns of z + h W are i, f, g, o and z is what input and biases give. z: [..., 4H], c: [..., H], w: [P, 4H]. Gives (h', c').
fn lstm_step(z: f32[...S, G], h: f32[...S, P], c: f32[...S, H], w: f32[P, G]) -> (f32[...S, H], f32[...S, H]) {
  let (i, f, g, o) = split(z + h @ w, 4, axis: -1)
  let c1 = sigmoid(f) * c + sigmoid(i) * tanh(g)
  return (sigmoid(o) * tanh(c1), c1)
}
## One step of a gated recurrent unit (Cho et al. 2014): h' = (1 - u) n + u h, with r = sigmoid(z_r + h W_r), u = sigmoid(z_u + h W_u) and
## n = tanh(z_n + r * (h W_n + b)), where z is what input and biases give. z: [..., 3H] and w: [H, 3H] with the columns r, u, n; b: [H].
## Without reset_after the gate acts before the product, n = tanh(z_n + (r * h) W_n + b), as in the paper and in ONNX with linear_before_reset 0.
fn gru_step(z: f32[...S, G], h: f32[...S, H], w: f32[H, G], b: f32[H] = 0, reset_after: bool = true) -> f32[...S, H] {
  let (zr, zu, zn) = split(z, 3, axis: -1)
  let after = split(h @ w, 3, axis: -1)
  let before = split(h @ w[:, 0..2 * H], 2, axis: -1)
  let r = sigmoid(zr + (if reset_after then after[0] else before[0]))
  let u = sigmoid(zu + (if reset_after then after[1] else before[1]))
  let n = tanh(zn + (if reset_after then r * (after[2] + b) else (r * h) @ w[:, 2 * H..3 * H] + b))
  return (1 - u) * n + u * h
}
## The biases of a GRU that may be added to what the input gives: all but the recurrent one of n, which the reset gate multiplies. bx and bh: [3H] (r, u, n).
fn gru_bias(bx: f32[G], bh: f32[G], reset_after: bool = true) -> f32[G] =
  for j in 0..G: bx[j] + (if reset_after then where(j < 2 * G // 3, bh[j], 0) else bh[j])
## A recurrence along axis 1 of z: [B, T, G]. `step` takes what z has at one time and the state and gives the next state. From the end of a row on (`length`)
## its state stays as it is; with `reverse` the rounds begin there and go backwards. Gives the state after every round, [B, T, P], in order of time.
fn recur(z: f32[B, T, G], h0: f32[B, P], step: fn, length: i32[B] in 0..T + 1 = T, reverse: bool = false) -> f32[B, T, P] {
  let hs = scan (row in if reverse then flip(z, axis: 1) else z along 1, k in 0..T; h = h0) {
    let t = if reverse then T - 1 - k else k
    let h1 = step(row, h)
    let h2 = for b, p: where(t < length[b], h1[b, p], h[b, p])
    next h = h2
    yield h2
  }
  return if reverse then flip(hs, axis: 1) else hs
}
## recur with two states, h: [B, P] and c: [B, H]: `step` takes (z, h, c) and gives (h, c). Gives both after every round, [B, T, P] and [B, T, H].
fn recur_cell(z: f32[B, T, G], h0: f32[B, P], c0: f32[B, H], step: fn, length: i32[B] in 0..T + 1 = T, reverse: bool = false) {
  let (hs, cs) = scan (row in if reverse then flip(z, axis: 1) else z along 1, k in 0..T; h = h0, c = c0) {
    let t = if reverse then T - 1 - k else k
    let (h1, c1) = step(row, h, c)
    let h2 = for b, p: where(t < length[b], h1[b, p], h[b, p])
    let c2 = for b, d: where(t < length[b], c1[b, d], c[b, d])
    next h = h2, c = c2
    yield (h2, c2)
  }
  return if reverse then (flip(hs, axis: 1), flip(cs, axis: 1)) else (hs, cs)
}
## One layer of a recurrent network, in one direction or both, with parameters of its own: what RNN, GRU and LSTM stack. `step` takes (z, h, w, bx, bh), and with a
## `cell` (z, h, c, w), and gives the next state, or both; `join` makes of bx and bh what is added to z. wx: [I, gates * hidden], wh: [P, gates * hidden],
## bx and bh: [gates * hidden], with a projection wp: [hidden, P]; those of the other direction end in _reverse. Takes and gives the sequence, and the states
## of all layers, [layers * directions, B, P] and [.., B, H], of which its own are row `level`, or rows 2 * level and 2 * level + 1.
layer Recurrence(level: int, layers: int, hidden: int, gates: int, step: fn, join: fn, cell: bool, proj: int, bidirectional: bool, dropout: f32, bias: bool,
                 weights: dist, recurrent: dist, biases: dist)
                (x: f32[B, T, I], h: f32[R, B, P], c: f32[R, B, H], length: i32[B] in 0..T + 1) {
  param wx: f32[I, gates * hidden] ~ weights
  param wh: f32[P, gates * hidden] ~ recurrent
  param bx: f32[gates * hidden] ~ biases
  param bh: f32[gates * hidden] ~ biases
  param wp: f32[hidden, P] ~ weights
  param wx_reverse: f32[I, gates * hidden] ~ weights
  param wh_reverse: f32[P, gates * hidden] ~ recurrent
  param bx_reverse: f32[gates * hidden] ~ biases
  param bh_reverse: f32[gates * hidden] ~ biases
  param wp_reverse: f32[hidden, P] ~ weights
  let n = if bidirectional then 2 else 1
  let own = n * level
  let projected = |s, w| (s[0] @ w, s[1])
  let run = |z, i, w, b, p, reverse|
    if not cell then (recur(z, h[i], |z, h| step(z, h, w, b), length, reverse), 0)
    else recur_cell(z, h[i], c[i], |z, h, c| if proj > 0 then projected(step(z, h, c, w), p) else step(z, h, c, w), length, reverse)
  let (hs, cs) = run(if bias then x @ wx + join(bx, bh) else x @ wx, own, wh, if bias then bh else 0, if proj > 0 then wp else 0, false)
  let (hr, cr) = if bidirectional
    then run(if bias then x @ wx_reverse + join(bx_reverse, bh_reverse) else x @ wx_reverse, own + 1, wh_reverse,
             if bias then bh_reverse else 0, if proj > 0 then wp_reverse else 0, true)
    else (hs, cs)
  let both = if bidirectional then concat([hs, hr], axis: -1) else hs
  let y = for b, t, d: where(t < length[b], both[b, t, d], 0)
  let replaced = |all, ahead, back|
    for r, b, d: where(r == own, ahead[b, T - 1, d], where(r == own + n - 1, back[b, 0, d], all[r, b, d]))
  return (if dropout > 0 and level < layers - 1 then Dropout(dropout)(y) else y, replaced(h, hs, hr), if cell then replaced(c, cs, cr) else c, length)
}
## A plain recurrent network (Elman 1990): h' = act(x Wx + bx + h Wh + bh), one after another along axis 1. x: [B, T, I] to [B, T, hidden], with `bidirectional`
## to [B, T, 2 * hidden], forward before backward. `layers` are stacked, each on the outputs of the one below, of which `dropout` are left out in training.
## `length`: rows end there (default T); their outputs beyond are 0, the other direction begins at the end. h0: the first state, [B, hidden] for all layers and
## directions, or [layers * directions, B, hidden] (layer by layer, forward before backward); default 0. With return_state it gives (outputs, h), h the states after
## the last rounds: [B, hidden] of one layer and direction, else as h0. Weights and biases are uniform in +-1 / sqrt(hidden); `recurrent` (default: as `weights`) is
## for wh. Also called SimpleRNN. `hidden` is also called hidden_size. `layers` is also called num_layers. `act` is also called nonlinearity. `recurrent` is also called recurrent_initializer. Its input says `input_size`. In place of `batch_first`: nothing, rows are the first axis and steps the second.
layer RNN(hidden: int in 1..inf, *, layers: int in 1..inf = 1, act: fn = tanh, bidirectional: bool = false, dropout: f32 in 0..1 = 0, bias: bool = true, return_state: bool = false,
          weights: dist = uniform(-1, 1) / sqrt(hidden), recurrent: dist = weights, biases: dist = uniform(-1, 1) / sqrt(hidden))
         (x: f32[B, T, I], h0: f32[...S] = 0, length: i32[B] in 0..T + 1 = T) {
  let rows = layers * (if bidirectional then 2 else 1)
  let (y, h, _, _) = (x, expand[rows, B, hidden](h0), zeros[rows, B, 1], length) |> stack i in 0..layers of
    Recurrence(i, layers, hidden, 1, |z, h, w, b| rnn_step(z, h, w, act), |bx, bh| bx + bh, false, 0, bidirectional, dropout, bias,
               weights, recurrent, biases)
  return if not return_state then y else (y, if rows == 1 then h[0] else h)
}
## Gated recurrent units (Cho et al. 2014) along axis 1: see gru_step for the formula, and RNN for shapes, lengths, first and last states and initialisation. The
## columns of wx, wh, bx and bh are the gates r (reset), u (update, z in PyTorch) and n (new). `hidden` is also called hidden_size. `layers` is also called num_layers. Its input says `input_size`. In place of `batch_first`: nothing, rows are the first axis and steps the second.
layer GRU(hidden: int in 1..inf, *, layers: int in 1..inf = 1, bidirectional: bool = false, dropout: f32 in 0..1 = 0, bias: bool = true, reset_after: bool = true, return_state: bool = false,
          weights: dist = uniform(-1, 1) / sqrt(hidden), recurrent: dist = weights, biases: dist = uniform(-1, 1) / sqrt(hidden))
         (x: f32[B, T, I], h0: f32[...S] = 0, length: i32[B] in 0..T + 1 = T) {
  let rows = layers * (if bidirectional then 2 else 1)
  let step = |z, h, w, b| gru_step(z, h, w, if bias and reset_after then b[2 * hidden..3 * hidden] else 0, reset_after)
  let (y, h, _, _) = (x, expand[rows, B, hidden](h0), zeros[rows, B, 1], length) |> stack i in 0..layers of
    Recurrence(i, layers, hidden, 3, step, |bx, bh| gru_bias(bx, bh, reset_after), false, 0, bidirectional, dropout, bias, weights, recurrent, biases)
  return if not return_state then y else (y, if rows == 1 then h[0] else h)
}
## Long short-term memory (Hochreiter and Schmidhuber 1997) along axis 1: see lstm_step for the formula, and RNN for shapes, lengths, first and last states (here h
## and c; c0 as h0, return_state gives (outputs, h, c)) and initialisation. The columns of wx, wh, bx and bh are the gates i (input), f (forget), g (cell) and
## o (output). With `proj` the outputs and h have this width: h' W, W: [hidden, proj]. `hidden` is also called hidden_size. `layers` is also called num_layers. `proj` is also called proj_size. Its input says `input_size`. In place of `batch_first`: nothing, rows are the first axis and steps the second.
layer LSTM(hidden: int in 1..inf, *, layers: int in 1..inf = 1, bidirectional: bool = false, dropout: f32 in 0..1 = 0, bias: bool = true, proj: int = 0, return_state: bool = false,
           weights: dist = uniform(-1, 1) / sqrt(hidden), recurrent: dist = weights, biases: dist = uniform(-1, 1) / sqrt(hidden))
          (x: f32[B, T, I], h0: f32[...S] = 0, c0: f32[...C] = 0, length: i32[B] in 0..T + 1 = T) {
  let rows = layers * (if bidirectional then 2 else 1)
  let width = if proj > 0 then proj else hidden
  let (y, h, c, _) = (x, expand[rows, B, width](h0), expand[rows, B, hidden](c0), length) |> stack i in 0..layers of
    Recurrence(i, layers, hidden, 4, lstm_step, |bx, bh| bx + bh, true, proj, bidirectional, dropout, bias, weights, recurrent, biases)
  return if not return_state then y else if rows == 1 then (y, h[0], c[0]) else (y, h, c)
}
## One step of RNN: x: [..., I] and the state h: [..., hidden] (default 0) to the next state. wx: [I, hidden], wh: [hidden, hidden], bx and bh: [hidden]. `act` is also called nonlinearity. `hidden` is also called hidden_size. Its input says `input_size`.
layer RNNCell(hidden: int in 1..inf, act: fn = tanh, bias: bool = true, weights: dist = uniform(-1, 1) / sqrt(hidden), recurrent: dist = weights,
              biases: dist = uniform(-1, 1) / sqrt(hidden))
             (x: f32[...S, I], h: f32[...S, hidden] = 0) -> f32[...S, hidden] {
  param wx: f32[I, hidden] ~ weights
  param wh: f32[hidden, hidden] ~ recurrent
  param bx: f32[hidden] ~ biases
  param bh: f32[hidden] ~ biases
  return rnn_step(if bias then x @ wx + (bx + bh) else x @ wx, h, wh, act)
}
## One step of GRU: x: [..., I] and the state h: [..., hidden] (default 0) to the next state; see gru_step. wx: [I, 3 * hidden], wh: [hidden, 3 * hidden], bx and bh: [3 * hidden], the columns r, u, n. `hidden` is also called hidden_size. Its input says `input_size`.
layer GRUCell(hidden: int in 1..inf, bias: bool = true, reset_after: bool = true, weights: dist = uniform(-1, 1) / sqrt(hidden), recurrent: dist = weights,
              biases: dist = uniform(-1, 1) / sqrt(hidden))
             (x: f32[...S, I], h: f32[...S, hidden] = 0) -> f32[...S, hidden] {
  param wx: f32[I, 3 * hidden] ~ weights
  param wh: f32[hidden, 3 * hidden] ~ recurrent
  param bx: f32[3 * hidden] ~ biases
  param bh: f32[3 * hidden] ~ biases
  return gru_step(if bias then x @ wx + gru_bias(bx, bh, reset_after) else x @ wx, h, wh,
                  if bias and reset_after then bh[2 * hidden..3 * hidden] else 0, reset_after)
}
## One step of LSTM: x: [..., I] and the states h and c: [..., hidden] (default 0) to the next (h, c); see lstm_step. wx: [I, 4 * hidden], wh: [hidden, 4 * hidden], bx and bh: [4 * hidden], the columns i, f, g, o. `hidden` is also called hidden_size. Its input says `input_size`.
layer LSTMCell(hidden: int in 1..inf, bias: bool = true, weights: dist = uniform(-1, 1) / sqrt(hidden), recurrent: dist = weights,
               biases: dist = uniform(-1, 1) / sqrt(hidden))
              (x: f32[...S, I], h: f32[...S, hidden] = 0, c: f32[...S, hidden] = 0) -> (f32[...S, hidden], f32[...S, hidden]) {
  param wx: f32[I, 4 * hidden] ~ weights
  param wh: f32[hidden, 4 * hidden] ~ recurrent
  param bx: f32[4 * hidden] ~ biases
  param bh: f32[4 * hidden] ~ biases
  return lstm_step(if bias then x @ wx + (bx + bh) else x @ wx, h, c, wh)
}
