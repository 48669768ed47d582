// The lexer. In: source text. Out: tokens, and beside them comments and what is no token. Never stops: every character is in one of the three.

export const reserved =
  "import const export fn layer model init optimizer data field holdout train on param state let next yield return minimize wrt by metric every over for in if then else stack of scan fold along and or not true false".split(
    " ",
  );
const words = new Set(reserved);

/** `name`, `number`, `string`, `pattern`, a word of the language, a sign, or `end`. */
export type Kind = string;
export interface Token {
  readonly kind: Kind;
  readonly text: string; // as it is written, with its marks
  readonly start: number;
  readonly end: number;
}
export interface Comment {
  readonly text: string; // with its marks
  readonly start: number;
  readonly end: number;
}
/** A string or pattern without its end (it is read up to the end of the line), or a run of characters that mean nothing. */
export interface Fault {
  readonly kind: "string" | "pattern" | "characters";
  readonly start: number;
  readonly end: number;
}
export interface Lexed {
  readonly tokens: readonly Token[];
  readonly comments: readonly Comment[];
  readonly faults: readonly Fault[];
}
const signs = "... .. -> |> >> == != <= >= ?? // < > = | + - * / % @ ^ ( ) [ ] { } , : ; . ~".split(" ");
const parts = {
  space: /\s+/,
  comment: /#[^\n]*/,
  pattern: /`[^`\n]*`?/,
  string: /"[^"\n]*"?/,
  number: /\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/,
  name: /[A-Za-z_][A-Za-z0-9_]*/,
  sign: new RegExp(signs.map((s) => s.replace(/[.|*+?^$()[\]{}/]/g, "\\$&")).join("|")),
};
const token = new RegExp(
  Object.entries(parts)
    .map(([name, pattern]) => `(?<${name}>${pattern.source})`)
    .join("|"),
  "y",
);

export function tokenize(text: string): Lexed {
  const tokens: Token[] = [];
  const comments: Comment[] = [];
  const faults: Fault[] = [];
  let start = 0;
  while (start < text.length) {
    token.lastIndex = start;
    const found = token.exec(text)?.groups;
    if (!found) {
      const last = faults.at(-1);
      if (last?.kind === "characters" && last.end === start) faults[faults.length - 1] = { ...last, end: start + 1 };
      else faults.push({ kind: "characters", start, end: start + 1 });
      start += 1;
      continue;
    }
    const end = token.lastIndex;
    const own = text.slice(start, end);
    const add = (kind: Kind): void => void tokens.push({ kind, text: own, start, end });
    if (found["name"] !== undefined) add(words.has(own) ? own : "name");
    else if (found["sign"] !== undefined) add(own);
    else if (found["number"] !== undefined) add("number");
    else if (found["comment"] !== undefined) {
      const written = own.trimEnd();
      comments.push({ text: written, start, end: start + written.length });
    } else if (found["string"] !== undefined || found["pattern"] !== undefined) {
      const kind = found["string"] !== undefined ? "string" : "pattern";
      if (own.length < 2 || own.at(-1) !== own[0]) faults.push({ kind, start, end });
      add(kind);
    }
    start = end;
  }
  return { tokens, comments, faults };
}
/** How a kind of token is called in a message. */
export const label = (kind: Kind): string =>
  kind === "name"
    ? "a name"
    : kind === "number"
      ? "a number"
      : kind === "string"
        ? "a string"
        : kind === "pattern"
          ? "an axis pattern"
          : `\`${kind}\``;
