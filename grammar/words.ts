// What words and signs of the language look like: the lexer is made of it, and so is the colouring of an editor. In: nothing. Out: words, signs, patterns.
export const reserved: ReadonlySet<string> = new Set(
  "import const export fn layer model init optimizer data field holdout train on param state let next yield return minimize wrt by metric every over for in if then else stack of scan fold along and or not true false".split(
    " ",
  ),
);
/** The longer ones first. */
export const signs: readonly string[] =
  "... .. -> |> >> == != <= >= ?? // < > = | + - * / % @ ^ ( ) [ ] { } , : ; . ~".split(" ");
/** In the order in which they are tried; a reserved word is a name that is in the list. */
export const patterns = {
  space: /\s+/,
  comment: /#[^\n]*/,
  pattern: /`[^`\n]*`?/,
  string: /"[^"\n]*"?/,
  number: /\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/,
  name: /[A-Za-z_][A-Za-z0-9_]*/,
} as const;
