// Constructors that take prose: what is left of them.
import type { Label, Span } from "../../../grammar/diagnostic.ts";
import { error, type Fault } from "./fault.ts";

export const wrongKind = (span: Span, want: string, got: string, hint?: string, labels?: readonly Label[]): Fault =>
  error("DLM2006", span, `${want} is needed here, this is ${got}`, { hint, ...(labels ? { labels } : {}) });
/** `${name} ${reason}`: "mse takes 3 arguments, 4 are given". */
export const argumentsDoNotFit = (span: Span, name: string, reason: string, signature?: string, hint?: string): Fault =>
  error("DLM2007", span, `${name} ${reason}`, { notes: signature ? [signature] : [], hint });
export const notCompileTime = (
  span: Span,
  what: string,
  hint = "use `where(condition, a, b)` to choose at run time",
): Fault => error("DLM2008", span, `${what} must be known at compile time`, { hint });
export const misplaced = (span: Span, what: string, where: string, hint?: string): Fault =>
  error("DLM2014", span, `${what} cannot stand ${where}`, { hint });
/** `${name} ${reason}`: "epochs must be a whole number". */
export const badSetting = (span: Span, name: string, reason: string, hint?: string): Fault =>
  error("DLM2015", span, `${name} ${reason}`, { hint });
export const runTimeDim = (span: Span, what: string, hint: string): Fault =>
  error("DLM2017", span, `${what} may not depend on a run-time dim`, { hint });
export const tooMany = (span: Span, what: string, count: number, limit: number, hint: string): Fault =>
  error("DLM2021", span, `${what}: ${count} is more than the ${limit} that a program may have`, { hint });
export const unsupported = (span: Span, what: string, hint?: string): Fault =>
  error("DLM2901", span, `${what} is not supported yet`, { hint });
export const outOfRange = (
  span: Span,
  index: string,
  extent: string,
  axis: number,
  operand: Label,
  hint: string,
): Fault =>
  error("DLM2009", span, `${index} may leave axis ${axis}, which has ${extent} elements`, { labels: [operand], hint });
export const rangeMismatch = (
  span: Span,
  name: string,
  got: string,
  want: string,
  label?: Label,
  hint = `declare the range where the value enters, as \`i32 in ${want}\``,
): Fault =>
  error("DLM2010", span, `${name} may be ${got}, but must lie in ${want}`, {
    ...(label ? { labels: [label] } : {}),
    hint,
  });
