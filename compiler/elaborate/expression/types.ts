// Types: the shape that one states, and whether a value fits: dtype, shape exactly, range.
import type * as ast from "../../../grammar/ast.ts";
import type { Fix, Label, Span } from "../../../grammar/diagnostic.ts";
import { wrapping, writing } from "../../../grammar/fixes.ts";
import { compute, indicesOf } from "../../graph/node.ts";
import { extentText, shapeText } from "../../graph/print.ts";
import { asExtent, constantOf, iadd, interval, isub, load, provedNonNegative } from "../../graph/scalar.ts";
import type { DType, Extent, Integer, Node, Range, Shape } from "../../graph/types.ts";
import { leastI32, mostI32 } from "../../scalar/range.ts";
import { shaped } from "../builtins/shaped.ts";
import { lossesOfClasses } from "../../std/facts.ts";
import { apply, type Context, evaluate, type Expected, Scope, type Value } from "../context.ts";
import * as errors from "../errors.ts";
import { axesOf, isFixed, sizeFrom } from "../tensors.ts";
import {
  asScalarValue,
  asTensor,
  bundlesOf,
  filling,
  integerOf,
  isBundle,
  isCallable,
  isElement,
  isPlain,
  kindText,
  knownBool,
  number,
  scalar,
  tensor,
} from "../values.ts";
import { described, integerText } from "./faults.ts";

/** What the dims of a signature stand for where it is used. */
export interface Bound {
  readonly scope: Scope;
  readonly dims: Map<string, Integer>; // dim variables
  readonly spreads: Map<string, Shape>;
  readonly origins?: Map<string, { readonly span: Span; readonly text: string; readonly name: string }>; // the argument that fixed a dim
  readonly signature?: () => string;
}
/** The dim variable that stands alone in a formula: `T`, or `T <= 512`. */
export const dimVariable = (e: ast.Expr): string | undefined =>
  e.kind === "name" && /^[A-Z]/.test(e.text)
    ? e.text
    : e.kind === "binary" &&
        (e.operator === "<=" || e.operator === "<") &&
        e.left.kind === "name" &&
        /^[A-Z]/.test(e.left.text)
      ? e.left.text
      : undefined;
export const elementType = (t: ast.TensorType): DType =>
  t.element.text === "i32" || t.element.text === "bool" ? t.element.text : "f32";
