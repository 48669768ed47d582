// Data blocks while a program is elaborated: columns as sources, fields as formulas of one row.
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import type { Dim, DType, Node, Range, Shape, Source } from "../../graph/types.ts";
import type { Scope } from "../context.ts";
import type { Column, Dataset } from "../program.ts";

/** A range of whole numbers as it is written: the end is not in it. */
export type Bounds = readonly [low: number, end: number];
export interface FieldState {
  readonly name: string;
  readonly formula: Node; // of one row, over the dataset's row source; in its declared range
  readonly unproved?: {
    readonly formula: Node;
    readonly range: Bounds;
    readonly span: Span;
  }; // a declared range that the host checks when the data are there
  readonly public: {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: Shape;
    readonly range?: Range;
  };
}
export interface HoldoutState {
  readonly name: string;
  readonly fraction?: number;
  readonly dataset?: string;
  readonly span: Span;
}
export interface DatasetState {
  readonly public: Omit<Dataset, "columns" | "fields">;
  readonly columns: Map<string, Column>;
  readonly fields: FieldState[];
  readonly broken: readonly string[]; // fields that are told of already
  readonly row: Source;
  readonly rows: Dim;
}
/** A data block while its statements are read. */
export interface Block {
  readonly name: string;
  readonly rows: Dim;
  readonly row: Source;
  readonly scope: Scope;
  /** Formulas with loaders that a `let` without a type has named: they stand for themselves in the fields that use them, whose types say what is read. */
  readonly formulas: Map<string, ast.Expr>;
  readonly columns: Map<string, Column>;
  readonly fields: FieldState[];
  readonly holdouts: HoldoutState[];
  rowCount: number | undefined;
  windowed: boolean;
}
/** Rows that are left to train on, where the number of rows is known. */
export function trainingCount(d: Pick<DatasetState["public"], "rowCount" | "holdouts">): number | undefined {
  const n = d.rowCount;
  if (n === undefined) return undefined;
  return n - d.holdouts.reduce((sum, h) => sum + (h.fraction !== undefined ? Math.round(h.fraction * n) : 0), 0);
}
