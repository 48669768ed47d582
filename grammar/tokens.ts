// The lexer. In: source text. Out: tokens, and beside them comments and what is no token. Never stops: every character is in one of the three.
import { createToken, Lexer, type IToken, type TokenType } from "chevrotain";
import { patterns, reserved, signs } from "./words.ts";

export { reserved };

/** `name`, `number`, `string`, `pattern`, a word of the language, a sign, or `EOF`. */
export type Kind = string;
export type Token = IToken;
export const kindOf = (t: Token): Kind => t.tokenType.name;
export const endOf = (t: Token): number => t.startOffset + t.image.length;

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

const name = createToken({ name: "name", pattern: patterns.name });
const inOrder: readonly TokenType[] = [
  createToken({ name: "space", pattern: patterns.space, group: Lexer.SKIPPED, line_breaks: true }),
  createToken({ name: "comment", pattern: patterns.comment, group: "comments" }),
  createToken({ name: "pattern", pattern: patterns.pattern }),
  createToken({ name: "string", pattern: patterns.string }),
  createToken({ name: "number", pattern: patterns.number }),
  ...[...reserved].map((word) => createToken({ name: word, pattern: new RegExp(word), longer_alt: name })),
  name,
  ...signs.map((sign) => createToken({ name: sign, pattern: sign })),
];
export const types: ReadonlyMap<Kind, TokenType> = new Map(inOrder.map((t) => [t.name, t]));

let lexer: Lexer | undefined;
export function tokenize(text: string): Lexed {
  lexer ??= new Lexer([...inOrder], { skipValidations: true, positionTracking: "onlyOffset" });
  const { tokens, groups, errors } = lexer.tokenize(text);
  const comments = (groups["comments"] ?? []).map(({ image, startOffset: start }) => {
    const written = image.trimEnd();
    return { text: written, start, end: start + written.length };
  });
  const faults: Fault[] = errors.map((e) => ({ kind: "characters", start: e.offset, end: e.offset + e.length }));
  for (const t of tokens) {
    const kind = kindOf(t);
    if ((kind === "string" || kind === "pattern") && (t.image.length < 2 || t.image.at(-1) !== t.image[0]))
      faults.push({ kind, start: t.startOffset, end: endOf(t) });
  }
  return { tokens, comments, faults: faults.sort((a, b) => a.start - b.start) };
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