export function typeSource(t: { readonly span: Span }): string {
  return t.span.file.text.slice(t.span.start, t.span.end);
}
/** The shape that a type states, its dims known. */
export function statedShape(type: ast.TensorType, bound: Bound, ctx: Context): Shape {
  return (type.dims ?? []).flatMap((d): Extent[] => {
    if (d.kind === "spread") {
      const shape = bound.spreads.get(d.name.text) ?? findSpread(d.name, bound.scope, ctx);
      if (!shape) throw errors.unboundDim(d.span, `...${d.name.text}`);
      return [...shape];
    }
    return [extentOf(d.value, bound.scope, ctx)];
  });
}
/** What of a type's shape is known before the value is there: the extents of a `for` without ranges follow from it. */
export function shapeSoFar(type: ast.Type | undefined, bound: Bound, ctx: Context): Expected["shape"] | undefined {
  if (type?.kind !== "tensor_type") return undefined;
  const dims = (type.dims ?? []).map((d): Expected["shape"] | undefined => {
    if (d.kind === "spread") return bound.spreads.get(d.name.text);
    try {
      return [dimKnown(d.value, bound.scope) ? extentOf(d.value, bound.scope, ctx) : undefined];
    } catch (error) {
      if (error instanceof errors.Fault) return [undefined]; // told of where the value is checked
      throw error;
    }
  });
  return dims.some((d) => d === undefined) ? undefined : dims.flatMap((d) => d!);
}
/** The context of an expression whose shape is known before. */
export function expecting(e: ast.Expr | undefined, shape: Expected["shape"] | undefined, ctx: Context): Context {
  if (e?.kind === "paren") return expecting(e.value, shape, ctx);
  return e?.kind === "for" && shape ? { ...ctx, expected: { of: e, shape } } : ctx;
}
export function extentOf(e: ast.Expr, scope: Scope, ctx: Context): Extent {
  const alone = dimVariable(e);
  if (alone && scope.find(alone) === undefined && ctx.ambient.find(alone) === undefined)
    throw errors.unboundDim(e.span, alone);
  if (e.kind === "name" && scope.find(e.text) === undefined && ctx.ambient.find(e.text) === undefined)
    throw errors.unboundDim(e.span, e.text);
  if (e.kind === "binary" && !alone)
    for (const part of [e.left, e.right])
      if (
        part.kind === "name" &&
        dimVariable(part) &&
        scope.find(part.text) === undefined &&
        ctx.ambient.find(part.text) === undefined
      )
        throw errors.unboundDim(part.span, part.text);
  const v = evaluate(alone && e.kind === "binary" ? e.left : e, scope, ctx);
  return extentValue(v, e.span);
}
export function extentValue(v: Value, span: Span): Extent {
  if (v.kind === "ratio") throw errors.notWhole(span);
  const whole = integerOf(v);
  if (!whole) {
    if (v.kind === "number") throw errors.notWhole(span, v.value);
    throw errors.needed(span, "size", kindText(v));
  }
  if (!isFixed(whole)) throw errors.knownTooLate(span, "a size");
  const known = constantOf(whole);
  if (known !== undefined && known < 0) throw errors.negativeSize(span, known);
  if (known !== undefined && known > errors.mostElements) throw errors.beyondLimit(span, "axis", known);
  return sizeFrom(whole, span);
}
/** The axes of `...S`; or of `...shape`, a list of sizes. */
function findSpread({ text, span }: ast.Name, scope: Scope, ctx: Context): Shape | undefined {
  for (const { spreads } of scope.declarations()) if (spreads.has(text)) return spreads.get(text);
  const sizes = scope.find(text) ?? ctx.ambient.find(text);
  return sizes?.kind === "list" || sizes?.kind === "tuple"
    ? sizes.elements.map((n) => extentValue(n, span))
    : undefined;
}
export function bracketShape(indices: readonly ast.IndexExpr[], scope: Scope, ctx: Context): Shape {
  return indices.flatMap((i): Extent[] => {
    if (i.kind === "all") throw errors.needed(i.span, "size", "`:`");
    if (i.kind === "rest") {
      const found = i.name && findSpread(i.name, scope, ctx);
      if (!found) throw errors.unboundDim(i.span, `...${i.name?.text ?? ""}`);
      return [...found];
    }
    return [extentValue(evaluate(i.value, scope, ctx), i.span)];
  });
}
/** `zeros`, `normal(0, 1)`: what a shape in brackets makes a tensor. */
const takesShape = (v: Value): boolean =>
  v.kind === "distribution" ||
  (v.kind === "builtin" && shaped.has(v.name) && shaped.get(v.name)!.gives.kind !== "tensor");
