// Whole-array operations as graph nodes: broadcasting, reductions, slices, concatenation, products.
import type { Span } from "../../grammar/diagnostic.ts";
import { compute, elementCount, indicesOf, reshape, sameShape } from "../graph/node.ts";

import {
  and,
  asExtent,
  axis,
  call,
  constantOf,
  equal,
  extentInteger,
  floorDiv,
  iadd,
  integer,
  interval,
  isub,
  less,
  lessEqual,
  literal,
  load,
  modulo,
  mul,
  nonNegative,
  not,
  or,
  select,
  dependsOnData,
  substitute,
  toF32,
} from "../graph/scalar.ts";
import { conjuncts } from "../graph/forms.ts";
import { intervalUnder } from "../graph/verify.ts";
import type { DType, Extent, Integer, Interval, Node, ReductionOp, Scalar, Shape, Variable } from "../graph/types.ts";
import { mostI32 } from "../scalar/range.ts";
import { functions } from "../scalar/table.ts";
import {
  boolAsNumber,
  broadcast,
  contraction,
  divisorZero,
  emptyReduction,
  expandedToOne,
  expandedTooFar,
  mixedTypes,
  needed,
  runTimeProduct,
  typeText,
  unknownName,
} from "./errors.ts";

/** A size from its formula: at least 0, or affine in the run-time dims. */
export function sizeFrom(e: Integer, span: Span): Extent {
  const known = constantOf(e);
  if (known !== undefined) return Math.min(Math.max(0, known), Number.MAX_SAFE_INTEGER);
  if (e.kind === "dim" || (e.kind === "affine" && e.atoms.every((x) => x.kind === "dim"))) return asExtent(e);
  throw runTimeProduct(span);
}
/** Does a bound stay the same in the whole run, so that it may be an axis? */
export const isFixed = (e: Integer): boolean => !e.variables.size && !e.scans.size && !dependsOnData(e);
/** What every element is where all are one number, as in `zeros[8]`: an integer made of it has a range. */
function filled(x: Scalar): Scalar {
  if (x.kind !== "load" || x.outside || x.tensor.kind !== "compute" || x.tensor.reduction) return x;
  return x.tensor.body.kind === "literal" ? x.tensor.body : x;
}
/** The axes of a tensor that is made: canonical, so that nothing is renamed when it is finished. */
export const axesOf = (shape: Shape): Variable[] => shape.map((n, i) => axis(i, n));

