// Reverse pass over one scalar graph: an adjoint for every distinct load that is wanted. It runs on the graph, not on the tree.
import { InternalError } from "../../grammar/diagnostic.ts";
import { add, derivativeBuilder, inRange, mul, not, scalarOrder, select } from "../graph/scalar.ts";
import type { Load, Node, Scalar } from "../graph/types.ts";

/** Operands through which a derivative can pass. */
function differentiable(e: Scalar): readonly Scalar[] {
  if (e.dtype !== "f32") return [];
  switch (e.kind) {
    case "call":
      return e.fn.derivative === "zero" ? [] : e.operands;
    case "select":
      return [e.then, e.otherwise];
    case "load":
      return e.outside ? [e.outside] : [];
    default:
      return [];
  }
}

/**
 * d(seed * root) by every wanted load. `own` stands for the value of the root where it is known as a node (a derivative may use its
 * result); anywhere else a function's result is the subexpression itself.
 */
export function adjoints(
  root: Scalar,
  seed: Scalar,
  wanted: (tensor: Node) => boolean,
  own?: Scalar,
): Map<Load, Scalar> {
  const order = scalarOrder([root], differentiable);
  const reaches = new Set<Scalar>();
  for (const e of order)
    if ((e.kind === "load" && e.dtype === "f32" && wanted(e.tensor)) || differentiable(e).some((x) => reaches.has(x)))
      reaches.add(e);
  const adjoint = new Map<Scalar, Scalar>([[root, seed]]);
  const result = new Map<Load, Scalar>();
  const pass = (e: Scalar, a: Scalar): void => {
    if (!reaches.has(e) || (a.kind === "literal" && a.value === 0)) return;
    const before = adjoint.get(e);
    adjoint.set(e, before ? add(before, a) : a);
  };
  for (let i = order.length - 1; i >= 0; i--) {
    const e = order[i]!;
    const a = adjoint.get(e);
    if (!a || !reaches.has(e)) continue;
    if (e.kind === "load") {
      if (wanted(e.tensor)) result.set(e, a);
      if (e.outside) pass(e.outside, select(not(inRange(e.tensor, e.indices)), a, 0));
    } else if (e.kind === "select") {
      pass(e.then, select(e.condition, a, 0));
      pass(e.otherwise, select(not(e.condition), a, 0));
    } else if (e.kind === "call") {
      if (typeof e.fn.derivative !== "function")
        throw new InternalError(`the derivative of ${e.fn.name} is asked for and does not exist`);
      const partials = e.fn.derivative({ b: derivativeBuilder, x: e.operands, y: e === root && own ? own : e });
      e.operands.forEach((x, j) => {
        const d = partials[j];
        if (d && reaches.has(x)) pass(x, mul(a, d));
      });
    }
  }
  return result;
}
