// Diagnostics of meaning, DLM2xxx: one constructor per code, taking facts.
import type { Diagnostic, Label, Span } from "../../grammar/diagnostic.ts";
import type { DType, Shape } from "../graph/types.ts";
import { shapeText } from "../graph/print.ts";

/** Thrown inside elaboration, caught at every declaration: the rest is still checked. */
export class Fault extends Error {
  readonly diagnostic: Diagnostic;
  constructor(diagnostic: Diagnostic) {
    super(diagnostic.message);
    this.diagnostic = diagnostic;
  }
}
/** Follows from an error that is reported already. */
export class Quiet extends Error {}
const error = (code: string, span: Span, message: string, more: { hint?: string | undefined; notes?: readonly string[]; labels?: readonly Label[] } = {}): Fault =>
  new Fault({ code, severity: "error", span, message, ...(more.hint ? { hint: more.hint } : {}), ...(more.notes ? { notes: more.notes } : {}), ...(more.labels ? { labels: more.labels } : {}) });
export const typeText = (dtype: DType, shape: Shape): string => dtype + (shape.length ? shapeText(shape) : "");

export const unknownName = (span: Span, name: string, known: Iterable<string>): Fault => {
  const near = nearest(name, known);
  return error("DLM2001", span, `there is no \`${name}\` here`, { hint: near ? `did you mean \`${near}\`?` : undefined });
};
export const twice = (span: Span, name: string, before: Span): Fault => error("DLM2002", span, `\`${name}\` is bound twice`, { labels: [{ span: before, text: "first here" }] });
export const shapeMismatch = (span: Span, what: string, want: string, got: string, more: { notes?: readonly string[]; hint?: string; labels?: readonly Label[] } = {}): Fault =>
  error("DLM2003", span, `shapes do not fit: ${what} wants ${want} but receives ${got}`, more);
export const broadcast = (span: Span, a: Shape, b: Shape, left: Span, right: Span): Fault =>
  error("DLM2004", span, `shapes do not fit: ${shapeText(a)} with ${shapeText(b)}`, {
    labels: [{ span: left, text: shapeText(a) }, { span: right, text: shapeText(b) }],
    notes: ["the operand of higher rank fixes the shape; one of lower rank is aligned at the right and grows to it"],
    hint: a.length === b.length ? undefined : "write expand[...](x) or reshape[...](x) if the axes are meant to meet otherwise",
  });
export const mixedTypes = (span: Span, a: DType, b: DType): Fault =>
  error("DLM2005", span, `${a} does not combine with ${b}`, { hint: a === "bool" || b === "bool" ? "a bool is a number nowhere; write where(x, 1.0, 0.0) or f32(x)" : "tensors never convert silently; write f32(x) or i32(x)" });
export const wrongKind = (span: Span, want: string, got: string, hint?: string): Fault => error("DLM2006", span, `${want} is needed here, this is ${got}`, { hint });
export const argumentsDoNotFit = (span: Span, name: string, reason: string, signature?: string): Fault => error("DLM2007", span, `${name}: ${reason}`, { notes: signature ? [signature] : [] });
export const notCompileTime = (span: Span, what: string): Fault => error("DLM2008", span, `${what} must be known at compile time`, { hint: "use `where(condition, a, b)` to choose at run time" });
export const outOfRange = (span: Span, index: string, extent: string, axis: number): Fault =>
  error("DLM2009", span, `the index ${index} may leave axis ${axis}, which has ${extent} elements`, { hint: "say what is there: x[...] ?? 0" });
export const rangeMismatch = (span: Span, name: string, got: string, want: string): Fault => error("DLM2010", span, `${name} may be ${got}, but must lie in ${want}`, { hint: "declare the range where the value enters, as `i32 in 0..10`" });
export const notDivisible = (span: Span, a: string, b: string): Fault => error("DLM2011", span, `${a} / ${b} does not come out even`, { hint: "`//` divides and floors" });
export const noDependence = (span: Span, name: string): Fault => error("DLM2012", span, `the value does not depend on ${name}, so it has no gradient`, { hint: "remove it from `wrt`, or check for `stop` and `frozen`" });
export const recursion = (span: Span, name: string): Fault => error("DLM2013", span, `\`${name}\` reaches itself`, { hint: "a function may not call itself; use `scan`, `fold` or `stack`" });
export const misplaced = (span: Span, what: string, where: string, hint?: string): Fault => error("DLM2014", span, `${what} cannot stand ${where}`, { hint });
export const badSetting = (span: Span, name: string, reason: string, hint?: string): Fault => error("DLM2015", span, `${name}: ${reason}`, { hint });
export const unboundDim = (span: Span, name: string): Fault => error("DLM2016", span, `the dim ${name} is not bound: it stands alone in no input's type`, { hint: "a dim is bound where it stands alone, as in x: f32[B, 64]" });
export const runTimeDim = (span: Span, what: string): Fault => error("DLM2017", span, `${what} may not depend on a run-time dim`);
export const notScalar = (span: Span, what: string, got: string): Fault => error("DLM2018", span, `${what} must be a single number, this is ${got}`, { hint: "reduce it with mean(...) or sum(...)" });
export const staleValue = (span: Span, name: string): Fault => error("DLM2019", span, `this objective uses a value that was computed before \`${name}\` was updated`, { hint: "compute it again below the update, or wrap it in stop(...)" });
export const noSuchFile = (span: Span, path: string): Fault => error("DLM2020", span, `cannot import "${path}"`, { hint: "paths count from the folder of the file that imports" });
export const unsupported = (span: Span, what: string, hint?: string): Fault => error("DLM2901", span, `${what} is not supported yet`, { hint });

/** The nearest known name, when it is near enough. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const d = distance(name.toLowerCase(), candidate.toLowerCase());
    if (d < least) [best, least] = [candidate, d];
  }
  return best;
}
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1])));
    row = next;
  }
  return row[b.length]!;
}
