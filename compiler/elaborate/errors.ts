// Diagnostics of meaning, DLM2xxx: one constructor per code, taking facts.
import { nearest } from "../../grammar/nearest.ts";
import type { Diagnostic, Label, Span } from "../../grammar/diagnostic.ts";
import type { DType, Shape } from "../graph/types.ts";
import { mostI32 } from "../scalar/range.ts";
import { extentText, shapeText } from "../graph/print.ts";
import { calledElsewhere } from "../std/facts.ts";

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
const error = (
  code: string,
  span: Span,
  message: string,
  more: { hint?: string | undefined; notes?: readonly string[]; labels?: readonly Label[] } = {},
): Fault =>
  new Fault({
    code,
    severity: "error",
    span,
    message,
    ...(more.hint ? { hint: more.hint } : {}),
    ...(more.notes ? { notes: more.notes } : {}),
    ...(more.labels ? { labels: more.labels } : {}),
  });
export const typeText = (dtype: DType, shape: Shape): string => dtype + (shape.length ? shapeText(shape) : "");

const code = (span: Span): string => span.file.text.slice(span.start, span.end);
/** The source text where it is short enough to be repeated in a hint. */
export const short = (span: Span, otherwise: string): string =>
  span.end - span.start <= 24 && !code(span).includes("\n") ? code(span) : otherwise;

/** What other systems call the words of the language and what is built in. Names of declarations are facts of the library (std/facts.ts). */
const elsewhere: Readonly<Record<string, string>> = {
  float: "f32",
  double: "f32",
  f64: "f32",
  float32: "f32",
  int: "i32",
  int32: "i32",
  integer: "i32",
  boolean: "bool",
  string: "bool",
  avg: "mean",
  reduce_sum: "sum",
  reduce_mean: "mean",
  reduce_max: "max",
  batch_size: "batch",
  num_epochs: "epochs",
  max_steps: "steps",
  dim: "axis",
  keepdim: "keep",
  keepdims: "keep",
  einops: "rearrange",
  cat: "concat",
  concatenate: "concat",
  permute: "transpose",
  swapaxes: "transpose",
  view: "reshape",
  expand_dims: "unsqueeze",
  stop_gradient: "stop",
  detach: "stop",
  no_grad: "stop",
  randn: "normal",
  rand: "uniform",
  pow: "^",
  abs_: "abs",
};
export interface Where {
  readonly kind?: string; // parameter, setting, field, ...
  readonly place?: string; // in a train block, in net.first, ...
  readonly signature?: string;
}
export const unknownName = (
  span: Span,
  name: string,
  known: Iterable<string>,
  { kind, place = "here", signature }: Where = {},
): Fault => {
  const names = [...new Set(known)].filter((n) => /^[A-Za-z]/.test(n));
  const foreign = [
    ...calledElsewhere(name, span.file.text),
    ...(Object.hasOwn(elsewhere, name) ? [elsewhere[name]!] : []),
  ];
  const near = foreign.find((n) => names.includes(n)) ?? nearest(name, names);
  const hint =
    name === "nan" || name === "NaN"
      ? "there is no NaN to test for: `inf` is finite, and masks are written with `where`"
      : near
        ? `did you mean \`${near}\`?`
        : undefined;
  const list = kind && names.length && names.length <= 16 && !signature ? [`known ${kind}s: ${names.join(", ")}`] : [];
  return error("DLM2001", span, `there is no ${kind ? `${kind} ` : ""}\`${name}\` ${place}`, {
    hint,
    notes: [...(signature ? [signature] : []), ...list],
  });
};
export const twice = (span: Span, name: string, before: Span): Fault =>
  error("DLM2002", span, `\`${name}\` is bound twice`, {
    labels: [{ span: before, text: "first here" }],
    hint: "give one of them another name",
  });
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
export const noDependence = (span: Span, name: string): Fault =>
  error("DLM2012", span, `the value does not depend on ${name}, so it has no gradient`, {
    hint: "differentiate with respect to something it is computed from, and check for `stop` and `frozen`",
  });
export const neverApplied = (span: Span, path: string): Fault =>
  error("DLM2022", span, `the parameters of ${path} are needed here, which is applied nowhere`, {
    hint: `their shapes follow from what it is applied to: write ${path}(x) anywhere in the file, or sizes in the types of a model's inputs`,
  });
