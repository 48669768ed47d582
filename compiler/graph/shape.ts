// Shapes, and what a node is told besides its formula.
import { derivativeOf, placeNow, type Place } from "./origin.ts";
import { extentKey } from "./leaves.ts";
import type { Node, Range, Shape } from "./types.ts";

export interface Meta {
  readonly span?: Place | undefined;
  readonly label?: string | undefined;
  readonly range?: Range | undefined;
}
export function metaOf(meta: Meta): { span?: Place; label?: string } {
  const span = placeNow(meta.span);
  return { ...(span ? { span } : {}), ...(meta.label ? { label: meta.label } : {}) };
}
/** Of the gradient of a node. */
export const gradientMeta = (x: Node): Meta => ({
  span: derivativeOf(x.span, x.label ?? (x.kind === "source" ? x.path : undefined)),
  label: x.label && `d_${x.label}`,
});

/**
 * Gives a node without a name the source's name for it. The one thing that is added to a node after it is made: of equal formulas one is made first, and
 * only what is read later in the text may name it. Never part of equality.
 */
export function nameNode(node: Node, label: string): void {
  if (!node.label) (node as { -readonly [K in "label"]?: string }).label = label;
}

export const shapeKey = (shape: Shape): string => shape.map(extentKey).join(",");
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, d) => n === b[d]);
export function elementCount(shape: Shape): number {
  return shape.reduce<number>((product, n) => product * (typeof n === "number" ? n : NaN), 1);
}
