// Diagnostics of reading text, DLM1xxx: one constructor per code.
import type { Diagnostic, Fix, Span } from "./diagnostic.ts";
import { behind, inserting, leavingOut, writing } from "./fixes.ts";

const error = (code: string, span: Span, message: string, more: Partial<Diagnostic> = {}): Diagnostic => ({
  code,
  severity: "error",
  span,
  message,
  ...more,
});

export const unexpectedCharacter = (span: Span, text: string): Diagnostic =>
  error("DLM1001", span, `the character ${named(text)} means nothing here`, {
    ...(isUnseen(text) ? { hint: unseenHint } : characterHints[text] ? { hint: characterHints[text] } : {}),
    ...given(characterFix(span, text)),
  });
const isUnseen = (character: string): boolean => /^[\p{C}\p{Z}]$/u.test(character);
const unseenHint = "it cannot be seen: leave it out";
function named(character: string): string {
  if (isUnseen(character)) return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
  return character === '"' ? "'\"'" : `"${character}"`;
}
const given = (fix: Fix | undefined): Pick<Diagnostic, "fixes"> => (fix ? { fixes: [fix] } : {});
/** What is written in place of a character that means nothing. */
const characterText: Readonly<Record<string, string>> = {
  "“": '"',
  "”": '"',
  "!": "not ",
  "\\": "",
  "−": "-",
  "×": "*",
  "≤": "<=",
  "≥": ">=",
  "≠": "!=",
};
function characterFix(span: Span, text: string): Fix | undefined {
  const rest = span.file.text.slice(span.start);
  const to = (length: number): Span => ({ ...span, end: span.start + length });
  const quoted = /^(['“”])([^'"“”\n]*)['“”]/.exec(rest);
  if (quoted) return writing(to(quoted[0].length), `"${quoted[2]}"`);
  if (isUnseen(text)) return leavingOut(to(text.length));
  if (text === "&") return writing(to(/^&+/.exec(rest)![0].length), "and");
  return Object.hasOwn(characterText, text) ? writing(to(1), characterText[text]!) : undefined;
}
const characterHints: Readonly<Record<string, string>> = {
  "'": 'strings are written "like this"',
  "“": 'strings are written "like this"',
  "”": 'strings are written "like this"',
  "!": "write `not x`, or `!=` for unequal",
  "&": "write `and`",
  $: "names have letters, digits and `_`",
  "\\": "a line needs no mark to go on",
  "?": "write `if c then a else b` or where(c, a, b)",
  "−": "write `-`",
  "×": "write `*`",
  "≤": "write `<=`",
  "≥": "write `>=`",
  "≠": "write `!=`",
};
export const secondStar = (span: Span): Diagnostic =>
  error("DLM1003", span, "this list has a second `*`", {
    hint: "leave it out: all behind the first are given by name",
    fixes: [leavingOut({ ...span, end: span.end + /^\s*,?\s*/.exec(span.file.text.slice(span.end))![0].length })],
  });
export const unclosed = (span: Span, what: "string" | "axis pattern", mark: string): Diagnostic =>
  error("DLM1002", span, `this ${what} is not closed before the end of the line`, {
    hint:
      span.file.text.slice(Math.max(0, span.start - 2), span.start + 1) === '"""'
        ? "comments begin with `#`, the documentation of a declaration with `##`, on every line"
        : `write ${mark} at its end`,
    fixes: [inserting(span.file, span.start + span.file.text.slice(span.start, span.end).trimEnd().length, mark)],
  });
export const unexpected = (
  span: Span,
  found: string,
  expected: readonly string[],
  inside: string,
  hint?: string,
  fix?: Fix,
): Diagnostic =>
  error("DLM1003", span, `${inside} cannot go on with ${found}`, {
    ...(expected.length && !hint ? { notes: [`expected here: ${list(expected)}`] } : {}),
    ...(hint ? { hint } : {}),
    ...given(fix),
  });
export const missingOperand = (span: Span, operator: string): Diagnostic =>
  error("DLM1003", span, `there is nothing after \`${operator}\``, {
    hint: `write the right side of \`${operator}\`, or leave it out`,
    fixes: [leavingOut(span)],
  });
/** `uses`: further places where the word stands for the same. */
export const reservedName = (span: Span, word: string, uses: readonly Span[] = []): Diagnostic =>
  error("DLM1004", span, `\`${word}\` is a word of the language and cannot be a name`, {
    hint: `choose another name, as \`${word}_\``,
    fixes: [{ title: `write \`${word}_\``, edits: [span, ...uses].map((s) => ({ span: s, text: `${word}_` })) }],
  });
export const unclosedBlock = (span: Span, opening: Span, mark: string): Diagnostic =>
  error("DLM1005", span, `expected \`${mark}\` before the end of the file`, {
    labels: [{ span: opening, text: "opened here" }],
    hint: `add \`${mark}\``,
    fixes: [behind(span.file, span.start, mark === "}" ? "\n}" : mark)],
  });
export const unclosedBefore = (opening: Span, mark: string, next: Span, found: string): Diagnostic =>
  error("DLM1005", opening, `this bracket is not closed before ${found}`, {
    labels: [{ span: next, text: `\`${mark}\` is missing before this` }],
    hint: `add \`${mark}\``,
    fixes: [behind(next.file, next.start, mark === "}" ? "\n}" : mark)],
  });
export const assignedInsteadOfCompared = (span: Span, argument?: string): Diagnostic =>
  argument
    ? error("DLM1006", span, `\`=\` neither names an argument nor compares`, {
        hint: `write \`${argument}: value\` for an argument by name, \`${argument} == value\` to compare`,
        fixes: [
          writing({ ...span, start: span.file.text.slice(0, span.start).trimEnd().length }, ":"),
          writing(span, "=="),
        ],
      })
    : error("DLM1006", span, "`=` does not compare", { hint: "write `==` to compare", fixes: [writing(span, "==")] });
export const bareDecimalPoint = (span: Span, text: string): Diagnostic =>
  error("DLM1007", span, "a number needs a digit on both sides of its point", {
    hint: text.startsWith(".") ? `write 0${text}` : `write ${text}0`,
    fixes: text.startsWith(".")
      ? [inserting(span.file, span.start, "0", `write \`0${text}\``)]
      : [inserting(span.file, span.end, "0", `write \`${text}0\``)],
  });
export const tooDeep = (span: Span, limit: number): Diagnostic =>
  error("DLM1008", span, `this expression is nested more than ${limit} deep`, { hint: "name parts of it with `let`" });
export const badPattern = (span: Span, reason: string): Diagnostic =>
  error("DLM1009", span, `this axis pattern cannot be read: ${reason}`, {
    hint: "patterns look like `b t (h d) -> b h t d`",
  });
export const strayMark = (span: Span, mark: string): Diagnostic =>
  error("DLM1010", span, `\`${mark}\` does not end statements here`, {
    hint: "leave it out; a statement ends where the next begins",
    fixes: [leavingOut(span)],
  });

const list = (xs: readonly string[]): string =>
  xs.length < 2 ? xs.join("") : `${xs.slice(0, -1).join(", ")} or ${xs.at(-1)}`;
