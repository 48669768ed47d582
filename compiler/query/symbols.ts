// The outline of a text, and what of it may be folded. In: a document. Out: declarations with what they declare; ranges of offsets over several lines.
import type * as ast from "../../grammar/ast.ts";
import { below } from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import { statementsOf } from "../elaborate/names.ts";
import type { Document } from "./document.ts";
import { headOf } from "./types.ts";

export interface DocumentSymbol {
  readonly name: string;
  readonly kind: string; // in the words of the language: fn, layer, field, param, ...
  readonly detail: string;
  readonly span: Span;
  readonly nameSpan: Span;
  readonly children: readonly DocumentSymbol[];
}
export function symbolsOf({ file }: Document): DocumentSymbol[] {
  return file.items.flatMap((item): DocumentSymbol[] => {
    if (item.kind === "import" || item.name.text === "") return [];
    const { kind, name, span } = item;
    const detail = "body" in item ? headOf(span, item.body) : kind;
    return [
      { name: name.text, kind, detail, span: around(span, name.span), nameSpan: name.span, children: declaredIn(item) },
    ];
  });
}
function declaredIn(item: ast.Item): DocumentSymbol[] {
  return statementsOf(item).flatMap((s): DocumentSymbol[] => {
    const names = "names" in s ? s.names : "name" in s ? [s.name] : [];
    return names.flatMap(({ text, span }) => {
      if (text === "" || text === "_") return [];
      const type = "type" in s && s.type ? s.type.span.file.text.slice(s.type.span.start, s.type.span.end) : s.kind;
      return [{ name: text, kind: s.kind, detail: type, span: around(s.span, span), nameSpan: span, children: [] }];
    });
  });
}
/** A declaration that could be read in part may end before its name. */
const around = (span: Span, name: Span): Span => ({
  file: span.file,
  start: Math.min(span.start, name.start),
  end: Math.max(span.end, name.end),
});

export interface Fold {
  readonly start: number;
  readonly end: number;
  readonly kind: "region" | "comment" | "imports";
}
/** Declarations, blocks and brackets over several lines, runs of comment lines, runs of imports. */
export function foldsOf({ file, comments }: Document): Fold[] {
  const { text } = file.source;
  const isLong = (start: number, end: number): boolean => text.slice(start, end).includes("\n");
  const regions = [...below(file)].flatMap((part): Fold[] => {
    const { start, end } = part.span;
    return part.kind !== undefined && isLong(start, end) ? [{ start, end, kind: "region" }] : [];
  });
  const imports = file.items.filter((i) => i.kind === "import");
  const [first, last] = [imports[0], imports.at(-1)];
  const found = [...regions, ...commentRuns(text, comments)];
  if (first && last && first !== last) found.push({ start: first.span.start, end: last.span.end, kind: "imports" });
  return found;
}
function commentRuns(text: string, comments: Document["comments"]): Fold[] {
  const runs: Fold[] = [];
  const isAlone = (start: number): boolean => /(^|\n)[ \t]*$/.test(text.slice(Math.max(0, start - 200), start));
  let run: { start: number; end: number } | undefined;
  const close = (): void => {
    if (run && text.slice(run.start, run.end).includes("\n")) runs.push({ ...run, kind: "comment" });
    run = undefined;
  };
  for (const c of comments) {
    if (!isAlone(c.start)) continue;
    if (run && /^[ \t\r]*\n[ \t]*$/.test(text.slice(run.end, c.start))) run.end = c.end;
    else {
      close();
      run = { start: c.start, end: c.end };
    }
  }
  close();
  return runs;
}
