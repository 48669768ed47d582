// Which elements of a tile count: what a mask by place, as the causal one, leaves out adds nothing, so that whole tiles need not be computed.
// In: what folds reduce, over the axes of their tiles. Out: a condition that all of them share.
import { baseOf } from "../graph/node.ts";
import { conjuncts, constantPart, isCall, scalarOrder, termsOf } from "../graph/scalar.ts";
import type { Scalar, Variable } from "../graph/types.ts";
import { largestF32 } from "../scalar/range.ts";
import type { Seen, StreamFold } from "../kernel/graph.ts";
import type { StreamAxes } from "./merge-streams.ts";

export function seenBy(folds: readonly StreamFold[], axes: StreamAxes): Seen | undefined {
  const [first, ...others] = folds.map((x) => (x.op === "max" ? below(x.wide, axes) : vanishing(x.wide, axes)));
  return first?.find((c) => others.every((list) => list.some((d) => same(c, d))));
}
const same = (a: Seen, b: Seen): boolean => a.row === b.row && a.stream === b.stream && a.constant === b.constant;
const isNumber = (e: Scalar, value: number): boolean => e.kind === "literal" && e.value === value;
/** The conditions by place alone without which e is -inf. */
const below = (e: Scalar, axes: StreamAxes): Seen[] =>
  e.kind === "select" && isNumber(e.otherwise, -largestF32) ? byPlace(e.condition, axes) : [];
/** ... without which e is 0. */
function vanishing(e: Scalar, axes: StreamAxes): Seen[] {
  if (isCall(e, "mul")) return e.operands.flatMap((x) => vanishing(x, axes));
  if (isCall(e, "neg") || isCall(e, "div") || isCall(e, "div_rounded") || isCall(e, "keep_rounding"))
    return vanishing(e.operands[0]!, axes);
  if (e.kind === "select" && isNumber(e.otherwise, 0))
    return [...byPlace(e.condition, axes), ...vanishing(e.then, axes)];
  if (!isCall(e, "exp")) return [];
  let [x] = e.operands as [Scalar];
  while (isCall(x, "keep_finite") || isCall(x, "keep_rounding")) [x] = x.operands as [Scalar];
  if (!isCall(x, "sub")) return [];
  // exp(-inf - m) is 0 unless all of a softmax is masked, whose maximum is m
  const [score, most] = x.operands as [Scalar, Scalar];
  if (score.kind !== "select" || conjuncts(score.condition).length !== 1 || !isFinite(score.then)) return [];
  const reduced = most.variables.has(axes.stream) ? axes.row : axes.stream; // a maximum of this step is one of a row
  const other = reduced === axes.row ? axes.stream : axes.row;
  return most.variables.has(reduced) ? [] : below(score, axes).filter((c) => holdsSomewhere(c, reduced, other, axes));
}
/** Is nothing in it -inf by itself? What is neither learned nor constant may hold a mask of its own, which leaves a row without an element that counts. */
const isFinite = (e: Scalar): boolean =>
  scalarOrder([e]).every((x) => {
    if (x.kind === "literal") return Math.abs(x.value) < largestF32;
    if (x.kind !== "load" || x.dtype !== "f32") return true;
    const memory = baseOf(x.tensor);
    if (memory.kind !== "source") return false;
    if (memory.data) return memory.data.every((v) => Math.abs(v) < largestF32);
    return memory.role === "parameter" || memory.role === "state";
  });
function byPlace(condition: Scalar, { row, stream }: StreamAxes): Seen[] {
  return conjuncts(condition).flatMap((c): Seen[] => {
    if (c.kind !== "non_negative") return [];
    const terms = new Map(termsOf(c.operand));
    const [a, b] = [terms.get(row), terms.get(stream)];
    return terms.size === 2 && a && b ? [{ row: a, stream: b, constant: constantPart(c.operand) }] : [];
  });
}
/** For every element of the other axis, is there one of the reduced axis that the condition leaves? */
function holdsSomewhere(c: Seen, reduced: Variable, other: Variable, axes: StreamAxes): boolean {
  const factor = (v: Variable): number => (v === axes.row ? c.row : c.stream);
  const last = (v: Variable): number => (v.extent as number) - 1;
  const best = Math.max(0, factor(reduced) * last(reduced));
  const worst = Math.min(0, factor(other) * last(other));
  return best + worst + c.constant >= 0;
}
