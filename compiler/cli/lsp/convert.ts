// Answers about a text as the language server protocol has them. In: offsets in UTF-16 code units and a document that counts lines. Out: plain protocol data.
import {
  CompletionItemKind,
  DiagnosticSeverity,
  FoldingRangeKind,
  InlayHintKind,
  InsertTextFormat,
  MarkupKind,
  SymbolKind,
  type CompletionItem,
  type Diagnostic as ProtocolDiagnostic,
  type DocumentSymbol as ProtocolSymbol,
  type FoldingRange,
  type Hover,
  type InlayHint,
  type MarkupContent,
  type Range,
  type SignatureHelp,
  type TextEdit,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import type { Diagnostic, Severity, SourceFile, Span } from "../../../grammar/diagnostic.ts";
import type { PlacedCompletion } from "../../query/completions.ts";
import { highlightKinds, type Highlight } from "../../query/highlights.ts";
import type { TypeAnswer } from "../../query/hover.ts";
import type { Inlay } from "../../query/inlays.ts";
import type { Signature } from "../../query/signatures.ts";
import type { DocumentSymbol, Fold } from "../../query/symbols.ts";
import type { Located } from "../../query/workspace.ts";

// ---- places

export const rangeIn = (document: TextDocument, start: number, end: number): Range => ({
  start: document.positionAt(start),
  end: document.positionAt(end),
});
const documents = new WeakMap<SourceFile, TextDocument>();
/** The range of a span in its own file. */
export function rangeOf({ file, start, end }: Span): Range {
  let document = documents.get(file);
  if (!document) documents.set(file, (document = TextDocument.create("", "dlm", 0, file.text)));
  return rangeIn(document, start, end);
}
/** One edit that makes `after` of a text: what is the same at both ends stays, and with it the cursor. */
export function editTo(document: TextDocument, after: string): TextEdit[] {
  const before = document.getText();
  if (before === after) return [];
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < most - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  // no edit divides a character or the end of a line
  while (start > 0 && /[\uD800-\uDBFF\r]/.test(before[start - 1]!)) start -= 1;
  while (end > 0 && /[\uDC00-\uDFFF\n]/.test(before.at(-end)!)) end -= 1;
  return [{ range: rangeIn(document, start, before.length - end), newText: after.slice(start, after.length - end) }];
}

// ---- diagnostics

const severities: Readonly<Record<Severity, DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  hint: DiagnosticSeverity.Information,
};
export function diagnosticOf(document: TextDocument, d: Diagnostic, uriOf: (span: Span) => string): ProtocolDiagnostic {
  const { start, end } = d.span;
  return {
    range: rangeIn(document, start, Math.max(end, start)),
    severity: severities[d.severity],
    code: d.code,
    source: "dlm",
    message: [d.message, ...(d.notes ?? []), ...(d.hint ? [`hint: ${d.hint}`] : [])].join("\n"),
    ...(d.labels?.length
      ? {
          relatedInformation: d.labels.map(({ span, text }) => ({
            location: { uri: uriOf(span), range: rangeOf(span) },
            message: text || "here",
          })),
        }
      : {}),
  };
}

// ---- hover, signatures, completions

