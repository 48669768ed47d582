// A value of another kind than its place needs. In: what is needed, by its key, and the kind that is there. The words of both stand here once.
import type { Fix, Span } from "../../../grammar/diagnostic.ts";
import { inserting, wrapping, writing } from "../../../grammar/fixes.ts";
import type { DType, Extent } from "../../graph/types.ts";
import { commonChoices } from "../../std/facts.ts";
import { closing, code, error, type Fault, short, unwrapped } from "./fault.ts";
import { sizesText } from "./arguments.ts";
import { calledHere } from "./names.ts";

interface Need {
  readonly text: string;
  readonly hint?: () => string; // the next thing to type, where it is always the same
  readonly choice?: () => string | undefined; // the same, as it may stand there
}
const need = (text: string, hint?: string): Need => ({ text, ...(hint ? { hint: () => hint } : {}) });
/** What a place may need. */
const needs = {
  // values
  number: need("a number"),
  whole: need("a whole number"),
  positive: need("a whole number, 1 or more"),
  above: need("a number above 0"),
  float: need("f32"),
  truth: need("true or false"),
  condition: need("a condition"),
  tensor: need("a tensor"),
  element: need("a single element"),
  reducedElement: need("a single element", "index every axis"),
  logits: need("f32 with a last axis of logits"),
  indices: need("a tensor of i32 indices"),
  floatParameter: need("an f32 parameter of the distribution"),
  pattern: need("an axis pattern"),
  // lists and tuples
  tensors: need("a list of tensors", "write it in brackets: [a, b]"),
  someTensors: need("a list of one tensor or more"),
  sizes: need("a list of whole sizes, 0 or more"),
  parts: need("a count or a list of sizes"),
  // axes, sizes and ranges
  axis: need("an axis number"),
  knownAxes: need("axes known at compile time"),
  knownAxis: need("an axis of known extent"),
  size: need("a size"),
  namedAxes: need("axes by name"),
  declaredRange: need("a range, as 0..10"),
  knownRange: need("a range of known numbers, as 0..1"),
  indexRange: need("a range, as 0..n"),
  // what is applied
  function: need("a function"),
  applicable: need("something to apply"),
  composable: need("a function or an optimizer", "`>>` composes functions; a value goes through them by `|>`"),
  layer: need("a layer or model"),
  instance: need("an instance"),
  withMembers: need("an instance or data"),
  part: need("a model or a part of one"),
  trainable: need("a model, a layer's instance or a parameter"),
  data: need("a data block"),
  optimizer: {
    text: "an optimizer",
    hint: () => `write by ${commonChoices("optimizer")[0]}`,
    choice: () => commonChoices("optimizer")[0],
  },
  distribution: {
    text: "a distribution",
    hint: () => `write uniform(-1, 1), an initialiser as ${commonChoices("init")[0]}, or a number`,
    choice: () => commonChoices("init")[0],
  },
  // types
  tensorType: need("a tensor's type"),
  shapedFloat: need("f32 with a shape"),
  exportType: need("f32, i32 or bool", "the inputs of an export come at run time"),
  // options of loaders
  column: need("a column's name, or its number from 0"),
  header: need("header: true or header: false"),
  longer: need("longer: cut"),
  resize: need("resize: true or resize: false"),
  missing: need("missing: drop, or a number"),
  delimiter: need('delimiter: ",", ";", "tab" or another character'),
} satisfies Readonly<Record<string, Need>>;
export type Wanted = keyof typeof needs;
export const wantedText = (want: Wanted): string => needs[want].text;

const wrong = (
  span: Span,
  want: string,
  got: string,
  hint?: string,
  always = false,
  ofElement = false,
  fixes: readonly Fix[] = [],
): Fault => error("DLM2006", span, `${want} is needed here, this is ${got}`, { hint, always, ofElement, fixes });
/** What a value's type alone decides: not what it is, nor when it is known. */
const ofTypes: ReadonlySet<Wanted> = new Set<Wanted>([
  ...(["truth", "condition", "float", "tensor", "tensors", "element", "reducedElement"] as const),
  ...(["logits", "indices", "pattern", "shapedFloat", "instance", "layer", "withMembers"] as const),
  ...(["function", "applicable", "composable"] as const),
]);
/** `got`: the kind of the value that is there, as `kindText` says it. */
export const needed = (span: Span, want: Wanted, got: string): Fault => {
  const { text, hint, choice }: Need = needs[want];
  const chosen = choice?.();
  const fixes = chosen === undefined ? [] : [writing(span, chosen)];
  return wrong(span, text, got, hint?.(), ofTypes.has(want), want === "reducedElement", fixes);
};

// ---- numbers
/** `unknown`: it is no constant, but may be 0. */
export const divisorZero = (span: Span, unknown = false): Fault =>
  wrong(
    span,
    "a divisor other than 0",
    unknown ? "an i32 that may be 0" : "0",
    unknown ? "declare a range without 0, as `i32 in 1..10`, or write max(n, 1)" : undefined,
  );
