// The paragraph behind every code of lints, for `dlm explain`: what the mistake is, then a wrong line and a right one.
export const explanations: Readonly<Record<string, string>> = {
  DLM2501:
    "No objective depends on the parameter, so it keeps its first value for ever. Mostly a layer was made and not used, or its output is overwritten.\n\n    let side = x |> Linear(4)      # wrong: never used again\n    return x |> Linear(2)\n\n    return x |> Linear(2)          # right",
  DLM2502:
    "The objective uses the parameter, but only through operations whose slope is 0 everywhere: comparisons, argmax, sign, round, whole numbers, stop. No gradient reaches it.\n\n    mean(f32(net(x) > 0))           # wrong: a count\n    mean(sigmoid(net(x)))           # right: a smooth form of it",
  DLM2503:
    "A dim variable ties sizes together. One that stands in a declaration of several inputs only once ties nothing, and is mostly a slip: any size fits it. In a result it means whatever comes out.\n\n    fn distance(a: f32[B, D], b: f32[N, D]) -> f32[B]     # wrong: b may have other rows\n    fn distance(a: f32[B, D], b: f32[B, D]) -> f32[B]     # right",
  DLM2504:
    "Units whose weights begin alike, read by a layer whose weights begin alike too, compute the same and get the same gradient: they never become different, unless offsets that are drawn or other numbers between tell them apart. One such layer alone is fine: a last layer, or the last of a residual branch, may begin as zeros. A layer of zeros that is applied to what it gave gets no gradient at all. Weights are drawn; offsets may begin as zeros.\n\n    x |> Linear(8, weights: zeros, biases: zeros) |> tanh |> Linear(1, weights: zeros)     # wrong\n    x |> Linear(8) |> tanh |> Linear(1, weights: zeros)                                   # right",
  DLM2505:
    "Losses as cross_entropy take logits, the values before softmax, and apply it themselves. Probabilities would be squashed twice: the loss cannot get small, and learning is slow. Which functions these are is said by their `##` comments: `Takes logits.` and `Gives probabilities.`, also by those of your own.\n\n    minimize cross_entropy(softmax(net(x)), y) by adam()     # wrong\n    minimize cross_entropy(net(x), y) by adam()              # right",
  DLM2506:
    "The slope of sqrt(x), log(x) and 1 / x grows without bound towards 0. One such element makes all gradients useless. A small number keeps away from it. The check follows formulas: squares, sums of them, exp, abs and max with a number are known to be positive.\n\n    sqrt(sum((a - b)^2, axis: -1))            # wrong: a may equal b\n    sqrt(sum((a - b)^2, axis: -1) + 1e-9)     # right",
  DLM2507:
    "The slope of sigmoid is a quarter at most, so the gradient shrinks by that factor at each. From four on without normalisation the first layers hardly learn. `##` comments say what counts: `Its slope is at most 1/4.` and `Normalises its input.`\n\n    x |> stack 6 of Linear(64, act: sigmoid)     # wrong\n    x |> stack 6 of Linear(64, act: relu)        # right",
  DLM2508:
    'No train block that reads this data, no formula and no initial value names the field.\n\n    field weight: f32 = csv("d.csv", column: "w")     # wrong, where nothing reads it\n    minimize mean(weight * (net(x) - y)^2) by adam()     # right: it is used',
  DLM2509:
    "Dropout sets elements to 0 at random. Right before the output it does that to the answers themselves, not to features that later layers could make up for. It holds for every layer whose `##` comment says `Drops features in training.`\n\n    x |> Linear(64) |> Linear(10) |> Dropout(0.5)     # wrong\n    x |> Linear(64) |> Dropout(0.5) |> Linear(10)     # right",
  DLM2510:
    "The learning rate is above the range in which this optimizer mostly trains. Steps of adam and its kin have about the size of the rate whatever the gradient, so theirs are much smaller than those of sgd. The range stands in the optimizer's `##` comment: `Usual rates: up to 0.05.` It is that of its first parameter; a schedule says what it comes to (`Its largest value is \`peak\`.`).\n\n    minimize e by adam(lr: 0.5)      # wrong\n    minimize e by adam(lr: 1e-3)     # right",
  DLM2511:
    "Tensors are channels last: pictures are [B, H, W, C]. One that is declared as [B, 3, 32, 32], as PyTorch has it, is read as 3 x 32 dots with 32 channels, which is allowed and mostly not meant. It holds for one channel or three before equal sizes, given to what says `Takes channels last.` in its `##` comment.\n\n    model net(x: f32[B, 3, 32, 32]) = x |> Conv2d(16, 3)     # wrong\n    model net(x: f32[B, 32, 32, 3]) = x |> Conv2d(16, 3)     # right",
};