/** Of whole numbers: what the condition says of the branches bounds them, `where(k < 8, k, 0)`, where that bounds the result more closely. */
function chosenInteger(condition: Scalar, a: Integer, b: Integer): Scalar {
  const c = opened(condition);
  const [x, y] = [intervalUnder(a, new Set(conjuncts(c))), intervalUnder(b, new Set(conjuncts(not(c))))];
  const [p, q] = [interval(a), interval(b)];
  const isCloser =
    Math.min(x.low, y.low) > Math.min(p.low, q.low) || Math.max(x.high, y.high) < Math.max(p.high, q.high);
  if (!isCloser || x.low > x.high || y.low > y.high) return select(condition, a, b);
  return select(condition, bounded(a, p, x), bounded(b, q, y));
}
/** The value, which lies in `own`: formulas that say so. */
function bounded(e: Integer, before: Interval, own: Interval): Integer {
  const below = own.high < before.high ? (call("min", e, integer(own.high)) as Integer) : e;
  return own.low > before.low ? (call("max", below, integer(own.low)) as Integer) : below;
}
/** A condition that stands in a node of its own, as it is written there. */
function opened(c: Scalar): Scalar {
  if (c.kind !== "load" || c.tensor.kind !== "compute" || c.tensor.reduction || c.outside) return c;
  return substitute(c.tensor.body, new Map(c.tensor.shape.map((n, d) => [axis(d, n), c.indices[d]!])));
}
/** Scalar meaning of an operator or elementwise function, by dtype of its operands. */
export function combine(name: string, xs: readonly Scalar[], span: Span): Scalar {
  const [a, b] = xs as [Scalar, Scalar];
  switch (name) {
    case "+":
    case "-":
    case "*": {
      if (a.dtype === "bool" || b.dtype === "bool" || a.dtype !== b.dtype) throw mixedTypes(span, a.dtype, b.dtype);
      return call(name === "+" ? "add" : name === "-" ? "sub" : "mul", a, b);
    }
    case "/":
      if (a.dtype === "bool" || b.dtype === "bool") throw mixedTypes(span, a.dtype, b.dtype);
      return call("div", toF32(a), toF32(b));
    case "//":
    case "%": {
      if (a.dtype === "f32" && b.dtype === "f32") {
        if (name === "%" && !isWholePowerOfTwo(b)) return call("floor_remainder", a, b);
        const quotient = call("floor", call("div", a, b));
        return name === "//" ? quotient : call("sub", a, mul(b, quotient)); // of which nothing is rounded
      }
      if (a.dtype !== "i32" || b.dtype !== "i32") throw mixedTypes(span, a.dtype, b.dtype);
      const divisor = constantOf(b);
      const { low, high } = interval(b as Integer);
      if (low <= 0 && high >= 0) throw divisorZero(span, divisor !== 0);
      if (divisor !== undefined && divisor > 0)
        return name === "//" ? floorDiv(a as Integer, divisor) : modulo(a as Integer, divisor);
      return call(name === "//" ? "floor_div_dynamic" : "modulo_dynamic", a, b);
    }
    case "^": {
      const n = b.kind === "literal" ? b.value : constantOf(b);
      if (n !== undefined && Number.isInteger(n) && Math.abs(n) <= 64) return wholePower(a, n, span);
      if (n === 0.5) return call("sqrt", toF32(a));
      if (n === -0.5) return call("div", 1, call("sqrt", toF32(a)));
      return call("pow", toF32(a), toF32(b));
    }
    case "==":
    case "!=": {
      if (a.dtype !== b.dtype) throw mixedTypes(span, a.dtype, b.dtype);
      const same =
        a.dtype === "i32"
          ? equal(a as Integer, b as Integer)
          : a.dtype === "bool"
            ? or(and(a, b), and(not(a), not(b)))
            : call("equal", a, b);
      return name === "==" ? same : not(same);
    }
    case "<":
    case "<=":
    case ">":
    case ">=": {
      if (a.dtype !== b.dtype || a.dtype === "bool") throw mixedTypes(span, a.dtype, b.dtype);
      const [p, q] = name.startsWith("<") ? [a, b] : [b, a];
      const strict = name.length === 1;
      if (a.dtype === "i32") return (strict ? less : lessEqual)(p as Integer, q as Integer);
      return call(strict ? "less" : "less_equal", p, q);
    }
    case "and":
    case "or":
      if (a.dtype !== "bool" || b.dtype !== "bool") throw needed(span, "truth", a.dtype === "bool" ? b.dtype : a.dtype);
      return name === "and" ? and(a, b) : or(a, b);
    case "not":
      if (a.dtype !== "bool") throw needed(span, "truth", a.dtype);
      return not(a);
    case "where": {
      const [, p, q] = xs as [Scalar, Scalar, Scalar];
      if (a.dtype !== "bool") throw needed(span, "condition", a.dtype);
      if (p.dtype !== q.dtype) throw mixedTypes(span, p.dtype, q.dtype);
      return p.dtype === "i32" ? chosenInteger(a, p as Integer, q as Integer) : select(a, p, q);
    }
    case "f32":
      return toF32(a);
    case "i32":
      return a.dtype === "i32" ? a : call(a.dtype === "bool" ? "bool_to_i32" : "to_i32", filled(a));
    case "bool":
      return a.dtype === "bool" ? a : not(a.dtype === "i32" ? equal(a as Integer, 0) : call("equal", a, 0));
    default: {
      const row = functions.get(name)!;
      const operands = xs.map((x, i) => (row.operands[i] === "f32" && x.dtype === "i32" ? toF32(x) : x));
      for (const x of operands) if (x.dtype === "bool") throw boolAsNumber(span);
      if (operands.length === 2 && operands[0]!.dtype !== operands[1]!.dtype)
        throw mixedTypes(span, operands[0]!.dtype, operands[1]!.dtype);
      return call(row, ...operands);
    }
  }
}
/** A divisor by which nothing is rounded, nor leaves f32. */
const isWholePowerOfTwo = (b: Scalar): boolean =>
  b.kind === "literal" && b.value >= 1 && b.value <= 2 ** 100 && Number.isInteger(Math.log2(b.value));
