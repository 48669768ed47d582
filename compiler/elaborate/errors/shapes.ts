// Shapes, types and ranges that do not fit.
import { wrapping, writing } from "../../../grammar/fixes.ts";
import type { Label, Span } from "../../../grammar/diagnostic.ts";
import type { Dim, DType, Extent, Shape } from "../../graph/types.ts";
import { extentText, shapeText } from "../../graph/print.ts";
import { error, type Fault, type More, short, typeText, type Unequal } from "./fault.ts";

export const shapeMismatch = (span: Span, what: string, want: string, got: string, more: More = {}): Fault =>
  error("DLM2003", span, `shapes do not fit: ${what} wants ${want} but receives ${got}`, more);
/** The axes in which two shapes differ; none where their ranks do. */
export const differing = (a: Shape, b: Shape): Unequal[] =>
  a.length === b.length ? a.flatMap((n, d): Unequal[] => (n === b[d] ? [] : [[[n], [b[d]!]]])) : [];
/** One axis, of a pattern say. */
export const unequalAxis = (span: Span, what: string, want: Extent, got: Extent): Fault =>
  shapeMismatch(span, what, extentText(want), extentText(got), { unequal: differing([want], [got]) });
/** An element inside `for` where a tensor is taken. */
export const elementOfShape = (span: Span, what: string, want: string, got: string): Fault =>
  shapeMismatch(span, what, want, got, {
    hint: "inside `for` every value is a single element; functions of whole tensors stand outside of it",
    ofElement: true,
  });
/** One instance, applied to inputs that give its parameter two shapes. `type`: as it is written. */
export const parameterOfTwoShapes = (
  span: Span,
  path: string,
  owner: string,
  type: string,
  before: Shape,
  now: Shape,
): Fault =>
  shapeMismatch(span, `the parameter ${path}`, typeText("f32", before), typeText("f32", now), {
    notes: [
      `${type}: ${owner} was applied before, where this was ${shapeText(before)}; now it would be ${shapeText(now)}`,
    ],
    hint: "one instance has one shape; make a second one for inputs of another size",
  });
export const expandedTooFar = (span: Span, shape: Shape, got: string): Fault =>
  shapeMismatch(
    span,
    "expand",
    `at most the ${shape.length} ax${shape.length === 1 ? "is" : "es"} of ${shapeText(shape)}`,
    got,
    {
      hint: "expand adds axes in front and stretches those of 1; index or reduce what is too much",
    },
  );
/** An axis of `got` elements where one is asked for. */
export const expandedToOne = (span: Span, axis: number, got: Extent): Fault =>
  shapeMismatch(span, "expand", `1 in axis ${axis}`, extentText(got), {
    unequal: differing([1], [got]),
    hint: "expand stretches axes of 1; index or reduce what is too much",
  });
