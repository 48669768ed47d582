// The last step of every Compute: its axes become canonical, equal ones become one object, and its range and reach are found.
import type { Reach } from "../scalar/functions.ts";
import { isI32, leastI32, mostI32 } from "../scalar/range.ts";
import { working } from "./compilation.ts";
import { constantOf, interval, isCall, isInteger } from "./forms.ts";
import { asExtent, extentInteger, iadd, imul, integer, provedNonNegative, sizeAmong } from "./integers.ts";
import { axis, extentKey } from "./leaves.ts";
import { reachOf, reachOrNone } from "./masks.ts";
import { placeNow } from "./origin.ts";
import { elementCount, sameShape, type Meta } from "./shape.ts";
import { substitute } from "./substitute.ts";
import type { Compute, DType, Integer, Node, Range, ReductionOp, Scalar, Shape, Variable } from "./types.ts";

/** At most so many. */
export const termCount = (over: readonly Variable[]): number =>
  Math.max(
    1,
    over.reduce((n, v) => n * (typeof v.extent === "number" ? v.extent : 2 ** 31), 1),
  );
/** Does every window hold an element, whatever lies outside? Then what is outside is never the extremum where that matters. */
function meetsTensor(body: Scalar, over: readonly Variable[]): boolean {
  if (body.kind !== "load" || !body.outside) return false;
  const fixed = new Map<Scalar, Scalar>();
  return body.indices.every((e, d) => {
    const n = body.tensor.shape[d]!;
    const own = over.filter((v) => e.variables.has(v));
    const [v] = own;
    const inside = (x: Integer): boolean =>
      provedNonNegative(x) && provedNonNegative(iadd(extentInteger(n), -1, imul(x, -1)));
    if (inside(e)) return true;
    if (!v || own.length > 1 || typeof v.extent !== "number" || fixed.has(v)) return false;
    for (let k = 0; k < Math.min(v.extent, 32); k++) {
      fixed.set(v, integer(k));
      if (inside(substitute(e, fixed) as Integer)) return true;
    }
    return false;
  });
}
/** What masks make of a node's elements. */
function reachOfNode(op: ReductionOp | undefined, over: readonly Variable[], body: Scalar): Reach {
  const own = reachOf(body);
  const none = { up: 0, down: 0 };
  if (op === undefined) return own;
  if (op === "sum") return { up: own.up * termCount(over), down: own.down * termCount(over) };
  if (op !== "max" && op !== "min") return none;
  return meetsTensor(body, over) && body.kind === "load" ? reachOf(body.tensor) : own;
}
export function finish(
  output: readonly Variable[],
  reduction: { op: ReductionOp; over: readonly Variable[]; ties: "share" | "first" } | undefined,
  body: Scalar,
  meta: Meta,
): Node {
  const over = reduction?.over ?? [];
  const isPlaced = (v: Variable, i: number): boolean => (v.extent === 1 ? !body.variables.has(v) : v.position === i);
  const placed =
    output.every(isPlaced) && over.every((v, i) => isPlaced(v, output.length + i))
      ? body
      : substitute(body, canonicalAxes([...output, ...over]));
  const shape = output.map((v) => v.extent);
  if (!reduction && placed.kind === "load" && !placed.outside && sameShape(placed.tensor.shape, shape)) {
    const identity = placed.indices.every((e, d) => (shape[d] === 1 ? constantOf(e) === 0 : e === axis(d, shape[d]!)));
    if (identity) return placed.tensor;
  }
  const extents = over.map((v) => v.extent);
  const same = (x: Compute): boolean =>
    sameShape(x.shape, shape) &&
    x.reduction?.op === reduction?.op &&
    x.reduction?.ties === reduction?.ties &&
    (!reduction || sameShape(x.reduction!.extents, extents));
  const compilation = working();
  return compilation.internAmong<Compute>(placed, same, (id) => {
    const index = reduction?.op === "argmax" || reduction?.op === "argmin";
    const dtype: DType = index ? "i32" : placed.dtype;
    const range =
      meta.range ?? (dtype === "i32" ? integerRange(reduction && { op: reduction.op, extents }, placed) : undefined);
    const made: { -readonly [K in keyof Compute]: Compute[K] } = {
      kind: "compute",
      shape,
      dtype,
      body: placed,
      id,
      compilation,
      scans: placed.scans,
      reach: dtype === "f32" ? reachOrNone(reachOfNode(reduction?.op, over, body)) : undefined,
    };
    const span = placeNow(meta.span);
    if (span) made.span = span;
    if (meta.label) made.label = meta.label;
    if (reduction) made.reduction = { op: reduction.op, extents, ties: reduction.ties };
    if (range) made.range = range;
    return made;
  });
}
/** The node with a narrower range: another object, which is not found by its formula. */
export function withRange(node: Compute, range: Range): Compute {
  const { low, high } = range;
  return node.compilation.intern<Compute>(`N${node.id}:${low},${extentKey(high)}`, (id) => ({ ...node, id, range }));
}
export function canonicalAxes(axes: readonly Variable[]): Map<Scalar, Scalar> {
  return new Map(axes.map((v, i) => [v, v.extent === 1 ? integer(0) : axis(i, v.extent)]));
}
function integerRange(reduction: { op: ReductionOp; extents: Shape } | undefined, body: Scalar): Range | undefined {
  if (reduction && (reduction.op === "argmax" || reduction.op === "argmin")) {
    const [n] = reduction.extents;
    if (reduction.extents.length === 1 && typeof n === "object") return { low: 0, high: asExtent(iadd(n, -1)) };
    const count = elementCount(reduction.extents);
    return { low: 0, high: Number.isNaN(count) ? Infinity : count - 1 };
  }
  if (!isInteger(body)) return undefined;
  const { low, high } = interval(body);
  if (low === leastI32 && high === mostI32) return { low: -Infinity, high: Infinity };
  if (!reduction || reduction.op === "max" || reduction.op === "min") {
    if (!reduction && high >= mostI32) {
      const bound = symbolicBound(body);
      if (bound !== undefined) return { low, high: bound };
    }
    return { low, high };
  }
  if (reduction.op === "sum") {
    const count = elementCount(reduction.extents);
    const sum = { low: Math.min(low * count, low), high: Math.max(high * count, high) };
    return isI32(sum.low) && isI32(sum.high) ? sum : undefined; // else it may wrap, or nobody knows
  }
  return undefined;
}
/** The bound of a bare variable or load of run-time range, or of the smaller of something and a size; a size that is known at run time is its own. */
function symbolicBound(e: Integer): Exclude<Range["high"], number> | undefined {
  if (e.kind === "dim" || (e.kind === "affine" && e.fits && e.terms.every(([atom]) => atom.kind === "dim"))) return e;
  if (e.kind === "variable" && typeof e.extent !== "number") {
    const bound = asExtent(iadd(e.extent, -1));
    return typeof bound === "number" ? undefined : bound;
  }
  if (e.kind === "load" && !e.outside && e.tensor.range && typeof e.tensor.range.high !== "number")
    return e.tensor.range.high;
  if (isCall(e, "min")) return sizeAmong(e);
  return undefined;
}
