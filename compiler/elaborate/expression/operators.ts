// Operators: of plain numbers at compile time, of tensors and elements as graph, of distributions and of all parameters of an instance.
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { constantOf, floorDiv, iadd, imul, isub, modulo, mul, termsOf } from "../../graph/scalar.ts";
import type { DType, Integer, Node, Scalar, Source } from "../../graph/types.ts";
import { type Context, type Distribution, evaluate, Scope, type Value } from "../context.ts";
import { drawTensor, hashSite } from "../draws.ts";
import * as errors from "../errors.ts";
import { combine, elementwise, matmul } from "../tensors.ts";
import {
  asScalarValue,
  asTensor,
  int,
  integerOf,
  isBundle,
  isCallable,
  isElement,
  isPlain,
  kindText,
  knownBool,
  number,
  plainNumber,
  plainScalar,
  scalar,
  tensor,
} from "../values.ts";
import { readOn } from "./faults.ts";
import { parameterOf, parametersOf, parametersSoFar } from "./instances.ts";

export function unary(e: Extract<ast.Expr, { kind: "unary" }>, v: Value): Value {
  if (e.operator === "not") {
    const known = knownBool(v);
    if (known !== undefined) return { kind: "bool", value: !known };
    return map1(v, e.span, (x) => combine("not", [x], e.span));
  }
  if (v.kind === "number") return number(-v.value, v.whole);
  if (v.kind === "int") return int(imul(v.value, -1));
  if (v.kind === "ratio") return { kind: "ratio", numerator: imul(v.numerator, -1), divisor: v.divisor };
  if (v.kind === "distribution" || v.kind === "deferred")
    return operate("*", v, number(-1), [e.operand.span, e.span], e.span);
  if (v.kind === "instance" || v.kind === "gradient")
    return operate("*", v, number(-1), [e.operand.span, e.span], e.span);
  if (
    (v.kind === "tensor" && v.node.dtype === "bool") ||
    (v.kind === "scalar" && v.scalar.dtype === "bool") ||
    v.kind === "bool"
  )
    throw errors.negated(e.operand.span, v.kind === "bool" ? "a bool" : kindText(v));
  return map1(v, e.span, (x) => combine("*", [x, plainScalar(plainNumber(-1), x.dtype, e.span)], e.span));
}
const map1 = (v: Value, span: Span, f: (x: Scalar) => Scalar): Value =>
  v.kind === "scalar" ? scalar(f(v.scalar)) : tensor(elementwise([asTensor(v, span)], [span], span, ([x]) => f(x!)));
