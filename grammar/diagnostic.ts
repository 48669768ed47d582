// Source files, places in them, and diagnostics: facts about the user's text, rendered with a caret.
// Errors of the user are values of this type and are never thrown; thrown errors are bugs of dlm.

/** One file of source text. Identity is the reference: two spans of one file share it. */
export interface SourceFile {
  readonly name: string; // as the user wrote it, shown in diagnostics
  readonly text: string;
  readonly library?: boolean; // comes with the compiler: its lines are not the user's to change
}

/** A half-open range of UTF-16 code units in a file. */
export interface Span {
  readonly file: SourceFile;
  readonly start: number;
  readonly end: number;
}

export type Severity = "error" | "warning" | "hint";

export interface Label {
  readonly span: Span;
  readonly text: string;
}

/** A change of the text that a hint names: one key in an editor. */
export interface Fix {
  readonly title: string; // "write `Linear`"
  readonly edits: readonly Edit[];
}
export interface Edit {
  readonly span: Span;
  readonly text: string; // in place of the span
}

export interface Diagnostic {
  readonly code: string; // "DLM2003"; never reused or renumbered
  readonly severity: Severity;
  readonly span: Span;
  readonly message: string; // what is wrong, in the user's words
  readonly labels?: readonly Label[]; // further places: declarations, the other operand
  readonly notes?: readonly string[]; // one line each: the equation that failed, both shapes
  readonly hint?: string; // the next thing to type
  readonly fixes?: readonly Fix[]; // the same as changes of the text, the best first
}

/** A bug of dlm, not of the user's text. */
export class InternalError extends Error {
  override readonly name = "InternalError";
}

/** 1-based line and column of an offset. */
export function position(file: SourceFile, offset: number): { line: number; column: number } {
  const starts = lineStarts(file);
  let [line, after] = [0, starts.length];
  while (after - line > 1) {
    const middle = (line + after) >> 1;
    if (starts[middle]! <= offset) line = middle;
    else after = middle;
  }
  return { line: line + 1, column: offset - starts[line]! + 1 };
}
function lineStarts(file: SourceFile): readonly number[] {
  let starts = startsOf.get(file);
  if (!starts) {
    starts = [0];
    for (let i = file.text.indexOf("\n"); i >= 0; i = file.text.indexOf("\n", i + 1)) starts.push(i + 1);
    startsOf.set(file, starts);
  }
  return starts;
}
const startsOf = new WeakMap<SourceFile, number[]>();

/** `name:line` of a span, as in "model.dlm:7". */
export function place(span: Span): string {
  return `${span.file.name}:${position(span.file, span.start).line}`;
}
