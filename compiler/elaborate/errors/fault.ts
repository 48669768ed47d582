// What a mistake is made of, and how it travels: thrown inside elaboration, caught at every declaration, seen from the call around it.
import type { Diagnostic, Fix, Label, Span } from "../../../grammar/diagnostic.ts";
import type { DType, Extent, Shape } from "../../graph/types.ts";
import { shapeText } from "../../graph/print.ts";

/** Two products of sizes that would have to be equal: mostly of one size each. */
export type Unequal = readonly [readonly Extent[], readonly Extent[]];
/** Codes of what is wrong in the text as it stands, if the fault does not say that it is of values: names bound twice, what arguments there are, recursion. */
const ofText = new Set(["DLM2002", "DLM2007", "DLM2013", "DLM2014", "DLM2016"]);
/** Thrown inside elaboration, caught at every declaration: the rest is still checked. */
export class Fault extends Error {
  readonly diagnostic: Diagnostic;
  /** If these were equal, nothing would be wrong. Empty where something else is: the rank, the dtype. */
  readonly unequal: readonly Unequal[];
  /** It is the text that is wrong: no sizes and no values of the types that parameters have would set it right. */
  readonly always: boolean;
  /** A whole tensor stands where `for` has a single element: the body may be read as one of tensors. */
  readonly ofElement: boolean;
  constructor(
    diagnostic: Diagnostic,
    unequal: readonly Unequal[] = [],
    always = ofText.has(diagnostic.code),
    ofElement = false,
  ) {
    super(diagnostic.message);
    this.ofElement = ofElement;
    this.diagnostic = diagnostic;
    this.unequal = unequal;
    this.always = always;
  }
  hinting(hint: string, fixes: readonly Fix[] = []): Fault {
    return new Fault({ ...this.diagnostic, hint, fixes }, this.unequal, this.always, this.ofElement);
  }
  noting(note: string): Fault {
    const notes = [...(this.diagnostic.notes ?? []), note];
    return new Fault({ ...this.diagnostic, notes }, this.unequal, this.always, this.ofElement);
  }
  with(labels: readonly Label[], span = this.diagnostic.span): Fault {
    return new Fault({ ...this.diagnostic, span, labels }, this.unequal, this.always, this.ofElement);
  }
}
/** Follows from an error that is reported already. */
export class Quiet extends Error {}
export const error = (
  code: string,
  span: Span,
  message: string,
  { hint, fixes, notes, labels, unequal, always, ofElement }: More = {},
): Fault =>
  new Fault(
    {
      code,
      severity: "error",
      span,
      message,
      ...(hint ? { hint } : {}),
      ...(fixes?.length ? { fixes } : {}),
      ...(notes ? { notes } : {}),
      ...(labels ? { labels } : {}),
    },
    unequal,
    always,
    ofElement,
  );
/** What a fault may say beside its message. */
export interface More {
  readonly hint?: string | undefined;
  readonly fixes?: readonly Fix[] | undefined; // what the hint names
  readonly notes?: readonly string[];
  readonly labels?: readonly Label[];
  readonly unequal?: readonly Unequal[];
  readonly always?: boolean;
  readonly ofElement?: boolean;
}
export const typeText = (dtype: DType, shape: Shape): string => dtype + (shape.length ? shapeText(shape) : "");

export const code = (span: Span): string => span.file.text.slice(span.start, span.end);
/** Where the bracket that begins a text closes: behind it. Undefined where it does not. */
export function closing(text: string): number | undefined {
  let depth = 0;
  for (let i = 0; i < text.length; i++)
    if ("([{".includes(text[i]!)) depth++;
    else if (")]}".includes(text[i]!) && --depth === 0) return i + 1;
  return undefined;
}
/** A text without brackets around the whole of it. */
export const unwrapped = (text: string): string =>
  /^[[(]/.test(text) && closing(text) === text.length ? text.slice(1, -1).trim().replace(/,$/, "") : text;
/** The source text where it is short enough to be repeated in a hint. */
export const short = (span: Span, otherwise: string): string =>
  span.end - span.start <= 24 && !code(span).includes("\n") ? code(span) : otherwise;

/** Codes of faults that hold for the values of one call only. */
const ofValues = new Set(["DLM2003", "DLM2004", "DLM2005", "DLM2009", "DLM2010", "DLM2011", "DLM2013", "DLM2017"]);
/** The same fault seen from a call around it: what goes wrong inside the library is reported at the user's call. */
export function atCall(fault: Fault, call: Span, name: string): Fault {
  const d = fault.diagnostic;
  const labels = d.labels ?? [];
  if (call.file.library || (d.span.file === call.file && d.span.start >= call.start && d.span.end <= call.end))
    return fault;
  if (d.span.file.library)
    return fault.with(
      [{ span: d.span, text: "here, in the library" }, ...labels.filter((l) => !l.span.file.library)],
      call,
    );
  if (!ofValues.has(d.code)) return fault;
  const text = `${name} is applied here`;
  return labels.some((l) => l.text.endsWith(" is applied here"))
    ? fault
    : fault.with([...labels, { span: call, text }]);
}
