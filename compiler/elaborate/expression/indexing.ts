// Brackets: elements and slices of tensors and lists, and the shapes of `reshape[...]`, `zeros[...]` and draws.
import type * as ast from "../../../grammar/ast.ts";
import type { Label, Span } from "../../../grammar/diagnostic.ts";
import { compute, indicesOf } from "../../graph/node.ts";
import {
  and,
  extentInteger,
  boolean,
  floorDiv,
  iadd,
  integer,
  interval,
  isBounded,
  isub,
  linear,
  literal,
  load,
  modulo,
  provedNonNegative,
  select,
  termsOf,
  variable,
} from "../../graph/scalar.ts";
import type { Extent, Integer, Node, Scalar, Variable } from "../../graph/types.ts";
import { impliedBy } from "../../graph/verify.ts";
import { callOf } from "../builtins/call.ts";
import { shaped } from "../builtins/shaped.ts";
import {
  type Argument,
  type Callable,
  type Context,
  type Distribution,
  evaluate,
  Scope,
  type Value,
} from "../context.ts";
import { drawTensor, hashSite } from "../draws.ts";
import * as errors from "../errors.ts";
import { axesOf, combine, sizeFrom } from "../tensors.ts";
import { asScalarValue, asTensor, integerOf, kindText, scalar, tensor } from "../values.ts";
import { integerText } from "./faults.ts";
import { bracketShape, elementOf } from "./types.ts";

export function indexExpression(e: Extract<ast.Expr, { kind: "index" }>, scope: Scope, ctx: Context): Value {
  const sized = ctx.sizing?.get(e.operand);
  const v = sized && scope.isWithin(sized.scope) ? sized.value : evaluate(e.operand, scope, ctx);
  if (v.kind === "builtin" || v.kind === "distribution") {
    if (v.kind === "distribution") return tensor(drawBracketed(v, e, scope, ctx));
    const element = elementOf(v, e.span, ctx);
    if (element?.kind === "distribution") return tensor(drawBracketed(element, e, scope, ctx));
    if (element)
      return tensor(
        compute(axesOf(bracketShape(e.indices, scope, ctx)), undefined, asScalarValue(element, e.span, "f32")),
      );
    const gives = shaped.get(v.name)?.gives;
    if (gives?.kind === "tensor") return { kind: "shaped", name: v.name, of: gives.of, dims: e.indices, scope };
  }
  if (v.kind === "list" || v.kind === "tuple") {
    const first = e.indices[0];
    if (e.indices.length === 1 && first?.kind === "at") {
      const at = evaluate(first.value, scope, ctx);
      if (at.kind === "number") {
        const i = at.value < 0 ? v.elements.length + at.value : at.value;
        const found = v.elements[i];
        if (!found)
          throw errors.noSuchElement(first.span, at.value, v.elements.length, {
            span: e.operand.span,
            text: kindText(v),
          });
        return found;
      }
    }
    return indexTensor(asTensor(v, e.operand.span), e, scope, ctx);
  }
  if (v.kind === "scalar" && e.indices.every((i) => i.kind === "rest")) return v; // i[...] of an element
  return indexTensor(asTensor(v, e.operand.span), e, scope, ctx);
}
/** `reshape[B, 4](x)`, `expand[B, 4](x)`. */
export function applyShaped(
  f: Extract<Callable, { kind: "shaped" }>,
  args: readonly Argument[],
  span: Span,
  ctx: Context,
): Value {
  const x = callOf(f.name, args, span, ctx).node(0);
  return tensor(f.of(x, bracketShape(f.dims, f.scope, ctx), span));
}
function drawBracketed(d: Distribution, e: Extract<ast.Expr, { kind: "index" }>, scope: Scope, ctx: Context): Node {
  if (ctx.element) throw errors.notInFor(e.span, "draw");
  const site = hashSite(`${ctx.draws.path}!${ctx.draws.count++}`);
  return drawTensor(d, bracketShape(e.indices, scope, ctx), site, ctx, e.span);
}
/** x[...] while it is read. */
interface Brackets {
  readonly x: Node;
  readonly e: Extract<ast.Expr, { kind: "index" }>;
  readonly operand: Label; // what x is, told beside faults
  readonly ctx: Context;
}
/** What one entry of the brackets does with its axis; `guard`: whether it is an index at all. */
type Part =
  | { readonly kind: "keep" }
  | { readonly kind: "slice"; readonly low: Integer; readonly extent: Extent }
  | { readonly kind: "at"; readonly index: Integer; readonly guard?: Scalar; readonly fromEnd?: boolean }
  | { readonly kind: "tensor"; readonly ids: Node };