/** x^n as a product: right for negative x, and exact where squaring is. */
function wholePower(x: Scalar, n: number, span: Span): Scalar {
  if (x.dtype === "bool") throw boolAsNumber(span);
  if (n < 0) return call("div", 1, wholePower(toF32(x), -n, span));
  if (n === 0) return x.dtype === "i32" ? integer(1) : literal(1);
  const half = n > 1 ? wholePower(x, n >> 1, span) : x;
  if (n === 1) return x;
  const square = call("mul", half, half);
  return n % 2 ? call("mul", square, x) : square;
}

/** Operands of the highest rank fix the shape, and between them an axis known to be 1 stretches; one of lower rank is aligned at the right. */
export function broadcastShape(shapes: readonly Shape[], spans: readonly Span[], span: Span): Shape {
  const [first = []] = shapes;
  if (shapes.every((shape) => sameShape(shape, first))) return first;
  let result: Shape = [];
  let from = 0;
  shapes.forEach((shape, k) => {
    if (shape.length > result.length) {
      const [smaller, small] = [result, from];
      result = shape;
      from = k;
      check(smaller, shape, spans[small]!, spans[k]!);
    } else if (shape.length === result.length) {
      const before = result;
      result = shape.map((n, d) => {
        const m = before[d]!;
        if (n === m || m === 1) return n;
        if (n === 1) return m;
        throw broadcast(span, before, shape, spans[from]!, spans[k]!);
      });
    } else check(shape, result, spans[k]!, spans[from]!);
  });
  function check(small: Shape, large: Shape, a: Span, b: Span): void {
    small.forEach((n, d) => {
      const m = large[large.length - small.length + d]!;
      if (n !== m && n !== 1) throw broadcast(span, small, large, a, b);
    });
  }
  return result;
}
/** The element of x that meets position `at` of a broadcast result. */
function broadcastLoad(x: Node, at: readonly Integer[]): Scalar {
  const skip = at.length - x.shape.length;
  return load(
    x,
    x.shape.map((n, d) => (n === 1 ? integer(0) : at[skip + d]!)),
  );
}
export function elementwise(
  operands: readonly Node[],
  spans: readonly Span[],
  span: Span,
  f: (xs: Scalar[]) => Scalar,
): Node {
  const shape = broadcastShape(
    operands.map((x) => x.shape),
    spans,
    span,
  );
  const axes = axesOf(shape);
  const at = indicesOf(axes);
  for (const x of operands) if (x.shape.every((n) => n === 1)) broadcastLoad(x, at); // what does not vary enters first
  return compute(axes, undefined, f(operands.map((x) => broadcastLoad(x, at))), { span });
}

