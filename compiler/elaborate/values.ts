// Values: what they are called in messages, and as numbers, elements and tensors.
import type { Span } from "../../grammar/diagnostic.ts";
import { compute } from "../graph/node.ts";
import { shapeText } from "../graph/print.ts";
import {
  boolean,
  constantOf,
  div,
  iadd,
  integer,
  literal,
  load,
  nonNegative,
  select,
  toF32,
  variable,
} from "../graph/scalar.ts";
import type { DType, Integer, Node, Scalar } from "../graph/types.ts";
import { isI32 } from "../scalar/range.ts";
import type { Bundle, Value } from "./context.ts";
import { flattened } from "./tensors.ts";
import { beyondI32, elementForTensor, emptyList, mixedList, needed, notElement, typeText } from "./errors.ts";

export function kindText(v: Value): string {
  switch (v.kind) {
    case "number":
      return `the number ${v.value}`;
    case "int":
    case "ratio":
      return "a number";
    case "tensor":
      return typeText(v.node.dtype, v.node.shape);
    case "scalar":
      return v.scalar.dtype;
    case "tuple":
      return `a tuple of ${v.elements.length}`;
    case "list":
      return `a list of ${v.elements.length}`;
    case "fn":
      return `the function ${v.declaration.name.text}`;
    case "builtin":
      return `the function ${v.name}`;
    case "lambda":
    case "shaped":
    case "stacked":
    case "composed":
      return "a function";
    case "layer":
      return `the layer ${v.declaration.name.text}, not an instance of it`;
    case "optimizer":
      return `the optimizer ${v.declaration.name.text}`;
    case "instance":
      return `the instance ${v.instance.path}`;
    case "gradient":
      return `a gradient of ${v.instance.path}`;
    case "distribution":
    case "deferred":
      return "a distribution";
    case "optimizers":
      return "an optimizer";
    case "loader":
      return "a loader's value";
    case "dataset":
      return `the data ${v.name}`;
    case "train":
      return `the train block ${v.name}`;
    case "lazy":
      return kindText(v.force());
    default:
      return `a ${v.kind}`;
  }
}
export const plainNumber = (value: number): Extract<Value, { kind: "number" }> => ({
  kind: "number",
  value,
  whole: Number.isInteger(value),
});
export const number = (value: number, whole = Number.isInteger(value)): Value => ({ kind: "number", value, whole });
export const tensor = (node: Node): Value => ({ kind: "tensor", node });
export const scalar = (s: Scalar): Value => ({ kind: "scalar", scalar: s });
/** A whole number that may be symbolic; constants become plain numbers. */
export function int(value: Integer): Value {
  const known = constantOf(value);
  return known === undefined ? { kind: "int", value } : number(known, true);
}
/** The Integer of a whole number, or undefined. */
export function integerOf(v: Value): Integer | undefined {
  if (v.kind === "lazy") return integerOf(v.force());
  if (v.kind === "number") return v.whole || Number.isInteger(v.value) ? integer(v.value) : undefined;
  if (v.kind === "int") return v.value;
  if (v.kind === "scalar" && v.scalar.dtype === "i32") return v.scalar as Integer;
  if (v.kind === "tensor" && v.node.dtype === "i32" && v.node.shape.length === 0) return load(v.node, []) as Integer;
  return undefined;
}
export const isPlain = (v: Value): v is Extract<Value, { kind: "number" | "int" | "ratio" }> =>
  v.kind === "number" || v.kind === "int" || v.kind === "ratio";
