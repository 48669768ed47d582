// Functions, layers and models that nothing applies, checked on the dims that their own signature declares.
// In: a declaration. Out: a diagnostic where shapes fit for no caller, or only if two dims, which the signature names apart, were one size. All else that a
// caller could set right is let pass, as is what needs known numbers.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic, Span } from "../../grammar/diagnostic.ts";
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
  type Generic,
  type Interpreter,
  Scope,
  type Value,
} from "./context.ts";
import { ambientScope } from "./declarations.ts";
import * as errors from "./errors.ts";
import { rangeOf } from "./export.ts";
import { newInstance } from "./expression/instances.ts";
import { bindParameters } from "./expression/parameters.ts";
import { dimVariable, extentOf } from "./expression/types.ts";
import { int, number, tensor } from "./values.ts";

export type Declaration = ast.Fn | ast.LayerDeclaration | ast.ModelDeclaration;
/** Faults of shapes and dtypes, which hold for every size unless sizes are all that differs. */
const ofShapes = new Set(["DLM2003", "DLM2004", "DLM2005"]);
const noSuchAxis = "DLM2007"; // so that no caller has this rank
const ranks = [2, 1, 0, 3, 4, 5, 6, 7, 8]; // the first is the one that messages show
const mostSpreads = 2; // of which all ranks are tried

/** One caller: the axes that each `...S` stands for, whether it trains, and whether numbers and truths are open, or as their defaults say. */
interface Trial {
  readonly ranks: ReadonlyMap<string, number>;
  readonly isTraining: boolean;
  readonly isOpen: boolean;
}
export interface Outcome extends Pick<Generic, "applied" | "right"> {
  readonly told?: Diagnostic; // what no caller could set right
  readonly at?: Span; // where the check ended, if it is known that it did not come to its end
}
/** A fault counts if it stands in every trial: none of them is right for a caller then, nor is any other, as far as trials can tell. */
export function checkGeneric(self: Interpreter, item: Declaration, scope: Scope): Outcome {
  const generic: Generic = { applied: new Set(), right: new Set(), models: new Map() };
  const { applied, right } = generic;
  const spreads = spreadsOf(item);
  let told: errors.Fault | undefined;
  for (const trial of trialsOf(item, spreads)) {
    const fault = faultOf(() => applyGeneric(self, item, scope, trial, generic));
    if (!fault) return { applied, right };
    const at = fault.diagnostic.span;
    if (spreads.length && fault.always && fault.diagnostic.code === noSuchAxis) continue;
    if (!holds(fault, item) || (told && !isSame(told, fault))) return { applied, right, at };
    told ??= fault;
  }
  if (!told || spreads.length > mostSpreads) return { applied, right };
  const { diagnostic } = told;
  const labels = (diagnostic.labels ?? []).filter((l) => l.span !== item.name.span);
  return {
    applied,
    right,
    at: diagnostic.span,
    told: { ...diagnostic, ...(labels.length ? { labels } : {}) },
  };
}
const holds = (fault: errors.Fault, item: Declaration): boolean =>
  fault.always || (ofShapes.has(fault.diagnostic.code) && !isOfSizes(fault, item));
const paramsOf = (item: Declaration): readonly ast.Param[] =>
  item.kind === "layer" ? [...item.hyper, ...item.params] : item.params;
const spreadsOf = (item: Declaration): string[] => [
  ...new Set(paramsOf(item).flatMap((p) => dimsOf(p.type).flatMap((d) => (d.kind === "spread" ? [d.name.text] : [])))),
];
function* trialsOf(item: Declaration, spreads: readonly string[]): Iterable<Trial> {
  const isChosen = paramsOf(item).some((p) => p.default || (p.type?.kind === "tensor_type" && !p.type.dims));
  for (const isTraining of [false, true])
    for (const isOpen of isChosen ? [false, true] : [false])
      for (const of of ranksOf(spreads)) yield { ranks: of, isTraining, isOpen };
}
function ranksOf(spreads: readonly string[]): ReadonlyMap<string, number>[] {
  const tried = spreads.length > mostSpreads ? ranks.slice(0, 1) : ranks;
  return spreads.reduce<Map<string, number>[]>(
    (all, name) => all.flatMap((before) => tried.map((rank) => new Map([...before, [name, rank]]))),
    [new Map()],
  );
}
/** Is it gone for a caller whose inputs have the right sizes? */
function isOfSizes({ unequal }: errors.Fault, item: Declaration): boolean {
  const named = namesOf(item);
  return unequal.length > 0 && unequal.every((sizes) => mayBeEqual(sizes, named));
}
/** The dims and hyper-parameters that the signature has as axes. */
const namesOf = (item: Declaration): ReadonlySet<string> =>
  new Set([...item.params.map((p) => p.type), item.result].flatMap(dimsOf).flatMap((d) => nameOf(d) ?? []));