/** The node reduced over these axes. bool: any, all; sums of bool count. */
export function reduceNode(name: string, x: Node, axes: readonly number[], keep: boolean, span: Span): Node {
  if (name === "mean") return mean(x, axes, keep, span);
  if (name === "logsumexp") return logsumexp(x, axes, keep, span);
  if (name === "argmax" || name === "argmin") {
    const extents = axes.map((d) => x.shape[d]!);
    someElements(name, extents, span);
    if (!isComparedAsF32(load(x, indicesOf(axesOf(x.shape))))) {
      const best = reduceNode(name === "argmax" ? "amax" : "amin", x, axes, true, span);
      const isBest = ([a, b]: readonly Scalar[]): Scalar => equal(a as Integer, b as Integer);
      return reduceNode("argmax", elementwise([x, best], [span, span], span, isBest), axes, keep, span);
    }
  }
  const kept = x.shape.filter((_, d) => !axes.includes(d));
  const own = axesOf([...kept, ...x.shape.filter((_, d) => axes.includes(d))]);
  const [output, over] = [own.slice(0, kept.length), own.slice(kept.length)];
  let [k, r] = [0, 0];
  const element = load(x, indicesOf(x.shape.map((_, d) => (axes.includes(d) ? over[r++]! : output[k++]!))));
  const node = compute(output, { ...reducer(name, element, span).reduction, over }, reducer(name, element, span).body, {
    span,
  });
  const result = finishReducer(name, node, span);
  return keep
    ? reshape(
        result,
        x.shape.map((n, d) => (axes.includes(d) ? 1 : n)),
      )
    : result;
}
/** Has f32 all values of it? Places of other whole numbers are found by comparing them with their extreme. */
export function isComparedAsF32(e: Scalar): boolean {
  if (e.dtype !== "i32") return true;
  const { low, high } = interval(e as Integer);
  return Math.max(-low, high) <= 2 ** 24;
}
/** What a reduction finds where a guard lets nothing through: nothing else is smaller (or larger), and the range stays. */
export function nothingOf(op: ReductionOp, body: Scalar): Scalar {
  if (body.dtype === "i32") {
    const { low, high } = interval(body as Integer);
    return integer(op === "max" ? low : op === "min" ? Math.min(high, mostI32) : 0);
  }
  return literal({ sum: 0, prod: 1, max: -Infinity, min: Infinity, argmax: -Infinity, argmin: Infinity }[op]);
}
/** How a reducer's word becomes a reduction and a body. */
export function reducer(
  name: string,
  element: Scalar,
  span: Span,
): { reduction: { op: ReductionOp; ties: "share" | "first" }; body: Scalar } {
  const numeric = element.dtype === "bool" ? call("bool_to_i32", element) : element;
  switch (name) {
    case "sum":
      return { reduction: { op: "sum", ties: "share" }, body: numeric };
    case "prod":
      return { reduction: { op: "prod", ties: "share" }, body: toF32(numeric) };
    case "max":
    case "min":
      return { reduction: { op: name, ties: "first" }, body: numeric };
    case "amax":
    case "amin":
      return { reduction: { op: name === "amax" ? "max" : "min", ties: "share" }, body: numeric };
    case "argmax":
    case "argmin":
      return { reduction: { op: name, ties: "first" }, body: toF32(numeric) };
    case "any":
    case "all":
      if (element.dtype !== "bool") throw needed(span, "truth", element.dtype);
      return { reduction: { op: name === "any" ? "max" : "min", ties: "share" }, body: call("bool_to_i32", element) };
    default:
      throw unknownName(
        span,
        name,
        ["sum", "prod", "mean", "max", "min", "amax", "amin", "any", "all", "argmax", "argmin", "logsumexp"],
        { kind: "reducer" },
      );
  }
}
export function finishReducer(name: string, node: Node, span: Span): Node {
  if (name !== "any" && name !== "all") return node;
  const axes = axesOf(node.shape);
  // of nothing: any is false, all is true
  const value = load(node, indicesOf(axes)) as Integer;
  return compute(axes, undefined, name === "any" ? less(0, value) : not(equal(value, 0)), { span });
}
export function someElements(name: string, extents: Shape, span: Span): void {
  if (extents.includes(0)) throw emptyReduction(span, name);
}
function mean(x: Node, axes: readonly number[], keep: boolean, span: Span): Node {
  const numeric = x.dtype === "f32" ? x : elementwise([x], [span], span, ([e]) => toF32(e!));
  const sum = reduceNode("sum", numeric, axes, keep, span);
  const count = axes.map((d) => x.shape[d]!);
  return elementwise([sum], [span], span, ([e]) => divideByCount(e!, count));
}
export function divideByCount(e: Scalar, extents: Shape): Scalar {
  const count = elementCount(extents);
  if (!Number.isNaN(count)) return count ? call("div", e, count) : literal(0);
  const product = extents.map((n) => toF32(extentInteger(n))).reduce((a, b) => mul(a, b), literal(1));
  // a formula such as B - 1 may come out as 0
  return call("div", e, extents.every((n) => interval(extentInteger(n)).low > 0) ? product : call("max", product, 1));
}
function logsumexp(given: Node, axes: readonly number[], keep: boolean, span: Span): Node {
  const x = cast(given, "f32", span);
  if (axes.some((d) => x.shape[d] === 0)) return reduceNode("amax", x, axes, keep, span); // of nothing: -inf
  const top = elementwise([reduceNode("amax", x, axes, true, span)], [span], span, ([e]) => call("stop", e!));
  const shifted = elementwise([x, top], [span, span], span, ([a, b]) => call("exp", call("sub", a!, b!)));
  const sum = reduceNode("sum", shifted, axes, true, span);
  const filled = axes.every((d) => typeof x.shape[d] === "number" && x.shape[d] > 0);
  const result = elementwise([sum, top], [span, span], span, ([a, b]) => logOfSum(a!, b!, filled));
  return keep
    ? result
    : reshape(
        result,
        x.shape.filter((_, d) => !axes.includes(d)),
      );
}
/** log(sum) + top of exponentials that were divided by exp(top); of nothing it is the largest of nothing, `-inf`. `filled`: there is something, so that sum >= 1. */
export function logOfSum(sum: Scalar, top: Scalar, filled: boolean): Scalar {
  if (filled) return call("add", call("log", sum), top);
  const some = call("less", 0, sum);
  return select(some, call("add", call("log", select(some, sum, 1)), top), top);
}

