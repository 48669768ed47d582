// Functions and layers that nothing applies, checked on the dims that their own signature declares.
// In: a declaration. Out: a diagnostic where shapes fit for no caller, or two dims of two names would have to be one size. What needs known numbers is left
// unchecked, so that what compiles where it is applied compiles where it is not.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { factorsOf, source } from "../graph/node.ts";
import {
  coefficientDivisor,
  constantOf,
  constantPart,
  dim,
  greatestCommonDivisor,
  iadd,
  imul,
  isub,
  provedNonNegative,
} from "../graph/scalar.ts";
import type { Dim, Extent, Integer, Shape } from "../graph/types.ts";
import {
  apply,
  type Argument,
  baseContext,
  type Callable,
  type Context,
  evaluate,
  type Interpreter,
  Scope,
  type Value,
} from "./context.ts";
import { ambientScope } from "./declarations.ts";
import * as errors from "./errors.ts";
import { rangeOf } from "./export.ts";
import { newInstance } from "./expression/instances.ts";
import { bindParameters } from "./expression/parameters.ts";
import { dimVariable, extentValue } from "./expression/types.ts";
import { int, number, tensor } from "./values.ts";

type Generic = ast.Fn | ast.LayerDeclaration;
/** Faults of shapes and dtypes, which hold for every size unless sizes are all that differs. Others may come from numbers that are not known here. */
const ofShapes = new Set(["DLM2003", "DLM2004", "DLM2005"]);
const noSuchAxis = "DLM2007"; // so that no caller has this rank

export function checkGeneric(self: Interpreter, item: Generic, scope: Scope): Diagnostic | undefined {
  if ((item.kind === "fn" && item.exported) || self.applied.has(item)) return undefined;
  const holds = (fault: errors.Fault): boolean => ofShapes.has(fault.diagnostic.code) && !isOfSizes(fault, item);
  // `...S` may be any number of axes: a fault for all of these is one for every caller
  const hasSpread = item.params.some((p) => dimsOf(p.type).some((d) => d.kind === "spread"));
  let told: errors.Fault | undefined;
  for (const rank of hasSpread ? [2, 1, 0, 3, 4] : [0]) {
    const fault = faultOf(() => applyGeneric(self, item, scope, rank));
    if (!fault) return undefined;
    if (!holds(fault)) {
      if (told && fault.diagnostic.code === noSuchAxis) continue;
      return undefined;
    }
    if (told && !isSamePlace(told, fault)) return undefined;
    told ??= fault;
  }
  if (!told) return undefined;
  const { diagnostic } = told;
  const labels = (diagnostic.labels ?? []).filter((l) => l.span !== item.name.span);
  return { ...diagnostic, ...(labels.length ? { labels } : {}) };
}
/** Is it gone for a caller whose inputs have the right sizes? */
export function isOfSizes({ unequal }: errors.Fault, { params, result }: Generic | ast.ModelDeclaration): boolean {
  const types = [...params.map((p) => p.type), result];
  const named = new Set(types.flatMap(dimsOf).flatMap((d) => nameOf(d) ?? []));
  return unequal.length > 0 && unequal.every((sizes) => mayBeEqual(sizes, named));
}
/**
 * Could a caller make these sizes equal? Two that the signature gives two names as axes are meant to be two. A number, a formula, an axis of `...S` or a
 * hyper-parameter that is no axis there may come out as it should.
 */
function mayBeEqual([left, right]: errors.Unequal, named: ReadonlySet<string>): boolean {
  const [l, r] = [factorsOf(left), factorsOf(right)];
  const others = [...r.sizes];
  const alone = l.sizes.filter((n) => {
    const at = others.indexOf(n);
    if (at >= 0) others.splice(at, 1);
    return at < 0;
  });
  if (alone.length > 1 || others.length > 1) return true; // a product of dims
  const common = greatestCommonDivisor(l.known, r.known) || 1;
  const [a, b] = [imul(alone[0] ?? 1, l.known / common), imul(others[0] ?? 1, r.known / common)];
  const isNamed = (e: Integer): boolean => e.kind === "dim" && named.has(e.name);
  if (isNamed(a) && isNamed(b)) return false;
  const difference = isub(a, b);
  const known = constantOf(difference);
  if (known !== undefined) return known === 0;
  const isNever = provedNonNegative(iadd(difference, -1)) || provedNonNegative(iadd(imul(difference, -1), -1));
  return !isNever && constantPart(difference) % coefficientDivisor(difference, 0) === 0;
}
const dimsOf = (t: ast.Type | undefined): readonly ast.DimExpr[] =>
  t?.kind === "tuple_type" ? t.elements.flatMap(dimsOf) : (t?.dims ?? []);
