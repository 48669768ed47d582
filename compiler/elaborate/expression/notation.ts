// Index notation: `for i, j: e` and `sum over k: e`.
import * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { compute, indicesOf } from "../../graph/node.ts";
import { extentText } from "../../graph/print.ts";
import {
  and,
  call as callScalar,
  equal,
  iadd,
  integer,
  interval,
  isBounded,
  isTrue,
  isub,
  less,
  lessEqual,
  load,
  select,
  toF32,
  variable,
} from "../../graph/scalar.ts";
import type { Extent, Integer, Node, Scalar, Shape, Variable } from "../../graph/types.ts";
import { type Context, evaluate, Scope, type Value } from "../context.ts";
import * as errors from "../errors.ts";
import {
  axesOf,
  divideByCount,
  finishReducer,
  isComparedAsF32,
  isFixed,
  logOfSum,
  nothingOf,
  reducer,
  sizeFrom,
  someElements,
} from "../tensors.ts";
import {
  asScalarValue,
  asTensor,
  bundlesOf,
  int,
  isBundle,
  kindText,
  number,
  plainNumber,
  plainScalar,
  scalar,
  tensor,
} from "../values.ts";
import { parameterOf, parametersOf } from "./instances.ts";
import { mappedBody } from "./mapped.ts";
import { elementwiseValues, operate } from "./operators.ts";

