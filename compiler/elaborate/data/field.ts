// Fields of a data block: a formula of one row, in which columns stand where loaders are called, and its type.
import * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { compute, reshape, sameShape, topological } from "../../graph/node.ts";
import { constantOf } from "../../graph/scalar.ts";
import type { DType, Node } from "../../graph/types.ts";
import { loaders } from "../builtins/loaders.ts";
import { type Context, evaluate, Scope, type Value } from "../context.ts";
import * as errors from "../errors.ts";
import { declaredRange, extentValue, typeSource, expecting } from "../expression/types.ts";
import { stopGradient } from "../tensors.ts";
import { asTensor, isPlain, kindText, plainScalar, tensor } from "../values.ts";
import { addColumn, shapeOfLoader } from "./columns.ts";
import type { Block, Bounds } from "./dataset.ts";
import { clamped } from "./rows.ts";

/** What a field declares. */
interface Declared {
  readonly type: ast.TensorType;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly range: Bounds | undefined;
}
export function declareField(s: ast.Field, block: Block, ctx: Context): void {
  const name = s.name.text;
  const declared = declaredType(s, block.scope, ctx);
  const { dtype, shape, range } = declared;
  const node = fieldFormula(s, declared, block, ctx);
  checkFormula(s, node, declared);
  const own = range && dtype === "i32" ? { low: range[0], high: range[1] - 1 } : node.range;
  const proved = !range || isProved(s, node, declared.type, range);
  const safe = proved ? node : clamped(node, range);
  block.fields.push({
    name,
    formula: safe,
    ...(proved ? {} : { unproved: { formula: node, range, span: s.span } }),
    public: { name, dtype, shape, ...(own ? { range: own } : {}) },
  });
  // a field computed from this one is data as well: no gradient goes from one to the other
  block.scope.bind(name, tensor(stopGradient(safe)), s.name.span);
}
/** Does a loader stand in it, or a name for a formula with one? */
export const readsFiles = (e: ast.Expr, { formulas }: Block): boolean =>
  [e, ...ast.below(e)].some((x) => ast.isExpression(x) && (isLoader(x) || (x.kind === "name" && formulas.has(x.text))));
