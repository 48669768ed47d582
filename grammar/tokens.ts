// The lexer. In: source text. Out: tokens, and beside them comments and what is no token. Never stops: every character is in one of the three.

export const reserved: ReadonlySet<string> = new Set(
  "import const export fn layer model init optimizer data field holdout train on param state let next yield return minimize wrt by metric every over for in if then else stack of scan fold along and or not true false".split(
    " ",
  ),
);

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
const token = new RegExp(
  [
    /\s+/,
    /#[^\n]*/,
    /`[^`\n]*`?/,
    /"[^"\n]*"?/,
    /\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/,
    /[A-Za-z_][A-Za-z0-9_]*/,
    new RegExp(signs.map((s) => s.replace(/[.|*+?^$()[\]{}/]/g, "\\$&")).join("|")),
  ]
    .map((r) => r.source)
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
    if (!token.test(text)) {
      const last = faults.at(-1);
      if (last?.kind === "characters" && last.end === start) faults[faults.length - 1] = { ...last, end: start + 1 };
      else faults.push({ kind: "characters", start, end: start + 1 });
      start += 1;
      continue;
    }
    const end = token.lastIndex;
    const first = text[start]!;
    if (first === "#") {
      const written = text.slice(start, end).trimEnd();
      comments.push({ text: written, start, end: start + written.length });
    } else if (/\S/.test(first)) {
      const own = text.slice(start, end);
      const kind = kindOf(first, own);
      if ((kind === "string" || kind === "pattern") && (own.length < 2 || own.at(-1) !== first))
        faults.push({ kind, start, end });
      tokens.push({ kind, text: own, start, end });
    }
    start = end;
  }
  return { tokens, comments, faults };
}
function kindOf(first: string, text: string): Kind {
  if (/[A-Za-z_]/.test(first)) return reserved.has(text) ? text : "name";
  if (/\d/.test(first)) return "number";
  return first === '"' ? "string" : first === "`" ? "pattern" : text;
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
