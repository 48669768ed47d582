// A number that an f32 scalar never falls below, by its formula; -Infinity where nothing is known.
import { operandsOf } from "../graph/scalar.ts";
import type { Node, Scalar } from "../graph/types.ts";

type Call = Extract<Scalar, { readonly kind: "call" }>;
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
  const formula = (e: Scalar, depth: number): number => {
    switch (e.kind) {
      case "literal":
        return e.value;
      case "load":
        return Math.min(node(e.tensor, depth + 1), e.outside ? scalar(e.outside, depth + 1) : Infinity);
      case "select":
        return Math.min(scalar(e.then, depth + 1), scalar(e.otherwise, depth + 1));
      case "call":
        return ofCall(e, (i) => scalar(operandsOf(e)[i]!, depth + 1));
      default:
        return e.kind === "affine" && e.terms.length === 0 ? e.constant : unknown;
    }
  };
  return scalar;
}
/** `at`: the bound of an operand. */
function ofCall(e: Call, at: (operand: number) => number): number {
  const [x, y] = e.operands;
  switch (e.fn.name) {
    case "add":
      return at(0) + at(1);
    case "mul":
      if (x === y) return at(0) > 0 ? at(0) ** 2 : 0;
      return at(0) >= 0 && at(1) >= 0 ? at(0) * at(1) : unknown;
    case "div":
      if (at(0) > 0 && y!.kind === "literal" && y.value > 0) return at(0) / y.value;
      return at(0) >= 0 && at(1) > 0 ? 0 : unknown;
    case "max":
      return Math.max(at(0), at(1));
    case "min":
      return Math.min(at(0), at(1));
    case "sqrt":
      return at(0) > 0 ? Math.sqrt(at(0)) : 0;
    case "exp":
      return at(0) > -80 ? Math.exp(at(0)) : Number.MIN_VALUE;
    case "log1p":
      return at(0) > -1 ? Math.log1p(at(0)) : unknown;
    case "abs":
      return Math.max(0, at(0));
    case "sigmoid":
      return 0;
    case "stop":
    case "to_f32":
      return at(0);
    case "tanh":
    case "sin":
    case "cos":
    case "sign":
    case "erf":
      return -1;
    default:
      return unknown;
  }
}
