// Parameters of functions and layers: arguments are bound to them, their types checked, the dims in these bound to what comes.
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { exchanging } from "../../../grammar/fixes.ts";
import { extentInteger } from "../../graph/scalar.ts";
import type { Shape } from "../../graph/types.ts";
import { type Argument, type Context, evaluate, Scope, type Value } from "../context.ts";
import * as errors from "../errors.ts";
import { asTensor, int, integerOf } from "../values.ts";
import { type Declared, hintedElsewhere } from "./elsewhere.ts";
import { described, readOn } from "./faults.ts";
import { type Bound, checkType, dimVariable, elementType, typeSource } from "./types.ts";

/** `within`: the context of an argument, by the values before it. */
export const argumentsOf = (
  args: readonly ast.Arg[],
  scope: Scope,
  ctx: Context,
  within: (values: readonly Value[]) => Context = () => ctx,
): Argument[] => {
  const values: Value[] = [];
  return args.map((a, i) => {
    try {
      const value = evaluate(a.value, scope, within(values));
      values.push(value);
      return { ...(a.name ? { name: a.name.text, nameSpan: a.name.span } : {}), value, span: a.value.span };
    } catch (error) {
      return readOn(
        error,
        args.slice(i + 1).map((x) => x.value),
        scope,
        ctx,
      );
    }
  });
};
/** Arguments by position, then by name; types checked, dim variables bound by appearance; defaults may use parameters to their left. */
export function bindParameters(
  d: Declared,
  params: readonly ast.Param[],
  args: readonly Argument[],
  closure: Scope,
  span: Span,
  ctx: Context,
): Bound {
  try {
    return bind(d.name.text, params, args, closure, span, ctx);
  } catch (error) {
    throw error instanceof errors.Fault ? hintedElsewhere(error, d, params, args, span) : error;
  }
}
function bind(
  name: string,
  params: readonly ast.Param[],
  args: readonly Argument[],
  closure: Scope,
  span: Span,
  ctx: Context,
): Bound {
  const scope = new Scope(closure);
  const signature = (): string => signatureText(name, params);
  const bound: Bound = { scope, dims: new Map(), spreads: new Map(), origins: new Map(), signature };
  for (const p of params) checkSpreads(p);
  const given = matchArguments(name, params, args, signature);
  const absent = params.find((p) => !p.default && !given.has(p));
  if (absent) throw errors.notGiven(span, name, absent.name.text, signature());
  for (const [p, a] of given) scope.bind(p.name.text, a.value);
  // dims are bound in any order of parameters: first all types where a dim stands alone, then the checks
  for (const p of params) {
    const a = given.get(p);
    if (p.type && a) bindDims(p.type, a.value, bound, ctx, { span: a.span, name: p.name.text });
  }
  for (const p of params) {
    const what = `${name}'s ${p.name.text}`;
    const a = given.get(p);
    let value: Value;
    if (a) value = p.type ? fitting(p, a, name, given, bound, what, ctx) : a.value;
    else {
      value = evaluate(p.default!, scope, ctx);
      if (p.type) {
        bindDims(p.type, value, bound, ctx);
        value = checkType(value, p.type, bound, what, p.default!.span, ctx, p);
      }
    }
    scope.bind(p.name.text, value, p.name.span);
  }
  const typed = params.flatMap((p) =>
    p.type?.kind === "tensor_type" && p.type.dims ? [[p.name.text, p.type.dims] as const] : [],
  );
  scope.declares = { spreads: bound.spreads, types: new Map(typed) };
  return bound;
}
/** The argument as its type asks. Two that would fit the other way round are told of. */
function fitting(
  p: ast.Param,
  a: Argument,
  name: string,
  given: ReadonlyMap<ast.Param, Argument>,
  bound: Bound,
  what: string,
  ctx: Context,
): Value {
  try {
    return checkType(a.value, p.type!, bound, what, a.span, ctx, p);
  } catch (error) {
    const dtypeOf = (x: Argument): string | undefined => (x.value.kind === "tensor" ? x.value.node.dtype : undefined);
    const wanted = (x: ast.Param): string | undefined =>
      x.type?.kind === "tensor_type" ? x.type.element.text : undefined;
    const other = [...given].find(
      ([q, b]) =>
        q !== p &&
        wanted(q) !== wanted(p) &&
        dtypeOf(a) === wanted(q) &&
        dtypeOf(b) === wanted(p) &&
        !a.name &&
        !b.name,
    );
    if (!other || !(error instanceof errors.Fault) || dtypeOf(a) === undefined) throw error;
    const texts = [...given].map(([, x]) => errors.short((x === a ? other[1] : x === other[1] ? a : x).span, "..."));
    throw error.hinting(`the arguments stand the other way round: write ${name}(${texts.join(", ")})`, [
      exchanging(a.span, other[1].span),
    ]);
  }
}
function checkSpreads(p: ast.Param): void {
  const [, second] = p.type?.kind === "tensor_type" ? (p.type.dims ?? []).filter((d) => d.kind === "spread") : [];
  if (second) throw errors.secondRest(second.span);
}
/** Which parameter each argument is for, in order of the arguments. */
function matchArguments(
  name: string,
  params: readonly ast.Param[],
  args: readonly Argument[],
  signature: () => string,
): Map<ast.Param, Argument> {
  const given = new Map<ast.Param, Argument>();
  let position = 0;
  for (const a of args) {
    const p = a.name === undefined ? params[position++] : params.find((x) => x.name.text === a.name);
    if (!p && a.name !== undefined)
      throw errors.unknownName(
        a.nameSpan ?? a.span,
        a.name,
        params.map((x) => x.name.text),
        { kind: "parameter", place: `of ${name}`, signature: signature() },
      );
    if (!p) throw errors.tooManyArguments(a.span, name, params.length, args.length, signature());
    if (p.byName && a.name === undefined) throw errors.onlyByName(a.span, name, p.name.text, signature());
    if (given.has(p)) throw errors.givenTwice(a.span, name, p.name.text, signature());
    given.set(p, a);
  }
  return given;
}
function signatureText(name: string, params: readonly ast.Param[]): string {
  const star = params.findIndex((p) => p.byName);
  const texts = params.map(
    (p, i) =>
      (i === star ? "*, " : "") +
      p.name.text +
      (p.type ? `: ${typeSource(p.type)}` : "") +
      (p.default ? ` = ${defaultText(p.default)}` : ""),
  );
  return `${name}(${texts.join(", ")})`;
}
const defaultText = (e: ast.Expr): string =>
  e.span.end - e.span.start <= 12 ? e.span.file.text.slice(e.span.start, e.span.end) : "...";
