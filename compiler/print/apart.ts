// What has a line of its own in a derivation, and what is written out where it is read. In: nodes in order. Out: which are apart; the sums whose
// lines are those of what they are scaled to.
import { elementCount, inputs, loadsIn, sameShape } from "../graph/node.ts";
import { isCall, visit } from "../graph/scalar.ts";
import { operatorOf } from "../graph/print.ts";
import type { Compute, Extent, Load, Node, Reshape, Scalar } from "../graph/types.ts";

/** A parameter after an earlier `minimize`: given, since no derivative goes through an optimizer. */
export const isUpdated = (x: Node): boolean =>
  x.kind === "compute" && x.span?.origin?.kind === "optimizer" && isCall(x.body, "stop");

/** Terms of a reduction. */
export const countOf = ({ reduction }: Compute): number => elementCount(reduction?.extents ?? []);
/** A node that is a reduction's result, which nothing else reads, by a factor. */
export interface ScaledSum {
  readonly of: Compute;
  readonly load: Load;
  readonly factor: number;
}
/**
 * What has a line of its own: sums, what has a name, and what is read more than once and is more than arithmetic on one value. A sum that is only
 * scaled is one line with what is made of it; what only copies or adds axes of length 1 is written as what it copies.
 */
export function layoutOf(
  order: readonly Node[],
  isWanted: (x: Node) => boolean,
): { readonly isApart: (x: Node) => boolean; readonly sums: ReadonlyMap<Node, ScaledSum> } {
  const reads = new Map<Node, number>();
  const asTensor = new Set<Node>(); // read as a whole, by scans and views
  for (const x of order)
    for (const y of inputs(x))
      if (x.kind === "compute" || isView(x)) reads.set(y, (reads.get(y) ?? 0) + 1);
      else asTensor.add(y);
  for (let i = order.length - 1; i >= 0; i--)
    if (isView(order[i]!) && asTensor.has(order[i]!)) for (const y of inputs(order[i]!)) asTensor.add(y);
  const isShared = (x: Node): boolean => isWanted(x) || asTensor.has(x) || (reads.get(x) ?? 0) > 1;
  const sums = new Map<Node, ScaledSum>();
  const folded = new Set<Node>();
  for (const x of order) {
    const sum = x.kind === "compute" && !x.reduction && !isUpdated(x) ? scaledSum(x) : undefined;
    if (!sum || isShared(sum.of) || x.scans.size !== sum.of.scans.size || !isUnnamed(sum.of, x)) continue;
    sums.set(x, sum);
    folded.add(sum.of);
  }
  const isArithmetic = (x: Compute): boolean => loadsIn(x).length < 2 && !functionsIn(x.body);
  const depths = new Map<Node, number>(); // of what is written out
  const apart = new Set<Node>();
  for (const x of order) {
    if (folded.has(x)) continue;
    const depth = 1 + Math.max(0, ...inputs(x).map((y) => depths.get(y) ?? 0));
    const isApart =
      x.kind === "compute"
        ? x.reduction !== undefined ||
          sums.has(x) ||
          asTensor.has(x) ||
          isWanted(x) ||
          isUpdated(x) ||
          depth > deepest ||
          (x.label !== undefined && !isCopy(x)) ||
          ((reads.get(x) ?? 0) > 1 && !isArithmetic(x))
        : !isView(x) || asTensor.has(x) || isWanted(x);
    if (isApart) apart.add(x);
    else depths.set(x, depth);
  }
  return { isApart: (x) => apart.has(x), sums };
}
/** Has it no name, or that of what is made of it? */
const isUnnamed = (x: Node, by: Node): boolean =>
  x.label === undefined || (x.label === by.label && x.span?.isDerivative === by.span?.isDerivative);
/** What it is called where nothing names it. */
export function wordOf(x: Node, sum: ScaledSum | undefined): string {
  if (sum) return sum.factor * countOf(sum.of) === 1 ? "mean" : sum.of.reduction!.op;
  if (x.kind !== "compute") return x.kind;
  if (x.reduction) return x.reduction.op;
  return x.body.kind === "call" ? x.body.fn.name : x.body.kind === "random" ? "draw" : "value";
}
function scaledSum(x: Compute): ScaledSum | undefined {
  let factor = 1;
  let e = x.body;
  while (e.kind === "call") {
    const [a, b] = e.operands as [Scalar, Scalar | undefined];
    const [x, y] = [fixed(a), b && fixed(b)];
    if (isCall(e, "neg")) [factor, e] = [-factor, a];
    else if (isCall(e, "mul") && y !== undefined) [factor, e] = [factor * y, a];
    else if (isCall(e, "mul") && x !== undefined && b) [factor, e] = [factor * x, b];
    else if (isCall(e, "div") && y) [factor, e] = [factor / y, a];
    else return undefined;
  }
  if (e.kind !== "load" || e.outside || e.tensor.kind !== "compute" || !e.tensor.reduction) return undefined;
  return factor === 1 || e.tensor.reduction.op === "sum" ? { of: e.tensor, load: e, factor } : undefined;
}
/** A number that stands in the formula, or the count of what has a weight of 1. */
function fixed(e: Scalar): number | undefined {
  if (e.kind === "literal") return e.value;
  if (e.kind !== "load" || e.outside || e.tensor.kind !== "compute") return undefined;
  const { body, reduction } = e.tensor;
  const value = fixed(body);
  const count = countOf(e.tensor);
  if (value === undefined || !reduction) return value;
  return reduction.op === "sum" && !Number.isNaN(count) ? value * count : undefined;
}
export const coreOf = (shape: readonly Extent[]): readonly Extent[] => shape.filter((n) => n !== 1);
const isSameCore = (a: readonly Extent[], b: readonly Extent[]): boolean => sameShape(coreOf(a), coreOf(b));
/** A reshape that only adds or drops axes of length 1. */
export const isView = (x: Node): x is Reshape => x.kind === "reshape" && isSameCore(x.shape, x.operand.shape);
/** Nothing but another tensor, element by element. */
function isCopy({ body, reduction, shape }: Compute): boolean {
  if (reduction || body.kind !== "load" || body.outside || !isSameCore(shape, body.tensor.shape)) return false;
  const from = body.tensor.shape;
  const at = body.indices.flatMap((e, d) =>
    from[d] === 1 ? [] : [e.kind === "variable" && e.position !== undefined ? e.position : -1],
  );
  const own = shape.flatMap((n, p) => (n === 1 ? [] : [p]));
  return at.length === own.length && at.every((p, i) => p === own[i]);
}
const deepest = 32;
function functionsIn(root: Scalar): boolean {
  let found = false;
  visit(root, (e) => void (found ||= (e.kind === "call" && operatorOf(e.fn) === undefined) || e.kind === "select"));
  return found;
}