/** Elementwise over tensors, elements or plain numbers, which take the dtype of the others. */
export function elementwiseValues(
  name: string,
  values: readonly Value[],
  spans: readonly Span[],
  span: Span,
  dtypeFrom = 0,
): Value {
  if (values.some(isBundle))
    return overBundles(values, span, (parts) => elementwiseValues(name, parts, spans, span, dtypeFrom));
  try {
    return elementwiseOf(name, values, spans, span, dtypeFrom);
  } catch (error) {
    if (!(error instanceof errors.Fault) || error.diagnostic.code !== "DLM2005" || error.diagnostic.labels) throw error;
    const labels = values.flatMap((v, i) =>
      i >= dtypeFrom && (v.kind === "tensor" || v.kind === "scalar") && spans[i] !== span
        ? [{ span: spans[i]!, text: kindText(v) }]
        : [],
    );
    throw error.with(labels);
  }
}
function elementwiseOf(
  name: string,
  values: readonly Value[],
  spans: readonly Span[],
  span: Span,
  dtypeFrom: number,
): Value {
  const dtype = commonType(values.slice(dtypeFrom));
  const typed = (v: Value, i: number): DType | undefined => (i < dtypeFrom ? undefined : dtype);
  const whole = (v: Value): boolean => v.kind === "list" || (v.kind === "tensor" && v.node.shape.length > 0);
  // of rank 0 are elements and tensors alike: what depends on an index is an element, and so is what meets one
  if (
    values.some(isElement) ||
    (!values.some(whole) && values.some((v) => v.kind === "scalar")) ||
    values.every((v) => v.kind !== "tensor" && v.kind !== "list")
  ) {
    return scalar(
      combine(
        name,
        values.map((v, i) => asScalarValue(v, spans[i]!, typed(v, i))),
        span,
      ),
    );
  }
  const operands = values.map((v, i) =>
    isPlain(v) || v.kind === "bool" ? undefined : asTensor(v, spans[i]!, typed(v, i)),
  );
  const nodes = operands.filter((x): x is Node => x !== undefined);
  const nodeSpans = spans.filter((_, i) => operands[i] !== undefined);
  const node = elementwise(nodes, nodeSpans, span, (xs) => {
    let at = 0;
    return combine(
      name,
      values.map((v, i) => (operands[i] ? xs[at++]! : asScalarValue(v, spans[i]!, typed(v, i)))),
      span,
    );
  });
  return tensor(node);
}
function commonType(values: readonly Value[]): DType | undefined {
  for (const v of values) {
    if (v.kind === "tensor" && v.node.dtype !== "bool") return v.node.dtype;
    if (v.kind === "scalar" && v.scalar.dtype !== "bool") return v.scalar.dtype;
    if (v.kind === "list") {
      const inner = commonType(v.elements);
      if (inner) return inner;
    }
  }
  return values.some((v) => v.kind === "ratio" || (v.kind === "number" && !v.whole)) ? "f32" : undefined;
}
export function binary(e: Extract<ast.Expr, { kind: "binary" }>, scope: Scope, ctx: Context): Value {
  let left: Value;
  try {
    left = evaluate(e.left, scope, ctx);
  } catch (error) {
    return readOn(error, [e.right], scope, ctx);
  }
  const a = withParameters(left, e.left.span, ctx);
  const b = withParameters(evaluate(e.right, scope, ctx), e.right.span, ctx);
  if (e.operator === ">>") return compose(a, b, e);
  if (e.operator === "..") {
    const low = integerOf(a);
    const end = integerOf(b);
    if (!low || !end) throw errors.needed(e.span, "whole", kindText(low ? b : a));
    return { kind: "range", low, end };
  }
  if (e.operator === "@")
    return tensor(matmul(asTensor(a, e.left.span), asTensor(b, e.right.span), [e.left.span, e.right.span], e.span));
  if ((isBundle(a) && b.kind === "distribution") || (a.kind === "distribution" && isBundle(b)))
    return overBundles([a, b], e.span, (parts) => {
      const [x, y] = parts.map((v) => (v.kind === "distribution" ? drawnLike(v, parts, e.span, ctx) : v));
      return operate(e.operator, x!, y!, [e.left.span, e.right.span], e.span);
    });
  return operate(e.operator, a, b, [e.left.span, e.right.span], e.span);
}
/** A draw of the shape of the parameter that it meets. */
function drawnLike(d: Distribution, parts: readonly Value[], span: Span, ctx: Context): Value {
  if (ctx.element) throw errors.notInFor(span, "draw");
  const shape = parts.flatMap((v) => (v.kind === "tensor" ? [v.node.shape] : []))[0] ?? [];
  return tensor(drawTensor(d, shape, hashSite(`${ctx.draws.path}!${ctx.draws.count++}`), ctx, span));
}
export function operate(operator: string, a: Value, b: Value, spans: readonly [Span, Span], span: Span): Value {
  if (a.kind === "lazy") return operate(operator, a.force(), b, spans, span);
  if (b.kind === "lazy") return operate(operator, a, b.force(), spans, span);
  // an initialiser waits for its parameter, and so does what is made of it
  if (a.kind === "deferred") return { kind: "deferred", run: (ctx) => operate(operator, a.run(ctx), b, spans, span) };
  if (b.kind === "deferred") return { kind: "deferred", run: (ctx) => operate(operator, a, b.run(ctx), spans, span) };
  if (isPlain(a) && isPlain(b)) {
    const known = plainOperation(operator, a, b, span);
    if (known) return known;
  }
  const p = knownBool(a);
  const q = knownBool(b);
  if (operator === "and" && (p !== undefined || q !== undefined))
    return p === false || q === false ? { kind: "bool", value: false } : p === true ? b : a;
  if (operator === "or" && (p !== undefined || q !== undefined))
    return p === true || q === true ? { kind: "bool", value: true } : p === false ? b : a;
  if ((operator === "==" || operator === "!=") && p !== undefined && q !== undefined)
    return { kind: "bool", value: (p === q) === (operator === "==") };
  if ((operator === "==" || operator === "!=") && isCallable(a) && isCallable(b) && !isBundle(a) && !isBundle(b))
    return { kind: "bool", value: sameFunction(a, b) === (operator === "==") };
  if (a.kind === "distribution" || b.kind === "distribution") {
    if (a.kind === "distribution" && b.kind === "distribution") throw errors.twoDistributions(span);
    return a.kind === "distribution"
      ? shiftDistribution(a, operator, b, span)
      : shiftDistribution(b as Distribution, operator, a, span, true);
  }
  if (isBundle(a) || isBundle(b))
    return overBundles([a, b], span, ([x, y]) => operate(operator, x!, y!, [span, span], span));
  return elementwiseValues(operator, [a, b], spans, span);
}
/** Functions are the same by what they are, not by what they compute: `mode == max`. */
const sameFunction = (a: Value, b: Value): boolean =>
  a === b ||
  (a.kind === "builtin" && b.kind === "builtin" && a.name === b.name) ||
  (a.kind === "fn" && b.kind === "fn" && a.declaration === b.declaration && a.scope === b.scope);