/** The dim or hyper-parameter that is an axis as it stands. */
const nameOf = (d: ast.DimExpr): string | undefined =>
  d.kind === "spread" ? undefined : d.value.kind === "name" ? d.value.text : dimVariable(d.value);
const isSamePlace = ({ diagnostic: a }: errors.Fault, { diagnostic: b }: errors.Fault): boolean =>
  a.code === b.code && a.span.start === b.span.start && a.span.file === b.span.file;
function faultOf(run: () => unknown): errors.Fault | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof errors.Fault) return error;
    const isTooDeep = error instanceof RangeError && /call stack/.test(error.message);
    if (!(error instanceof errors.Quiet) && !isTooDeep) throw error;
  }
  return undefined;
}
/** Applies it to sources whose shapes are its dims; `rank`: the axes that each `...S` stands for. */
function applyGeneric(self: Interpreter, item: Generic, scope: Scope, rank: number): void {
  const ctx: Context = { ...baseContext(self, ambientScope(false), item.name.text), isGeneric: true };
  const dims = new Scope(scope);
  const hyper = item.kind === "layer" ? argumentsFor(item.hyper, dims, rank, ctx) : [];
  const args = argumentsFor(item.params, dims, rank, ctx);
  const { span, text } = item.name;
  if (item.kind === "fn") {
    const callee: Callable = { kind: "fn", declaration: item, scope };
    apply(callee, args, span, ctx);
    return;
  }
  const own = bindParameters(text, item.hyper, hyper, scope, span, ctx).scope;
  apply({ kind: "instance", instance: newInstance(text, item, own) }, args, span, ctx);
}
/** A value for every parameter without a default. Quiet where none stands for all that may be given. */
function argumentsFor(params: readonly ast.Param[], dims: Scope, rank: number, ctx: Context): Argument[] {
  for (const p of params) bindDims(p.type, dims);
  return params.flatMap((p): Argument[] => {
    if (p.default) return [];
    const value = valueFor(p.name.text, p.type, dims, rank, ctx);
    dims.bind(p.name.text, value);
    return [{ name: p.name.text, value, span: p.name.span }];
  });
}
/** Every dim that stands alone in a type is one of its own. */
function bindDims(type: ast.Type | undefined, dims: Scope): void {
  for (const d of dimsOf(type)) {
    const name = d.kind === "dim" ? dimVariable(d.value) : undefined;
    if (name && dims.find(name) === undefined) dims.bind(name, int(dim(name)));
  }
}
function valueFor(name: string, type: ast.Type | undefined, dims: Scope, rank: number, ctx: Context): Value {
  if (!type) throw new errors.Quiet();
  if (type.kind === "tuple_type")
    return { kind: "tuple", elements: type.elements.map((t) => valueFor(name, t, dims, rank, ctx)) };
  const dtype = type.element.text;
  if (dtype === "int" && !type.dims) return int(dim(name));
  if (dtype !== "f32" && dtype !== "i32" && dtype !== "bool") throw new errors.Quiet(); // functions, distributions, lists
  if (!type.dims && dtype === "f32") return number(0.5, false);
  if (!type.dims) throw new errors.Quiet(); // a number that may be asked for at compile time
  const shape: Shape = type.dims.flatMap((d): Extent[] =>
    d.kind === "spread" ? spreadOf(d.name.text, rank) : [extentOf(d.value, dims, ctx)],
  );
  const range = rangeOf(type, dtype, dims, ctx);
  return tensor(
    source({ role: "input", path: name, shape, dtype, ...(range ? { range } : {}), span: type.span, label: name }),
  );
}
const spreadOf = (name: string, rank: number): Dim[] => Array.from({ length: rank }, (_, i) => dim(`${name}${i}`));
const extentOf = (e: ast.Expr, dims: Scope, ctx: Context): Extent => {
  const alone = dimVariable(e);
  return extentValue(alone ? dims.get(alone, e.span) : evaluate(e, dims, ctx), e.span);
};