/** What makes a value of shape `got` one of shape `want`, of another rank: the next thing to type. */
export function axesHint(span: Span, want: Shape, got: Shape, batch?: unknown): Pick<More, "hint" | "fixes"> {
  const x = short(span, "x");
  const same = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, d) => n === b[d]);
  /** The last axis of `long` without which it is `less`. */
  const extra = (long: Shape, less: Shape): number =>
    long.findLastIndex((n, d) => n === 1 && same(long.toSpliced(d, 1), less));
  const axis = (d: number, rank: number): number => (d === rank - 1 ? -1 : d);
  const [added, taken] = [extra(want, got), extra(got, want)];
  const named = (hint: string, before: string, after: string): Pick<More, "hint" | "fixes"> => ({
    hint,
    fixes: [wrapping(span, before, after)],
  });
  const alone = (f: string, d: number): Pick<More, "hint" | "fixes"> =>
    named(`write ${f}(${x}, ${d})`, `${f}(`, `, ${d})`);
  if (added >= 0) return alone("unsqueeze", axis(added, want.length));
  if (taken >= 0) return alone("squeeze", axis(taken, got.length));
  const fits = (small: Shape, large: Shape): boolean => small.every((n, d) => n === large[d] || n === 1);
  if (got.length < want.length) {
    // a batch has another size where it is measured
    const rows = typeof batch === "object" && batch !== null && "value" in batch ? batch.value : undefined;
    const to = `expand[${want.map((n, d) => (d === 0 && n === rows ? "batch" : extentText(n))).join(", ")}]`;
    if (fits(got, want.slice(want.length - got.length)))
      return named(`write ${to}(${x}) if it is meant to be repeated`, `${to}(`, ")");
    if (fits(got, want)) {
      const count = want.length - got.length;
      const [before, after] = ["unsqueeze(".repeat(count), ", -1)".repeat(count)];
      return named(`write ${to}(${before}${x}${after}) if it is meant to be repeated`, `${to}(${before}`, `${after})`);
    }
  } else {
    const more = got.length - want.length;
    if (same(got.slice(0, want.length), want))
      return {
        hint: `write ${x}[${["...", ...Array.from({ length: more }, () => "0")].join(", ")}] for one of the last ax${more === 1 ? "is" : "es"}, or reduce it`,
      };
    if (same(got.slice(more), want))
      return {
        hint: `write ${x}[${Array.from({ length: more }, () => "0").join(", ")}] for one of the first ax${more === 1 ? "is" : "es"}, or reduce it`,
      };
  }
  return { hint: "give it these axes with reshape[...], unsqueeze or an index" };
}
export const broadcast = (span: Span, a: Shape, b: Shape, left: Span, right: Span): Fault => {
  const [small, large, smallSpan] = a.length <= b.length ? [a, b, left] : [b, a, right];
  const skip = large.length - small.length;
  const axis = small.findIndex((n, d) => n !== large[skip + d] && n !== 1 && (skip > 0 || large[d] !== 1));
  const meets = `${extentText(small[axis]!)} meets ${extentText(large[skip + axis]!)}`;
  const rows = skip > 0 && small.length === 1 && small[0] === large[0];
  const stretches = ([[n], [m]]: Unequal): boolean => n === 1 || (skip === 0 && m === 1);
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
    unequal: differing(small, large.slice(skip)).filter((axis) => !stretches(axis)),
    hint: rows
      ? `write unsqueeze(${short(smallSpan, "x")}, -1) for one value a row`
      : skip
        ? "give both operands the same axes with unsqueeze, expand[...] or reshape[...]"
        : "check the sizes that the layers before it give",
    fixes: rows ? [wrapping(smallSpan, "unsqueeze(", ", -1)")] : [],
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
    unequal: a.length && b.length ? differing([inner!], [b.length > 1 ? b.at(-2)! : b[0]!]) : [],
    hint: turned ? `write ${short(left, "a")} @ transpose(${short(right, "b")})` : undefined,
    fixes: turned ? [wrapping(right, "transpose(", ")")] : [],
  });
};
export const mixedTypes = (span: Span, a: DType, b: DType): Fault =>
  error("DLM2005", span, `${a} does not combine with ${b}`, {
    hint:
      a === "bool" || b === "bool"
        ? "a bool is a number nowhere; write where(x, 1.0, 0.0) or f32(x)"
        : "tensors never convert silently; write f32(x), or i32(x) to cut towards zero",
  });
const outOfRange = (
  span: Span,
  index: string,
  extent: Extent,
  axis: number,
  operand: Label,
  hint: string,
  instead?: number | string,
): Fault =>
  error("DLM2009", span, `${index} may leave axis ${axis}, which has ${extentText(extent)} elements`, {
    labels: [operand],
    hint,
    fixes: instead === undefined ? [] : [writing(span, String(instead))],
  });
/** Of a list of `count` elements. */
export const noSuchElement = (span: Span, index: number, count: number, list: Label): Fault =>
  outOfRange(
    span,
    `the index ${index}`,
    count,
    0,
    list,
    `the last element is ${count - 1}, or -1 from the end`,
    count - 1,
  );
