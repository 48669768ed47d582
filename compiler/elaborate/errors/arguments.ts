// Arguments, axes, indices and patterns that a function cannot do with.
import type { Fix, Span } from "../../../grammar/diagnostic.ts";
import { inserting, writing } from "../../../grammar/fixes.ts";
import { code, error, Fault, short, unwrapped } from "./fault.ts";

const wrong = (
  span: Span,
  what: string,
  reason: string,
  more: { signature?: string | undefined; hint?: string; fixes?: readonly Fix[] } = {},
): Fault =>
  error("DLM2007", span, `${what} ${reason}`, {
    notes: more.signature ? [more.signature] : [],
    hint: more.hint,
    fixes: more.fixes,
  });
/** Of the sizes or numbers that are there: with others it may be right. */
const wrongNow = (...of: Parameters<typeof wrong>): Fault => new Fault(wrong(...of).diagnostic, [], false);
const counted = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;
const given = (n: number): string => `${n} ${n === 1 ? "is" : "are"} given`;

// ---- how many, and which
export const tooFewArguments = (span: Span, name: string, needs: number, count: number): Fault =>
  wrong(span, name, `needs ${counted(needs, "argument")}, ${given(count)}`);
/** `signature`: of a declaration, shown below. */
export const tooManyArguments = (span: Span, name: string, takes: number, count: number, signature?: string): Fault =>
  wrong(span, name, `takes ${counted(takes, "argument")}, ${given(count)}`, { signature });
export const givenTwice = (span: Span, name: string, parameter: string, signature: string): Fault =>
  wrong(span, name, `is given \`${parameter}\` twice`, { signature });
export const onlyByName = (span: Span, name: string, parameter: string, signature: string): Fault =>
  wrong(span, name, `takes \`${parameter}\` by name`, {
    signature,
    hint: `write \`${parameter}: ${short(span, "...")}\``,
    fixes: [inserting(span.file, span.start, `${parameter}: `)],
  });
export const notGiven = (span: Span, name: string, parameter: string, signature: string): Fault =>
  wrong(span, name, `needs \`${parameter}\`, which is not given`, { signature });
export const optimizerParameters = (span: Span, name: string, count: number): Fault =>
  wrong(span, `the optimizer ${name}`, `takes ${count} values, but is given a parameter and its gradient`, {
    hint: `write optimizer ${name}(...)(p: f32[...P], g: f32[...P])`,
  });
export const gradArguments = (span: Span): Fault =>
  wrong(span, "grad", "takes a value and `wrt`", { hint: "write grad(e, wrt: x)" });
/** Sizes as they stand in brackets: of `2, 3`, `[2, 3]` and `shape: (2, 3)` the same; -1 is no size. */
export const sizesText = (written: readonly string[]): string =>
  written
    .map((size) => unwrapped(size.replace(/^(?:shape|size)\s*:\s*/, "")))
    .map((size) =>
      size
        .replace(/(?<=^|,)\s*-1\s*(?=,|$)/g, " n")
        .replace(/\s*,\s*/g, ", ")
        .trim(),
    )
    .join(", ");
/** `name(x, 2, 3)` of a function that takes its shape in brackets. `of`: the tensor, where it takes one; `sizes`: what was written for the shape. */
export const shapeByPlace = (span: Span, name: string, of: Span | undefined | "x", sizes: readonly Span[]): Fault => {
  const inside = sizesText(sizes.map(code));
  const whole = (text: (span: Span) => string): string =>
    `${name}[${inside || "2, 3"}]${of === undefined ? "" : `(${of === "x" ? of : text(of)})`}`;
  return wrong(span, name, "takes its shape in brackets", {
    hint: `write ${inside ? "" : "it as in "}${whole((x) => short(x, "x"))}`,
    fixes: inside && of !== "x" && !inside.split(", ").includes("n") ? [writing(span, whole(code))] : [],
  });
};
export const settingAsFunction = (span: Span, name: string): Fault =>
  wrong(span, name, "belongs to the settings of a train block");
export const noTensor = (span: Span, name: string): Fault => wrong(span, name, "needs a tensor");
export const noProbability = (span: Span, name: string): Fault => wrongNow(span, name, "needs a probability");
export const noBounds = (span: Span, name: string): Fault =>
  wrongNow(span, name, "needs two bounds", { signature: `${name}(lo, hi)` });
export const wholeArgument = (span: Span, name: string, argument: string, least: number): Fault =>
  wrongNow(span, name, `needs ${argument}: a whole number, ${least} or more`);
/** Neither or `both` of `window:` and `pad:`. */
export const windowOrPad = (span: Span, name: string, both: boolean): Fault =>
  wrong(span, name, both ? "takes one of window: and pad:" : "needs window: or pad:", {
    signature: `${name}("file.txt", window: 64) for windows of the whole text, ${name}("file.txt", pad: 64) for its lines`,
  });
export const strideOfLines = (span: Span, name: string): Fault =>
  wrong(span, name, "takes stride: with window: only: every line is a row");
export const longerWindows = (span: Span, name: string): Fault =>
  wrong(span, name, "takes longer: with pad: only: windows have one length");
export const pictureShape = (span: Span, shape: readonly number[]): Fault =>
  wrong(
    span,
    "images",
    `gives [height, width] or [height, width, channels] a row, and the field is [${shape.join(", ")}]`,
    {
      hint: "channels are 1 (grey), 3 (red, green, blue) or 4 (and how opaque); flatten(x) in the model makes one axis of them",
    },
  );
