// Diagnostics as text: place, code, message, the source with carets, labels, notes, what to type next.
import {
  position,
  place,
  type Diagnostic,
  type Label,
  type Severity,
  type SourceFile,
  type Span,
} from "./diagnostic.ts";

export interface RenderOptions {
  readonly color?: boolean;
  readonly program?: string; // how dlm is started where this is read: `npx dlm`. Default: `dlm`
}
const widest = 120;

export function renderDiagnostic(d: Diagnostic, options: RenderOptions = {}): string {
  const paint = (code: number, text: string): string => (options.color ? `\x1b[${code}m${text}\x1b[0m` : text);
  const tone: Record<Severity, number> = { error: 31, warning: 33, hint: 36 };
  const at = position(d.span.file, d.span.start);
  const lines = [
    `${paint(1, `${d.span.file.name}:${at.line}:${at.column}`)}  ${paint(tone[d.severity], d.severity === "error" ? d.code : `${d.severity} ${d.code}`)}  ${paint(1, d.message)}`,
  ];
  lines.push(
    ...excerpt([{ span: d.span, text: "" }, ...(d.labels ?? [])], d.span, (text) => paint(tone[d.severity], text)),
  );
  for (const note of d.notes ?? []) lines.push(`   ${note}`);
  if (d.hint) lines.push(`   ${paint(36, "hint:")} ${d.hint}`);
  lines.push(`   see:  ${options.program ?? "dlm"} explain ${d.code}`);
  return lines.join("\n");
}

const mostShown = 100; // what is wrong in more places than these is mostly one thing
/** Errors first, in the order of the text; at the end how many there are of each, and whether all are shown. */
export function renderDiagnostics(list: readonly Diagnostic[], options: RenderOptions = {}): string {
  const rank: Record<Severity, number> = { error: 0, warning: 1, hint: 2 };
  const sorted = list
    .map((d, i) => ({ d, i }))
    .sort(
      (a, b) =>
        rank[a.d.severity] - rank[b.d.severity] ||
        a.d.span.file.name.localeCompare(b.d.span.file.name) ||
        a.d.span.start - b.d.span.start ||
        a.i - b.i,
    )
    .map(({ d }) => d);
  const count = (severity: Severity, word: string): string[] => {
    const n = list.filter((d) => d.severity === severity).length;
    return n ? [`${n} ${word}${n === 1 ? "" : "s"}`] : [];
  };
  const total = [...count("error", "error"), ...count("warning", "warning"), ...count("hint", "hint")].join(", ");
  const shown = sorted.slice(0, mostShown).map((d) => renderDiagnostic(d, options));
  const all = sorted.length > mostShown ? `${total}; the first ${mostShown} are shown` : total;
  return [...shown, ...(all ? [all] : [])].join("\n\n");
}

/** The lines of all labels, grouped by file and line; the main span's line comes first. */
function excerpt(labels: readonly Label[], main: Span, paint: (text: string) => string): string[] {
  const groups: { file: SourceFile; line: number; labels: Label[] }[] = [];
  for (const label of labels) {
    const { line } = position(label.span.file, label.span.start);
    const group = groups.find((g) => g.file === label.span.file && g.line === line);
    if (group) group.labels.push(label);
    else groups.push({ file: label.span.file, line, labels: [label] });
  }
  const width = Math.max(4, ...groups.map((g) => String(g.line).length + 2));
  const gutter = (text: string): string => `${text.padStart(width)} | `;
  const result: string[] = [];
  for (const { file, line, labels: own } of groups) {
    if (file !== main.file)
      result.push(`${" ".repeat(width)}--> ${place({ file, start: own[0]!.span.start, end: own[0]!.span.end })}`);
    const start = lineStart(file.text, own[0]!.span.start);
    const end = file.text.indexOf("\n", start) < 0 ? file.text.length : file.text.indexOf("\n", start);
    const full = file.text.slice(start, end);
    // long lines are shown from a little before the first mark
    const first = Math.min(...own.map((l) => l.span.start)) - start;
    const skip = full.length > widest && first > widest - 40 ? first - 30 : 0;
    const shown = (skip ? "…" : "") + full.slice(skip, skip + widest) + (full.length > skip + widest ? "…" : "");
    result.push(gutter(String(line)) + shown.replaceAll("\t", " "));
    const column = (offset: number): number => Math.max(0, offset - start - skip + (skip ? 1 : 0));
    const sorted = [...own].sort((a, b) => a.span.start - b.span.start);
    let marks = "";
    for (const { span } of sorted) {
      const from = column(span.start);
      if (from < marks.length || from > widest) continue;
      marks =
        marks.padEnd(from) +
        "^".repeat(Math.max(1, Math.min(column(Math.min(span.end, end)) - from, widest + 1 - from)));
    }
    result.push(gutter("") + paint(marks));
    // texts hang below their marks, the rightmost first
    const texts = sorted.filter((l) => l.text);
    for (let i = texts.length - 1; i >= 0; i--) {
      let hanging = "";
      for (const { span } of texts.slice(0, i))
        if (column(span.start) >= hanging.length) hanging = hanging.padEnd(column(span.start)) + "|";
      result.push(gutter("") + `${hanging.padEnd(column(texts[i]!.span.start))}${texts[i]!.text}`);
    }
  }
  return result;
}
const lineStart = (text: string, offset: number): number => text.lastIndexOf("\n", offset - 1) + 1;