/** A value that is to fit a type, and how it is spoken of. */
interface Checked {
  readonly bound: Bound; // the dims that the type may name
  readonly what: string; // "Linear's x"
  readonly span: Span; // of the value
  readonly ctx: Context;
  readonly param: ast.Param | undefined; // whose type it is
}
/** The value if it fits the type: dtype, shape exactly, range. A plain number fits any shape. */
export function checkType(
  value: Value,
  type: ast.Type,
  bound: Bound,
  what: string,
  span: Span,
  ctx: Context,
  param?: ast.Param,
): Value {
  if (value.kind === "lazy") return checkType(value.force(), type, bound, what, span, ctx, param);
  if (type.kind === "tuple_type") {
    if (value.kind !== "tuple" || value.elements.length !== type.elements.length)
      throw errors.notTuple(span, type.elements.length, kindText(value));
    return {
      kind: "tuple",
      elements: type.elements.map((t, i) => checkType(value.elements[i]!, t, bound, what, span, ctx, param)),
    };
  }
  const of: Checked = { bound, what, span, ctx, param };
  const want = type.element.text;
  switch (want) {
    case "fn":
      return checkCallable(value, span);
    case "dist":
      return checkDistribution(value, of);
    case "int":
      return checkWhole(value, type, of);
    case "bool":
      return !type.dims && value.kind === "bool" ? value : checkElements(value, type, want, of);
    case "f32":
    case "i32":
      return checkElements(value, type, want, of);
    default:
      throw errors.unknownName(type.element.span, want, ["f32", "i32", "bool", "int", "fn", "dist"], { kind: "type" });
  }
}
/** A gradient, or a list of layers, is one for what runs through its parameters. */
function checkCallable(value: Value, span: Span): Value {
  if (isCallable(value) || bundlesOf(value)) return value;
  throw errors.notFunction(span, kindText(value), {
    layer: value.kind === "layer" ? value.declaration.name.text : undefined,
    string: value.kind === "string" ? value.value : undefined,
  });
}
function checkDistribution(value: Value, { span, ctx }: Checked): Value {
  const initial = initialiser(value, span, ctx);
  if (initial) return initial;
  throw errors.needed(span, "distribution", kindText(value));
}
/** `int`, and `int[2]`: a list, which one number stands for too. */
function checkWhole(value: Value, type: ast.TensorType, of: Checked): Value {
  const { bound, span, ctx } = of;
  if (!type.dims) {
    if (integerOf(value) && value.kind !== "tensor") {
      if (type.range) checkNumber(value, type.range, "int", of);
      return value;
    }
    throw value.kind === "number" ? errors.notWhole(span, value.value) : errors.needed(span, "whole", kindText(value));
  }
  const count = statedShape(type, bound, ctx)[0];
  if (typeof count === "number" && count > errors.most) throw errors.beyondLimit(type.span, "list", count);
  const list: Value =
    integerOf(value) && typeof count === "number"
      ? { kind: "list", elements: Array.from({ length: count }, () => value) }
      : value;
  if (list.kind !== "list" || (count !== undefined && list.elements.length !== count))
    throw errors.notWholeNumbers(span, count, kindText(value));
  if (type.range) for (const element of list.elements) checkNumber(element, type.range, "int", of);
  return list;
}
function checkElements(value: Value, type: ast.TensorType, dtype: DType, of: Checked): Value {
  const { bound, what, span, ctx } = of;
  if (type.range && dtype !== "i32") {
    if (dtype !== "f32" || type.dims?.length) throw errors.rangeOfFloats(type.range.span, dtype);
    checkNumber(value, type.range, dtype, of);
  }
  if (isPlain(value) || (value.kind === "bool" && dtype === "bool")) return checkPlain(value, type, dtype, of);
  if (value.kind === "scalar") {
    if (value.scalar.dtype !== dtype) throw errors.wrongType(span, dtype, value.scalar.dtype);
    const shape = (type.dims ?? []).some((d) => d.kind === "dim") ? undefined : statedShape(type, bound, ctx);
    if (shape?.length === 0) {
      if (type.range && dtype === "i32")
        checkRange(value.scalar as Integer, undefined, type.range, bound.scope, what, span, ctx);
      return value;
    }
    if (isElement(value) || !shape)
      throw errors.elementOfShape(
        span,
        what,
        shape ? errors.typeText(dtype, shape) : typeSource(type),
        value.scalar.dtype,
      );
  }
  const isVector = isBundle(value) && value.values !== undefined; // all its parameters
  if (value.kind !== "tensor" && value.kind !== "list" && value.kind !== "scalar" && !isVector)
    throw errors.wrongType(span, typeSource(type), kindText(value), {
      shaped: takesShape(value),
      takes:
        value.kind === "fn" ? value.declaration.params.flatMap((p) => (p.default ? [] : [p.name.text])) : undefined,
    });
  return checkTensor(asTensor(value, span, dtype), type, dtype, of);
}
/** A plain number fits any shape: it fills it. */
function checkPlain(
  value: Extract<Value, { kind: "number" | "int" | "ratio" | "bool" }>,
  type: ast.TensorType,
  dtype: DType,
  { bound, what, span, ctx }: Checked,
): Value {
  if (dtype === "bool" && value.kind !== "bool") throw errors.needed(span, "truth", kindText(value));
  if (isPlain(value) && dtype === "i32" && !integerOf(value)) throw errors.needed(span, "whole", kindText(value));
  if (type.range && dtype === "i32") checkRange(integerOf(value)!, undefined, type.range, bound.scope, what, span, ctx);
  const known = (type.dims ?? []).every((d) =>
    d.kind === "spread" ? bound.spreads.has(d.name.text) : dimKnown(d.value, bound.scope),
  );
  const shape = type.dims?.length && known ? statedShape(type, bound, ctx) : [];
  if (shape.length) return tensor(compute(axesOf(shape), undefined, filling(value, span, dtype), { span }));
  if (dtype !== "f32" || !isPlain(value)) return value;
  return value.kind === "number" ? number(value.value, false) : scalar(asScalarValue(value, span, "f32"));
}
const axesNeeded = (need: number, there: number, atLeast = ""): string =>
  `${need || "no"} ${need === 1 ? "axis is" : "axes are"} needed${atLeast}, there ${there === 1 ? "is" : "are"} `;
