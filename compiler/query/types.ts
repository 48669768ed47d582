// Types and values of expressions, as an editor shows them.
import type * as ast from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import type { Scope, Value } from "../elaborate/context.ts";
import { isAnyRank } from "../elaborate/generic.ts";
import { integerOf } from "../elaborate/values.ts";
import { extentText } from "../graph/print.ts";
import { asExtent, constantOf, interval } from "../graph/scalar.ts";
import type { DType, Extent, Integer, Range, Shape } from "../graph/types.ts";

/** An axis: how many elements, and the dims of the signature around that have this size. */
export interface Axis {
  readonly extent: number | string; // "B": known at run time; "...S": any number of axes, in a declaration that nothing applies
  readonly names: readonly string[];
}
export interface TypeText {
  readonly text: string; // "f32[32, 10]", "i32 in 0..10", "fn(x: f32[...S]) -> f32[...S]"
  readonly dtype?: DType;
  readonly shape?: readonly Axis[];
  readonly range?: { readonly low: number; readonly high: number | string }; // inclusive
  readonly value?: string; // where it is known
}
export function typeOf(v: Value, scope: Scope): TypeText {
  switch (v.kind) {
    case "lazy":
      return typeOf(v.force(), scope);
    case "number":
      return { text: v.whole ? "a whole number" : "a number", value: String(v.value) };
    case "int":
      return { text: "a whole number", value: integerText(v.value) };
    case "ratio":
      return { text: "a number" };
    case "bool":
      return { text: "bool", value: String(v.value) };
    case "string":
      return { text: "a string", value: JSON.stringify(v.value) };
    case "pattern":
      return { text: "an axis pattern" };
    case "tensor":
      return tensorType(v.node.dtype, v.node.shape, v.node.range, scope);
    case "scalar": {
      const known = v.scalar.dtype === "i32" ? interval(v.scalar as Integer) : undefined;
      return tensorType(v.scalar.dtype, [], known, scope);
    }
    case "tuple":
      return { text: `(${v.elements.map((x) => typeOf(x, scope).text).join(", ")})` };
    case "list":
      return { text: `a list of ${v.elements.length}` };
    case "range":
      return { text: "a range", value: `${integerText(v.low)}..${integerText(v.end)}` };
    case "fn":
    case "layer":
    case "optimizer":
      return { text: headOf(v.declaration.span, v.declaration.body) };
    case "instance":
      return { text: `${v.instance.declaration.name.text}, the instance ${v.instance.path}` };
    case "gradient":
      return { text: `gradients of ${v.instance.path}` };
    case "builtin":
    case "shaped":
      return { text: `the function ${v.name}` };
    case "lambda":
    case "stacked":
    case "composed":
      return { text: "a function" };
    case "distribution":
    case "deferred":
      return { text: "a distribution" };
    case "optimizers":
      return { text: "an optimizer" };
    case "loader":
      return { text: "a loader" };
    case "dataset":
    case "train":
      return { text: `${v.kind} ${v.name}` };
    default:
      return v satisfies never;
  }
}
function tensorType(dtype: DType, shape: Shape, known: Range | undefined, scope: Scope): TypeText {
  const axes = axesOf(shape, scope);
  const bounded = known && Number.isFinite(known.low) && known.high !== Infinity && known.high !== 2 ** 31 - 1;
  const high = bounded ? (typeof known.high === "number" ? known.high : extentText(known.high)) : 0;
  const range = bounded ? { range: { low: known.low, high } } : {};
  const end = typeof high === "number" ? high + 1 : `${high} + 1`;
  const text =
    dtype +
    (axes.length ? `[${axes.map((a) => a.extent).join(", ")}]` : "") +
    (bounded ? ` in ${known.low}..${end}` : "");
  return { text, dtype, shape: axes, ...range };
}
function axesOf(shape: Shape, scope: Scope): Axis[] {
  const dims = dimsIn(scope);
  const spreads = [...scope.declarations()].flatMap((d) => [...d.spreads]).filter(([, axes]) => isAnyRank(axes));
  const found: Axis[] = [];
  for (let d = 0; d < shape.length;) {
    const n = shape[d]!;
    const spread = spreads.find(([, axes]) => axes.every((x, i) => x === shape[d + i]));
    if (spread) found.push({ extent: `...${spread[0]}`, names: [] });
    else
      found.push({
        extent: typeof n === "number" ? n : extentText(n),
        names: [...dims].flatMap(([name, size]) => (size === n ? [name] : [])),
      });
    d += spread ? spread[1].length : 1;
  }
  return found;
}
const knownDims = new WeakMap<Scope, ReadonlyMap<string, Extent>>(); // types are asked for when everything is bound
/** The dims that the functions and layers around have bound. */
function dimsIn(scope: Scope): ReadonlyMap<string, Extent> {
  const known = knownDims.get(scope);
  if (known) return known;
  const around = scope.parent ? dimsIn(scope.parent) : new Map<string, Extent>();
  const own = [...scope.ownNames()].flatMap((name): [string, Extent][] => {
    const v = /^[A-Z]/.test(name) ? scope.own(name) : undefined;
    const size = v && (v.kind === "number" || v.kind === "int") ? integerOf(v) : undefined;
    return size ? [[name, asExtent(size)]] : [];
  });
  const found = own.length
    ? new Map([...own, ...[...around].filter(([name]) => !own.some(([n]) => n === name))])
    : around;
  knownDims.set(scope, found);
  return found;
}
const integerText = (e: Integer): string => {
  const known = constantOf(e);
  if (known !== undefined) return String(known);
  if (e.kind === "dim") return e.name;
  const { low, high } = interval(e);
  return e.variables.size && Number.isFinite(high - low) ? `${low}..${high + 1}` : "known at run time";
};
/** The text of a declaration up to its body. */
export function headOf(span: Span, body: ast.Body): string {
  const end = body.kind === "block" ? body.span.start : body.value.span.start;
  return span.file.text.slice(span.start, end).replace(/=\s*$/, "").replace(/\s+/g, " ").trim();
}
