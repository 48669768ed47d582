// What a hint names, as a change of the text. In: spans and words. Out: fixes, whose titles say what is written where.
import type { Fix, SourceFile, Span } from "./diagnostic.ts";

const textOf = ({ file, start, end }: Span): string => file.text.slice(start, end);
const named = (text: string): string =>
  text.length > 40 || text.includes("\n") ? `${text.trim().slice(0, 36).replace(/\s+/g, " ")}…` : text.trim();

/** `text` in place of the span. */
export const writing = (span: Span, text: string, title = `write \`${named(text)}\``): Fix => ({
  title,
  edits: [{ span, text }],
});
/** Without the span. */
export const leavingOut = (span: Span): Fix => ({
  title: `leave \`${named(textOf(span))}\` out`,
  edits: [{ span, text: "" }],
});
export const inserting = (file: SourceFile, at: number, text: string, title = `add \`${named(text)}\``): Fix => ({
  title,
  edits: [{ span: { file, start: at, end: at }, text }],
});
/** The span within other text: `transpose(` before it and `)` behind. */
export const wrapping = (span: Span, before: string, after: string): Fix => ({
  title: `write \`${named(before + textOf(span) + after)}\``,
  edits: [
    { span: { ...span, end: span.start }, text: before },
    { span: { ...span, start: span.end }, text: after },
  ],
});
/** The texts of two spans in each other's places. */
export const exchanging = (a: Span, b: Span): Fix => ({
  title: `exchange \`${named(textOf(a))}\` and \`${named(textOf(b))}\``,
  edits: [
    { span: a, text: textOf(b) },
    { span: b, text: textOf(a) },
  ],
});
/** The whole lines of a span, where nothing else stands on them. */
export function leavingLinesOut(span: Span): Fix {
  const { text } = span.file;
  const start = text.lastIndexOf("\n", span.start - 1) + 1;
  const next = text.indexOf("\n", span.end);
  const end = next < 0 ? text.length : next + 1;
  const isAlone = /^\s*$/.test(text.slice(start, span.start)) && /^\s*(#.*)?$/.test(text.slice(span.end, end));
  return { ...leavingOut(span), edits: [{ span: isAlone ? { ...span, start, end } : span, text: "" }] };
}
/** Text behind what was written last before an offset. */
export function behind(file: SourceFile, offset: number, text: string): Fix {
  const before = file.text.slice(0, offset);
  const line = before.slice(before.lastIndexOf("\n") + 1);
  const at = /#/.test(line) ? offset : before.trimEnd().length; // a comment takes what is put behind it
  return inserting(file, at, text);
}
