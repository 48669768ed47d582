// What cannot stand where it stands, must be known when the program is compiled, is too much, or is not there yet.
import type { Span } from "../../../grammar/diagnostic.ts";
import { mostI32 } from "../../scalar/range.ts";
import { error, type Fault } from "./fault.ts";

const misplaced = (span: Span, what: string, where: string, hint?: string): Fault =>
  error("DLM2014", span, `${what} cannot stand ${where}`, { hint });

// ---- places
/** The declaration around it (`fn`, `metric`, ...), where there is one. */
type Declared = string | undefined;
const within = (declared: Declared): string => (declared ? `in a ${declared}` : "here");
const owners = {
  param: "parameters belong to layers and models",
  state: "layers, optimizers and train blocks hold states, and a fn that they call",
  next: "layers, optimizers, loops and train blocks hold states, and a fn that they call",
} as const;
export const withoutOwner = (span: Span, statement: keyof typeof owners, declared: Declared): Fault =>
  misplaced(span, `\`${statement}\``, within(declared), owners[statement]);
/** A function that declares `state`, called where nothing holds it. */
export const stateWithoutOwner = (span: Span, name: string, declared: Declared): Fault =>
  misplaced(
    span,
    `a call of ${name}, which keeps a state,`,
    within(declared),
    "layers and train blocks hold states; call it there, with `let`",
  );
export const instanceWithoutOwner = (span: Span, layer: string, declared: Declared): Fault =>
  misplaced(
    span,
    `an instance of ${layer}`,
    within(declared),
    declared === "metric"
      ? "make it above, with `let`"
      : declared === "fn"
        ? "declare a `layer` or `model` instead: they hold instances"
        : "layers, models and train blocks hold instances",
  );
export const secondRest = (span: Span): Fault =>
  misplaced(span, "a second `...`", "in one type", "which axes it stands for would be open");
export const afterReturn = (span: Span): Fault =>
  misplaced(span, "a statement", "after `return`, which ends the block", "put it above, or leave it out");
export const yieldOutside = (span: Span): Fault => misplaced(span, "`yield`", "outside of a scan");
/** A statement that a loop has not, or only the other loop has. */
export const notInLoop = (span: Span, statement: string, loop: "scan" | "fold"): Fault =>
  misplaced(span, `\`${statement}\``, `in a ${loop}`, statement === "return" ? "use `next` and `yield`" : undefined);
const forbiddenInFor = {
  draw: ["a draw", "inside `for`", "draw the whole tensor above: let noise = normal[8]"],
  slice: [
    "a slice",
    "inside `for`, where every value is a single element",
    "give every axis an index; functions of whole tensors stand outside of `for`",
  ],
  bound: ["a bound that depends on other indices", "in `for`", "only reducers may have such bounds"],
  for: ["`for`", "inside an element", "nested `for`s are written as one: for i, j: ..."],
  scan: ["`scan`", "inside `for`", "put the loop outside; its body may hold `for`"],
  fold: ["`fold`", "inside `for`", "put the loop outside; its body may hold `for`"],
  grad: ["`grad`", "inside `for`", "differentiate whole tensors outside, and index the result"],
} as const;
export const notInFor = (span: Span, what: keyof typeof forbiddenInFor): Fault => {
  const [text, where, hint] = forbiddenInFor[what];
  return error("DLM2014", span, `${text} cannot stand ${where}`, { hint, ofElement: what !== "bound" });
};
export const noReturn = (block: Span): Fault =>
  error("DLM2014", { ...block, start: Math.max(block.start, block.end - 1) }, "this block ends without `return`", {
    labels: [{ span: { ...block, end: block.start + 1 }, text: "it begins here" }],
    hint: "end it with `return ...`",
  });
export const noYield = (span: Span): Fault =>
  error("DLM2014", span, "this scan yields nothing", {
    hint: "write `yield e` for a value every round, or `fold` for the final state",
  });

// ---- times
const early = {
  condition: ["the condition of `if`", "use `where(condition, a, b)` to choose at run time"],
  count: ["the count of `stack`", "use a constant, a parameter of kind int or a known dim"],
  rounds: ["the number of rounds", "use `where(condition, a, b)` to choose at run time"],
} as const;
export const neededEarly = (span: Span, what: keyof typeof early): Fault =>
  error("DLM2008", span, `${early[what][0]} must be known at compile time`, {
    hint: early[what][1],
    ofElement: true, // an index may be known, where a `for` is written out
  });