export function knownBool(v: Value): boolean | undefined {
  if (v.kind === "bool") return v.value;
  if (v.kind === "scalar" && v.scalar.kind === "literal" && v.scalar.dtype === "bool") return v.scalar.value === 1;
  return undefined;
}
/** A plain number as a scalar of this dtype. */
export function plainScalar(v: Extract<Value, { kind: "number" | "int" | "ratio" }>, dtype: DType, span: Span): Scalar {
  if (dtype === "f32")
    return v.kind === "number" ? literal(v.value) : v.kind === "int" ? toF32(v.value) : divided(v.numerator, v.divisor);
  if (dtype === "i32") {
    const whole = integerOf(v);
    if (whole && v.kind === "number" && !isI32(v.value)) throw beyondI32(span, kindText(v));
    if (whole) return whole;
  }
  throw needed(span, dtype === "bool" ? "truth" : "whole", kindText(v));
}
const divided = (numerator: Integer, divisor: number): Scalar => div(toF32(numerator), literal(divisor));
/** Does the value depend on an index of a `for` or reducer around it? */
export function isElement(v: Value): boolean {
  switch (v.kind) {
    case "lazy":
      return isElement(v.force());
    case "scalar":
      return v.scalar.variables.size > 0;
    case "int":
      return v.value.variables.size > 0;
    case "ratio":
      return v.numerator.variables.size > 0;
    case "list":
      return v.elements.some(isElement);
    default:
      return false;
  }
}
export const inside = (span: Span): Error => elementForTensor(span);
/** A value that fills a whole tensor: it may not depend on an index around it. */
export function filling(
  v: Extract<Value, { kind: "number" | "int" | "ratio" | "bool" }>,
  span: Span,
  dtype?: DType,
): Scalar {
  if (isElement(v)) throw inside(span);
  return asScalarValue(v, span, dtype);
}
/** An element of type dtype, inside index notation. */
export function asScalarValue(v: Value, span: Span, dtype?: DType): Scalar {
  if (v.kind === "lazy") return asScalarValue(v.force(), span, dtype);
  if (isPlain(v))
    return plainScalar(
      v,
      dtype ?? (v.kind === "number" && !v.whole ? "f32" : v.kind === "ratio" ? "f32" : "i32"),
      span,
    );
  if (v.kind === "bool") return boolean(v.value);
  if (v.kind === "scalar") return v.scalar;
  if (v.kind === "tensor" && v.node.shape.length === 0) return load(v.node, []);
  throw notElement(span, kindText(v), v.kind === "tensor" ? shapeText(v.node.shape) : undefined);
}
/** A tensor, given what a plain number should become. */
export function asTensor(v: Value, span: Span, dtype?: DType): Node {
  if (v.kind === "lazy") return asTensor(v.force(), span, dtype);
  if (v.kind === "tensor") return v.node;
  if (v.kind === "scalar") {
    if (isElement(v)) throw inside(span);
    return compute([], undefined, v.scalar);
  }
  if (isPlain(v) || v.kind === "bool") return compute([], undefined, filling(v, span, dtype));
  if (v.kind === "list")
    return stackList(
      v.elements.map((x) => asTensor(x, span, dtype ?? listType(v.elements))),
      span,
    );
  // gradients and arithmetic of instances; of a bare instance it would mostly be a call that was forgotten
  if ((v.kind === "gradient" || v.kind === "instance") && v.values?.size)
    return flattened([...v.values.values()], span);
  throw needed(span, "tensor", kindText(v));
}
function listType(elements: readonly Value[]): DType {
  for (const x of elements) {
    const y = x.kind === "lazy" ? x.force() : x;
    if (y.kind === "tensor") return y.node.dtype;
    if (y.kind === "number" && !y.whole) return "f32";
    if (y.kind === "list") return listType(y.elements);
  }
  return "i32";
}
/** Equal types on a new first axis. */
function stackList(nodes: readonly Node[], span: Span): Node {
  const [first] = nodes;
  if (!first) throw emptyList(span, "tensor");
  for (const x of nodes)
    if (
      x.dtype !== first.dtype ||
      x.shape.length !== first.shape.length ||
      x.shape.some((n, d) => n !== first.shape[d])
    )
      throw mixedList(span, typeText(first.dtype, first.shape), typeText(x.dtype, x.shape));
  const axes = [variable(nodes.length, "s"), ...first.shape.map((n) => variable(n))];
  let body = load(nodes[0]!, axes.slice(1));
  for (let i = 1; i < nodes.length; i++)
    body = select(nonNegative(iadd(axes[0]!, -i)), load(nodes[i]!, axes.slice(1)), body);
  return compute(axes, undefined, body, { span });
}
const callable = new Set(["fn", "lambda", "builtin", "shaped", "stacked", "composed", "instance"]);
export const isCallable = (v: Value): boolean => callable.has(v.kind);
export const isBundle = (v: Value): v is Bundle => v.kind === "instance" || v.kind === "gradient";
/** Instances or their gradients, one or several: what a reducer over parameters runs through. */
export const bundlesOf = (v: Value): readonly Bundle[] | undefined =>
  isBundle(v)
    ? [v]
    : (v.kind === "list" || v.kind === "tuple") && v.elements.length && v.elements.every(isBundle)
      ? v.elements
      : undefined;
export const once = <T>(f: () => T): (() => T) => {
  let known: { value: T } | undefined;
  return () => (known ??= { value: f() }).value;
};
