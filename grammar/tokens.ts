// The lexer: text to tokens. Comments are kept aside, in their own group.
import { createToken, Lexer, type ILexingResult, type TokenType } from "chevrotain";

export const reserved =
  "import const export fn layer model init optimizer data field holdout train on param state let next yield return minimize wrt by metric every over for in if then else stack of scan fold along and or not true false".split(
    " ",
  );

export const Id = createToken({ name: "Id", pattern: /[A-Za-z_][A-Za-z0-9_]*/ });
const make = (name: string, pattern: RegExp | string, label: string): TokenType =>
  createToken({ name, pattern, label });

export const WhiteSpace = createToken({ name: "WhiteSpace", pattern: /\s+/, group: Lexer.SKIPPED, line_breaks: true });
export const Comment = createToken({ name: "Comment", pattern: /#[^\n]*/, group: "comments" });
export const Pattern = make("Pattern", /`[^`\n]*`/, "an axis pattern");
export const Str = make("Str", /"[^"\n]*"/, "a string");
export const Num = make("Num", /\d+(\.\d+)?([eE][-+]?\d+)?/, "a number");

export const words: Readonly<Record<string, TokenType>> = Object.fromEntries(
  reserved.map((word) => [
    word,
    createToken({ name: `Word_${word}`, pattern: new RegExp(word), longer_alt: Id, label: `\`${word}\`` }),
  ]),
);
const signs = {
  Rest: "...",
  Range: "..",
  Arrow: "->",
  Pipe: "|>",
  Compose: ">>",
  Equal: "==",
  NotEqual: "!=",
  LessEqual: "<=",
  GreaterEqual: ">=",
  Outside: "??",
  FloorDivide: "//",
  Less: "<",
  Greater: ">",
  Assign: "=",
  Bar: "|",
  Plus: "+",
  Minus: "-",
  Times: "*",
  Divide: "/",
  Percent: "%",
  At: "@",
  Caret: "^",
  OpenParen: "(",
  CloseParen: ")",
  OpenBracket: "[",
  CloseBracket: "]",
  OpenBrace: "{",
  CloseBrace: "}",
  Comma: ",",
  Colon: ":",
  Semicolon: ";",
  Dot: ".",
  Tilde: "~",
} as const;
export const sign = Object.fromEntries(
  Object.entries(signs).map(([name, text]) => [name, make(name, text, `\`${text}\``)]),
) as { readonly [K in keyof typeof signs]: TokenType };

export const allTokens: TokenType[] = [
  WhiteSpace,
  Comment,
  Pattern,
  Str,
  Num,
  ...Object.values(words),
  Id,
  ...Object.values(sign),
];

let lexer: Lexer | undefined;
export function tokenize(text: string): ILexingResult {
  lexer ??= new Lexer(allTokens, { ensureOptimizations: false, skipValidations: true, positionTracking: "onlyOffset" });
  return lexer.tokenize(text);
}