interface Placed {
  readonly part: Part;
  readonly span: Span;
}
/** x[...]: whole-array when any axis stays, an element when all indices are elements inside index notation. */
function indexTensor(x: Node, e: Brackets["e"], scope: Scope, ctx: Context): Value {
  const of: Brackets = { x, e, operand: { span: e.operand.span, text: errors.typeText(x.dtype, x.shape) }, ctx };
  const parts = partsOf(of, scope);
  const outside = e.outside && evaluate(e.outside, scope, ctx);
  const [, secondTensor] = parts.filter((y) => y.part.kind === "tensor");
  if (secondTensor) throw errors.secondIndexTensor(secondTensor.span);
  // output axes in order; a tensor index puts its axes in its place
  const output: Variable[] = [];
  const guards: Scalar[] = [];
  const at = parts.map((y, d) => indexOf(y, d, of, output, guards));
  // what is not read where a `where` around chooses the other branch is 0 there
  const isGuarded = !outside && !ctx.trial && at.some((index, d) => !isWithin(index, x.shape[d]!));
  const unread = (): Scalar =>
    x.dtype === "i32" ? integer(Math.max(0, x.range?.low ?? 0)) : x.dtype === "bool" ? boolean(false) : literal(0);
  const beyond = outside ? asScalarValue(outside, e.outside!.span, x.dtype) : isGuarded ? unread() : undefined;
  let element = load(x, at, beyond);
  if (guards.length) element = select(and(...guards), element, beyond!);
  const elementary = output.length === 0 && (element.variables.size > 0 || scope.find("%for") !== undefined);
  if (elementary) return scalar(element);
  if (element.variables.size > output.length || [...element.variables].some((v) => !output.includes(v)))
    throw errors.notInFor(e.span, "slice");
  return tensor(compute(output, undefined, element, { span: e.span }));
}
/** One part for every axis of x. */
function partsOf(of: Brackets, scope: Scope): Placed[] {
  const { x, e, ctx } = of;
  const hasRest = e.indices.some((i) => i.kind === "rest");
  const named = e.indices.length - (hasRest ? 1 : 0);
  if (named > x.shape.length) throw errors.tooManyIndices(e.span, named, x.shape.length);
  const restCount = x.shape.length - named;
  const parts: Placed[] = [];
  const keep = (count: number, span: Span): void => {
    for (let k = 0; k < count; k++) parts.push({ part: { kind: "keep" }, span });
  };
  for (const i of e.indices) {
    if (i.kind === "all") keep(1, i.span);
    else if (i.kind === "at")
      parts.push({ part: partAt(i.value, evaluate(i.value, scope, ctx), i.span, parts.length, of), span: i.span });
    else {
      const own = i.name ? undefined : scope.find("..."); // the axes that `...` of a `for` around runs over
      if (own?.kind !== "list") keep(restCount, i.span);
      else if (own.elements.length !== restCount) throw errors.spreadRank(i.span, own.elements.length, restCount);
      else for (const v of own.elements) parts.push({ part: { kind: "at", index: integerOf(v)! }, span: i.span });
    }
  }
  if (!hasRest) keep(x.shape.length - parts.length, e.span);
  return parts;
}
function partAt(written: ast.Expr, v: Value, span: Span, axis: number, of: Brackets): Part {
  const extent = of.x.shape[axis]!;
  if (v.kind === "range") return slicePart(written, v, span, axis, of);
  // an index that does not come out even is outside
  if (v.kind === "number" && !Number.isInteger(v.value) && of.e.outside)
    return { kind: "at", index: integer(Math.floor(v.value)), guard: boolean(false) };
  if (v.kind === "ratio")
    return {
      kind: "at",
      index: floorDiv(v.numerator, v.divisor),
      guard: combine("==", [modulo(v.numerator, v.divisor), integer(0)], span),
    };
  if (v.kind === "list") return { kind: "tensor", ids: asTensor(v, span, "i32") };
  if (v.kind === "tensor" && v.node.shape.length > 0) {
    if (v.node.dtype === "i32") return { kind: "tensor", ids: v.node };
    throw errors.needed(span, "indices", errors.typeText(v.node.dtype, v.node.shape));
  }
  const index = integerOf(v);
  if (!index) throw errors.needed(span, "whole", kindText(v));
  const fromEnd = isNegativeLiteral(written);
  return { kind: "at", index: fromEnd ? iadd(index, extentInteger(extent)) : index, fromEnd };
}
function slicePart(
  written: ast.Expr,
  v: Extract<Value, { kind: "range" }>,
  span: Span,
  axis: number,
  { x, operand, ctx }: Brackets,
): Part {
  const extent = x.shape[axis]!;
  const fromStart = (n: Integer, as: ast.Expr | undefined): Integer =>
    isNegativeLiteral(as) ? iadd(n, extentInteger(extent)) : n;
  const bounds = written.kind === "binary" && written.operator === ".." ? written : undefined;
  const low = fromStart(v.low, bounds?.left);
  const end = fromStart(v.end, bounds?.right);
  if (!isHeld(low, span, ctx) || !isHeld(isub(extentInteger(extent), end), span, ctx))
    throw errors.sliceOutOfRange(span, integerText(low), integerText(end), extent, axis, operand);
  return { kind: "slice", low, extent: sizeFrom(isub(end, low), span) };
}
/** The index that a part reads its axis at; adds the axes that it gives the result, and its guard. */
function indexOf({ part, span }: Placed, axis: number, of: Brackets, output: Variable[], guards: Scalar[]): Integer {
  const n = of.x.shape[axis]!;
  switch (part.kind) {
    case "keep": {
      const v = variable(n);
      output.push(v);
      return n === 1 ? integer(0) : v;
    }
    case "slice": {
      const v = variable(part.extent);
      output.push(v);
      return iadd(part.extent === 1 ? integer(0) : v, part.low);
    }
    case "at":
      if (part.guard) {
        if (!of.e.outside) throw errors.quotientAsIndex(span, n, axis, of.operand);
        guards.push(part.guard);
      }
      checkIndex(part.index, part.fromEnd ?? false, span, axis, of);
      return part.index;
    case "tensor": {
      const axes = part.ids.shape.map((n) => variable(n)); // of each such part its own
      output.push(...axes);
      const index = load(part.ids, indicesOf(axes)) as Integer;
      checkIndex(index, false, span, axis, of);
      return index;
    }
    default:
      return part satisfies never;
  }
}
function isWithin(index: Integer, n: Extent): boolean {
  const { low, high } = interval(index);
  if (typeof n === "number" && low >= 0 && high < n) return true;
  return provedNonNegative(index) && provedNonNegative(isub(iadd(extentInteger(n), -1), index));
}
/**
 * Is e never negative, given that a data set has rows enough to train on? Where only the run knows how many those are, the host sees to it that they are
 * at least so many.
 */
