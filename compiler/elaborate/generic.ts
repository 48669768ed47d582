// Functions and layers that nothing applies, checked on the dims that their own signature declares.
// In: a declaration. Out: a diagnostic where shapes do not fit whatever the dims are. What needs known numbers is left unchecked.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { source } from "../graph/node.ts";
import { dim } from "../graph/scalar.ts";
import type { Dim, Extent, Shape } from "../graph/types.ts";
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
/** Faults that hold for every size: shapes and dtypes that do not fit. Others may come from sizes that are not known here. */
const ofAnySize = new Set(["DLM2003", "DLM2004", "DLM2005"]);

export function checkGeneric(self: Interpreter, item: Generic, scope: Scope): Diagnostic | undefined {
  if ((item.kind === "fn" && item.exported) || self.applied.has(item)) return undefined;
  // `...S` may be any number of axes: a fault for one and for two of them is one for all
  const hasSpread = item.params.some(
    (p) => p.type?.kind === "tensor_type" && p.type.dims?.some((d) => d.kind === "spread"),
  );
  const found = (hasSpread ? [2, 1] : [0]).map((rank) => faultOf(() => applyGeneric(self, item, scope, rank)));
  const [fault] = found;
  if (!fault || !found.every((f) => f && isSamePlace(f, fault))) return undefined;
  const { diagnostic } = fault;
  if (!ofAnySize.has(diagnostic.code)) return undefined;
  const labels = (diagnostic.labels ?? []).filter((l) => l.span !== item.name.span);
  return { ...diagnostic, ...(labels.length ? { labels } : {}) };
}
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
  if (type?.kind === "tuple_type") for (const t of type.elements) bindDims(t, dims);
  if (type?.kind !== "tensor_type") return;
  for (const d of type.dims ?? []) {
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