/** Binds the dims of a type that stand alone in it and are not bound yet to the shape of the value. */
function bindDims(
  type: ast.Type,
  value: Value,
  bound: Bound,
  ctx: Context,
  from?: { readonly span: Span; readonly name: string },
): void {
  if (value.kind === "lazy") return bindDims(type, value.force(), bound, ctx, from);
  if (type.kind === "tuple_type") {
    if (value.kind === "tuple")
      type.elements.forEach((t, i) => value.elements[i] && bindDims(t, value.elements[i]!, bound, ctx, from));
    return;
  }
  if (!type.dims) return;
  const shape = shapeToBind(type, value, from?.span ?? type.span);
  if (!shape) return;
  const remember = (name: string): void =>
    void (
      from &&
      bound.origins?.set(name, {
        ...from,
        get text() {
          return described(value, from.span, ctx);
        },
      })
    );
  const parts = type.dims;
  const spread = parts.findIndex((d) => d.kind === "spread");
  const fixed = parts.length - (spread >= 0 ? 1 : 0);
  if (spread < 0 ? shape.length !== fixed : shape.length < fixed) return; // the check reports it
  parts.forEach((d, i) => {
    const at = spread >= 0 && i > spread ? shape.length - (parts.length - i) : i;
    if (d.kind === "spread") {
      if (bound.spreads.has(d.name.text)) return;
      bound.spreads.set(d.name.text, shape.slice(i, shape.length - (parts.length - i - 1)));
      remember(d.name.text);
      return;
    }
    const alone = dimVariable(d.value);
    if (alone && !bound.dims.has(alone) && bound.scope.find(alone) === undefined) {
      bound.dims.set(alone, extentInteger(shape[at]!));
      remember(alone);
      bound.scope.bind(alone, int(extentInteger(shape[at]!)));
    }
  });
}
/** The shape that a value brings; undefined where it has none of its own. */
function shapeToBind(type: ast.TensorType, value: Value, span: Span): Shape | undefined {
  switch (value.kind) {
    case "tensor":
      return value.node.shape;
    case "scalar":
      return [];
    case "list":
      return type.element.text === "int" ? [value.elements.length] : asTensor(value, span, elementType(type)).shape;
    case "gradient":
    case "instance":
      return type.element.text === "f32" && value.values ? asTensor(value, span).shape : undefined;
    default:
      return type.element.text === "int" && integerOf(value) ? [1] : undefined;
  }
}
export function checkResult(value: Value, type: ast.Type, bound: Bound, name: string, span: Span, ctx: Context): Value {
  // dims of the result that no input binds take what comes
  bindDims(type, value, bound, ctx);
  return checkType(value, type, bound, `the result of ${name}`, span, ctx);
}
/** What `...S` stands for where parameters around bound it. */
export function spreadsOf(scope: Scope): Map<string, Shape> {
  for (const { spreads } of scope.declarations()) return spreads;
  return new Map();
}