function checkTensor(node: Node, type: ast.TensorType, dtype: DType, of: Checked): Value {
  const { bound, what, span, ctx, param } = of;
  const mismatch = (why: Mismatch): errors.Fault => typeMismatch(node, type, of, why);
  const { shape } = node;
  const x = errors.short(span, "x");
  if (node.dtype !== dtype)
    throw mismatch({
      hint: dtype === "bool" ? `compare: ${x} > 0` : `write ${dtype}(${x}) to convert${classesHint(node, of)}`,
      fixes: [dtype === "bool" ? wrapping(span, "(", ") > 0") : wrapping(span, `${dtype}(`, ")")],
    });
  const spread = (type.dims ?? []).find((d) => d.kind === "spread");
  const fixed = (type.dims ?? []).length - (spread ? 1 : 0);
  if (spread ? shape.length < fixed : shape.length !== fixed)
    throw mismatch({
      equation: axesNeeded(fixed, shape.length, spread ? " at least" : "") + (shape.length || "none"),
      ...(fixed ? {} : errors.axesHint(span, [], shape)),
      ...(isRowsOf(shape, type, of)
        ? {
            hint: `write ${param!.name.text}: ${dtype}[B, ${dimsText(type)}]: rows come first`,
            fixes: [writing(type.span, `${dtype}[B, ${dimsText(type)}]`)],
          }
        : fixed
          ? eachHint(shape.length - fixed, of)
          : {}),
    });
  const wanted = statedShape(type, bound, ctx);
  const axis = wanted.length === shape.length ? wanted.findIndex((n, d) => n !== shape[d]) : -1;
  if (axis >= 0) {
    const stretched = shape.every((n, d) => n === wanted[d] || n === 1);
    throw mismatch({
      wanted,
      axis,
      equation: `axis ${axis} must be ${extentText(wanted[axis]!)}, it is ${extentText(shape[axis]!)}`,
      ...(stretched
        ? {
            hint: `a signature never stretches an axis; write expand${shapeText(wanted)}(${x}) if it is meant`,
            fixes: [wrapping(span, `expand${shapeText(wanted)}(`, ")")],
          }
        : {}),
    });
  }
  if (wanted.length !== shape.length)
    throw mismatch({
      wanted,
      equation: axesNeeded(wanted.length, shape.length) + (shape.length || "none"),
      ...errors.axesHint(span, wanted, shape, ctx.ambient.find("batch")),
    });
  for (const d of type.dims ?? []) checkBound(d, bound, span, ctx);
  if (type.range && dtype === "i32") {
    const element = load(node, indicesOf(axesOf(shape))) as Integer;
    checkRange(element, node.range, type.range, bound.scope, what, span, ctx);
  }
  return tensor(node);
}
/** Class numbers where a loss takes numbers. */
function classesHint({ dtype, range }: Node, { what, param }: Checked): string {
  if (dtype !== "i32" || range?.low !== 0 || range.high === Infinity || !param?.span.file.library) return "";
  const [first] = lossesOfClasses(what.slice(0, what.indexOf("'")));
  return first ? `, or give class numbers to ${first}` : "";
}
/** A function of the library given several of what it takes, stacked along `more` axes in front. */
function eachHint(more: number, { what, span, param, bound }: Checked): { readonly hint?: string } {
  const [name] = /^[a-z]\w*(?='s )/.exec(what) ?? [];
  if (!name || !param?.span.file.library || more < 1 || more > 2) return {};
  const indices = ["b", "c"].slice(0, more).join(", ");
  const others = /,(?![^[]*\])/.test(bound.signature?.() ?? "") ? ", ..." : "";
  return { hint: `for each of them: \`for ${indices}: ${name}(${errors.short(span, "x")}[${indices}]${others})\`` };
}
const dimsText = ({ dims = [] }: ast.TensorType): string =>
  dims.map((d) => d.span.file.text.slice(d.span.start, d.span.end)).join(", ");
/** Are these rows of what the type of a declaration's own input says? */
function isRowsOf(shape: Shape, type: ast.TensorType, { param, bound, ctx }: Checked): boolean {
  const dims = type.dims ?? [];
  if (!param || param.span.file.library || !dims.length || dims.length + 1 !== shape.length) return false;
  if (dims.some((d) => d.kind === "spread")) return false;
  return shapeSoFar(type, bound, ctx)?.every((n, d) => n === undefined || n === shape[d + 1]) ?? false;
}
/** What parameters may begin as: a distribution, a tensor, a number; zeros, ones and initialisers by their names alone. */
export function initialiser(v: Value, span: Span, ctx: Context): Value | undefined {
  if (v.kind === "distribution" || v.kind === "deferred" || v.kind === "tensor" || isPlain(v)) return v;
  if (v.kind === "list") return tensor(asTensor(v, span, "f32"));
  if (v.kind === "builtin") return elementOf(v, span, ctx);
  return v.kind === "fn" && v.declaration.kind === "init" ? apply(v, [], span, ctx) : undefined;
}
/** What every element is by the bare name of a function, `zeros` or `normal`: a number, or a distribution. */
export function elementOf(f: Extract<Value, { kind: "builtin" }>, span: Span, ctx: Context): Value | undefined {
  const gives = shaped.get(f.name)?.gives;
  if (gives?.kind === "number") return number(gives.value, false);
  return gives?.kind === "draws" ? apply(f, [], span, ctx) : undefined;
}
/** Why a tensor does not fit: the shape that the type states here, its first axis that is wrong, and what was compared. */
interface Mismatch {
  readonly wanted?: Shape;
  readonly axis?: number;
  readonly equation?: string;
  readonly hint?: string | undefined;
  readonly fixes?: readonly Fix[] | undefined; // what the hint names
}
/** Both places and both shapes of a value that does not fit its type, and what fixed the dims of the axis that is wrong. */
function typeMismatch(node: Node, type: ast.TensorType, of: Checked, why: Mismatch): errors.Fault {
  const { bound, what, span, ctx, param } = of;
  const part = wrongPart(node, type, why);
  const mentions = (name: string): boolean =>
    part !== undefined &&
    (part.kind === "spread"
      ? part.name.text === name
      : new RegExp(`\\b${name}\\b`).test(part.span.file.text.slice(part.span.start, part.span.end)));
  const fixing = [...(bound.origins ?? [])].filter(
    ([name, from]) => from.span !== span && from.name !== param?.name.text && mentions(name),
  );
  const dimText = (name: string): string => {
    if (bound.spreads.has(name)) return `...${name} = ${shapeText(bound.spreads.get(name)!)}`;
    const size = bound.dims.has(name) ? extentText(asExtent(bound.dims.get(name)!)) : name;
    return size === name ? name : `${name} = ${size}`;
  };
  const declared =
    param && !param.span.file.library
      ? [{ span: param.span, text: `${typeSource(type)} is asked for here` }]
      : !param && !type.span.file.library && type.span.start !== span.start
        ? [{ span: type.span, text: "declared here" }]
        : [];
  const labels: Label[] = [
    { span, text: described(tensor(node), span, ctx) },
    ...fixing
      .filter(([, from], i) => fixing.findIndex(([, f]) => f.span === from.span) === i)
      .map(([, from]) => ({ span: from.span, text: from.text })),
    ...declared,
  ];
  const fixed = fixing.map(([name, from]) => `\`${from.name}\` fixed ${dimText(name)}; `).join("");
  const notes = [
    ...(bound.signature && param && why.equation ? [bound.signature()] : []),
    ...(why.equation ? [fixed + why.equation] : []),
  ];
  return errors.shapeMismatch(
    span,
    what,
    why.wanted ? errors.typeText(elementType(type), why.wanted) : typeSource(type),
    errors.typeText(node.dtype, node.shape),
    {
      labels,
      notes,
      hint: why.hint,
      fixes: why.fixes,
      unequal: why.wanted ? errors.differing(why.wanted, node.shape) : [],
    },
  );
}
/** The part of the type that says the axis that is wrong. */
function wrongPart(node: Node, type: ast.TensorType, { wanted, axis }: Mismatch): ast.DimExpr | undefined {
  const dims = type.dims ?? [];
  const spread = dims.findIndex((d) => d.kind === "spread");
  if (axis === undefined) return wanted ? dims[spread] : undefined;
  if (spread < 0 || axis < spread) return dims[axis];
  const behind = dims.length - 1 - spread; // axes after the spread
  return axis >= node.shape.length - behind ? dims[axis - node.shape.length + dims.length] : dims[spread];
}
const dimKnown = (e: ast.Expr, scope: Scope): boolean => {
  const alone = dimVariable(e);
  return !alone || scope.find(alone) !== undefined;
};
function checkBound(d: ast.DimExpr, bound: Bound, span: Span, ctx: Context): void {
  if (d.kind !== "dim" || d.value.kind !== "binary" || d.value.left.kind !== "name") return;
  const v = knownBool(evaluate(d.value, bound.scope, ctx));
  const dim = bound.scope.find(d.value.left.text);
  if (v === false)
    throw errors.shapeMismatch(
      span,
      d.value.left.text,
      d.value.span.file.text.slice(d.value.span.start, d.value.span.end),
      dim?.kind === "number" ? String(dim.value) : "more",
      { labels: d.span.file.library ? [] : [{ span: d.span, text: "declared here" }] },
    );
}
/** Every value of `element`, of range `own`, lies in the declared range. */
function checkRange(
  element: Integer,
  own: Range | undefined,
  range: ast.Expr,
  scope: Scope,
  what: string,
  span: Span,
  ctx: Context,
): void {
  const r = declaredRange(range, scope, span, ctx);
  const ok = provedNonNegative(isub(element, r.low)) && provedNonNegative(isub(iadd(r.end, -1), element));
  if (ok || ctx.trial) return;
  const { low, high } = own ?? interval(element);
  const open = low <= leastI32 || high === mostI32 || high === Infinity;
  const got = open
    ? "any i32"
    : low === high
      ? String(low)
      : `in ${low}..${typeof high === "number" ? high + 1 : `${extentText(high)} + 1`}`;
  throw errors.outsideOfRange(
    span,
    what,
    got,
    `${integerText(r.low)}..${integerText(r.end)}`,
    range.span.file.library ? undefined : range.span,
    low === high,
  );
}
/**
 * The range of a number that is given as an argument: of an `int` it leaves out the end, as all ranges of whole numbers do, of an f32 both ends
 * belong to it. What is known at run time alone is not looked at.
 */
function checkNumber(value: Value, range: ast.Expr, kind: "int" | "f32", { bound, what, span, ctx }: Checked): void {
  const known =
    value.kind === "number"
      ? value.value
      : value.kind === "scalar" && value.scalar.kind === "literal"
        ? value.scalar.value
        : undefined;
  const ends = range.kind === "binary" && range.operator === ".." ? [range.left, range.right] : [];
  const [low, end] = ends.map((e) => evaluate(e, bound.scope, ctx));
  if (low?.kind !== "number" || end?.kind !== "number")
    throw errors.needed(range.span, "knownRange", kindText(low ?? evaluate(range, bound.scope, ctx)));
  if (end.value < low.value || (kind === "int" && end.value === low.value))
    throw errors.emptyRange(range.span, typeSource(range));
  if (known === undefined || ctx.trial || ctx.generic) return;
  if (known >= low.value && (kind === "f32" ? known <= end.value : known < end.value)) return;
  const asked = range.span.file.library ? undefined : range.span;
  throw errors.outsideOfRange(span, what, String(known), typeSource(range), asked, true);
}
/** `in low..end` of a type. */
export function declaredRange(
  range: ast.Expr,
  scope: Scope,
  span: Span,
  ctx: Context,
): { readonly low: Integer; readonly end: Integer } {
  const names = range.kind === "binary" ? [range.left, range.right] : [];
  for (const e of names)
    if (
      e.kind === "name" &&
      dimVariable(e) &&
      scope.find(e.text) === undefined &&
      ctx.ambient.find(e.text) === undefined
    )
      throw errors.unboundDim(span, e.text);
  const r = evaluate(range, scope, ctx);
  if (r.kind !== "range") throw errors.needed(range.span, "declaredRange", kindText(r));
  const [low, end] = [constantOf(r.low), constantOf(r.end)];
  const text = `${integerText(r.low)}..${integerText(r.end)}`;
  if (low !== undefined && end !== undefined && end <= low) throw errors.emptyRange(range.span, text);
  if ((low ?? 0) < leastI32 || (end ?? 0) > mostI32 + 1) throw errors.rangeBeyondI32(range.span, text);
  return r;
}
