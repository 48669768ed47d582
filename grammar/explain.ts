// What `dlm explain CODE` says of the diagnostics of reading text: a paragraph, then a wrong and a right example.
export const explanations: Readonly<Record<string, string>> = {
  DLM1001:
    "The text has a character that the language does not use. Strings stand between double quotes, axis patterns between backquotes, comments begin with #; `and`, `or` and `not` are words.\n\n    field x: f32[4] = csv('iris.csv', columns: 0..4)     # wrong\n    field x: f32[4] = csv(\"iris.csv\", columns: 0..4)     # right",
  DLM1002:
    'A string or an axis pattern ends on the line where it begins.\n\n    import "blocks.dlm      # wrong\n    import "blocks.dlm"     # right',
  DLM1003:
    "The parser met a word or sign that cannot stand at this place. The hint says what is mostly meant, the note what could stand here. Every statement begins with a word (let, param, state, next, yield, return), and so does every declaration; settings of train and data blocks are written `name: value`.\n\n    h = x |> Linear(8)         # wrong: no word\n    let h = x |> Linear(8)     # right\n\n    Linear(8 act: relu)        # wrong: a comma is missing\n    Linear(8, act: relu)       # right",
  DLM1004:
    "All words of the grammar are reserved: import const export fn layer model init optimizer data field holdout train on param state let next yield return minimize wrt by metric every over for in if then else stack of scan fold along and or not true false.\n\n    let state = 1      # wrong\n    let state_ = 1     # right",
  DLM1005:
    "A block or a bracket is opened and never closed. The marks show where it was opened and where it was missed.\n\n    let h = x |> Linear(8, act: relu      # wrong\n    let h = x |> Linear(8, act: relu)     # right",
  DLM1006:
    "One `=` gives a name to a value (let, state, next, defaults of parameters). Comparison is `==`, an argument by name is written with a colon.\n\n    where(y = 1, a, b)       # wrong\n    where(y == 1, a, b)      # right\n\n    Linear(8, act = relu)    # wrong\n    Linear(8, act: relu)     # right",
  DLM1007:
    "`0..n` is a range, so a number needs digits on both sides of its point.\n\n    const rate = .5      # wrong\n    const rate = 0.5     # right",
  DLM1008:
    "The parser follows brackets and operators to a fixed depth. Give parts of a very large expression a name with `let`.\n\n    let y = f(f(f( ... 200 times ...)))     # wrong\n    let y1 = f(x)                           # right\n    let y2 = f(y1)",
  DLM1009:
    "An axis pattern names axes by words, groups them in parentheses, keeps all others as `...`, and has one arrow. The inputs of einsum are separated by commas.\n\n    rearrange(x, `b t (h d) b h t d`, h: 4)        # wrong: no arrow\n    rearrange(x, `b t (h d) -> b h t d`, h: 4)     # right\n    einsum(`i j, j k -> i k`, a, b)                # right",
  DLM1010:
    "Statements need no mark at their end: each begins with a word (let, param, return, ...), and the next one ends it.\n\n    let y = x + 1;     # wrong\n    let y = x + 1      # right",
};