/** A `let` that reads files: with a type a column like a field's, which nothing outside of the block sees; without one a name for its formula. */
export function declareLoaded(s: ast.Let, block: Block, ctx: Context): void {
  const [name] = s.names;
  if (!name || s.tuple) throw errors.needed(s.value.span, "tensor", "a loader's value");
  if (!s.type) {
    block.scope.bind(name.text, { kind: "lazy", force: () => evaluate(s.value, block.scope, ctx) }, name.span);
    block.formulas.set(name.text, s.value);
    return;
  }
  const field = { kind: "field", name, type: s.type, value: s.value, span: s.span } as const;
  const declared = declaredType(field, block.scope, ctx);
  const node = fieldFormula(field, declared, block, ctx);
  checkFormula(field, node, declared);
  if (declared.range && !isProved(field, node, declared.type, declared.range))
    throw errors.unprovedLet(s.value.span, name.text);
  block.scope.bind(name.text, tensor(stopGradient(node)), name.span);
}
function declaredType({ type }: ast.Field, scope: Scope, ctx: Context): Declared {
  if (type.kind !== "tensor_type") throw errors.needed(type.span, "tensorType", typeSource(type));
  const dtype = type.element.text;
  if (dtype !== "f32" && dtype !== "i32" && dtype !== "bool")
    throw errors.unknownName(type.element.span, dtype, ["f32", "i32", "bool"], { kind: "type", place: "of a field" });
  if (type.range && dtype !== "i32") throw errors.rangeOfFloats(type.range.span, dtype);
  const shape = (type.dims ?? []).map((d): number => {
    if (d.kind === "spread") throw errors.needed(d.span, "size", `...${d.name.text}`);
    const n = extentValue(evaluate(d.value, scope, ctx), d.span);
    if (typeof n === "number") return n;
    throw errors.fieldOfRunTimeShape(d.span);
  });
  if (!type.range) return { type, dtype, shape, range: undefined };
  const r = declaredRange(type.range, scope, type.range.span, ctx);
  const [low, end] = [constantOf(r.low), constantOf(r.end)];
  if (low === undefined || end === undefined) throw errors.runTimeRange(type.range.span);
  return { type, dtype, shape, range: [low, end] };
}
function checkFormula(s: ast.Field, node: Node, { type, dtype, shape }: Declared): void {
  if (node.dtype !== dtype || !sameShape(node.shape, shape))
    throw errors.shapeMismatch(
      s.value.span,
      `the field ${s.name.text}`,
      errors.typeText(dtype, shape),
      errors.typeText(node.dtype, node.shape),
      { labels: [{ span: type.span, text: "declared here" }] },
    );
  if (topological([node]).some((x) => x.kind === "result" || x.kind === "scatter"))
    throw errors.notCompiledYet(s.value.span, "loopInField");
}
/** Does the range of the formula say that it lies in the declared one? A fault where it says that it never does. */
function isProved(s: ast.Field, node: Node, type: ast.TensorType, range: Bounds): boolean {
  const { low, high } = node.range ?? { low: -Infinity, high: Infinity };
  if (typeof high === "number" && (low >= range[1] || high < range[0]))
    throw errors.fieldOutsideOfRange(
      s.value.span,
      s.name.text,
      low === high ? String(low) : `in ${low}..${high + 1}`,
      `${range[0]}..${range[1]}`,
      type.range!.span,
    );
  return low >= range[0] && typeof high === "number" && high < range[1];
}
/** The value of one row. */
function fieldFormula(s: ast.Field, declared: Declared, block: Block, ctx: Context): Node {
  const { dtype, shape, range } = declared;
  const { formulas } = block;
  const named = s.value.kind === "name" ? formulas.get(s.value.text) : undefined;
  const isBare = isLoader(named ?? s.value); // a loader alone: the declared range is the column's own
  let count = 0;
  const columnName = (): string => `${block.name}.${s.name.text}${count++ ? `.${count}` : ""}`;
  if (s.value.kind === "list" && s.value.elements.length && isRows(s.value, shape.length)) {
    const values = writtenRows(s, s.value, declared, block.scope, ctx);
    return addColumn(columnName(), { kind: "inline", values }, shape, dtype, range, s.span, block);
  }
  // loaders become values while the formula is evaluated
  const loaded = (v: Value, span: Span): Value => {
    if (v.kind !== "loader") return v;
    const loader = v.loader.kind === "host" && !v.loader.name ? { ...v.loader, name: s.name.text } : v.loader;
    const own = isBare ? range : undefined;
    return tensor(addColumn(columnName(), loader, shapeOfLoader(loader, shape, span), dtype, own, span, block));
  };
  const v = loaded(evaluateField(s.value, shape, block, ctx, loaded), s.value.span);
  const node = isPlain(v)
    ? compute([], undefined, plainScalar(v, dtype, s.value.span))
    : asTensor(v, s.value.span, dtype);
  const size = node.shape.reduce<number>((a, b) => a * (b as number), 1);
  const isFlat = isBare && !sameShape(node.shape, shape) && size === shape.reduce((a, b) => a * b, 1);
  return isFlat ? reshape(node, shape) : node;
}
/** Rows that are written in the file, as numbers one behind the other. */
function writtenRows(
  s: ast.Field,
  list: Extract<ast.Expr, { kind: "list" }>,
  { shape, range }: Declared,
  scope: Scope,
  ctx: Context,
): number[] {
  const values: number[] = [];
  const flatten = (e: ast.Expr): void => {
    if (e.kind === "list") return e.elements.forEach(flatten);
    const v = evaluate(e, scope, ctx);
    if (v.kind !== "number") throw errors.needed(e.span, "number", kindText(v));
    if (range && (v.value < range[0] || v.value >= range[1]))
      throw errors.fieldOutsideOfRange(e.span, s.name.text, String(v.value), `${range[0]}..${range[1]}`);
    values.push(v.value);
  };
  flatten(list);
  const size = shape.reduce((a, b) => a * b, 1);
  if (values.length !== size * list.elements.length)
    throw errors.shapeMismatch(
      s.value.span,
      `the field ${s.name.text}`,
      `${size} numbers a row`,
      `${values.length / list.elements.length}`,
    );
  return values;
}
const isRows = (e: Extract<ast.Expr, { kind: "list" }>, rank: number): boolean => {
  const depth = (x: ast.Expr): number => (x.kind === "list" && x.elements[0] ? 1 + depth(x.elements[0]) : 0);
  const numeric = (x: ast.Expr): boolean =>
    x.kind === "number" ||
    (x.kind === "unary" && numeric(x.operand)) ||
    (x.kind === "list" && x.elements.every(numeric));
  return depth(e) === rank + 1 && numeric(e);
};
const isLoader = (e: ast.Expr): boolean =>
  e.kind === "call" && e.callee.kind === "name" && Object.hasOwn(loaders, e.callee.text);
/** Evaluates a formula whose loaders are replaced by columns: operands of operators, pipes and calls. */
function evaluateField(
  e: ast.Expr,
  shape: readonly number[],
  { scope, formulas }: Block,
  ctx: Context,
  loaded: (v: Value, span: Span) => Value,
): Value {
  const named = new Scope(scope);
  const words = new Scope(scope);
  for (const word of ["drop", "cut"]) words.bind(word, { kind: "string", value: word }); // missing: drop, longer: cut
  let n = 0;
  const rewrite = (x: ast.Expr): ast.Expr => {
    switch (x.kind) {
      case "name":
        return formulas.has(x.text) ? rewrite(formulas.get(x.text)!) : x;
      case "call": {
        if (!isLoader(x))
          return { ...x, callee: rewrite(x.callee), args: x.args.map((a) => ({ ...a, value: rewrite(a.value) })) };
        const text = `%loader${n++}`;
        named.bind(text, loaded(evaluate(x, words, ctx), x.span));
        return { kind: "name", text, span: x.span };
      }
      case "binary":
        return { ...x, left: rewrite(x.left), right: rewrite(x.right) };
      case "unary":
        return { ...x, operand: rewrite(x.operand) };
      case "paren":
        return { ...x, value: rewrite(x.value) };
      case "list":
        return { ...x, elements: x.elements.map(rewrite) };
      case "index":
        return { ...x, operand: rewrite(x.operand) };
      case "if":
        return { ...x, then: rewrite(x.then), else: rewrite(x.else) };
      case "for":
      case "reduce":
        return { ...x, body: rewrite(x.body) };
      default:
        return x;
    }
  };
  const formula = rewrite(e);
  return evaluate(formula, named, expecting(formula, shape, ctx));
}