export const recursion = (span: Span, name: string, what: "fn" | "const"): Fault =>
  error("DLM2013", span, what === "fn" ? `\`${name}\` reaches itself` : `\`${name}\` is defined by itself`, {
    hint:
      what === "fn"
        ? "a function may not call itself; use `scan`, `fold` or `stack`"
        : "give one of the constants a value of its own",
  });
export const misplaced = (span: Span, what: string, where: string, hint?: string): Fault =>
  error("DLM2014", span, `${what} cannot stand ${where}`, { hint });
export const noReturn = (block: Span): Fault =>
  error("DLM2014", { ...block, start: Math.max(block.start, block.end - 1) }, "this block ends without `return`", {
    labels: [{ span: { ...block, end: block.start + 1 }, text: "it begins here" }],
    hint: "end it with `return ...`",
  });
export const noYield = (span: Span): Fault =>
  error("DLM2014", span, "this scan yields nothing", {
    hint: "write `yield e` for a value every round, or `fold` for the final state",
  });
/** `${name} ${reason}`: "epochs must be a whole number". */
export const badSetting = (span: Span, name: string, reason: string, hint?: string): Fault =>
  error("DLM2015", span, `${name} ${reason}`, { hint });
export const unknownDirection = (span: Span, setting: string, metric: string, example: string): Fault =>
  error("DLM2015", span, `${setting} does not know whether less or more of ${metric} is better`, {
    hint: `write ${example}, or max: where more is better`,
  });
export const unboundDim = (span: Span, name: string): Fault =>
  error("DLM2016", span, `the dim ${name} is not bound`, {
    hint: /^[a-z]/.test(name)
      ? `dims begin with a capital: ${name[0]!.toUpperCase()}${name.slice(1)}; other sizes are constants or parameters`
      : "a dim is bound where it stands alone in an input's type, as in x: f32[B, 64]",
  });
export const runTimeDim = (span: Span, what: string, hint: string): Fault =>
  error("DLM2017", span, `${what} may not depend on a run-time dim`, { hint });
export const notScalar = (span: Span, what: string, got: string): Fault =>
  error("DLM2018", span, `${what} must be a single number, this is ${got}`, {
    hint: "reduce it with mean(...) or sum(...)",
  });
export const staleValue = (span: Span, what: "objective" | "derivative", name: string, update: Span): Fault =>
  error("DLM2019", span, `this ${what} uses a value that was computed before \`${name}\` was updated`, {
    labels: [{ span: update, text: "updated here" }],
    hint: "compute the value again below the update, or wrap it in stop(...)",
  });
export const noSuchFile = (span: Span, path: string): Fault =>
  error("DLM2020", span, `cannot import "${path}"`, { hint: "paths count from the folder of the file that imports" });
export const tooMany = (span: Span, what: string, count: number, limit: number, hint: string): Fault =>
  error("DLM2021", span, `${what}: ${count} is more than the ${limit} that a program may have`, { hint });
export const unsupported = (span: Span, what: string, hint?: string): Fault =>
  error("DLM2901", span, `${what} is not supported yet`, { hint });

/** Codes of faults that hold for the values of one call only. */
const ofValues = new Set(["DLM2003", "DLM2004", "DLM2005", "DLM2009", "DLM2010", "DLM2011", "DLM2013", "DLM2017"]);
/** The same fault seen from a call around it: what goes wrong inside the library is reported at the user's call. */
export function atCall(fault: Fault, call: Span, name: string): Fault {
  const d = fault.diagnostic;
  const labels = d.labels ?? [];
  if (call.file.library || (d.span.file === call.file && d.span.start >= call.start && d.span.end <= call.end))
    return fault;
  if (d.span.file.library)
    return new Fault({
      ...d,
      span: call,
      labels: [{ span: d.span, text: "here, in the library" }, ...labels.filter((l) => !l.span.file.library)],
    });
  if (!ofValues.has(d.code)) return fault;
  const text = `${name} is applied here`;
  return labels.some((l) => l.text.endsWith(" is applied here"))
    ? fault
    : new Fault({ ...d, labels: [...labels, { span: call, text }] });
}

/** How often the compiler writes something out: copies of a stacked layer, parts of a split, accumulated batches. */
export const most = 4096;
/** Of an axis, and of a tensor: positions are i32. */
export const mostElements = mostI32;
export const mostCalls = 60_000;