/** `low`, `end`: as they are known. */
export const sliceOutOfRange = (
  span: Span,
  low: string,
  end: string,
  extent: Extent,
  axis: number,
  operand: Label,
): Fault => {
  const whole = `the whole axis is 0..${extentText(extent)}: the end is not included`;
  return outOfRange(span, `the slice ${low}..${end}`, extent, axis, operand, whole, `0..${extentText(extent)}`);
};
/** The values of an index, where they are known, as the text counts them; `loaded`: they are data. */
export interface IndexFacts {
  readonly low: number;
  readonly high: number;
  readonly known: boolean;
  readonly loaded: boolean;
  readonly fromEnd: boolean;
}
export const indexOutOfRange = (
  span: Span,
  { low, high, known, loaded, fromEnd }: IndexFacts,
  extent: Extent,
  axis: number,
  operand: Label,
): Fault => {
  const outside = "say what is outside: x[...] ?? 0";
  if (known && low === high) {
    const written = fromEnd && typeof extent === "number" ? low - extent : low;
    const last = typeof extent === "number" ? `the last index is ${extent - 1}, or -1 from the end` : outside;
    const instead = typeof extent === "number" ? extent - 1 : undefined;
    return outOfRange(span, `the index ${written}`, extent, axis, operand, last, instead);
  }
  const hint =
    loaded && !known
      ? `declare its range where it enters, as \`i32 in 0..${extentText(extent)}\`, or ${outside}`
      : `${outside}, or run the index over fewer elements`;
  return outOfRange(span, known ? `this index, ${low}..${high + 1},` : "this index", extent, axis, operand, hint);
};
/** An index that is divided by `/` and may leave a remainder. */
export const quotientAsIndex = (span: Span, extent: Extent, axis: number, operand: Label): Fault =>
  outOfRange(
    span,
    "this index, written with `/`,",
    extent,
    axis,
    operand,
    "say what is there where it does not come out even: x[...] ?? 0, or divide by `//`",
  );
const notInRange = (span: Span, name: string, got: string, want: string, hint: string, label?: Label): Fault =>
  error("DLM2010", span, `${name} may be ${got}, but must lie in ${want}`, {
    ...(label ? { labels: [label] } : {}),
    hint,
  });
/** `asked`: the user's text that asks for the range. `constant`: the value is one number. */
export const outsideOfRange = (
  span: Span,
  name: string,
  got: string,
  want: string,
  asked: Span | undefined,
  constant: boolean,
): Fault =>
  notInRange(
    span,
    name,
    got,
    want,
    constant ? "give a number of this range" : `declare the range where the value enters, as \`i32 in ${want}\``,
    asked && { span: asked, text: "asked for here" },
  );
/** A formula (with the place of its `declared` range) or a number of a list. */
export const fieldOutsideOfRange = (span: Span, field: string, got: string, want: string, declared?: Span): Fault =>
  notInRange(
    span,
    `the field ${field}`,
    got,
    want,
    declared
      ? "change the formula, or declare the range that it has"
      : "change the value, or declare the range that the values have",
    declared && { span: declared, text: "declared here" },
  );
export const unprovedLet = (span: Span, name: string): Fault =>
  error("DLM2010", span, `that ${name} lies in its range is to be checked in every row`, {
    hint: `write \`field ${name}: …\`: fields are checked as they are read`,
  });
export const nextOutOfRange = (span: Span, name: string, got: string, low: number, end: number, label?: Label): Fault =>
  error("DLM2010", span, `the next value of ${name} may be ${got}, but must lie in ${low}..${end}`, {
    ...(label ? { labels: [label] } : {}),
    hint: `keep it in its range: ${low === 0 ? `(${short(span, "e")}) % ${end}, or ` : ""}max(${low}, min(${short(span, "e")}, ${end - 1}))`,
    fixes: [
      ...(low === 0 ? [wrapping(span, "(", `) % ${end}`)] : []),
      wrapping(span, `max(${low}, min(`, `, ${end - 1}))`),
    ],
  });
export const notWhole = (span: Span, value?: number | string): Fault =>
  error(
    "DLM2011",
    span,
    `a whole number is needed here, ${typeof value === "string" ? `${value} leaves a remainder` : `\`${short(span, "this")}\` ${value === undefined ? "may leave a remainder" : `is ${value}`}`}`,
    { hint: "`/` divides truly, `//` floors" },
  );
/** Something has another size than the rows of a split: what these are, and what is written for them. */
export function ofRows(fault: Fault, rows: Dim, data: string): Fault {
  const isOfRows = (n: Extent): boolean =>
    n === rows || (typeof n !== "number" && n.kind === "affine" && n.atoms.includes(rows));
  if (!fault.unequal.some((sides) => sides.some((side) => side.some(isOfRows)))) return fault;
  return fault.noting(
    `rows: the loss and metrics are measured over all rows of a split at once; there \`batch\` is their number, and the whole column of a field is \`${data}.field\``,
  );
}
