// What `dlm explain CODE` says of the diagnostics of meaning: a paragraph, then a wrong and a right example.
export const explanations: Readonly<Record<string, string>> = {
  DLM2001:
    "No scope around this place binds the name. Known are: what the block, the declaration and the file bind, imported declarations, the library, the built-in functions, and a few ambient names (training, step, steps, batch, pi, inf, ...). Arguments, settings, fields and members have lists of their own. Layers and dims begin with a capital.\n\n    x |> Linear(8, act: rellu)     # wrong\n    x |> Linear(8, act: relu)      # right\n\n    epoch: 10                      # wrong\n    epochs: 10                     # right",
  DLM2002:
    "A block binds a name once; so do a file's declarations, the settings of a train block and the parameters of a declaration. Names of `for`, lambdas and loop bodies may hide outer ones, and `_` ignores a value.\n\n    let h = x |> Linear(8)      # wrong: h twice\n    let h = h |> Linear(8)\n\n    let h1 = x |> Linear(8)     # right\n    let h2 = h1 |> Linear(8)",
  DLM2003:
    "A value has another shape or element type than the place where it is used asks for. Signatures match exactly: dims bound by one argument must be the same in the others, and an axis of 1 is never stretched. A plain number fits any shape.\n\n    mse(net(x), y)                  # wrong: f32[B, 10] with f32[B, 1]\n    mse(net(x), expand[B, 10](y))   # right, if every column has the same target\n\n    model net(x: f32[B, 784]) ...   # wrong: the rows of the data have 64 numbers\n    model net(x: f32[B, 64]) ...    # right",
  DLM2004:
    "The operand of the highest rank fixes the shape. Between operands of that rank an axis known to be 1 stretches; an operand of lower rank is aligned at the right and must fit. So the accident of [B] minus [B, 1], which would give [B, B] elsewhere, is an error here. In `a @ b` the last axis of a meets the last axis but one of b.\n\n    scores - mean(scores, axis: 1)                 # wrong: [B, K] with [B]\n    scores - mean(scores, axis: 1, keep: true)     # right: [B, K] with [B, 1]\n\n    x @ w               # wrong: [B, 4] @ [8, 4]\n    x @ transpose(w)    # right: [B, 4] @ [4, 8]",
  DLM2005:
    "Tensors of f32, i32 and bool never convert silently. Plain numbers take the type that the other operand asks for; `f32(x)` converts, `i32(x)` cuts towards zero, a bool becomes a number by `where` or `f32`.\n\n    sum((x > 0) * x)          # wrong: bool with f32\n    sum(f32(x > 0) * x)       # right\n    sum(where(x > 0, x, 0))   # right",
  DLM2006:
    'Something of another kind is needed here: an instance instead of a layer, a function instead of a string, a tensor instead of a list. Writing `Name(...)` makes an instance of a layer; choices are functions and not strings; functions are applied from outside and are no members of tensors.\n\n    x |> Linear |> relu             # wrong: the layer itself\n    x |> Linear(8) |> relu          # right: an instance of it\n\n    x |> Linear(8, act: "relu")     # wrong\n    x |> Linear(8, act: relu)       # right',
  DLM2007:
    "The arguments do not fit what is called: too few, too many, one twice, an axis or index that is not there. Arguments go by position, then by name; the axis of a reduction is given by name. In `for`, an index without a range takes the extent of the axes where it stands alone.\n\n    sum(x, 1)           # wrong\n    sum(x, axis: 1)     # right\n\n    for i: x[i + 1] - x[i]                  # wrong where x[i + 1] alone tells the range\n    for i in 0..size(x) - 1: x[i + 1]       # right",
  DLM2008:
    "Shapes, the count of `stack` and the condition of `if` are known when the program is compiled: constants, hyper-parameters, dims, `training`. The choice between values at run time is `where`, which computes both.\n\n    if sum(x) > 0 then x else -x          # wrong\n    where(sum(x) > 0, x, -x)              # right",
  DLM2009:
    "An index must be proved to stay inside of its tensor, or the access says what is outside. A negative literal counts from the end; computed indices never wrap. The range of an i32 value is declared where it enters, or follows from an operation.\n\n    for i in 0..n: x[i + 1] - x[i]                 # wrong: leaves the tensor at the end\n    for i in 0..n: (x[i + 1] ?? 0) - x[i]          # right: 0 is outside\n    for i in 0..n - 1: x[i + 1] - x[i]             # right: one element fewer",
  DLM2010:
    'Whole numbers that are used as indices or classes carry a range, and an argument\'s range must lie within that of the parameter. It is declared on fields and inputs (the host checks the data when it loads them), or follows from the operation that made the value.\n\n    field y: i32 = csv("d.csv", column: "label")            # wrong: any whole number\n    field y: i32 in 0..3 = csv("d.csv", column: "label")    # right\n\nA state that declares a range must stay in it whatever it counts: next k = (k + 1) % 3.',
  DLM2011:
    "`/` divides truly. Where a whole number is needed, as in a shape or a count, the division must come out even; `//` floors.\n\n    Conv2d(8, groups: 4)     # wrong on 6 channels: 6 / 4 = 1.5\n    Conv2d(8, groups: 3)     # right\n\n    split(x, 3, axis: -1)    # wrong on an axis of 10\n    split(x, 5, axis: -1)    # right",
  DLM2012:
    "A gradient was asked for with respect to something that the value does not depend on. Often it is a copy: bind the value with `let` first and use that name in both places. Nothing passes through `stop`, `frozen` and whole numbers.\n\n    grad(sum(x^2), wrt: y)             # wrong\n    grad(sum((x - y)^2), wrt: y)       # right",
  DLM2013:
    "A function may not call itself, nor a constant need itself. Loops at run time are `scan` and `fold`, at compile time `stack`.\n\n    fn power(x: f32, n: int) = if n == 0 then 1.0 else x * power(x, n - 1)     # wrong\n    fn power(x: f32, n: int) = fold (k in 0..n; y = 1.0) { next y = y * x }     # right",
  DLM2014:
    "This construct has no meaning at this place. Layers, models and train blocks hold instances, parameters and state; functions and metrics hold none. A block that gives a value ends with `return`; `yield` belongs to `scan`. In the body of `for` every value is one element.\n\n    fn block(x: f32[B, 4]) = x |> Linear(4)            # wrong\n    layer Block()(x: f32[B, 4]) = x |> Linear(4)       # right\n\n    for b: softmax(x[b])      # wrong: a slice inside `for`\n    softmax(x)                # right: the whole tensor",
  DLM2015:
    'A setting of a train or data block has a value that it cannot have, or one is missing. A train block needs a batch size, an objective, and `epochs` or `steps`. `best` and `stalled` are told whether less or more is better, by `min:` or `max:`; they know it of the loss, and of a metric that is one call of a function whose `##` comment says `Less is better.` or `More is better.`\n\n    train fit on digits { ... }                # wrong: no batch size\n    train fit on digits(batch: 64) { ... }     # right\n\n    holdout test = 20                          # wrong\n    holdout test = 0.2                         # right: a share of the rows\n\n    save: best(valid.nll, "best.safetensors")          # wrong, where nll = mean(...)\n    save: best(min: valid.nll, "best.safetensors")     # right',
  DLM2016:
    "A dim is bound where it stands alone in the type of an input; formulas of dims are checked, not solved. Dims begin with a capital; other names inside brackets are constants and hyper-parameters.\n\n    fn halves(x: f32[B, 2 * T]) = x[:, 0..T]           # wrong\n    fn halves(x: f32[B, N]) = x[:, 0..N // 2]          # right",
  DLM2017:
    "The dims of an export's inputs that are no numbers (B, T) are known at run time only. Activations may have them; parameters, state, the count of `stack`, the condition of `if` and the number of rounds of a loop may not.\n\n    param b: f32[B, C] ~ zeros      # wrong: one parameter for each row of a call\n    param b: f32[C] ~ zeros         # right",
  DLM2018:
    "What is minimized, differentiated or compared by `stop` and `save` is a single number.\n\n    minimize (net(x) - y)^2 by adam()          # wrong: one for each row\n    minimize mean((net(x) - y)^2) by adam()    # right",
  DLM2019:
    "A train block is read from top to bottom. After a `minimize`, the parameters in it have new values; a `let` above it was computed with the old ones. An objective that uses such a value would be differentiated at a point that is past, and so would a `grad` by the parameters.\n\n    let score = disc(fake)                                   # wrong: used below the update of disc\n    minimize loss(score) wrt disc by adam()\n    minimize mean(score) wrt gen by adam()\n\n    minimize loss(disc(fake)) wrt disc by adam()             # right: computed again\n    minimize mean(disc(fake)) wrt gen by adam()",
  DLM2020:
    'The file that is imported cannot be found. Paths count from the folder of the file that imports it.\n\n    import "blocks.dlm"         # wrong, where the file lies in lib\n    import "lib/blocks.dlm"     # right',
  DLM2021:
    "What acts at compile time is written out: every copy of a stacked layer, every part of a split, every batch of an accumulated step. There is a limit to how many. Loops at run time are `scan` and `fold`, which are not written out.\n\n    x |> stack 100000 of Linear(8)                                   # wrong: 100000 layers\n    fold (k in 0..100000; h = x) { next h = tanh(h @ w) }            # right: a loop",
  DLM2022:
    "A layer's parameters have shapes, and exist, only where it is applied: shapes follow from what it is applied to, or from sizes in the types of a model's inputs.\n\n    model idle(x: f32[B, D]) = x |> Linear(1)\n    minimize mse(net(x), y) + l2(idle) by adam()     # wrong, where nothing applies idle\n\n    model idle(x: f32[B, 4]) = x |> Linear(1)        # right: the shapes of its parameters are known",
  DLM2501:
    "No objective depends on the parameter, so it keeps its first value for ever. Mostly a layer was made and not used, or its output is overwritten.\n\n    let side = x |> Linear(4)      # wrong: never used again\n    return x |> Linear(2)\n\n    return x |> Linear(2)          # right",
  DLM2502:
    "The objective uses the parameter, but only through operations whose slope is 0 everywhere: comparisons, argmax, sign, round, whole numbers, stop. No gradient reaches it.\n\n    mean(f32(net(x) > 0))           # wrong: a count\n    mean(sigmoid(net(x)))           # right: a smooth form of it",
  DLM2503:
    "A dim variable ties sizes together. One that stands in a declaration of several inputs only once ties nothing, and is mostly a slip: any size fits it. In a result it means whatever comes out.\n\n    fn distance(a: f32[B, D], b: f32[N, D]) -> f32[B]     # wrong: b may have other rows\n    fn distance(a: f32[B, D], b: f32[B, D]) -> f32[B]     # right",
  DLM2504:
    "All units of a layer whose weights begin alike compute the same and get the same gradient: they never become different. Weights are drawn; offsets may begin as zeros.\n\n    param w: f32[I, out] ~ zeros                # wrong\n    param w: f32[I, out] ~ normal(0, 0.02)      # right",
  DLM2505:
    "cross_entropy takes logits, the values before softmax, and applies log_softmax itself. Probabilities would be squashed twice: the loss cannot get small, and learning is slow.\n\n    minimize cross_entropy(softmax(net(x)), y) by adam()     # wrong\n    minimize cross_entropy(net(x), y) by adam()              # right",
  DLM2506:
    "The slope of sqrt(x), log(x) and 1 / x grows without bound towards 0. One such element makes all gradients useless. A small number keeps away from it. The check follows formulas: squares, sums of them, exp, abs and max with a number are known to be positive.\n\n    sqrt(sum((a - b)^2, axis: -1))            # wrong: a may equal b\n    sqrt(sum((a - b)^2, axis: -1) + 1e-9)     # right",
  DLM2507:
    "The slope of sigmoid is a quarter at most, so the gradient shrinks by that factor at each. From four on without normalisation the first layers hardly learn.\n\n    x |> stack 6 of Linear(64, act: sigmoid)     # wrong\n    x |> stack 6 of Linear(64, act: relu)        # right",
  DLM2508:
    'No train block that reads this data, no formula and no initial value names the field.\n\n    field weight: f32 = csv("d.csv", column: "w")     # wrong, where nothing reads it\n    minimize mean(weight * (net(x) - y)^2) by adam()     # right: it is used',
  DLM2509:
    "Dropout sets elements to 0 at random. Right before the output it does that to the answers themselves, not to features that later layers could make up for.\n\n    x |> Linear(64) |> Linear(10) |> Dropout(0.5)     # wrong\n    x |> Linear(64) |> Dropout(0.5) |> Linear(10)     # right",
  DLM2510:
    "The learning rate is above the range in which this optimizer mostly trains. Steps of adam and its kin have about the size of the rate whatever the gradient, so theirs are much smaller than those of sgd.\n\n    minimize e by adam(lr: 0.5)      # wrong\n    minimize e by adam(lr: 1e-3)     # right",
  DLM2901:
    "The language has this, but the compiler cannot translate it yet. The hint says how to write it otherwise, where there is a way. docs/language.md lists what is not compiled yet.\n\n    median over i: x[i]     # wrong for now\n    mean over i: x[i]       # right",
};