interface Binders {
  readonly variables: Variable[];
  readonly scope: Scope;
  readonly guards: Scalar[]; // bounds that depend on outer indices or data
}
/** Makes a variable for every index; an index without a range takes the extent of every axis where it stands alone. */
function openBinders(
  binders: readonly ast.Binder[],
  body: ast.Expr,
  scope: Scope,
  ctx: Context,
  expected: readonly (Extent | undefined)[] = [],
): Binders {
  const inner = new Scope(scope);
  inner.bind("%for", { kind: "bool", value: true });
  const variables: Variable[] = [];
  const guards: Scalar[] = [];
  const used = extentsByUse(binders, body, expected, scope, ctx);
  const restAt = binders.findIndex((b) => b.kind === "rest");
  const restCount = expected.length - (binders.length - 1);
  for (const [k, b] of binders.entries()) {
    if (b.kind === "rest") {
      const stated = expected.slice(k, k + Math.max(0, restCount)).filter((n) => n !== undefined);
      const own = (used.rest ?? (stated.length === restCount ? stated : [])).map((n) => variable(n, "r"));
      variables.push(...own);
      const elements = own.map((v): Value => (v.extent === 1 ? number(0) : { kind: "int", value: v }));
      inner.bind("...", { kind: "list", elements });
      continue;
    }
    const name = b.name.text;
    const { low, extent, within } = rangeOf(
      b,
      used.named.get(name) ?? expected[restAt >= 0 && k > restAt ? k + restCount - 1 : k],
      inner,
      ctx,
    );
    const v = variable(extent, name);
    variables.push(v);
    const position = iadd(v, low);
    const value: Value = within ? { kind: "int", value: position } : int(extent === 1 ? low : position);
    inner.bind(name, value);
    if (!ctx.trial) ctx.interpreter.log?.named(b.name, value, inner);
    if (within) guards.push(lessEqual(within.low, position), less(position, within.end));
  }
  return { variables, scope: inner, guards: guards.filter((g) => !isTrue(g)) };
}
/** The box that an index runs over; `within`: bounds of outer indices or data, which are a guard in it. */
function rangeOf(
  b: Extract<ast.Binder, { kind: "binder" }>,
  used: Extent | undefined,
  scope: Scope,
  ctx: Context,
): { low: Integer; extent: Extent; within?: { low: Integer; end: Integer } } {
  if (!b.range) {
    if (used !== undefined) return { low: integer(0), extent: used };
    throw errors.unknownIndexRange(b.span, b.name.text);
  }
  const { span } = b.range;
  const r = evaluate(b.range, scope, ctx);
  if (r.kind !== "range") throw errors.needed(span, "indexRange", kindText(r));
  const length = isub(r.end, r.low);
  if (isFixed(length) && isFixed(r.low)) {
    const extent = sizeFrom(length, span);
    if (typeof extent === "number" && extent > errors.mostElements) throw errors.beyondLimit(span, "axis", extent);
    return { low: r.low, extent };
  }
  if (used !== undefined) return { low: integer(0), extent: used, within: r };
  const [least, widest] = [interval(r.low).low, interval(r.end).high];
  if (!isBounded({ low: least, high: widest }) || !Number.isFinite(widest)) throw errors.unboundedIndex(span);
  return { low: integer(least), extent: Math.max(0, widest - least), within: r };
}
/** Extents by the names of indices, and those of `...`. */
interface Extents {
  readonly named: Map<string, Extent>;
  rest?: Shape;
}
/** Extents of the axes where an index stands alone: a walk over the body's text, for what is known outside of it. */
function extentsByUse(
  binders: readonly ast.Binder[],
  body: ast.Expr,
  expected: readonly (Extent | undefined)[],
  scope: Scope,
  ctx: Context,
): Extents {
  const found: Extents = { named: new Map() };
  const computed: { readonly e: Brackets; readonly hidden: ReadonlySet<string> }[] = [];
  const own = binders.flatMap((b) => (b.kind === "binder" ? [b.name.text] : []));
  const readsIndices = (e: ast.Expr, hidden: ReadonlySet<string>): boolean =>
    [...ast.below([e])].some((x) => isName(x) && (hidden.has(x.text) || own.includes(x.text)));
  /** `hidden`: names that binders within the body bind anew. */
  const walk = (e: ast.Expr, hidden: ReadonlySet<string>): void => {
    const all = (...parts: (ast.Expr | undefined)[]): void => {
      for (const x of parts) if (x) walk(x, hidden);
    };
    switch (e.kind) {
      case "index": {
        const x = knownTensor(e.operand, hidden);
        if (x) extentsOfBrackets(e, x, binders, hidden, found);
        else if (e.operand.kind !== "name") {
          if (!readsIndices(e.operand, hidden)) computed.push({ e, hidden });
          walk(e.operand, hidden);
        }
        return all(...e.indices.map((i) => (i.kind === "at" ? i.value : undefined)), e.outside);
      }
      case "for":
      case "reduce": {
        all(...e.binders.map((b) => (b.kind === "binder" ? b.range : undefined)));
        const own = e.binders.flatMap((b) => (b.kind === "binder" ? [b.name.text] : []));
        return walk(e.body, new Set([...hidden, ...own]));
      }
      case "paren":
        return all(e.value);
      case "unary":
      case "member":
        return all(e.operand);
      case "binary":
        return all(e.left, e.right);
      case "call":
        return all(e.callee, ...e.args.map((a) => a.value));
      case "tuple":
      case "list":
        return all(...e.elements);
      case "if":
        return all(e.condition, e.then, e.else);
      case "lambda":
        return walk(e.body, new Set([...hidden, ...e.params.map((p) => p.text)]));
      case "scan":
      case "fold": {
        all(...e.iterators.map((i) => i.in), ...e.carries.map((c) => c.value));
        const lets = e.body.statements.flatMap((s) => (s.kind === "let" ? s.names : []));
        const own = [...e.iterators, ...e.carries].map((x) => x.name).concat(lets);
        const inner = new Set([...hidden, ...own.map((x) => x.text)]);
        for (const s of e.body.statements)
          if (s.kind === "next") for (const a of s.assignments) walk(a.value, inner);
          else if (s.kind === "let" || s.kind === "yield") walk(s.value, inner);
        return;
      }
      default:
        return;
    }
  };
  const knownTensor = (e: ast.Expr, hidden: ReadonlySet<string>): Node | undefined => {
    if (e.kind === "paren") return knownTensor(e.value, hidden);
    if (e.kind === "name" && hidden.has(e.text)) return undefined;
    if (e.kind !== "name" && e.kind !== "member") return undefined;
    const v = e.kind === "name" ? (scope.find(e.text) ?? ctx.ambient.find(e.text)) : evaluate(e, scope, ctx);
    if (v?.kind === "tensor") return v.node;
    if (v?.kind === "list") return asTensor(v, e.span);
    return undefined;
  };
  walk(body, new Set());
  for (const { e, hidden } of computed) {
    const isSought = (name: string): boolean =>
      !hidden.has(name) &&
      !found.named.has(name) &&
      binders.some((b, k) => isOpen(b, name) && expected[k] === undefined);
    if (!e.indices.some((i) => i.kind === "at" && i.value.kind === "name" && isSought(i.value.text))) continue;
    const x = onTrial(e.operand, scope, ctx);
    if (x) extentsOfBrackets(e, x, binders, hidden, found);
  }
  return found;
}
type Brackets = Extract<ast.Expr, { kind: "index" }>;
const isName = (x: ast.Part): x is Extract<ast.Expr, { kind: "name" }> => ast.isExpression(x) && x.kind === "name";
const isOpen = (b: ast.Binder, name: string): boolean => b.kind === "binder" && !b.range && b.name.text === name;
/** A tensor for its extents: nothing else of what is computed is kept, or told. */
function onTrial(e: ast.Expr, scope: Scope, ctx: Context): Node | undefined {
  const { draws, current, interpreter } = ctx;
  const own: Context = {
    ...ctx,
    element: false,
    writes: false,
    trial: true,
    sizing: new Map(),
    draws: { ...draws },
    current: new Map(current),
    interpreter: { ...interpreter, log: undefined, work: { ...interpreter.work } },
  };
  const value = evaluate(e, scope, own);
  ctx.sizing?.set(e, { scope, value }); // else each level of nested operands would be computed twice as often as the one around it
  return value.kind === "tensor" ? value.node : undefined;
}
/** What the indices that stand alone in these brackets run over. */
function extentsOfBrackets(
  e: Brackets,
  x: Node,
  binders: readonly ast.Binder[],
  hidden: ReadonlySet<string>,
  found: Extents,
): void {
  const restAt = e.indices.findIndex((i) => i.kind === "rest");
  const count = x.shape.length - (e.indices.length - (restAt >= 0 ? 1 : 0)); // axes of the rest
  e.indices.forEach((i, k) => {
    if (i.kind === "rest" && !i.name && count >= 0 && binders.some((b) => b.kind === "rest"))
      found.rest ??= x.shape.slice(k, k + count);
    if (i.kind !== "at" || i.value.kind !== "name" || hidden.has(i.value.text)) return;
    const name = i.value.text;
    const own = binders.filter((b) => b.kind === "binder" && b.name.text === name);
    const n = x.shape[restAt >= 0 && k > restAt ? k + count - 1 : k];
    if (!own.length || n === undefined) return;
    const before = found.named.get(name);
    if (before === undefined) found.named.set(name, n);
    else if (before !== n && !own.some((b) => b.kind === "binder" && b.range))
      throw errors.indexExtents(i.span, name, extentText(before), extentText(n));
  });
}
export function forExpression(e: Extract<ast.Expr, { kind: "for" }>, scope: Scope, ctx: Context): Value {
  // of tensors for the `for` around, with which it merges
  if (scope.find("%for") !== undefined || ctx.element) throw errors.notInFor(e.span, "for");
  const opened = openBinders(e.binders, e.body, scope, ctx, ctx.expected?.of === e ? ctx.expected.shape : []);
  if (opened.guards.length) throw errors.notInFor(e.span, "bound");
  const body = elementOf(e.body, opened, ctx, true);
  if (body) return tensor(compute(opened.variables, undefined, body, { span: e.span }));
  const vector = (v: Value): Value => (isBundle(v) ? tensor(asTensor(v, e.body.span)) : v);
  return tensor(mappedBody(e.body, opened, scope, ctx, e.span, vector).nodes[0]!);
}
/** The body as a single element; undefined where it is a tensor, or holds what is one. */
function elementOf(body: ast.Expr, { scope }: Binders, ctx: Context, isOutermost: boolean): Scalar | undefined {
  try {
    const v = evaluate(body, scope, { ...ctx, element: true });
    if (isBundle(v) || (v.kind === "tensor" && v.node.shape.length > 0))
      throw errors.needed(body.span, "reducedElement", kindText(v));
    return asScalarValue(v, body.span, v.kind === "number" && !v.whole ? "f32" : undefined);
  } catch (error) {
    if (isOutermost && error instanceof errors.Fault && error.ofElement) return undefined;
    throw error;
  }
}
export function reduceExpression(e: Extract<ast.Expr, { kind: "reduce" }>, scope: Scope, ctx: Context): Value {
  const word = e.reducer.text;
  const parts = overParameters(e, scope, ctx);
  if (parts) return foldValues(word, parts, e);
  const opened = openBinders(e.binders, e.body, scope, ctx);
  const inElement = scope.find("%for") !== undefined || ctx.element === true;
  const element = elementOf(e.body, opened, ctx, !inElement);
  if (!element) {
    const { nodes, of } = mappedBody(e.body, opened, scope, ctx, e.span);
    return of(
      nodes.map((x) => {
        const axes = axesOf(x.shape.slice(opened.variables.length));
        const own = load(x, [...indicesOf(opened.variables), ...indicesOf(axes)]);
        return compute(axes, undefined, reduceElement(word, own, opened, e.span), { span: e.span });
      }),
    );
  }
  const result = reduceElement(word, element, opened, e.span);
  // in a function called from a `for`, the scope does not tell; the indices around do
  return scope.find("%for") !== undefined || result.variables.size
    ? scalar(result)
    : tensor(compute([], undefined, result, { span: e.span }));
}
/** The body for every parameter of an instance, or of an optimizer's line; undefined where the reducer runs over indices. */
function overParameters(
  e: Extract<ast.Expr, { kind: "reduce" }>,
  scope: Scope,
  ctx: Context,
): readonly Value[] | undefined {
  const [only] = e.binders;
  if (e.binders.length !== 1 || only?.kind !== "binder") return undefined;
  if (!only.range) return only.name.text === "params" ? ctx.params?.each(e.body, scope) : undefined;
  const over = evaluate(only.range, scope, ctx);
  const { span } = only.range;
  return bundlesOf(over)?.flatMap((of) =>
    parametersOf(of.instance, ctx, span).map((p) => {
      const inner = new Scope(scope);
      inner.bind(only.name.text, tensor(parameterOf(of, p, ctx)));
      return evaluate(e.body, inner, ctx);
    }),
  );
}
/** The element reduced over the indices that are opened, as an element of the indices around. */
function reduceElement(word: string, element: Scalar, { variables, guards }: Binders, span: Span): Scalar {
  const guard = and(...guards);
  const extents = variables.map((v) => v.extent);
  // outer indices become the axes of the node, which is then read at them
  const outer = [...new Set([...element.variables, ...guard.variables])].filter((x) => !variables.includes(x));
  const build = (name: string, body: Scalar): Scalar => {
    const { reduction, body: own } = reducer(name, body, span);
    const guarded = isTrue(guard) ? own : select(guard, own, nothingOf(reduction.op, own));
    const node = compute(outer, { ...reduction, over: variables }, guarded, { span });
    return load(finishReducer(name, node, span), indicesOf(outer));
  };
  switch (word) {
    case "mean": {
      const sum = build("sum", toF32(element));
      if (isTrue(guard)) return divideByCount(sum, extents);
      const count = build("sum", plainScalar(plainNumber(1), "f32", span));
      return select(callScalar("less", 0, count), callScalar("div", sum, callScalar("max", count, 1)), 0);
    }
    case "logsumexp": {
      const x = toF32(element);
      if (extents.includes(0)) return build("amax", x);
      const top = callScalar("stop", build("amax", x));
      const filled = isTrue(guard) && extents.every((n) => typeof n === "number" && n > 0);
      return logOfSum(build("sum", callScalar("exp", callScalar("sub", x, top))), top, filled);
    }
    case "argmax":
    case "argmin": {
      someElements(word, extents, span);
      if (isComparedAsF32(element)) return build(word, element);
      const best = build(word === "argmax" ? "amax" : "amin", element);
      return build("argmax", equal(element as Integer, best as Integer)); // i32, as what `best` is the extreme of
    }
    default:
      return build(word, element);
  }
}
function foldValues(word: string, parts: readonly Value[], e: Extract<ast.Expr, { kind: "reduce" }>): Value {
  if (word !== "sum" && word !== "prod" && word !== "max" && word !== "min") throw errors.reducerNotYet(e.span, word);
  const operator = word === "sum" ? "+" : word === "prod" ? "*" : word;
  return parts.reduce(
    (a, b) =>
      operator === "max" || operator === "min"
        ? elementwiseValues(operator, [a, b], [e.span, e.span], e.span)
        : operate(operator, a, b, [e.span, e.span], e.span),
    number(word === "prod" ? 1 : 0, false),
  );
}