/** Windows of one data block begin at the same places. */
export const differentStrides = (span: Span, strides: readonly number[]): Fault =>
  wrong(
    span,
    "this data block",
    `moves windows by a stride of ${strides.join(" and of ")}: its fields stand side by side`,
  );
/** Neither or `both` of `column:` and `columns:`. */
export const csvColumns = (span: Span, both: boolean): Fault =>
  wrong(span, "csv", both ? "takes one of column: and columns:" : "needs column: or columns:", {
    signature: 'csv("file.csv", columns: 0..4) or csv("file.csv", column: "label")',
  });
export const noHeader = (span: Span): Fault =>
  wrong(span, "csv", "has no header to find a name in: give the column's number");

// ---- axes, sizes, windows
const axesOf = (rank: number): string =>
  rank === 0 ? "are no axes" : rank === 1 ? "is one axis, 0" : `are ${rank} axes, 0 to ${rank - 1}`;
export const noAxis = (span: Span, axis: number, rank: number): Fault =>
  wrong(span, "this", `has no axis ${axis}: there ${axesOf(rank)}`);
export const noAxes = (span: Span, low: number, end: number, rank: number): Fault =>
  wrong(span, "this", `has no axes ${low}..${end}: there ${axesOf(rank)}`);
export const axisByPlace = (span: Span, name: string): Fault =>
  wrong(span, name, "takes its axis by name", {
    hint: `write ${name}(x, axis: ${short(span, "n")})`,
    fixes: [inserting(span.file, span.start, "axis: ")],
  });
export const noPermutation = (span: Span, name: string, rank: number): Fault =>
  wrong(span, name, `needs each of the ${rank} axes once in \`axes\``);
export const sizesDoNotAddUp = (span: Span, name: string, sum: number, extent: number): Fault =>
  wrong(span, name, `is given sizes that add up to ${sum}; the axis has ${extent}`);
/** `extent`: what it moves over; `padded`: with the padding, where there is some. */
export const windowTooLarge = (span: Span, window: number, extent: string, padded: string | undefined): Fault => {
  const elements = `the ${extent} elements${padded === undefined ? "" : `, padded to ${padded},`}`;
  return wrongNow(span, `a window of ${window}`, `does not fit into ${elements} that it moves over`, {
    hint: "take a smaller window, or pad more",
  });
};

// ---- indices and loops
export const tooManyIndices = (span: Span, count: number, rank: number): Fault =>
  wrong(span, "this index", `has ${count} entries for ${rank} ${rank === 1 ? "axis" : "axes"}`);
export const spreadRank = (span: Span, rank: number, here: number): Fault =>
  wrong(span, "`...`", `stands for ${rank} axes, here there are ${here}`);
export const secondIndexTensor = (span: Span): Fault =>
  wrong(span, "this index", "is a second tensor of indices; one is possible", {
    hint: "write the elements: for k: x[i[k], j[k]]",
  });
export const unknownIndexRange = (span: Span, name: string): Fault =>
  wrong(span, `the index ${name}`, "stands alone in no axis, so its range is unknown", {
    hint: `write ${name} in 0..n`,
  });
export const indexExtents = (span: Span, name: string, a: string, b: string): Fault =>
  wrongNow(span, `the index ${name}`, `runs over axes of ${a} and ${b}`);
export const noAxisAlong = (span: Span, extent: string, shape: string): Fault =>
  wrongNow(span, "`along`", `finds no axis of ${extent} in ${shape}`);
export const roundsDiffer = (span: Span, a: number | string, b: number | string): Fault =>
  wrongNow(span, "the iterators", `have ${a} and ${b} rounds`);

// ---- axis patterns
export const noPattern = (span: Span, name: string): Fault =>
  wrong(span, name, "needs an axis pattern", { signature: `${name}(x, \`b t (h d) -> b h t d\`, h: 2)` });
export const severalPatternInputs = (span: Span): Fault => wrong(span, "rearrange", "takes a pattern with one input");
/** `...` twice in one input. */
export const repeatedRest = (span: Span, of: "rearrange" | "einsum"): Fault =>
  of === "einsum"
    ? wrong(span, "einsum", "has more than one `...` in an input")
    : wrong(span, "the pattern", "has more than one `...` in its input");
export const repeatedAxis = (span: Span, of: "rearrange" | "einsum", axis: string, where: "input" | "output"): Fault =>
  wrong(span, of === "einsum" ? "einsum" : "the pattern", `has ${axis} twice in its ${where}`);
export const unknownExtents = (span: Span, axes: readonly string[]): Fault =>
  wrong(span, "rearrange", `cannot tell the extents of ${axes.join(" and ")} apart`, {
    hint: `give all but one of them: rearrange(x, ..., ${axes[0]}: n)`,
  });
export const unknownExtent = (span: Span, axis: string): Fault =>
  wrong(span, "rearrange", `does not know the extent of ${axis}, which is not in the input`, {
    hint: `give it: rearrange(x, ..., ${axis}: n)`,
  });
export const droppedAxis = (span: Span, axis: string): Fault =>
  wrong(span, "rearrange", `would drop ${axis}, which is missing on the right`, {
    hint: "to sum over it, use einsum or sum(..., axis: n)",
  });
export const patternOperands = (span: Span, inputs: number, operands: number): Fault =>
  wrong(span, "einsum", `has a pattern of ${inputs} inputs, ${given(operands)}`);
export const groupInEinsum = (span: Span): Fault => wrong(span, "einsum", "takes no groups; use rearrange before");
export const namelessOutput = (span: Span): Fault => wrong(span, "einsum", "takes names only in its output");
export const axisOfNoInput = (span: Span, axis: string): Fault =>
  wrong(span, "einsum", `has ${axis} in its output but in no input`);