/**
 * Could a caller make these sizes equal? Two that the signature gives two names as axes are meant to be two, though a caller could give both one size: dims,
 * and whole numbers such as `out: int` in `-> f32[B, out]`. A number, a formula, an axis of `...S` or a hyper-parameter that is no axis there may come out
 * as it should. That one of them may be 1, which an operator would stretch, is no way to be equal.
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
/** The same fault at the same place: shapes may differ with what is tried, what else is said may not. */
const isSame = ({ diagnostic: a }: errors.Fault, { diagnostic: b }: errors.Fault): boolean =>
  a.code === b.code &&
  a.span.start === b.span.start &&
  a.span.file === b.span.file &&
  (ofShapes.has(a.code) || a.message === b.message);
export function faultOf(run: () => unknown): errors.Fault | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof errors.Fault) return error;
    const isTooDeep = error instanceof RangeError && /call stack/.test(error.message);
    if (!(error instanceof errors.Quiet) && !isTooDeep) throw error;
  }
  return undefined;
}
/** Applies it to sources whose shapes are its dims. */
function applyGeneric(self: Interpreter, item: Declaration, scope: Scope, trial: Trial, generic: Generic): void {
  const { span, text } = item.name;
  generic.models.clear();
  const { isTraining } = trial;
  const ctx: Context = { ...baseContext(self, ambientScope(isTraining), text), training: isTraining, generic };
  const dims = new Scope(scope);
  const given: Given = { dims, trial, named: namesOf(item), ctx };
  const hyper = item.kind === "layer" ? argumentsFor(item.hyper, given) : [];
  const args = argumentsFor(item.params, given);
  if (item.kind === "fn") {
    const callee: Callable = { kind: "fn", declaration: item, scope };
    apply(callee, args, span, ctx);
    return;
  }
  const own = item.kind === "layer" ? bindParameters(item, item.hyper, hyper, scope, span, ctx).scope : scope;
  apply({ kind: "instance", instance: newInstance(text, item, own) }, args, span, ctx);
}
interface Given {
  readonly dims: Scope;
  readonly trial: Trial;
  readonly named: ReadonlySet<string>;
  readonly ctx: Context;
}
/** A value for every parameter that has no default, or where that is not all that may be given. Quiet where none stands for all of these. */
function argumentsFor(params: readonly ast.Param[], given: Given): Argument[] {
  for (const p of params) bindDims(p.type, given.dims);
  return params.flatMap((p): Argument[] => {
    if (p.default && !given.trial.isOpen) return [];
    const value = valueFor(p.name.text, p.type, given);
    given.dims.bind(p.name.text, value);
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
function valueFor(name: string, type: ast.Type | undefined, given: Given): Value {
  if (!type) throw new errors.Quiet();
  if (type.kind === "tuple_type")
    return { kind: "tuple", elements: type.elements.map((t) => valueFor(name, t, given)) };
  const { dims, trial, ctx } = given;
  const dtype = type.element.text;
  const isOpenTensor = trial.isOpen && (dtype === "f32" || dtype === "bool");
  if (!type.dims && !isOpenTensor) return plainFor(name, dtype, given);
  if (dtype !== "f32" && dtype !== "i32" && dtype !== "bool") throw new errors.Quiet(); // functions, distributions, lists
  const shape: Shape = (type.dims ?? []).flatMap((d): Extent[] =>
    d.kind === "spread" ? spreadOf(d.name.text, trial.ranks.get(d.name.text) ?? 0) : [extentOf(d.value, dims, ctx)],
  );
  const range = dtype === "i32" || type.dims ? rangeOf(type, dtype, dims, ctx) : undefined; // numbers are open
  return tensor(
    source({ role: "input", path: name, shape, dtype, ...(range ? { range } : {}), span: type.span, label: name }),
  );
}
/** A number. One that is an axis of the signature is 1 or more, another any, by which no condition is decided where numbers are open. */
function plainFor(name: string, dtype: string, { trial, named }: Given): Value {
  if (dtype === "int") return int(trial.isOpen && !named.has(name) ? iadd(dim(name), -anyInt) : dim(name));
  if (dtype === "f32") return number(0.5, false);
  throw new errors.Quiet(); // one that may be asked for at compile time
}
const anyInt = 2 ** 20;
const spreadOf = (name: string, rank: number): Dim[] => Array.from({ length: rank }, (_, i) => dim(`${name}${i}`));
/** Are these the axes of a `...S` that nothing has fixed? */
export function isAnyRank(shape: Shape): boolean {
  const [first] = shape;
  if (typeof first !== "object" || first.kind !== "dim" || !first.name.endsWith("0")) return false;
  return spreadOf(first.name.slice(0, -1), shape.length).every((n, i) => n === shape[i]);
}
