// Shapes, types and ranges that do not fit.
import type { Label, Span } from "../../../grammar/diagnostic.ts";
import type { DType, Shape } from "../../graph/types.ts";
import { extentText, shapeText } from "../../graph/print.ts";
import { error, short, type Fault } from "./fault.ts";

export const shapeMismatch = (
  span: Span,
  what: string,
  want: string,
  got: string,
  more: { notes?: readonly string[]; hint?: string; labels?: readonly Label[] } = {},
): Fault => error("DLM2003", span, `shapes do not fit: ${what} wants ${want} but receives ${got}`, more);
/** What makes a value of shape `got` one of shape `want`, of another rank: the next thing to type. */
export function axesHint(span: Span, want: Shape, got: Shape, batch?: unknown): string {
  const x = short(span, "x");
  const same = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, d) => n === b[d]);
  /** The last axis of `long` without which it is `less`. */
  const extra = (long: Shape, less: Shape): number =>
    long.findLastIndex((n, d) => n === 1 && same(long.toSpliced(d, 1), less));
  const axis = (d: number, rank: number): number => (d === rank - 1 ? -1 : d);
  const [added, taken] = [extra(want, got), extra(got, want)];
  if (added >= 0) return `write unsqueeze(${x}, ${axis(added, want.length)})`;
  if (taken >= 0) return `write squeeze(${x}, ${axis(taken, got.length)})`;
  const fits = (small: Shape, large: Shape): boolean => small.every((n, d) => n === large[d] || n === 1);
  if (got.length < want.length) {
    // a batch has another size where it is measured
    const rows = typeof batch === "object" && batch !== null && "value" in batch ? batch.value : undefined;
    const to = `expand[${want.map((n, d) => (d === 0 && n === rows ? "batch" : extentText(n))).join(", ")}]`;
    if (fits(got, want.slice(want.length - got.length))) return `write ${to}(${x}) if it is meant to be repeated`;
    if (fits(got, want))
      return `write ${to}(${Array.from({ length: want.length - got.length }).reduce<string>((e) => `unsqueeze(${e}, -1)`, x)}) if it is meant to be repeated`;
  } else {
    const more = got.length - want.length;
    if (same(got.slice(0, want.length), want))
      return `write ${x}[${["...", ...Array.from({ length: more }, () => "0")].join(", ")}] for one of the last ax${more === 1 ? "is" : "es"}, or reduce it`;
    if (same(got.slice(more), want))
      return `write ${x}[${Array.from({ length: more }, () => "0").join(", ")}] for one of the first ax${more === 1 ? "is" : "es"}, or reduce it`;
  }
  return "give it these axes with reshape[...], unsqueeze or an index";
}
export const broadcast = (span: Span, a: Shape, b: Shape, left: Span, right: Span): Fault => {
  const [small, large, smallSpan] = a.length <= b.length ? [a, b, left] : [b, a, right];
  const skip = large.length - small.length;
  const axis = small.findIndex((n, d) => n !== large[skip + d] && n !== 1 && (skip > 0 || large[d] !== 1));
  const meets = `${extentText(small[axis]!)} meets ${extentText(large[skip + axis]!)}`;
  const rows = skip > 0 && small.length === 1 && small[0] === large[0];
  return error("DLM2004", span, `shapes do not fit: ${shapeText(a)} with ${shapeText(b)}`, {
    labels: sameSpan(left, right)
      ? []
      : [
          { span: left, text: shapeText(a) },
          { span: right, text: shapeText(b) },
        ],
    notes: [
      skip
        ? `the operand of lower rank is aligned at the right: ${meets} in axis ${skip + axis}`
        : `axis ${axis}: ${meets}, and neither is 1`,
    ],
    hint: rows
      ? `write unsqueeze(${short(smallSpan, "x")}, -1) for one value a row`
      : skip
        ? "give both operands the same axes with unsqueeze, expand[...] or reshape[...]"
        : "check the sizes that the layers before it give",
  });
};
const sameSpan = (a: Span, b: Span): boolean => a.file === b.file && a.start === b.start && a.end === b.end;
export const contraction = (span: Span, a: Shape, b: Shape, left: Span, right: Span): Fault => {
  const inner = a.at(-1);
  const turned = b.length > 1 && b.at(-1) === inner;
  return error("DLM2004", span, `shapes do not fit: ${shapeText(a)} @ ${shapeText(b)}`, {
    labels: [
      { span: left, text: shapeText(a) },
      { span: right, text: shapeText(b) },
    ],
    notes: [
      a.length && b.length
        ? `${extentText(inner!)}, the last axis of the left side, must be the ${b.length > 1 ? "last axis but one" : "axis"} of the right side, ${extentText(b.length > 1 ? b.at(-2)! : b[0]!)}`
        : "both sides of `@` need an axis",
    ],
    hint: turned ? `write ${short(left, "a")} @ transpose(${short(right, "b")})` : undefined,
  });
};
export const mixedTypes = (span: Span, a: DType, b: DType): Fault =>
  error("DLM2005", span, `${a} does not combine with ${b}`, {
    hint:
      a === "bool" || b === "bool"
        ? "a bool is a number nowhere; write where(x, 1.0, 0.0) or f32(x)"
        : "tensors never convert silently; write f32(x), or i32(x) to cut towards zero",
  });
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
export const nextOutOfRange = (span: Span, name: string, got: string, low: number, end: number, label?: Label): Fault =>
  error("DLM2010", span, `the next value of ${name} may be ${got}, but must lie in ${low}..${end}`, {
    ...(label ? { labels: [label] } : {}),
    hint: `keep it in its range: ${low === 0 ? `(${short(span, "e")}) % ${end}, or ` : ""}max(${low}, min(${short(span, "e")}, ${end - 1}))`,
  });
export const notWhole = (span: Span, value?: number | string): Fault =>
  error(
    "DLM2011",
    span,
    `a whole number is needed here, ${typeof value === "string" ? `${value} leaves a remainder` : `\`${short(span, "this")}\` ${value === undefined ? "may leave a remainder" : `is ${value}`}`}`,
    { hint: "`/` divides truly, `//` floors" },
  );