/** a @ b: last axis with the last but one; leading axes as operators; vectors as in NumPy. */
export function matmul(a: Node, b: Node, spans: readonly [Span, Span], span: Span): Node {
  if (a.dtype !== "f32" || b.dtype !== "f32") throw mixedTypes(span, a.dtype, b.dtype);
  if (!a.shape.length || !b.shape.length) throw contraction(span, a.shape, b.shape, ...spans);
  const inner = a.shape.at(-1)!;
  const rows = a.shape.length > 1 ? [a.shape.at(-2)!] : [];
  const columns = b.shape.length > 1 ? [b.shape.at(-1)!] : [];
  if (inner !== (b.shape.length > 1 ? b.shape.at(-2)! : b.shape[0]!))
    throw contraction(span, a.shape, b.shape, ...spans);
  const lead = broadcastShape([a.shape.slice(0, -2), b.shape.slice(0, -2)], spans, span);
  const axes = axesOf([...lead, ...rows, ...columns, inner]);
  const outer = axes.slice(0, lead.length);
  const m = axes.slice(lead.length, lead.length + rows.length);
  const n = axes.slice(lead.length + rows.length, -1);
  const k = axes.at(-1)!;
  const at = (x: Node, own: readonly Variable[]): Scalar => {
    const leading = x.shape.length - own.length;
    const picked = indicesOf(outer)
      .slice(outer.length - leading)
      .map((e, d) => (x.shape[d] === 1 ? integer(0) : e));
    return load(x, [...picked, ...indicesOf(own)]);
  };
  return compute(
    [...outer, ...m, ...n],
    { op: "sum", over: [k] },
    mul(at(a, [...m, k]), at(b, b.shape.length > 1 ? [k, ...n] : [k])),
    { span },
  );
}

