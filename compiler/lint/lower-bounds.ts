// A number that an f32 scalar never falls below, by its formula; -Infinity where nothing is known.
// In: scalars of a graph. Out: the least that each may be; the rows of the table say it of their functions.
import type { Call, Node, Scalar } from "../graph/types.ts";

const unknown = -Infinity;
const deepest = 400; // formulas in formulas

/** Remembers what it has found: one for every walk over a graph. */
export function lowerBounds(): (e: Scalar) => number {
  const known = new Map<Scalar, number>();
  const ofNode = new Map<Node, number>();
  const node = (n: Node, depth: number): number => {
    const before = ofNode.get(n);
    if (before !== undefined) return before;
    ofNode.set(n, unknown); // loops read themselves
    const bound = computed(n, depth);
    ofNode.set(n, bound);
    return bound;
  };
  const computed = (n: Node, depth: number): number => {
    if (n.kind === "reshape") return node(n.operand, depth);
    if (n.kind === "source") return n.range && typeof n.range.low === "number" ? n.range.low : unknown;
    if (n.kind !== "compute") return unknown;
    const body = scalar(n.body, depth);
    const op = n.reduction?.op;
    if (op === undefined || op === "max" || op === "min") return body;
    if (op === "sum" || op === "prod") return body >= 0 ? 0 : unknown;
    return op === "argmax" || op === "argmin" ? 0 : unknown;
  };
  const scalar = (e: Scalar, depth = 0): number => {
    const before = known.get(e);
    if (before !== undefined) return before;
    if (depth > deepest) return unknown;
    const bound = formula(e, depth);
    const found = Number.isNaN(bound) ? unknown : bound;
    known.set(e, found);
    return found;
  };
  const ofCall = ({ fn, operands }: Call, depth: number): number => {
    if (!fn.least) return unknown;
    const bounds = operands.map((x) => ({
      low: scalar(x, depth + 1),
      high: x.kind === "literal" ? x.value : Infinity,
    }));
    return fn.least(
      bounds,
      operands.every((x) => x === operands[0]),
    );
  };
  const formula = (e: Scalar, depth: number): number => {
    switch (e.kind) {
      case "literal":
        return e.value;
      case "load":
        return Math.min(node(e.tensor, depth + 1), e.outside ? scalar(e.outside, depth + 1) : Infinity);
      case "select":
        return Math.min(scalar(e.then, depth + 1), scalar(e.otherwise, depth + 1));
      case "call":
        return ofCall(e, depth);
      default:
        return e.kind === "affine" && e.terms.length === 0 ? e.constant : unknown;
    }
  };
  return scalar;
}
