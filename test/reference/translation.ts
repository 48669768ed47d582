// What the translation of a reference case is, and the pieces of text that kinds share.
import type { ReferenceTensor } from "./case.ts";
import { Refused, type CaseReader } from "./reader.ts";

export interface Translation {
  /** Declarations in front: models that hold the parameters, functions. */
  readonly declarations?: string;
  /** Expression of every output that is compared, over the inputs by name. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Statements before the outputs. */
  readonly lets?: string;
  /** Where the parameter lives, as an expression for `wrt`; its dots make the state's path too. Default: an input of that name. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** How a tensor of the case (input, parameter, output, gradient, cotangent) is laid out in dlm. */
  readonly layout?: Readonly<Record<string, (tensor: ReferenceTensor) => ReferenceTensor>>;
  /** `in` ranges of integer inputs. */
  readonly ranges?: Readonly<Record<string, string>>;
  /** Inputs that are not arguments. */
  readonly unused?: readonly string[];
  /** Run with `training` true, as one step of a train block; states that are compared, by output name. */
  readonly training?: {
    readonly on: boolean;
    readonly states?: Readonly<Record<string, string>>;
    readonly initial?: Readonly<Record<string, string>>;
  };
  /** Outputs that are equal to inputs whatever is computed: output -> input. */
  readonly unchanged?: Readonly<Record<string, string>>;
}
/** A case that is a sequence of steps: an optimizer, a schedule, a model. */
export interface Sequence {
  readonly source: string;
  readonly steps: number;
  readonly initial: Readonly<Record<string, ReferenceTensor>>; // states set before the first step
  /** State compared after every step with row k of the output; `final`: with the whole output after the last step. */
  readonly states: readonly { readonly state: string; readonly output: string; readonly final?: boolean }[];
  /** Expected values by output name, where they are not the case's own. */
  readonly outputs?: Readonly<Record<string, ReferenceTensor>>;
}
export type Rule = (c: CaseReader) => Translation;
export type Rules = Readonly<Record<string, Rule>>;

export const range = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i);
export const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
/** A number inside an expression. */
export const num = (x: number): string => (x < 0 || Object.is(x, -0) ? `(${x})` : String(x)).replace("e+", "e");
export const sameShape = (a: readonly number[], b: readonly number[]): boolean => String(a) === String(b);

/** `text`, of that shape, with all axes of `shape`. */
export const grown = (text: string, own: readonly number[], shape: readonly number[]): string =>
  sameShape(own, shape) ? text : `expand${shapeText(shape)}(${text})`;
/** Names of axes for index expressions. */
export const axisNames = (rank: number): string[] => {
  const names = ["i", "j", "k", "l", "m", "p"];
  if (rank > names.length) throw new Refused(`rank ${rank}`);
  return names.slice(0, rank);
};
export const binders = (names: readonly string[], shape: readonly number[]): string =>
  names.map((name, i) => `${name} in 0..${shape[i]}`).join(", ");
export const forAll = (names: readonly string[], shape: readonly number[], body: string): string =>
  names.length ? `for ${binders(names, shape)}: ${body}` : body;
/** `i + 2`, `i - 1`, or `i`. */
export const shifted = (name: string, by: number): string =>
  by === 0 ? name : by > 0 ? `${name} + ${by}` : `${name} - ${-by}`;
/** What works along the last axis, along another one. */
export function along(axis: number, rank: number, x: string, write: (x: string) => string): string {
  if (axis === rank - 1) return write(x);
  const order = range(rank).map((a) => (a === axis ? rank - 1 : a === rank - 1 ? axis : a));
  return `transpose(${write(`transpose(${x}, axes: ${shapeText(order)})`)}, axes: ${shapeText(order)})`;
}
/** A reduction of values as PyTorch names it, for functions that take `reduce:`. */
export const reducer = (c: CaseReader): string =>
  ({ mean: "average", sum: "total", none: "each" })[c.word("reduction", ["mean", "sum", "none"], "mean")];
/** The same applied to an expression. */
export const reduced = (c: CaseReader, text: string): string => {
  const reduction = c.word("reduction", ["mean", "sum", "none"], "mean");
  return reduction === "none" ? text : `${reduction}(${text})`;
};
/** A norm's order: a number, or an infinity by its name. */
export const normOrder = (c: CaseReader, name: string, absent: number): string => {
  const order = c.attribute(name);
  return order === "inf" || order === "-inf" ? order : num(c.number(name, absent));
};
/** Axes of a tensor from channels first to channels last and how a tensor is laid out so. */
export const channelsLast = (rank: number): number[] => [0, ...range(rank - 2, 2), 1];