export const boolAsNumber = (span: Span): Fault =>
  wrong(span, "a number", "a bool", "write where(x, 1.0, 0.0) or f32(x)", true, false, [wrapping(span, "f32(", ")")]);
/** `-x` of something that is no number. */
export const negated = (span: Span, got: string): Fault =>
  wrong(span, "a number", got, "write `not x`, or f32(x) for a number", true, false, [wrapping(span, "f32(", ")")]);
export const beyondI32 = (span: Span, got: string): Fault =>
  wrong(
    span,
    "a whole number that i32 has (-2147483648 to 2147483647)",
    got,
    "i32 wraps: take a smaller number, or calculate with f32(...)",
  );
export const tooSmall = (span: Span, what: string, least: number, got: number): Fault =>
  wrong(span, `${what} of ${least} or more`, String(got));
/** A size below 0; of -1 it is meant that it follows from the others. */
export const negativeSize = (span: Span, got: number): Fault =>
  wrong(
    span,
    "a size of 0 or more",
    String(got),
    code(span) === "-1" ? "every size is written: a number, a dim, or a quotient as size(x) // 3" : undefined,
  );
export const knownTooLate = (span: Span, what: string): Fault =>
  wrong(span, `${what} known at compile time`, "a value of the run");

// ---- types and ranges
/**
 * `want`, `got`: types as they are written. `shaped`: in brackets behind it would stand the shape of a tensor; `takes`: of a function, the parameters that a
 * call of it needs.
 */
export const wrongType = (
  span: Span,
  want: string,
  got: string,
  { shaped, takes }: { readonly shaped?: boolean; readonly takes?: readonly string[] | undefined } = {},
): Fault => {
  const [shape] = /\[.*\]/.exec(want) ?? [];
  if (shaped && shape !== undefined) {
    // other sizes are those of a signature, and brackets bind closer than operators
    const isWhole = /^\[[\d, ]+\]$/.test(shape) && /^\w+(\([^()]*\))?$/.test(code(span));
    const hint = isWhole ? `write ${short(span, "d")}${shape}` : "sizes in brackets make it a tensor: zeros[2, 3]";
    return wrong(span, want, got, hint, true, false, isWhole ? [inserting(span.file, span.end, shape)] : []);
  }
  const isCounted = want === "f32" && (got === "i32" || got === "bool");
  const call = takes && `write ${short(span, "f")}(${takes.join(", ")})`;
  return wrong(span, want, got, isCounted ? "write f32(x)" : call, true);
};
export const rangeOfFloats = (span: Span, dtype: string): Fault =>
  wrong(
    span,
    "i32 before `in`",
    dtype,
    "whole numbers carry a range; of f32 only a single number that is an argument, `p: f32 in 0..1`",
  );
export const emptyRange = (span: Span, range: string): Fault =>
  wrong(span, "a range that holds a number", range, "the end is not included: 0..3 is 0, 1 and 2");
export const rangeBeyondI32 = (span: Span, range: string): Fault =>
  wrong(span, "a range of i32, between -2147483648 and 2147483648", range);
export const runTimeRange = (span: Span): Fault =>
  wrong(span, "a range of known numbers", "one that depends on the run");
/** Of an input of an export. */
export const inputRange = (span: Span): Fault =>
  wrong(span, "a range from a known number to a known number or size", "one that depends on more");
export const unboundedIndex = (span: Span): Fault =>
  wrong(span, "bounds with a known largest value", "bounds without one");
/** `type`: as it is written; undefined where there is none. */
export const untypedInput = (span: Span, type: string | undefined): Fault =>
  wrong(span, "a tensor's type", type ?? "none", "the inputs of an export have types: x: f32[B, 4]");

// ---- lists, tuples, elements
export const notTuple = (span: Span, count: number, got: string): Fault =>
  wrong(span, `a tuple of ${count}`, got, undefined, true);
/** `count`: where it is known. */
export const notWholeNumbers = (span: Span, count: Extent | undefined, got: string): Fault =>
  wrong(span, `a list of ${typeof count === "number" ? `${count} ` : ""}whole numbers`, got);
export const emptyList = (span: Span, want: Wanted): Fault => wrong(span, wantedText(want), "an empty list");
export const mixedList = (span: Span, first: string, other: string): Fault =>
  wrong(span, `elements of one type (${first})`, `a list that also has ${other}`);
export const noElements = (span: Span, of: string, shape: string): Fault =>
  wrong(span, `one element or more of ${of}`, shape);
export const emptyReduction = (span: Span, reducer: string): Fault =>
  wrong(span, `${reducer} of one element or more`, "of none");
/** `shape`: of the tensor that is there. */
export const notElement = (span: Span, got: string, shape: string | undefined): Fault =>
  wrong(
    span,
    wantedText("element"),
    got,
    shape === undefined ? undefined : `index it: the value has ${shape}`,
    true,
    true,
  );
export const elementForTensor = (span: Span): Fault =>
  wrong(
    span,
    wantedText("tensor"),
    "an element inside `for`",
    "a `for` body is a single element; draws, loops and whole-array functions stand outside of it",
    true,
    true,
  );

