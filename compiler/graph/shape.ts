// Shapes, and what a node is told besides its formula.
import type { Span } from "../../grammar/diagnostic.ts";
import { extentKey } from "./leaves.ts";
import type { Range, Shape } from "./types.ts";

export interface Meta {
  readonly span?: Span | undefined;
  readonly label?: string | undefined;
  readonly range?: Range | undefined;
}
export const metaOf = (meta: Meta): { span?: Span; label?: string } => ({
  ...(meta.span ? { span: meta.span } : {}),
  ...(meta.label ? { label: meta.label } : {}),
});

export const shapeKey = (shape: Shape): string => shape.map(extentKey).join(",");
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, d) => n === b[d]);
export function elementCount(shape: Shape): number {
  return shape.reduce<number>((product, n) => product * (typeof n === "number" ? n : NaN), 1);
}