function isHeld(e: Integer, span: Span, { interpreter }: Context): boolean {
  if (provedNonNegative(e)) return true;
  const found = termsOf(e).find(([atom, k]) => k > 0 && interpreter.rowsRead.has(atom));
  if (!found) return false;
  const [count, k] = found;
  const { low } = interval(
    linear([
      [e, 1],
      [count, -k],
    ]),
  );
  if (!Number.isFinite(low)) return false;
  const read = interpreter.rowsRead.get(count)!;
  const least = Math.ceil(-low / k);
  if (least > read.least) Object.assign(read, { least, span });
  return true;
}
/** Does the index lie in its axis, wherever nothing is said of what is outside? */
function checkIndex(index: Integer, fromEnd: boolean, span: Span, axis: number, of: Brackets): void {
  const n = of.x.shape[axis]!;
  if (of.e.outside || of.ctx.trial || isWithin(index, n)) return;
  const holds = new Set(of.ctx.holds);
  if (holds.size && impliedBy(index, holds) && impliedBy(isub(iadd(extentInteger(n), -1), index), holds)) return;
  if (isHeld(index, span, of.ctx) && isHeld(isub(iadd(extentInteger(n), -1), index), span, of.ctx)) return;
  const { low, high } = interval(index);
  const known = isBounded({ low, high }) && Number.isFinite(high);
  throw errors.indexOutOfRange(span, { low, high, known, loaded: index.kind === "load", fromEnd }, n, axis, of.operand);
}
/** -1 as it is written: it counts from the end; computed indices never do. */
const isNegativeLiteral = (e: ast.Expr | undefined): boolean =>
  e?.kind === "paren"
    ? isNegativeLiteral(e.value)
    : e?.kind === "unary" && e.operator === "-" && e.operand.kind === "number";