const markdown = (value: string): MarkupContent => ({ kind: MarkupKind.Markdown, value });
/** As a fenced block; a text with fences of its own gets a longer one. */
const fenced = (text: string): string => {
  const fence = "`".repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map(([run]) => run.length + 1)));
  return `${fence}dlm\n${text}\n${fence}`;
};
/** Documentation is prose with names in backquotes; what else means something in Markdown is escaped. */
const prose = (text: string): string =>
  text
    .split(/(`[^`\n]*`)/)
    .map((part, i) => (i % 2 ? part : part.replace(/[\\*_[\]<>#|~]/g, "\\$&")))
    .join("")
    .replace(/\n/g, "  \n");

export function hoverOf(document: TextDocument, found: TypeAnswer): Hover {
  const { text, value, shape = [], others, names, doc, span } = found;
  const dims = shape.flatMap(({ extent, names: own }) => {
    const other = own.filter((n) => n !== extent);
    return other.length ? [`${other.join(" = ")} = ${extent}`] : [];
  });
  const parts = [
    fenced(value === undefined || value === text ? text : `${text} = ${value}`),
    ...(dims.length ? [prose([...new Set(dims)].join(", "))] : []),
    ...(others.length
      ? [
          `In other calls: ${others.map((o) => `\`${o.text}${o.value === undefined ? "" : ` = ${o.value}`}\``).join(", ")}`,
        ]
      : []),
    ...(names.length ? [`Also named ${names.map((n) => `\`${n.name}\``).join(", ")}`] : []),
    ...(doc === undefined ? [] : [prose(doc)]),
  ];
  return { contents: markdown(parts.join("\n\n")), range: rangeIn(document, span.start, span.end) };
}
export function signatureOf({ label, parameters, active, doc }: Signature): SignatureHelp {
  return {
    signatures: [
      {
        label,
        parameters: parameters.map(({ start, end }) => ({ label: [start, end] as [number, number] })),
        ...(doc === undefined ? {} : { documentation: markdown(prose(doc)) }),
      },
    ],
    activeSignature: 0,
    activeParameter: active < 0 ? parameters.length : active,
  };
}
const completionKinds: Readonly<Record<string, CompletionItemKind>> = {
  fn: CompletionItemKind.Function,
  function: CompletionItemKind.Function,
  library: CompletionItemKind.Function,
  init: CompletionItemKind.Function,
  optimizer: CompletionItemKind.Function,
  layer: CompletionItemKind.Class,
  model: CompletionItemKind.Class,
  data: CompletionItemKind.Module,
  train: CompletionItemKind.Module,
  const: CompletionItemKind.Constant,
  dim: CompletionItemKind.TypeParameter,
  type: CompletionItemKind.Keyword,
  keyword: CompletionItemKind.Keyword,
  setting: CompletionItemKind.Property,
  argument: CompletionItemKind.Field,
  field: CompletionItemKind.Field,
  column: CompletionItemKind.Field,
  metric: CompletionItemKind.Field,
};
export function completionOf(
  document: TextDocument,
  c: PlacedCompletion,
  offset: number,
  rank: number,
): CompletionItem {
  const isLayer = /^[A-Z]/.test(c.name) && c.kind === "library";
  return {
    label: c.name,
    kind: isLayer ? CompletionItemKind.Class : (completionKinds[c.kind] ?? CompletionItemKind.Variable),
    sortText: String(rank).padStart(4, "0"),
    ...(c.text === undefined ? {} : { detail: c.text }),
    ...(c.doc === undefined ? {} : { documentation: markdown(prose(c.doc)) }),
    insertTextFormat: InsertTextFormat.PlainText,
    textEdit: { range: rangeIn(document, c.start, offset), newText: c.insert ?? c.name },
    filterText: c.name,
    ...(c.kind === "library" || c.kind === "function" ? { data: { name: c.name } } : {}),
  };
}
export const resolvedOf = (item: CompletionItem, { text, doc }: { text?: string; doc?: string }): CompletionItem => ({
  ...item,
  ...(text === undefined ? {} : { detail: text }),
  ...(doc === undefined ? {} : { documentation: markdown(prose(doc)) }),
});

// ---- the whole text

const symbolKinds: Readonly<Record<string, SymbolKind>> = {
  fn: SymbolKind.Function,
  init: SymbolKind.Function,
  optimizer: SymbolKind.Function,
  layer: SymbolKind.Class,
  model: SymbolKind.Class,
  data: SymbolKind.Module,
  train: SymbolKind.Module,
  const: SymbolKind.Constant,
  field: SymbolKind.Field,
  param: SymbolKind.Field,
  metric: SymbolKind.Property,
  holdout: SymbolKind.Property,
};
export function symbolOf(document: TextDocument, s: DocumentSymbol): ProtocolSymbol {
  return {
    name: s.name,
    detail: s.detail,
    kind: symbolKinds[s.kind] ?? SymbolKind.Variable,
    range: rangeIn(document, s.span.start, s.span.end),
    selectionRange: rangeIn(document, s.nameSpan.start, s.nameSpan.end),
    children: s.children.map((c) => symbolOf(document, c)),
  };
}
/** One a line: of several that begin there, the longest. */
export function foldingOf(document: TextDocument, folds: readonly Fold[]): FoldingRange[] {
  const byLine = new Map<number, FoldingRange>();
  for (const { start, end, kind } of folds) {
    const [startLine, last] = [document.positionAt(start).line, document.positionAt(end)];
    // a bracket that closes on a line of its own stays to be seen
    const closes = /^[)\]}]$/.test(document.getText().slice(end - 1, end));
    const endLine = kind === "region" && closes ? last.line - 1 : last.line;
    if (endLine <= startLine || endLine <= (byLine.get(startLine)?.endLine ?? -1)) continue;
    byLine.set(startLine, {
      startLine,
      endLine,
      kind: FoldingRangeKind[kind === "imports" ? "Imports" : kind === "comment" ? "Comment" : "Region"],
    });
  }
  return [...byLine.values()];
}
export const tokenModifiers = ["declaration", "defaultLibrary"];
/** Each five numbers: lines and characters from the one before, length, kind, modifiers. */
export function tokensOf(document: TextDocument, highlights: readonly Highlight[], from = 0, to = Infinity): number[] {
  const data: number[] = [];
  let [line, character] = [0, 0];
  for (const { start, end, kind, isDeclaration, isLibrary } of highlights) {
    if (end <= from || start >= to) continue;
    const at = document.positionAt(start);
    const same = at.line === line;
    data.push(at.line - line, same ? at.character - character : at.character, end - start);
    data.push(highlightKinds.indexOf(kind), (isDeclaration ? 1 : 0) + (isLibrary ? 2 : 0));
    [line, character] = [at.line, at.character];
  }
  return data;
}
export const inlayOf = (document: TextDocument, { offset, text, type }: Inlay): InlayHint => ({
  position: document.positionAt(offset),
  label: text,
  kind: InlayHintKind.Type,
  paddingLeft: true,
  tooltip: type,
});
export const locationOf = (found: Located, uri: string): { uri: string; range: Range } => ({
  uri,
  range: rangeOf(found.span),
});
