// What an operator's translation is: a node's inputs and attributes -> an expression for each of its outputs.
import type { NodeReader } from "../node.ts";
import type { OnnxGraph } from "../model.ts";
import type { Result, Value } from "../value.ts";
import type { Writer } from "../writer.ts";

/** What operators with graphs of their own need of the model. */
export interface Context {
  readonly opsets: ReadonlyMap<string, number>;
  /** Notes that the given elements of an input were used. */
  readonly given: (name: string) => void;
  /** Translates the nodes that the wanted values need; `environment` has the values by name afterwards. */
  readonly run: (
    graph: OnnxGraph,
    environment: Map<string, Value>,
    writer: Writer,
    context: Context,
    wanted: readonly string[],
  ) => void;
}
export interface Surroundings {
  /** Values by name, for graphs inside a node. */
  readonly environment: ReadonlyMap<string, Value>;
  readonly context: Context;
}
export type Operator = (node: NodeReader, writer: Writer, around: Surroundings) => readonly (Result | undefined)[];
export type Operators = Readonly<Record<string, Operator>>;

/** An operator of one output. */
export const one =
  (translate: (node: NodeReader, writer: Writer) => Result): Operator =>
  (node, writer) => [translate(node, writer)];
/** Constants of at most this many elements are computed here: they are shapes, axes and positions. */
const folded = 1024;
/** Are all values known, and so few that the result is computed here? */
export const folds = (values: readonly Value[], size: number): boolean =>
  size <= folded && values.every((v) => v.constant !== undefined && (v.type !== "f32" || v.constant.length <= 16));
