// Exports: a function as a program of its own, whose free dims are known at run time.
// In: the declaration. Out: its inputs as sources, its outputs as graph, its dims and their bounds.
import type * as ast from "../../grammar/ast.ts";
import { source } from "../graph/node.ts";
import { callOrigin, withOrigin } from "../graph/origin.ts";
import { constantOf, dim, iadd, load } from "../graph/scalar.ts";
import type { Dim, DType, Extent, Integer, Node, Range, Source } from "../graph/types.ts";
import { leastI32, mostI32 } from "../scalar/range.ts";
import { baseContext, type Context, evaluate, type Interpreter, Scope, type Value } from "./context.ts";
import { ambientScope } from "./declarations.ts";
import * as errors from "./errors.ts";
import { runBody } from "./expression/bodies.ts";
import { resultSpan } from "./expression/faults.ts";
import { parameterOf, parametersOf } from "./expression/instances.ts";
import { checkType, declaredRange, extentValue, shapeSoFar, typeSource } from "./expression/types.ts";
import type { ExportProgram } from "./program.ts";
import { dimsOf, program } from "./programs.ts";
import { asTensor, int, kindText, tensor } from "./values.ts";

export const elaborateExport = (self: Interpreter, item: ast.Fn, scope: Scope): ExportProgram =>
  withOrigin(callOrigin("export", item.name.text, item.name.text, item.span), () => exportProgram(self, item, scope));
