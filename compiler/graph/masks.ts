// `inf` is finite, and stays so: where an operation on masks may leave the range of f32, it is limited to it. The rows of the table say how far
// masks take a result; constructors keep that of scalars and of nodes (`reach`), and what has none reaches nowhere.
import type { Bounds, Reach, ScalarFunction } from "../scalar/functions.ts";
import { largestF32 } from "../scalar/range.ts";
import type { Node, Scalar } from "./types.ts";

const nowhere: Reach = { up: 0, down: 0 };
const anywhere: Reach = { up: largestF32, down: largestF32 };
const leastMask = 1e37;
const isMasked = (x: Scalar): boolean => x.reach !== undefined;
export const reachOf = (x: Scalar | Node): Reach => x.reach ?? nowhere;
/** As it is kept: within f32, and none where masks go nowhere. */
export function reachOrNone({ up, down }: Reach): Reach | undefined {
  return up > 0 || down > 0 ? { up: Math.min(up, largestF32), down: Math.min(down, largestF32) } : undefined;
}
export const reachOfLiteral = (value: number): Reach | undefined =>
  Math.abs(value) >= leastMask ? { up: Math.max(value, 0), down: Math.max(-value, 0) } : undefined;
const joined = (a: Reach, b: Reach): Reach => ({ up: Math.max(a.up, b.up), down: Math.max(a.down, b.down) });
/** Bounds of an f32 value, by what stands there. */
function boundsOf(e: Scalar): Bounds {
  if (e.kind === "literal") return { low: e.value, high: e.value };
  let most = Infinity;
  if (e.kind === "select" && e.then.kind === "literal" && e.otherwise.kind === "literal")
    most = Math.max(Math.abs(e.then.value), Math.abs(e.otherwise.value));
  if (e.kind === "call" && e.fn.atMost !== undefined) most = e.fn.atMost;
  return { low: -most, high: most };
}
/** A number from elsewhere, or a sum with one, which may be a mask of its own. */
function isGiven(e: Scalar, depth = 4): boolean {
  if (e.kind === "load" && e.tensor.kind === "compute")
    return depth > 0 && !e.tensor.reduction && isGiven(e.tensor.body, depth - 1);
  if (e.kind === "load") return e.tensor.kind === "source" && givenRoles.has(e.tensor.role);
  return depth > 0 && e.kind === "call" && isSum(e.fn) && e.operands.some((x) => isGiven(x, depth - 1));
}
const givenRoles: ReadonlySet<string> = new Set(["input", "carry", "scratch"]);
const isSum = (row: ScalarFunction): boolean => row.signs !== undefined;
/** Of a call as the table has it: beyond f32 where it may leave it. */
export function reachOfCall(row: ScalarFunction, operands: readonly Scalar[]): Reach {
  if (!row.reach || !operands.some(isMasked)) return nowhere;
  // what is added to a mask may be one, too
  const reach = (x: Scalar): Reach => (isSum(row) && !isMasked(x) && isGiven(x) ? anywhere : reachOf(x));
  return row.reach(...operands.map((x) => ({ ...reach(x), ...boundsOf(x) })));
}
export function reachOfSelect(then: Scalar, otherwise: Scalar): Reach | undefined {
  return isMasked(then) || isMasked(otherwise) ? reachOrNone(joined(reachOf(then), reachOf(otherwise))) : undefined;
}
export function reachOfLoad(tensor: Node, outside: Scalar | undefined): Reach | undefined {
  return outside ? reachOrNone(joined(reachOf(tensor), reachOf(outside))) : tensor.reach;
}