// ---- functions, layers, instances, distributions
/** A layer where its instance is needed. `applied`: it is applied at once. */
export const bareLayer = (span: Span, got: string, layer: string, applied = false): Fault =>
  wrong(span, wantedText("instance"), got, `write ${layer}(...)${applied ? "(...)" : ""}`, true);
/** `there`: the name of the layer, or the text of the string, that is there. */
export const notFunction = (
  span: Span,
  got: string,
  there: { readonly layer?: string | undefined; readonly string?: string | undefined },
): Fault =>
  wrong(
    span,
    wantedText("function"),
    got,
    there.layer !== undefined
      ? `write ${there.layer}()`
      : there.string !== undefined
        ? `choices are functions: write ${there.string} without quotes`
        : undefined,
    true,
    false,
    there.layer !== undefined
      ? [inserting(span.file, span.end, "()", `write \`${there.layer}()\``)]
      : there.string !== undefined
        ? [writing(span, there.string)]
        : [],
  );
/** `x.member` of a value without members. `tensor`: it is a tensor or a number; `applied`: how a function of a name is applied, undefined where there is none. */
export const noMembers = (
  span: Span,
  got: string,
  member: string,
  {
    tensor,
    applied,
  }: { readonly tensor: boolean; readonly applied: (name: string) => "in brackets" | "plain" | undefined },
): Fault => {
  const { file, end } = span;
  const [points] = new RegExp(`^\\s*\\.\\s*${member}`).exec(file.text.slice(end)) ?? [""];
  const behind = file.text.slice(end + points.length);
  const length = behind.startsWith("(") ? closing(behind) : 0;
  const args = length === undefined ? undefined : behind.slice(1, Math.max(1, length - 1)).trim();
  const x = unwrapped(code(span));
  const f = member === "T" ? "transpose" : applied(member) ? member : calledHere(member);
  const how = applied(f);
  const fault = (hint?: string, by?: string): Fault =>
    wrong(
      span,
      wantedText("withMembers"),
      got,
      hint,
      true,
      false,
      by === undefined || length === undefined ? [] : [writing({ ...span, end: end + points.length + length }, by)],
    );
  if (!tensor || (member !== "shape" && !how)) return fault();
  if (member === "shape") return fault("write size(x, axis: n) for the extent of an axis");
  if (how === "in brackets") {
    const sizes = args && sizesText([args]);
    if (!sizes) return fault(`write it as in ${f}[2, 3](${x.length <= 24 ? x : "x"})`);
    const by = `${f}[${sizes}](${x})`;
    return fault(`write ${by.length <= 48 ? by : `${f}[...](x)`}`, sizes.split(", ").includes("n") ? undefined : by);
  }
  const by = `${f}(${x}${args ? `, ${args}` : ""})`;
  // what other systems take by position may mean something else here
  const isSame = args !== undefined && args.split(",").every((a) => a === "" || /^\s*\w+\s*:/.test(a));
  return fault(
    member === "T" ? `write ${f}(x)` : `functions are applied from outside: ${f}(x), or x |> ${f}`,
    isSame ? by : undefined,
  );
};
export const twoDistributions = (span: Span): Fault => wrong(span, "a distribution and a number", "two distributions");
export const operatorOnDistribution = (span: Span, operator: string): Fault =>
  wrong(span, "+ - * or / with a number", `\`${operator}\` on a distribution`);
export const twoInstances = (span: Span, a: string, b: string): Fault =>
  wrong(span, "two values of one instance", `${a} and ${b}`);
export const notParametersOf = (span: Span, path: string, got: string): Fault =>
  wrong(span, `parameters of ${path}`, got);
/** A state that holds a layer's parameters holds f32, as they are. */
export const parametersOfType = (span: Span, dtype: DType): Fault =>
  wrong(span, "f32 for every parameter", dtype, `write ${dtype === "i32" ? "1.0 for 1, or " : ""}f32(...) to convert`);
export const typedInstanceState = (span: Span): Fault =>
  wrong(span, "no type", "a type of a state that holds a layer's parameters");
export const unappliedInstance = (span: Span, got: string): Fault =>
  wrong(
    span,
    "an instance with parameters",
    `${got}, which is applied nowhere above`,
    "apply it before its state is used",
  );
export const undeclaredState = (span: Span, name: string): Fault =>
  wrong(span, "a declared state", `\`${name}\``, `write state ${name} = ... above`);
export const neverApplied = (span: Span, path: string): Fault =>
  error("DLM2022", span, `the parameters of ${path} are needed here, which is applied nowhere`, {
    hint: `their shapes follow from what it is applied to: write ${path}(x) anywhere in the file, or sizes in the types of a model's inputs`,
  });

// ---- arguments of built-in functions
export const windowArguments = (span: Span): Fault =>
  wrong(span, "window_room(n, k, stride, pad, dilate) of whole numbers", "something else");
export const noFileName = (span: Span, loader: string, argument: string, got: string): Fault =>
  wrong(span, `${loader}(${argument}: "...")`, got);