function exportProgram(self: Interpreter, item: ast.Fn, scope: Scope): ExportProgram {
  const { seed } = self;
  const name = item.name.text;
  const inner = new Scope(scope);
  const ambient = ambientScope(false);
  ambient.bind("seed", { kind: "int", value: load(seed, []) as Integer });
  const ctx = baseContext(self, ambient, name);
  const bounds = bindFreeDims(item.params, inner, ctx);
  const inputs = item.params.map((p) => {
    const input = inputOf(p, inner, ctx);
    inner.bind(p.name.text, tensor(input.source), p.name.span);
    return input;
  });
  const outputs = outputsOf(name, resultOf(item, inner, ctx), item, ctx);
  const made = program(name, outputs, []);
  if (made.inputs.includes(seed)) inputs.push({ name: "seed", source: seed, default: 0 });
  const dims = dimsOf([
    ...made.dims,
    ...made.inputs.flatMap((s) => s.shape),
    ...inputs.flatMap((i) => i.source.shape),
    ...outputs.flatMap((o) => o.node.shape),
  ]);
  const sources = [...new Set([...inputs.map((i) => i.source), ...made.inputs])];
  return { name, bounds, program: { ...made, inputs: sources, dims }, inputs, outputs, span: item.span };
}
/** The dim that stands alone in a formula: `T`, or `T <= 512`. */
const freeDim = (e: ast.Expr): string | undefined => {
  const alone = e.kind === "binary" && e.operator === "<=" ? e.left : e;
  return alone.kind === "name" && /^[A-Z]/.test(alone.text) ? alone.text : undefined;
};
/** Free dims are run-time, in any order of parameters. Returns the largest that each may be, where the types say so. */
function bindFreeDims(params: readonly ast.Param[], scope: Scope, ctx: Context): Map<string, number> {
  const bounds = new Map<string, number>();
  for (const p of params) {
    if (p.type?.kind !== "tensor_type") continue;
    for (const d of p.type.dims ?? []) {
      const name = d.kind === "dim" ? freeDim(d.value) : undefined;
      if (!name || d.kind !== "dim") continue;
      if (d.value.kind === "binary") {
        const most = evaluate(d.value.right, scope, ctx);
        if (most.kind !== "number" || most.value < 1)
          throw errors.needed(d.value.right.span, "positive", kindText(most));
        bounds.set(name, Math.min(most.value, bounds.get(name) ?? Infinity));
      }
      if (scope.find(name) === undefined) scope.bind(name, int(dim(name)));
    }
  }
  return bounds;
}
/** A parameter as a source that is given at run time. */
export function inputOf(p: ast.Param, scope: Scope, ctx: Context): { name: string; source: Source; default?: number } {
  const { type } = p;
  if (type?.kind !== "tensor_type") throw errors.untypedInput(p.span, type && typeSource(type));
  const dtype = dtypeOf(type);
  const shape = (type.dims ?? []).map((d): Extent => {
    if (d.kind === "spread") throw errors.needed(d.span, "namedAxes", `...${d.name.text}`);
    const name = freeDim(d.value);
    return extentValue(name ? scope.get(name, d.span) : evaluate(d.value, scope, ctx), d.span);
  });
  const range = rangeOf(type, dtype, scope, ctx);
  const input = source({
    role: "input",
    path: p.name.text,
    shape,
    dtype,
    ...(range ? { range } : {}),
    span: p.span,
    label: p.name.text,
  });
  const value = p.default && defaultOf(p.name.text, p.default, type, dtype, scope, ctx);
  return { name: p.name.text, source: input, ...(value !== undefined ? { default: value } : {}) };
}
function dtypeOf(type: ast.TensorType): DType {
  const dtype = type.element.text;
  if (dtype === "f32" || dtype === "i32" || dtype === "bool") return dtype;
  throw ["int", "fn", "dist"].includes(dtype)
    ? errors.needed(type.span, "exportType", typeSource(type))
    : errors.unknownName(type.element.span, dtype, ["f32", "i32", "bool"], { kind: "type" });
}
export function rangeOf(type: ast.TensorType, dtype: DType, scope: Scope, ctx: Context): Range | undefined {
  if (!type.range) return dtype === "i32" ? { low: leastI32, high: mostI32 } : undefined;
  if (dtype !== "i32") throw errors.rangeOfFloats(type.range.span, dtype);
  const r = declaredRange(type.range, scope, type.range.span, ctx);
  const low = constantOf(r.low);
  const high = asRangeEnd(iadd(r.end, -1));
  if (low === undefined || high === undefined) throw errors.inputRange(type.range.span);
  return { low, high };
}
/** The last number of a range: known, or affine in the dims. */
function asRangeEnd(last: Integer): Range["high"] | undefined {
  const known = constantOf(last);
  return (
    known ??
    (last.kind === "dim" || (last.kind === "affine" && last.atoms.every((x) => x.kind === "dim"))
      ? (last as Dim)
      : undefined)
  );
}
function defaultOf(name: string, e: ast.Expr, type: ast.TensorType, dtype: DType, scope: Scope, ctx: Context): number {
  const v = evaluate(e, scope, ctx);
  if (v.kind !== "number" && v.kind !== "bool") throw errors.needed(e.span, "number", kindText(v));
  if (v.kind !== "bool" || dtype !== "bool") {
    const bound = { scope, dims: new Map(), spreads: new Map() };
    checkType(v, { ...type, dims: [] }, bound, `the default of ${name}`, e.span, ctx);
  }
  return Number(v.value);
}
function resultOf(item: ast.Fn, scope: Scope, ctx: Context): Value {
  const bound = { scope, dims: new Map(), spreads: new Map() };
  const value = runBody(item.body, scope, ctx, shapeSoFar(item.result, bound, ctx));
  if (!item.result) return value;
  return checkType(value, item.result, bound, `the result of ${item.name.text}`, resultSpan(item.body), ctx);
}
/** One output, one for each element of a tuple, or one for each parameter of an instance. */
function outputsOf(name: string, value: Value, item: ast.Fn, ctx: Context): { name: string; node: Node }[] {
  const results = value.kind === "tuple" ? value.elements : [value];
  return results.flatMap((v, i) => {
    const base = results.length === 1 ? name : `${name}.${i}`;
    if (v.kind !== "gradient" && v.kind !== "instance")
      return [{ name: base, node: asTensor(v, resultSpan(item.body)) }];
    return parametersOf(v.instance, ctx, resultSpan(item.body)).map((p) => ({
      name: `${base}.${p.path}`,
      node: parameterOf(v, p, ctx),
    }));
  });
}