export function transpose(x: Node, order: readonly number[], span: Span): Node {
  const axes = axesOf(order.map((d) => x.shape[d]!));
  return compute(
    axes,
    undefined,
    load(
      x,
      x.shape.map((_, d) => indicesOf(axes)[order.indexOf(d)]!),
    ),
    { span },
  );
}
export function flip(x: Node, axis: number, span: Span): Node {
  const axes = axesOf(x.shape);
  const at = indicesOf(axes);
  at[axis] = isub(iadd(extentInteger(x.shape[axis]!), -1), at[axis]!);
  return compute(axes, undefined, load(x, at), { span });
}
/** All elements of several tensors, as one vector. */
export function flattened(nodes: readonly Node[], span: Span): Node {
  const vectors = nodes.map((x) => {
    const count = elementCount(x.shape);
    if (Number.isNaN(count)) throw runTimeProduct(span);
    return reshape(x, [count], { span });
  });
  return vectors.length === 1 ? vectors[0]! : concat(vectors, 0, span);
}
export function concat(nodes: readonly Node[], axis: number, span: Span): Node {
  const total = sizeFrom(iadd(...nodes.map((x) => extentInteger(x.shape[axis]!))), span);
  const axes = axesOf(nodes[0]!.shape.map((n, d) => (d === axis ? total : n)));
  const at = indicesOf(axes);
  let start: Integer = integer(0);
  const starts = nodes.map((x) => {
    const own = start;
    start = iadd(start, extentInteger(x.shape[axis]!));
    return own;
  });
  const element = (i: number): Scalar =>
    load(
      nodes[i]!,
      at.map((e, d) => (d === axis ? isub(e, starts[i]!) : e)),
    );
  let body = element(0);
  for (let i = 1; i < nodes.length; i++) body = select(nonNegative(isub(at[axis]!, starts[i]!)), element(i), body);
  return compute(axes, undefined, body, { span });
}
export function slice(x: Node, axis: number, from: Integer, extent: Extent, span: Span): Node {
  const axes = axesOf(x.shape.map((n, d) => (d === axis ? extent : n)));
  return compute(
    axes,
    undefined,
    load(
      x,
      indicesOf(axes).map((e, d) => (d === axis ? iadd(e, from) : e)),
    ),
    { span },
  );
}
/** Stretches axes of extent 1 and adds axes in front. */
export function expand(x: Node, shape: Shape, span: Span): Node {
  const skip = shape.length - x.shape.length;
  if (skip < 0) throw expandedTooFar(span, shape, typeText(x.dtype, x.shape));
  const wrong = x.shape.flatMap((n, d) => (n !== 1 && n !== shape[skip + d] ? [d] : []));
  if (wrong.length) {
    const [axis] = wrong;
    // where axes of 1 stretch on both sides, these shapes fit
    if (skip === 0 && wrong.every((d) => shape[d] === 1)) throw expandedToOne(span, axis!, x.shape[axis!]!);
    throw broadcast(span, x.shape, shape, span, span);
  }
  const axes = axesOf(shape);
  // a constant stays one, so that a loop that begins with it is the same loop in the derivative, which is taken of a simplified form
  const body = x.kind === "compute" && !x.reduction && x.body.kind === "literal" ? x.body : undefined;
  return compute(axes, undefined, body ?? broadcastLoad(x, indicesOf(axes)), { span });
}
export function cast(x: Node, dtype: DType, span: Span): Node {
  return x.dtype === dtype ? x : elementwise([x], [span], span, ([e]) => combine(dtype, [e!], span));
}
/** The same values, through which no gradient passes: what is written to a parameter or a state is a constant of every line below. */
export function stopGradient(node: Node): Node {
  if (node.dtype !== "f32") return node;
  const axes = axesOf(node.shape);
  return compute(axes, undefined, call("stop", load(node, indicesOf(axes))));
}
