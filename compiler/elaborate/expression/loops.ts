// Loops: `scan` and `fold` as one Scan of the graph, `stack` written out.
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { compute, finalOf, indicesOf, scan as makeScan, stackOf } from "../../graph/node.ts";
import { extentText, shapeText } from "../../graph/print.ts";
import { constantOf, iadd, integer, isub, load, provedNonNegative } from "../../graph/scalar.ts";
import type { Integer, Node, Range, Scan } from "../../graph/types.ts";
import { apply, type Context, evaluate, Scope, type Value } from "../context.ts";
import * as errors from "../errors.ts";
import { axesOf, transpose } from "../tensors.ts";
import { asTensor, isBundle, isPlain, kindText, number, tensor } from "../values.ts";
import { bindLet } from "./bodies.ts";
import { withParameters } from "./operators.ts";
import { fitTo } from "./states.ts";
import { dimVariable, expecting, extentValue } from "./types.ts";

export function stackExpression(e: Extract<ast.Expr, { kind: "stack" }>, scope: Scope, ctx: Context): Value {
  const counted = evaluate(e.count, scope, ctx);
  const [low, end] =
    counted.kind === "range"
      ? [constantOf(counted.low), constantOf(counted.end)]
      : [0, counted.kind === "number" ? counted.value : undefined];
  if (low === undefined || end === undefined) throw errors.neededEarly(e.count.span, "count");
  if (!Number.isInteger(low) || !Number.isInteger(end)) throw errors.notWhole(e.count.span, end);
  if (end - low > errors.most) throw errors.beyondLimit(e.count.span, "copies", end - low);
  const apply_ = (input: Value, span: Span): Value => {
    let value = input;
    for (let i = low; i < end; i++) {
      const inner = new Scope(scope);
      if (e.index) inner.bind(e.index.text, number(i));
      const own: Context = { ...ctx, stackPosition: `${ctx.stackPosition}.${i}` };
      const layer = evaluate(e.of, inner, own);
      value = apply(
        layer,
        (value.kind === "tuple" ? value.elements : [value]).map((x) => ({ value: x, span })),
        span,
        own, // a function of the file makes instances when it is applied
      );
    }
    return value;
  };
  return { kind: "stacked", apply: apply_ };
}
/** What a loop walks over: numbers from `low`, or a tensor along an axis. */
interface Iterator {
  readonly it: ast.Loop["iterators"][number];
  readonly count: number;
  readonly low: Integer;
  readonly x: Node | undefined;
  readonly axis: number;
}
/** One reading of a loop's body: the loop, and what it yields every round. */
interface Reading {
  readonly scan: Scan;
  readonly yields: readonly Node[] | undefined;
  readonly isTuple: boolean; // of what it yields
}
export function loopExpression(e: ast.Loop, scope: Scope, ctx: Context): Value {
  if (scope.find("%for") !== undefined || ctx.element) throw errors.notInFor(e.span, e.kind);
  const iterators = e.iterators.map((it) => iteratorOf(it, scope, ctx));
  const { count } = iterators[0]!;
  for (const i of iterators) if (i.count !== count) throw errors.roundsDiffer(i.it.span, count, i.count);
  const values = e.carries.map((c) => evaluate(c.value, scope, ctx));
  const returned = e.body.statements.find((s) => s.kind === "return");
  if (returned) throw errors.notInLoop(returned.span, "return", e.kind);
  const carries = e.carries.map((c, j) =>
    carryOf(c.name.text, withParameters(values[j]!, c.value.span, ctx), c, e.span),
  );
  const initial = carries.flatMap((c) => c.initial);
  const path = `${ctx.draws.path}%${ctx.draws.count++}`;
  const read = (ranges: readonly (Range | undefined)[], trial: boolean): Reading =>
    readLoop(e, iterators, carries, ranges, scope, {
      ...ctx,
      draws: { count: 0, path },
      trial: trial || ctx.trial === true,
    });
  const made = read(
    rangesOfCarries(initial, (ranges) => read(ranges, true).scan),
    false,
  );
  if (e.kind === "fold") {
    const nodes = initial.map((_, j) => finalOf(made.scan, j));
    const finals = carries.map((c) => c.of(nodes.splice(0, c.initial.length)));
    return finals.length === 1 ? finals[0]! : { kind: "tuple", elements: finals };
  }
  if (!made.yields) throw errors.noYield(e.span);
  const walked = iterators.find((i) => i.x);
  const stacks = made.yields.map((y) =>
    stacked(made.scan, y, walked ? Math.min(walked.axis, y.shape.length) : 0, e.span),
  );
  return made.isTuple ? { kind: "tuple", elements: stacks } : stacks[0]!;
}
/** What a loop hands on: a tensor, or one for every parameter of an instance. */
interface Carry {
  readonly name: string;
  readonly names: readonly string[]; // of the tensors
  readonly initial: readonly Node[];
  readonly of: (nodes: readonly Node[]) => Value;
  readonly next: (v: Value, span: Span) => readonly Node[];
}
function carryOf(name: string, v: Value, { value }: ast.Loop["carries"][number], loop: Span): Carry {
  if (isBundle(v) && v.values?.size) {
    const { instance } = v;
    const [parameters, initial] = [[...v.values.keys()], [...v.values.values()]];
    const names = parameters.map((p) => `${name}.${p.path}`);
    return {
      name,
      names,
      initial,
      of: (nodes) => ({ kind: v.kind, instance, values: new Map(parameters.map((p, i) => [p, nodes[i]!])) }),
      next: (next, span) => {
        if (!isBundle(next) || next.instance !== instance || !next.values)
          throw errors.notParametersOf(span, instance.path, kindText(next));
        return parameters.map((p, i) => fitTo(initial[i]!, tensor(next.values!.get(p)!), span, names[i]!));
      },
    };
  }
  // a carry written as a plain number is a single one: f32, or i32 where it is whole
  const first =
    isPlain(v) || v.kind === "bool"
      ? asTensor(v, loop, v.kind === "number" && v.whole ? undefined : "f32")
      : asTensor(v, value.span);
  const [of, next] = [
    (nodes: readonly Node[]) => tensor(nodes[0]!),
    (x: Value, span: Span) => [fitTo(first, x, span, name)],
  ];
  return { name, names: [name], initial: [first], of, next };
}
function iteratorOf(it: Iterator["it"], scope: Scope, ctx: Context): Iterator {
  const v = evaluate(it.in, scope, ctx);
  if (v.kind === "range") {
    const n = constantOf(isub(v.end, v.low));
    if (n === undefined) throw errors.neededEarly(it.in.span, "rounds");
    return { it, count: Math.max(0, n), low: v.low, x: undefined, axis: 0 };
  }
  const x = asTensor(v, it.in.span);
  const axis = it.along ? axisAlong(x, it.in, it.along, scope, ctx) : 0;
  const n = x.shape[axis];
  if (typeof n !== "number") throw errors.runTimeRounds(it.span);
  return { it, count: n, low: integer(0), x, axis };
}
/** The axis of `along`: its number, or the dim that it is. */
function axisAlong(x: Node, of: ast.Expr, along: ast.Expr, scope: Scope, ctx: Context): number {
  const v = evaluate(along, scope, ctx);
  if (v.kind === "number" && along.kind !== "name") return v.value < 0 ? x.shape.length + v.value : v.value;
  const n = extentValue(v, along.span);
  const named = along.kind === "name" ? declaredAxis(of, along.text, scope) : undefined;
  const axis = named ?? x.shape.indexOf(n);
  if (axis < 0) throw errors.noAxisAlong(along.span, extentText(n), shapeText(x.shape));
  return axis;
}
function readLoop(
  e: ast.Loop,
  iterators: readonly Iterator[],
  carries: readonly Carry[],
  ranges: readonly (Range | undefined)[],
  scope: Scope,
  ctx: Context,
): Reading {
  let yields: Node[] | undefined;
  let isTuple = false;
  const known = carries.map((c) => c.name);
  const { count } = iterators[0]!;
  const initial = carries.flatMap((c) => c.initial);
  const names = carries.flatMap((c) => c.names);
  const scan = makeScan({ count, initial, names, ranges, span: e.span }, (t, incoming) => {
    const inner = new Scope(scope);
    const log = ctx.trial ? undefined : ctx.interpreter.log;
    const bind = (name: ast.Name, value: Value): void => {
      inner.bind(name.text, value);
      log?.named(name, value, inner);
    };
    for (const i of iterators) bind(i.it.name, roundOf(i, t));
    const left = [...incoming];
    carries.forEach((c, j) => bind(e.carries[j]!.name, c.of(left.splice(0, c.initial.length))));
    const own: Context = { ...ctx, rounds: [...ctx.rounds, { step: t, count }] };
    const next = new Map<string, { readonly value: Value; readonly span: Span }>();
    for (const s of e.body.statements) {
      if (s.kind === "let") bindLet(s, inner, own);
      else if (s.kind === "next") {
        const shapes = new Map(carries.flatMap((c) => (c.initial.length === 1 ? [[c.name, c.initial[0]!.shape]] : [])));
        const values = s.assignments.map((a) =>
          evaluate(a.value, inner, expecting(a.value, shapes.get(a.name.text), own)),
        );
        s.assignments.forEach((a, k) => {
          if (!known.includes(a.name.text)) throw errors.unknownName(a.name.span, a.name.text, known);
          next.set(a.name.text, { value: values[k]!, span: a.value.span });
        });
      } else if (s.kind === "yield") {
        if (e.kind === "fold") throw errors.notInLoop(s.span, "yield", "fold");
        const v = evaluate(s.value, inner, own);
        isTuple = v.kind === "tuple";
        yields = (v.kind === "tuple" ? v.elements : [v]).map((x) => asTensor(x, s.span));
      } else throw errors.notInLoop(s.span, s.kind, e.kind);
    }
    const kept = [...incoming];
    return carries.flatMap((c) => {
      const same = kept.splice(0, c.initial.length);
      const v = next.get(c.name);
      return v ? c.next(withParameters(v.value, v.span, own), v.span) : same;
    });
  });
  return { scan, yields, isTuple };
}
/** What an iterator is at round t: a number, or a slice. */
function roundOf({ it, low, x, axis }: Iterator, t: Integer): Value {
  if (!x) return { kind: "int", value: iadd(t, low) };
  const axes = axesOf(x.shape.filter((_, d) => d !== axis));
  const at = indicesOf(axes);
  at.splice(axis, 0, t);
  return tensor(compute(axes, undefined, load(x, at), { span: it.span, label: it.name.text }));
}
/** Every integer carry has a range that holds its first value and that every round stays in; it is found by trial. */
function rangesOfCarries(
  initial: readonly Node[],
  attempt: (ranges: readonly (Range | undefined)[]) => Scan,
): readonly (Range | undefined)[] {
  let ranges = initial.map((x) => x.range);
  if (!initial.some((x) => x.dtype === "i32")) return ranges;
  const join = (from: readonly (Range | undefined)[], round: number): (Range | undefined)[] =>
    attempt(from).carries.map((c, j) => joinRanges(from[j], c.next.range, round));
  const isStable = (from: readonly (Range | undefined)[]): boolean => join(from, 0).every((r, j) => r === from[j]);
  for (let round = 0; round < 4 && !isStable(ranges); round++) ranges = join(ranges, round);
  // under bounds that hold, the first and next values may be bounded more closely: min(i + 1, 3)
  const closer = attempt(ranges).carries.map(
    (c, j) => ranges[j] && (c.next.range ? joinRanges(c.initial.range, c.next.range, 0) : ranges[j]),
  );
  return isStable(closer) ? closer : ranges;
}
/** What a body node is in every round, the rounds along this axis. */
function stacked(scan: Scan, y: Node, axis: number, span: Span): Value {
  const all = stackOf(scan, y);
  if (axis === 0) return tensor(all);
  const order = y.shape.map((_, d) => d + 1);
  order.splice(axis, 0, 0);
  return tensor(transpose(all, order, span));
}
/** The first range where it holds the second, else one that holds both: where it goes on growing it is far away, then nowhere. */
function joinRanges(a: Range | undefined, b: Range | undefined, round: number): Range | undefined {
  if (!a) return a;
  if (!b || round === 3) return undefined;
  const value = (high: Range["high"]): Integer => (typeof high === "number" ? integer(high) : high);
  const above = a.high !== Infinity && (b.high === Infinity || !provedNonNegative(isub(value(a.high), value(b.high))));
  const below = a.low > b.low;
  if (!below && !above) return a;
  const far = round === 1 ? 2 ** 30 : Infinity; // a step from there is still no overflow
  const high = round === 0 && typeof a.high === "number" && typeof b.high === "number" ? b.high : far;
  const joined = { low: below ? (round === 0 ? b.low : -far) : a.low, high: above ? high : a.high };
  return joined.low === -Infinity && joined.high === Infinity ? undefined : joined; // i32 wraps: anything
}
/** The axis that a parameter's type calls by this dim: `xs: f32[B, T, I]` along T. */
function declaredAxis(e: ast.Expr, name: string, scope: Scope): number | undefined {
  if (e.kind !== "name") return undefined;
  for (const { types } of scope.declarations()) {
    const dims = types.get(e.text);
    if (!dims) continue;
    const found = dims.findIndex((d) => d.kind === "dim" && dimVariable(d.value) === name);
    return found >= 0 && dims.slice(0, found).every((d) => d.kind === "dim") ? found : undefined;
  }
  return undefined;
}
