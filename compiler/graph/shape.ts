// Shapes, and what a node is told besides its formula.
import { placeNow, type Place } from "./origin.ts";
import { extentKey } from "./leaves.ts";
import type { Range, Shape } from "./types.ts";

export interface Meta {
  readonly span?: Place | undefined;
  readonly label?: string | undefined;
  readonly range?: Range | undefined;
}
export const metaOf = (meta: Meta): { span?: Place; label?: string } => ({
  ...(meta.span ? { span: placeNow(meta.span) } : {}),
  ...(meta.label ? { label: meta.label } : {}),
});

export const shapeKey = (shape: Shape): string => shape.map(extentKey).join(",");
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, d) => n === b[d]);
export function elementCount(shape: Shape): number {
  return shape.reduce<number>((product, n) => product * (typeof n === "number" ? n : NaN), 1);
}