const fixed = (span: Span, what: string, hint: string): Fault =>
  error("DLM2017", span, `${what} may not depend on a run-time dim`, { hint });
export const fieldOfRunTimeShape = (span: Span): Fault =>
  fixed(span, "a field's shape", "a row has a fixed size; pad what varies and give its length in another field");
/** A parameter or state keeps its shape. */
export const heldOfRunTimeShape = (span: Span, what: "parameter" | "state", name: string): Fault =>
  fixed(
    span,
    `the shape of the ${what} ${name}`,
    `a ${what} has one size for every call: use the dims that are known, not that of the rows`,
  );
export const runTimeRounds = (span: Span): Fault =>
  fixed(
    span,
    "the number of rounds",
    "walk over an axis of known size, as x: f32[B, 32, 4] along 1; a model with T in its input is compiled for every T that a train block gives it",
  );
export const runTimeProduct = (span: Span): Fault =>
  fixed(
    span,
    "a size that multiplies or divides",
    "sizes are sums as 2 * T + 1; give the dim a known size, as x: f32[B, 32]",
  );

// ---- amounts
/** How often the compiler writes something out: copies of a stacked layer, parts of a split, accumulated batches. */
export const most = 4096;
/** Of an axis, and of a tensor: positions are i32. */
export const mostElements = mostI32;
export const mostCalls = 60_000;
const limits = {
  parts: ["the parts of `split`", most, "index the tensor instead"],
  batches: ["accumulated batches", most, "read larger batches"],
  calls: ["calls written out", mostCalls, "repeat with `scan` or `fold`, which are not written out"],
  list: ["the elements of a list", most, "large data are tensors: i32[n]"],
  rounds: [
    "the indices that `for` is written out for",
    256,
    "loops are written out for each: bind what does not need all of the indices by a `let` above, or loop at run time by `scan`",
  ],
  copies: ["the copies of `stack`", most, "a loop at run time is `fold`"],
  axis: ["the elements of an axis", mostElements, "positions in a tensor are i32"],
} as const;
const beyond = (span: Span, what: string, count: number, limit: number, hint: string): Fault =>
  error("DLM2021", span, `${what}: ${count} is more than the ${limit} that a program may have`, { hint });
export const mostRounds: number = limits.rounds[1];
export const beyondLimit = (span: Span, what: keyof typeof limits, count: number): Fault =>
  beyond(span, limits[what][0], count, limits[what][1], limits[what][2]);
export const tensorTooLarge = (span: Span, shape: string, count: number): Fault =>
  beyond(
    span,
    `the elements of a tensor of ${shape}`,
    count,
    mostElements,
    "positions in a tensor are i32: make it smaller, or work on parts of it",
  );

// ---- what is not there yet
const later = {
  sizeOfRunTimeAxes: ["the size of a tensor with several run-time axes"],
  groupOfRunTimeAxes: ["a group with several run-time axes"],
  borrowedRows: [
    "`rows` beside a holdout of other data, where the number of rows is read from a file",
    "give the number: rows: 1000",
  ],
  carriedTogether: [
    "a state of the batch's rows that mixes them, in an evaluation",
    "let every row have its own: h[b] of h[b] and x[b]",
  ],
  loopOverIndices: [
    "a loop, or a layer's state, for every index of a run-time axis",
    "give the axis a known size, as x: f32[32, 4]",
  ],
  loopInField: ["a loop in the formula of a field", "write it with `for` and reducers, or apply it in the train block"],
} as const satisfies Readonly<Record<string, readonly [what: string, hint?: string]>>;
const notYet = (span: Span, what: string, hint?: string): Fault =>
  error("DLM2901", span, `${what} is not supported yet`, { hint });
export const notCompiledYet = (span: Span, what: keyof typeof later): Fault => {
  const [text, hint]: readonly [string, string?] = later[what];
  return notYet(span, text, hint);
};
export const functionNotYet = (span: Span, name: string): Fault => notYet(span, `\`${name}\``);
export const reducerNotYet = (span: Span, reducer: string): Fault =>
  notYet(span, `\`${reducer} over\` parameters`, "sum, prod, max and min are");
