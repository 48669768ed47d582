// Elementwise formulas over a flat axis. In: a node of a parameter's shape. Out: its value at one element, with stand-ins for the tensors that
// flat buffers will hold; equal formulas of tensors of different shapes are then one object.
import { sameShape, source, topological } from "../graph/node.ts";
import { integer, literal, load, substitute, variable, visit } from "../graph/scalar.ts";
import type { DType, Integer, Node, Scalar, Source, Variable } from "../graph/types.ts";

/** A parameter with what belongs to it, and how one optimizer line updates it. */
export interface Member {
  readonly parameter: Source;
  readonly gradient: Node;
  readonly states: readonly Source[]; // of the parameter's shape
  readonly updated: Node;
  readonly formulas: readonly Scalar[]; // of the parameter, then of each state, over `StandIns.along`
  readonly size: number;
}
/** What stands in formulas for the axis of flat buffers, and for the buffers: of the parameters, the gradients, then of each state. */
export interface StandIns {
  readonly dtype: DType; // of all of them
  readonly along: Variable;
  readonly buffer: (k: number) => Source;
  readonly indexOf: (x: Node) => number; // -1 if it is none
}
export function standIns(dtype: DType): StandIns {
  const buffers: Source[] = [];
  return {
    dtype,
    along: variable(mostElements, "i"),
    buffer: (k) => (buffers[k] ??= source({ role: "state", path: `flat.${k}`, shape: [mostElements], dtype })),
    indexOf: (x) => buffers.findIndex((b) => b === x),
  };
}
const mostElements = 1 << 30;

/** A member's elementwise value as a body over the flat axis, or undefined where an element needs more than its own. */
export function flattener(
  parameter: Source,
  stand: ReadonlyMap<Node, Source>,
  along: Variable,
): (x: Node) => Scalar | undefined {
  const memo = new Map<Node, Scalar | undefined>();
  const one = (x: Node): Scalar | undefined => {
    if (memo.has(x)) return memo.get(x);
    let result: Scalar | undefined;
    const own = stand.get(x);
    if (own) result = load(own, [along]);
    else if (x.kind === "compute" && !x.reduction && sameShape(x.shape, parameter.shape)) {
      let failed = false;
      const body = substitute(x.body, new Map(), (l, indices, outside) => {
        if (!outside && sameShape(l.tensor.shape, parameter.shape) && isIdentity(indices, l.tensor)) {
          const inner = one(l.tensor);
          if (inner) return inner;
        } else if (l.tensor.shape.every((n) => n === 1) && !l.tensor.scans.size) return undefined;
        failed = true;
        return undefined;
      });
      if (!failed && [...body.variables].every((v) => v === along) && !hasDraw(body)) result = body;
    }
    memo.set(x, result);
    return result;
  };
  // operands first, so that the recursion above stays shallow
  return (x) => {
    for (const y of topological(
      [x],
      (n) => stand.has(n) || n.kind !== "compute" || n.reduction !== undefined || !sameShape(n.shape, parameter.shape),
    ))
      if (y.kind === "compute" && sameShape(y.shape, parameter.shape)) one(y);
    return one(x);
  };
}
const isIdentity = (indices: readonly Integer[], x: Node): boolean =>
  indices.every((e, d) => (x.shape[d] === 1 ? e === integer(0) : e.kind === "variable" && e.position === d));
function hasDraw(e: Scalar): boolean {
  let found = false;
  visit(e, (x) => void (found ||= x.kind === "random"));
  return found;
}
/** Is it 0 where everything that it reads is? */
export const isZeroForZeros = (formula: Scalar): boolean => {
  const zero = substitute(formula, new Map(), () => literal(0));
  return zero.kind === "literal" && zero.value === 0;
};