function plainOperation(
  operator: string,
  a: Extract<Value, { kind: "number" | "int" | "ratio" }>,
  b: Extract<Value, { kind: "number" | "int" | "ratio" }>,
  span: Span,
): Value | undefined {
  if (a.kind === "number" && b.kind === "number") {
    const [x, y] = [a.value, b.value];
    const whole = a.whole && b.whole;
    switch (operator) {
      case "+":
        return number(x + y, whole);
      case "-":
        return number(x - y, whole);
      case "*":
        return number(x * y, whole);
      case "/":
        if (y === 0) throw errors.divisorZero(span);
        return number(x / y, whole && Number.isInteger(x / y));
      case "//":
      case "%":
        if (y === 0) throw errors.divisorZero(span);
        return number(operator === "//" ? Math.floor(x / y) : x - y * Math.floor(x / y), whole);
      case "^":
        return number(x ** y, whole && y >= 0);
      case "==":
        return { kind: "bool", value: x === y };
      case "!=":
        return { kind: "bool", value: x !== y };
      case "<":
        return { kind: "bool", value: x < y };
      case "<=":
        return { kind: "bool", value: x <= y };
      case ">":
        return { kind: "bool", value: x > y };
      case ">=":
        return { kind: "bool", value: x >= y };
      default:
        return undefined;
    }
  }
  const p = integerOf(a);
  const q = integerOf(b);
  if (operator === "/" && p && b.kind === "number" && b.value > 0 && Number.isInteger(b.value)) {
    if (termsOf(p).every(([, k]) => k % b.value === 0) && (p.kind !== "affine" || p.constant % b.value === 0))
      return int(floorDiv(p, b.value));
    return { kind: "ratio", numerator: p, divisor: b.value };
  }
  if (!p || !q) return undefined;
  // 2.0 is whole, but no whole number: what it is added to or multiplied by becomes f32
  if (
    ["+", "-", "*", "^", "//", "%"].includes(operator) &&
    ((a.kind === "number" && !a.whole) || (b.kind === "number" && !b.whole))
  )
    return undefined;
  const [kp, kq] = [constantOf(p), constantOf(q)];
  switch (operator) {
    case "+":
      return int(iadd(p, q));
    case "-":
      return int(isub(p, q));
    case "*":
      return kq !== undefined ? int(imul(p, kq)) : kp !== undefined ? int(imul(q, kp)) : int(mul(p, q) as Integer);
    case "//":
    case "%":
      if (kq !== undefined && kq > 0) return int(operator === "//" ? floorDiv(p, kq) : modulo(p, kq));
      {
        const [only, ...more] = termsOf(p);
        if (only && !more.length && only[0] === q && (p.kind !== "affine" || p.constant === 0))
          return number(operator === "//" ? only[1] : 0);
      }
      return int(combine(operator, [p, q], span) as Integer);
    case "^":
      return kq !== undefined && kq >= 0 && kq <= 64 ? int(combine(operator, [p, q], span) as Integer) : undefined;
    case "==":
    case "!=":
    case "<":
    case "<=":
    case ">":
    case ">=": {
      const s = combine(operator, [p, q], span);
      return s.kind === "literal" ? { kind: "bool", value: s.value === 1 } : scalar(s);
    }
    default:
      return undefined;
  }
}
function shiftDistribution(d: Distribution, operator: string, v: Value, span: Span, reversed = false): Value {
  const op = (o: string, x: Value, y: Value): Value => operate(o, x, y, [span, span], span);
  switch (operator) {
    case "*":
      return { ...d, scale: op("*", d.scale, v), offset: op("*", d.offset, v) };
    case "/":
      if (!reversed) return { ...d, scale: op("/", d.scale, v), offset: op("/", d.offset, v) };
      break;
    case "+":
      return { ...d, offset: op("+", d.offset, v) };
    case "-":
      return reversed
        ? { ...d, scale: op("*", d.scale, number(-1)), offset: op("-", v, d.offset) }
        : { ...d, offset: op("-", d.offset, v) };
  }
  throw errors.operatorOnDistribution(span, operator);
}
/** An instance in arithmetic stands for its parameters as they are at this line. */
export const withParameters = (v: Value, span: Span, ctx: Context): Value =>
  v.kind === "instance" && !v.values
    ? { ...v, values: new Map(parametersOf(v.instance, ctx, span).map((p) => [p, parameterOf(v, p, ctx)])) }
    : v;
/** Arithmetic of instances and gradients of the same one: the same layer with other parameters. */
function overBundles(operands: readonly Value[], span: Span, of: (operands: readonly Value[]) => Value): Value {
  const [first, ...others] = operands.filter(isBundle);
  const { instance } = first!;
  const other = others.find((x) => x.instance !== instance);
  if (other) throw errors.twoInstances(span, kindText(first!), kindText(other));
  const values = new Map<Source, Node>();
  for (const p of parametersSoFar(instance)) {
    const part = (v: Value): Value => (isBundle(v) ? tensor(v.values?.get(p) ?? p) : v);
    values.set(p, asTensor(of(operands.map(part)), span));
  }
  const kind = operands.some((v) => v.kind === "instance") ? "instance" : "gradient";
  return { kind, instance, values };
}
function compose(a: Value, b: Value, e: ast.Expr & { kind: "binary" }): Value {
  if (a.kind === "optimizers" && b.kind === "optimizers")
    return { kind: "optimizers", chain: [...a.chain, ...b.chain] };
  if (!isCallable(a)) throw errors.needed(e.left.span, "composable", kindText(a));
  if (!isCallable(b)) throw errors.needed(e.right.span, "composable", kindText(b));
  return { kind: "composed", first: a, second: b };
}
