// What `dlm explain CODE` says of the diagnostics of reading text.
export const explanations: Readonly<Record<string, string>> = {
  DLM1001: "The text has a character that the language does not use. Strings stand between double quotes, axis patterns between backquotes, comments begin with #.\n\n    field x: f32[4] = csv('iris.csv')     # wrong\n    field x: f32[4] = csv(\"iris.csv\")     # right",
  DLM1002: "A string or an axis pattern ends on the line where it begins.\n\n    import \"blocks.dlm\"",
  DLM1003: "The parser met a word or sign that cannot stand at this place. The note lists what could. Often something is missing just before: a closing bracket, a comma between arguments, an operator.\n\n    let y = Linear(10 (x)      # wrong: the first bracket is not closed\n    let y = Linear(10)(x)      # right",
  DLM1004: "All words of the grammar are reserved: import const export fn layer model init optimizer data field holdout train on param state let next yield return minimize wrt by metric every over for in if then else stack of scan fold along and or not true false.\n\n    let state = 1      # wrong\n    let state_ = 1     # right",
  DLM1005: "A block or a bracket is opened and never closed. The label shows where.\n\n    model net(x: f32[B, 4]) -> f32[B, 4] {\n      return x\n    }",
  DLM1006: "One `=` gives a name to a value (let, state, next, defaults). Comparison is `==`.\n\n    where(y = 1, a, b)      # wrong\n    where(y == 1, a, b)     # right",
  DLM1007: "`0..n` is a range, so a number needs digits on both sides of its point: 0.5, 1.0.",
  DLM1008: "The parser follows brackets and operators to a fixed depth. Give parts of a very large expression a name with `let`.",
  DLM1009: "An axis pattern names axes by words, groups them in parentheses, keeps all others as `...`, and has one arrow: `b t (h d) -> b h t d`. The inputs of einsum are separated by commas: `i j, j k -> i k`.",
  DLM1010: "Statements need no mark at their end: each begins with a word (let, param, return, ...), and the next one ends it.",
};
