# Three ways to join a layer f(x) = act(x W + b) to what comes in, for other files to import: `import "blocks.dlm"` in a file beside this one.
# A block keeps the width of its input, so that any number of them can be stacked: `x |> stack 20 of Highway()`.

## y = f(x): each layer passes on what it made of its input, and nothing else.
layer Plain(act: fn = tanh)(x: f32[B, D]) -> f32[B, D] = x |> Linear(D, act: act)

## y = x + f(x): each layer adds a correction (He et al. 2016).
layer Residual(act: fn = tanh)(x: f32[B, D]) -> f32[B, D] = x + (x |> Linear(D, act: act))

## y = t f(x) + (1 - t) x with t = sigmoid(x V + c): each unit learns how much it lets through (Srivastava et al. 2015). `open`: what c begins with; below
## zero, the block begins by carrying most of its input.
layer Highway(act: fn = tanh, open: f32 = -2)(x: f32[B, D]) -> f32[B, D] {
  let t = x |> Linear(D, act: sigmoid, biases: open)
  return t * (x |> Linear(D, act: act)) + (1 - t) * x
}
