// The interpreter: expressions to values. Tensor values are graph nodes, so elaboration and lowering are one pass: a function is inlined
// by evaluating its body, a layer by evaluating it within its instance. Shapes are checked where they meet.
import type * as ast from "../../grammar/ast.ts";
import { place, type Diagnostic, type Label, type Span } from "../../grammar/diagnostic.ts";
import { levelInputs, zeros } from "../grad/grad.ts";
import { derivatives } from "./derivatives.ts";
import { compute, finalOf, indicesOf, inputs, scan as makeScan, source, stackOf, topological } from "../graph/node.ts";
import { extentText, shapeText } from "../graph/print.ts";
import {
  FALSE,
  and,
  asExtent,
  call as callScalar,
  constantOf,
  extentInteger,
  floorDiv,
  iadd,
  imul,
  integer,
  interval,
  isBounded,
  isCall,
  isTrue,
  isub,
  less,
  lessEqual,
  load,
  modulo,
  mul,
  nonNegative,
  operandsOf,
  provedNonNegative,
  select,
  termsOf,
  toF32,
  variable,
  visit,
} from "../graph/scalar.ts";
import type { DType, Extent, Integer, Node, Range, Scalar, Shape, Source, Variable } from "../graph/types.ts";
import { leastI32, mostI32 } from "../scalar/range.ts";
import { namedFunctions } from "../scalar/table.ts";
import { applyBuiltin, builtinNames, laterNames, shapedNames } from "./builtins.ts";
import * as errors from "./errors.ts";
import { drawTensor, hashSite } from "./draws.ts";
import { Scope } from "./scope.ts";
import {
  axesOf,
  combine,
  divideByCount,
  elementwise,
  finishReducer,
  isComparedAsF32,
  logOfSum,
  nothingOf,
  reducer,
  sizeFrom,
  someElements,
} from "./tensors.ts";
import {
  asScalarValue,
  asTensor,
  filling,
  int,
  integerOf,
  isElement,
  isPlain,
  kindText,
  number,
  plainNumber,
  plainScalar,
  scalar,
  tensor,
  type Callable,
  type Distribution,
  type Instance,
  type OptimizerValue,
  type Value,
} from "./values.ts";

/** What differs between the programs made from one file. */
export interface Context {
  readonly training: boolean;
  readonly seed: Source;
  readonly step: Integer; // of the draws
  readonly ambient: Scope; // training, step, batch, ... by program
  /** Values of parameters and states that differ from their sources: updated in a train block, or replaced by a bundle. */
  readonly current: Map<Source, Node>;
  /** Are states written here? */
  readonly writes: boolean;
  readonly instance: Instance | undefined;
  readonly frozen: boolean;
  readonly stackPosition: string; // part of the key of instances
  /** Loops around, outermost first: part of the element that a draw takes. */
  readonly rounds: readonly { readonly step: Integer; readonly count: number }[];
  readonly draws: { count: number; readonly path: string };
  readonly declared: "metric" | "fn" | undefined; // may not construct
  readonly params?: OptimizerParams; // inside an optimizer
  readonly element?: boolean; // inside `for` or a reducer, where every value is one element
  readonly updated?: readonly Updated[]; // parameters with new values at this line of a train block
  readonly trial?: boolean; // the ranges of a loop's carries are being found: indices are not checked
}
/** A parameter's value before a `minimize` above, and where that stands. */
export interface Updated {
  readonly parameter: Source;
  readonly before: Node;
  readonly span: Span;
}
/** `sum over params: e`: the expression for every parameter of the line. */
export interface OptimizerParams {
  readonly each: (body: ast.Expr, scope: Scope) => Value[];
}

export interface Interpreter {
  readonly diagnostics: Diagnostic[];
  readonly parameters: Map<string, { source: Source; initial: Node; span: Span }>;
  readonly states: Map<string, { source: Source; initial: Node; span: Span; kind: "state" | "optimizer" | "counter" }>;
  readonly models: Map<ast.ModelDeclaration, Instance>;
  readonly calls: ast.Fn[]; // running, to find recursion
  readonly pass: { number: number }; // the file is read again where instances were asked for parameters that were made further below
  readonly work: { calls: number }; // all calls so far: functions are inlined, so calls of calls may double
  readonly seed: Source;
  readonly initialContext: (path: string) => Context;
  readonly dataset: (name: string, member: string, span: Span) => Value;
}

export function evaluate(self: Interpreter, e: ast.Expr, scope: Scope, ctx: Context): Value {
  switch (e.kind) {
    case "number":
      return number(e.value, /^\d+$/.test(e.text));
    case "string":
      return { kind: "string", value: e.value };
    case "pattern":
      return { kind: "pattern", pattern: e.pattern, text: e.text };
    case "boolean":
      return { kind: "bool", value: e.value };
    case "name":
      return lookup(e.text, e.span, scope, ctx);
    case "paren":
      return evaluate(self, e.value, scope, ctx);
    case "tuple":
      return { kind: "tuple", elements: e.elements.map((x) => evaluate(self, x, scope, ctx)) };
    case "list":
      return { kind: "list", elements: e.elements.map((x) => evaluate(self, x, scope, ctx)) };
    case "unary":
      return unary(e, withParameters(self, evaluate(self, e.operand, scope, ctx), e.operand.span, ctx));
    case "binary":
      return binary(self, e, scope, ctx);
    case "call":
      return callExpression(self, e, scope, ctx);
    case "index":
      return indexExpression(self, e, scope, ctx);
    case "member":
      return member(self, e, scope, ctx);
    case "reduce":
      return reduceExpression(self, e, scope, ctx);
    case "for":
      return forExpression(self, e, scope, ctx);
    case "lambda":
      return { kind: "lambda", params: e.params, body: e.body, scope };
    case "if": {
      const condition = evaluate(self, e.condition, scope, ctx);
      const known = knownBool(condition);
      if (known === undefined) throw errors.notCompileTime(e.condition.span, "the condition of `if`");
      return evaluate(self, known ? e.then : e.else, scope, ctx);
    }
    case "stack":
      return stackExpression(self, e, scope, ctx);
    case "scan":
    case "fold":
      return loopExpression(self, e, scope, ctx);
    case "missing":
      throw new errors.Quiet(); // a syntax error, which is told already
    default:
      return e satisfies never;
  }
}
export function knownBool(v: Value): boolean | undefined {
  if (v.kind === "bool") return v.value;
  if (v.kind === "scalar" && v.scalar.kind === "literal" && v.scalar.dtype === "bool") return v.scalar.value === 1;
  return undefined;
}
function lookup(name: string, span: Span, scope: Scope, ctx: Context): Value {
  const found = scope.find(name) ?? ctx.ambient.find(name);
  if (found) return found;
  if (namedFunctions.has(name) || builtinNames.has(name) || shapedNames.has(name)) return { kind: "builtin", name };
  if (laterNames.has(name)) throw errors.unsupported(span, `\`${name}\``);
  throw errors.unknownName(span, name, [...scope.names(), ...ctx.ambient.names(), ...builtinNames, ...shapedNames]);
}

// ---------------------------------------------------------------- operators

function unary(e: Extract<ast.Expr, { kind: "unary" }>, v: Value): Value {
  if (e.operator === "not") {
    const known = knownBool(v);
    if (known !== undefined) return { kind: "bool", value: !known };
    return map1(v, e.span, (x) => combine("not", [x], e.span));
  }
  if (v.kind === "number") return number(-v.value, v.whole);
  if (v.kind === "int") return int(imul(v.value, -1));
  if (v.kind === "ratio") return { kind: "ratio", numerator: imul(v.numerator, -1), divisor: v.divisor };
  if (v.kind === "distribution" || v.kind === "deferred")
    return operate("*", v, number(-1), [e.operand.span, e.span], e.span);
  if (v.kind === "instance" || v.kind === "gradient") return bundle("*", v, number(-1), e.span);
  if (
    (v.kind === "tensor" && v.node.dtype === "bool") ||
    (v.kind === "scalar" && v.scalar.dtype === "bool") ||
    v.kind === "bool"
  )
    throw errors.wrongKind(
      e.operand.span,
      "a number",
      v.kind === "bool" ? "a bool" : kindText(v),
      "write `not x`, or f32(x) for a number",
    );
  return map1(v, e.span, (x) => combine("*", [x, plainScalar(plainNumber(-1), x.dtype, e.span)], e.span));
}
const map1 = (v: Value, span: Span, f: (x: Scalar) => Scalar): Value =>
  v.kind === "scalar" ? scalar(f(v.scalar)) : tensor(elementwise([asTensor(v, span)], [span], span, ([x]) => f(x!)));

/** Elementwise over tensors, elements or plain numbers, which take the dtype of the others. */
export function elementwiseValues(
  name: string,
  values: readonly Value[],
  spans: readonly Span[],
  span: Span,
  dtypeFrom = 0,
): Value {
  try {
    return elementwiseOf(name, values, spans, span, dtypeFrom);
  } catch (error) {
    if (!(error instanceof errors.Fault) || error.diagnostic.code !== "DLM2005" || error.diagnostic.labels) throw error;
    const labels = values.flatMap((v, i) =>
      i >= dtypeFrom && (v.kind === "tensor" || v.kind === "scalar") && spans[i] !== span
        ? [{ span: spans[i]!, text: kindText(v) }]
        : [],
    );
    throw new errors.Fault({ ...error.diagnostic, labels });
  }
}
function elementwiseOf(
  name: string,
  values: readonly Value[],
  spans: readonly Span[],
  span: Span,
  dtypeFrom: number,
): Value {
  const dtype = commonType(values.slice(dtypeFrom));
  const typed = (v: Value, i: number): DType | undefined => (i < dtypeFrom ? undefined : dtype);
  const whole = (v: Value): boolean => v.kind === "list" || (v.kind === "tensor" && v.node.shape.length > 0);
  // of rank 0 are elements and tensors alike: what depends on an index is an element, and so is what meets one
  if (
    values.some(isElement) ||
    (!values.some(whole) && values.some((v) => v.kind === "scalar")) ||
    values.every((v) => v.kind !== "tensor" && v.kind !== "list")
  ) {
    return scalar(
      combine(
        name,
        values.map((v, i) => asScalarValue(v, spans[i]!, typed(v, i))),
        span,
      ),
    );
  }
  const operands = values.map((v, i) =>
    isPlain(v) || v.kind === "bool" ? undefined : asTensor(v, spans[i]!, typed(v, i)),
  );
  const nodes = operands.filter((x): x is Node => x !== undefined);
  const nodeSpans = spans.filter((_, i) => operands[i] !== undefined);
  const node = elementwise(nodes, nodeSpans, span, (xs) => {
    let at = 0;
    return combine(
      name,
      values.map((v, i) => (operands[i] ? xs[at++]! : asScalarValue(v, spans[i]!, typed(v, i)))),
      span,
    );
  });
  return tensor(node);
}
function commonType(values: readonly Value[]): DType | undefined {
  for (const v of values) {
    if (v.kind === "tensor" && v.node.dtype !== "bool") return v.node.dtype;
    if (v.kind === "scalar" && v.scalar.dtype !== "bool") return v.scalar.dtype;
    if (v.kind === "list") {
      const inner = commonType(v.elements);
      if (inner) return inner;
    }
  }
  return values.some((v) => v.kind === "ratio" || (v.kind === "number" && !v.whole)) ? "f32" : undefined;
}

function binary(self: Interpreter, e: Extract<ast.Expr, { kind: "binary" }>, scope: Scope, ctx: Context): Value {
  if (e.operator === "|>") return pipe(self, e, scope, ctx);
  let left: Value;
  try {
    left = evaluate(self, e.left, scope, ctx);
  } catch (error) {
    return readOn(self, error, [e.right], scope, ctx);
  }
  const a = withParameters(self, left, e.left.span, ctx);
  const b = withParameters(self, evaluate(self, e.right, scope, ctx), e.right.span, ctx);
  if (e.operator === ">>") return compose(a, b, e);
  if (e.operator === "..") {
    const low = integerOf(a);
    const end = integerOf(b);
    if (!low || !end) throw errors.wrongKind(e.span, "a whole number", kindText(low ? b : a));
    return { kind: "range", low, end };
  }
  if (e.operator === "@")
    return applyBuiltin(
      self,
      "matmul",
      [
        { value: a, span: e.left.span },
        { value: b, span: e.right.span },
      ],
      e.span,
      ctx,
    );
  return operate(e.operator, a, b, [e.left.span, e.right.span], e.span);
}
/** On the first reading, what stands after a fault is still evaluated: it may apply the instance whose member is missing. */
function readOn(self: Interpreter, error: unknown, rest: readonly ast.Expr[], scope: Scope, ctx: Context): never {
  const known = (e: unknown): boolean => e instanceof errors.Fault || e instanceof errors.Quiet;
  if (self.pass.number === 0 && known(error))
    for (const e of rest) {
      try {
        evaluate(self, e, scope, ctx);
      } catch (second) {
        if (!known(second)) throw second;
      }
    }
  throw error;
}
export function operate(operator: string, a: Value, b: Value, spans: readonly [Span, Span], span: Span): Value {
  if (a.kind === "lazy") return operate(operator, a.force(), b, spans, span);
  if (b.kind === "lazy") return operate(operator, a, b.force(), spans, span);
  // an initialiser waits for its parameter, and so does what is made of it
  if (a.kind === "deferred") return { kind: "deferred", run: (ctx) => operate(operator, a.run(ctx), b, spans, span) };
  if (b.kind === "deferred") return { kind: "deferred", run: (ctx) => operate(operator, a, b.run(ctx), spans, span) };
  if (isPlain(a) && isPlain(b)) {
    const known = plainOperation(operator, a, b, span);
    if (known) return known;
  }
  const p = knownBool(a);
  const q = knownBool(b);
  if (operator === "and" && (p !== undefined || q !== undefined))
    return p === false || q === false ? { kind: "bool", value: false } : p === true ? b : a;
  if (operator === "or" && (p !== undefined || q !== undefined))
    return p === true || q === true ? { kind: "bool", value: true } : p === false ? b : a;
  if ((operator === "==" || operator === "!=") && p !== undefined && q !== undefined)
    return { kind: "bool", value: (p === q) === (operator === "==") };
  if (a.kind === "distribution" || b.kind === "distribution") {
    if (a.kind === "distribution" && b.kind === "distribution")
      throw errors.wrongKind(span, "a distribution and a number", "two distributions");
    return a.kind === "distribution"
      ? shiftDistribution(a, operator, b, span)
      : shiftDistribution(b as Distribution, operator, a, span, true);
  }
  if (isBundle(a) || isBundle(b)) return bundle(operator, a, b, span);
  return elementwiseValues(operator, [a, b], spans, span);
}
function plainOperation(
  operator: string,
  a: Extract<Value, { kind: "number" | "int" | "ratio" }>,
  b: Extract<Value, { kind: "number" | "int" | "ratio" }>,
  span: Span,
): Value | undefined {
  if (a.kind === "number" && b.kind === "number") {
    const [x, y] = [a.value, b.value];
    const whole = a.whole && b.whole;
    switch (operator) {
      case "+":
        return number(x + y, whole);
      case "-":
        return number(x - y, whole);
      case "*":
        return number(x * y, whole);
      case "/":
        if (y === 0) throw errors.wrongKind(span, "a divisor other than 0", "0");
        return number(x / y, whole && Number.isInteger(x / y));
      case "//":
      case "%":
        if (y === 0) throw errors.wrongKind(span, "a divisor other than 0", "0");
        return number(operator === "//" ? Math.floor(x / y) : x - y * Math.floor(x / y), whole);
      case "^":
        return number(x ** y, whole && y >= 0);
      case "==":
        return { kind: "bool", value: x === y };
      case "!=":
        return { kind: "bool", value: x !== y };
      case "<":
        return { kind: "bool", value: x < y };
      case "<=":
        return { kind: "bool", value: x <= y };
      case ">":
        return { kind: "bool", value: x > y };
      case ">=":
        return { kind: "bool", value: x >= y };
      default:
        return undefined;
    }
  }
  const p = integerOf(a);
  const q = integerOf(b);
  if (operator === "/" && p && b.kind === "number" && b.value > 0 && Number.isInteger(b.value)) {
    if (termsOf(p).every(([, k]) => k % b.value === 0) && (p.kind !== "affine" || p.constant % b.value === 0))
      return int(floorDiv(p, b.value));
    return { kind: "ratio", numerator: p, divisor: b.value };
  }
  if (!p || !q) return undefined;
  // 2.0 is whole, but no whole number: what it is added to or multiplied by becomes f32
  if (
    ["+", "-", "*", "^", "//", "%"].includes(operator) &&
    ((a.kind === "number" && !a.whole) || (b.kind === "number" && !b.whole))
  )
    return undefined;
  const [kp, kq] = [constantOf(p), constantOf(q)];
  switch (operator) {
    case "+":
      return int(iadd(p, q));
    case "-":
      return int(isub(p, q));
    case "*":
      return kq !== undefined ? int(imul(p, kq)) : kp !== undefined ? int(imul(q, kp)) : int(mul(p, q) as Integer);
    case "//":
    case "%":
      if (kq !== undefined && kq > 0) return int(operator === "//" ? floorDiv(p, kq) : modulo(p, kq));
      {
        const [only, ...more] = termsOf(p);
        if (only && !more.length && only[0] === q && (p.kind !== "affine" || p.constant === 0))
          return number(operator === "//" ? only[1] : 0);
      }
      return int(combine(operator, [p, q], span) as Integer);
    case "^":
      return kq !== undefined && kq >= 0 && kq <= 64 ? int(combine(operator, [p, q], span) as Integer) : undefined;
    case "==":
    case "!=":
    case "<":
    case "<=":
    case ">":
    case ">=": {
      const s = combine(operator, [p, q], span);
      return s.kind === "literal" ? { kind: "bool", value: s.value === 1 } : scalar(s);
    }
    default:
      return undefined;
  }
}
function shiftDistribution(d: Distribution, operator: string, v: Value, span: Span, reversed = false): Value {
  const op = (o: string, x: Value, y: Value): Value => operate(o, x, y, [span, span], span);
  switch (operator) {
    case "*":
      return { ...d, scale: op("*", d.scale, v), offset: op("*", d.offset, v) };
    case "/":
      if (!reversed) return { ...d, scale: op("/", d.scale, v), offset: op("/", d.offset, v) };
      break;
    case "+":
      return { ...d, offset: op("+", d.offset, v) };
    case "-":
      return reversed
        ? { ...d, scale: op("*", d.scale, number(-1)), offset: op("-", v, d.offset) }
        : { ...d, offset: op("-", d.offset, v) };
  }
  throw errors.wrongKind(span, "+ - * or / with a number", `\`${operator}\` on a distribution`);
}
/** An instance in arithmetic stands for its parameters as they are at this line. */
const withParameters = (self: Interpreter, v: Value, span: Span, ctx: Context): Value =>
  v.kind === "instance" && !v.values
    ? { ...v, values: new Map(parametersOf(self, v.instance, span).map((p) => [p, parameterOf(v, p, ctx)])) }
    : v;
/** A parameter as it is seen through this value of its instance. */
export function parameterOf(v: Extract<Value, { kind: "instance" | "gradient" }>, p: Source, ctx: Context): Node {
  const own = v.values?.get(p);
  if (v.kind === "gradient" || !v.frozen) return own ?? parameterValue(p, ctx);
  return own ? stopGradient(own) : parameterValue(p, { ...ctx, frozen: true });
}
const isBundle = (v: Value): v is Extract<Value, { kind: "instance" | "gradient" }> =>
  v.kind === "instance" || v.kind === "gradient";
/** Arithmetic of instances and gradients of the same one: the same layer with other parameters. */
function bundle(operator: string, a: Value, b: Value, span: Span): Value {
  const of = isBundle(a) ? a : (b as Extract<Value, { kind: "instance" | "gradient" }>);
  if (isBundle(a) && isBundle(b) && a.instance !== b.instance)
    throw errors.wrongKind(span, "two values of one instance", `${kindText(a)} and ${kindText(b)}`);
  const values = new Map<Source, Node>();
  for (const p of parametersSoFar(of.instance)) {
    const part = (v: Value): Value => (isBundle(v) ? tensor(v.values?.get(p) ?? p) : v);
    values.set(p, asTensor(operate(operator, part(a), part(b), [span, span], span), span));
  }
  const instance = (isBundle(a) && a.kind === "instance") || (isBundle(b) && b.kind === "instance");
  return instance
    ? { kind: "instance", instance: of.instance, values }
    : { kind: "gradient", instance: of.instance, values };
}
/**
 * All parameters that an instance reaches, in order of their making. A line may ask for them before the instance is applied: on the first reading
 * of the file it gets those that are there, and the file is read again if they were not all.
 */
export function parametersOf(self: Interpreter, instance: Instance, span?: Span): Source[] {
  const found = parametersSoFar(instance);
  instance.asked.parameters = Math.min(instance.asked.parameters, found.length);
  if (span && !instance.applied && !found.length && self.pass.number > 0)
    throw errors.neverApplied(span, instance.path);
  return found;
}
export const parametersSoFar = (instance: Instance): Source[] => [
  ...new Set(reachedFrom(instance).flatMap((i) => [...i.parameters.values()])),
];
/** The instance and all below it, in order of their making. */
function reachedFrom(instance: Instance, seen: Set<Instance> = new Set()): Instance[] {
  if (seen.has(instance)) return [];
  seen.add(instance);
  return [instance, ...[...instance.children.values(), ...instance.uses].flatMap((c) => reachedFrom(c, seen))];
}
const everyInstance = (roots: Iterable<Instance>): Instance[] => [
  ...new Set([...roots].flatMap((r) => reachedFrom(r))),
];
/** Was one of them asked for something that was made further below, or for what nothing has made? */
export const askedEarly = (self: Interpreter, roots: Iterable<Instance>): boolean =>
  everyInstance(roots).some((i) => {
    if (!i.applied && self.pass.number === 0) return wasAsked(i);
    return (
      (i.applied && i.asked.parameters < parametersSoFar(i).length) ||
      [...i.asked.missing].some((name) => ownMember(i, name))
    );
  });
export const wasAsked = (i: Instance): boolean => Number.isFinite(i.asked.parameters) || i.asked.missing.size > 0;
/** All but the known ones. */
export function forgetParameters(self: Interpreter, roots: Iterable<Instance>, known: ReadonlySet<string>): void {
  for (const i of everyInstance(roots))
    for (const [name, p] of i.parameters) if (!known.has(p.path)) i.parameters.delete(name);
  for (const path of [...self.parameters.keys()]) if (!known.has(path)) self.parameters.delete(path);
}
/** Before the file is read again: what instances there are stays, values of the reading before do not. */
export function forgetValues(roots: Iterable<Instance>): void {
  for (const i of everyInstance(roots)) {
    i.names.clear();
    i.asked.parameters = Infinity;
    i.asked.missing.clear();
    instanceStates.delete(i);
  }
}

function compose(a: Value, b: Value, e: ast.Expr & { kind: "binary" }): Value {
  if (a.kind === "optimizers" && b.kind === "optimizers")
    return { kind: "optimizers", chain: [...a.chain, ...b.chain] };
  if (!isCallable(a))
    throw errors.wrongKind(
      e.left.span,
      "a function or an optimizer",
      kindText(a),
      "`>>` composes functions; a value goes through them by `|>`",
    );
  if (!isCallable(b)) throw errors.wrongKind(e.right.span, "a function or an optimizer", kindText(b));
  return { kind: "composed", first: a, second: b };
}
const callable = new Set(["fn", "lambda", "builtin", "shaped", "stacked", "composed", "instance"]);
export const isCallable = (v: Value): boolean => callable.has(v.kind);

// ---------------------------------------------------------------- calls

export interface Argument {
  readonly name?: string;
  readonly nameSpan?: Span;
  readonly value: Value;
  readonly span: Span;
}
function pipe(self: Interpreter, e: Extract<ast.Expr, { kind: "binary" }>, scope: Scope, ctx: Context): Value {
  const input = evaluate(self, e.left, scope, ctx);
  const spread: Argument[] = (input.kind === "tuple" ? input.elements : [input]).map((value) => ({
    value,
    span: e.left.span,
  }));
  const right = e.right;
  // x |> Layer(hyper), x |> callable, x |> f(a)
  if (right.kind === "call") {
    const callee = evaluate(self, right.callee, scope, ctx);
    if (callee.kind === "layer") return apply(self, construct(self, callee, right, scope, ctx), spread, e.span, ctx);
    if (
      callee.kind === "instance" ||
      callee.kind === "fn" ||
      callee.kind === "builtin" ||
      callee.kind === "lambda" ||
      callee.kind === "shaped"
    ) {
      const args = argumentsOf(self, right.args, scope, ctx);
      // a call that gives a callable is applied; otherwise x becomes its first argument
      return apply(self, callee, [...spread, ...args], e.span, ctx);
    }
  }
  const target = evaluate(self, right, scope, ctx);
  if (target.kind === "layer")
    throw errors.wrongKind(right.span, "an instance", kindText(target), `write ${target.declaration.name.text}(...)`);
  if (!isCallable(target)) throw errors.wrongKind(right.span, "something to apply", kindText(target));
  return apply(self, target, spread, e.span, ctx);
}
const argumentsOf = (self: Interpreter, args: readonly ast.Arg[], scope: Scope, ctx: Context): Argument[] =>
  args.map((a, i) => {
    try {
      return {
        ...(a.name ? { name: a.name.text, nameSpan: a.name.span } : {}),
        value: evaluate(self, a.value, scope, ctx),
        span: a.value.span,
      };
    } catch (error) {
      return readOn(
        self,
        error,
        args.slice(i + 1).map((x) => x.value),
        scope,
        ctx,
      );
    }
  });

function callExpression(self: Interpreter, e: Extract<ast.Expr, { kind: "call" }>, scope: Scope, ctx: Context): Value {
  const callee = evaluate(self, e.callee, scope, ctx);
  if (callee.kind === "builtin" && callee.name === "grad") return gradExpression(self, e, scope, ctx);
  if (callee.kind === "layer") return construct(self, callee, e, scope, ctx);
  if (callee.kind === "optimizer")
    return bindOptimizer(self, callee, argumentsOf(self, e.args, scope, ctx), e.span, ctx);
  return apply(self, callee, argumentsOf(self, e.args, scope, ctx), e.span, ctx);
}
export function apply(self: Interpreter, callee: Value, args: readonly Argument[], span: Span, ctx: Context): Value {
  if (++self.work.calls > errors.mostCalls)
    throw errors.tooMany(
      span,
      "calls written out",
      self.work.calls,
      errors.mostCalls,
      "repeat with `scan` or `fold`, which are not written out",
    );
  switch (callee.kind) {
    case "lazy":
      return apply(self, callee.force(), args, span, ctx);
    case "builtin":
      return applyBuiltin(self, callee.name, args, span, ctx);
    case "shaped":
      return applyBuiltin(self, callee.name, args, span, ctx, callee);
    case "stacked":
      return callee.apply(
        args.length === 1 ? args[0]!.value : { kind: "tuple", elements: args.map((a) => a.value) },
        span,
      );
    case "composed":
      return apply(self, callee.second, [{ value: apply(self, callee.first, args, span, ctx), span }], span, ctx);
    case "lambda": {
      if (args.length !== callee.params.length)
        throw errors.argumentsDoNotFit(
          span,
          "this function",
          `takes ${callee.params.length} argument${callee.params.length === 1 ? "" : "s"}, ${args.length} ${args.length === 1 ? "is" : "are"} given`,
        );
      const inner = new Scope(callee.scope);
      callee.params.forEach((p, i) => inner.bind(p.text, args[i]!.value));
      return evaluate(self, callee.body, inner, ctx);
    }
    case "fn": {
      const d = callee.declaration;
      // an initialiser waits for the parameter that it is for
      if (d.kind === "init" && ctx.ambient.find("fan_in") === undefined)
        return { kind: "deferred", run: (later) => apply(self, callee, args, span, later) };
      if (d.kind === "fn") {
        if (self.calls.includes(d)) throw errors.recursion(span, d.name.text, "fn");
        self.calls.push(d);
      }
      try {
        return within(span, d.name.text, () => {
          const bound = bindParameters(self, d.name.text, d.params, args, callee.scope, span, ctx);
          const value = runBody(self, d.body, bound.scope, {
            ...ctx,
            declared: ctx.declared ?? "fn",
            draws: ctx.draws,
          });
          return d.kind === "fn" && d.result
            ? checkResult(self, value, d.result, bound, d.name.text, resultSpan(d.body), ctx)
            : value;
        });
      } finally {
        if (d.kind === "fn") self.calls.pop();
      }
    }
    case "instance":
      return applyInstance(self, callee, args, span, ctx);
    case "layer":
      throw errors.wrongKind(span, "an instance", kindText(callee), `write ${callee.declaration.name.text}(...)(...)`);
    default:
      throw errors.wrongKind(span, "a function", kindText(callee));
  }
}

/** Runs what a call at `span` stands for: faults inside tell of the call. */
export function within<T>(span: Span, name: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof errors.Fault ? errors.atCall(error, span, name) : error;
  }
}
/** The expression that a body returns. */
export const resultSpan = (b: ast.Body): Span =>
  b.kind === "expression" ? b.value.span : (b.statements.find((s) => s.kind === "return")?.value.span ?? b.span);
interface Bound {
  readonly scope: Scope;
  readonly dims: Map<string, Integer>; // dim variables
  readonly spreads: Map<string, Shape>;
  readonly origins?: Map<string, { readonly span: Span; readonly text: string; readonly name: string }>; // the argument that fixed a dim
  readonly signature?: () => string;
}
/** Arguments by position, then by name; types checked, dim variables bound by appearance; defaults may use parameters to their left. */
export function bindParameters(
  self: Interpreter,
  name: string,
  params: readonly ast.Param[],
  args: readonly Argument[],
  closure: Scope,
  span: Span,
  ctx: Context,
): Bound {
  const scope = new Scope(closure);
  const given = new Map<string, Argument>();
  const signature = (): string =>
    `${name}(${params.map((p) => p.name.text + (p.type ? `: ${typeSource(p.type)}` : "") + (p.default ? ` = ${defaultText(p.default)}` : "")).join(", ")})`;
  const bound: Bound = { scope, dims: new Map(), spreads: new Map(), origins: new Map(), signature };
  for (const p of params) {
    const [, second] = p.type?.kind === "tensor_type" ? (p.type.dims ?? []).filter((d) => d.kind === "spread") : [];
    if (second)
      throw errors.misplaced(second.span, "a second `...`", "in one type", "which axes it stands for would be open");
  }
  let position = 0;
  for (const a of args) {
    const p = a.name === undefined ? params[position++] : params.find((x) => x.name.text === a.name);
    if (!p) {
      if (a.name !== undefined)
        throw errors.unknownName(
          a.nameSpan ?? a.span,
          a.name,
          params.map((x) => x.name.text),
          { kind: "parameter", place: `of ${name}`, signature: signature() },
        );
      throw errors.argumentsDoNotFit(
        a.span,
        name,
        `takes ${params.length} argument${params.length === 1 ? "" : "s"}, ${args.length} ${args.length === 1 ? "is" : "are"} given`,
        signature(),
      );
    }
    if (given.has(p.name.text))
      throw errors.argumentsDoNotFit(a.span, name, `is given \`${p.name.text}\` twice`, signature());
    given.set(p.name.text, a);
  }
  for (const [own, a] of given) scope.bind(own, a.value);
  // dims are bound in any order of parameters: first all types where a dim stands alone, then the checks
  for (const p of params)
    if (p.type && given.has(p.name.text))
      bindDims(self, p.type, given.get(p.name.text)!.value, bound, ctx, {
        span: given.get(p.name.text)!.span,
        name: p.name.text,
      });
  for (const p of params) {
    const a = given.get(p.name.text);
    let value: Value;
    if (a)
      value = p.type ? checkType(self, a.value, p.type, bound, `${name}'s ${p.name.text}`, a.span, ctx, p) : a.value;
    else if (p.default) {
      value = evaluate(self, p.default, scope, ctx);
      if (p.type) bindDims(self, p.type, value, bound, ctx);
      if (p.type) value = checkType(self, value, p.type, bound, `${name}'s ${p.name.text}`, p.default.span, ctx, p);
    } else throw errors.argumentsDoNotFit(span, name, `needs \`${p.name.text}\`, which is not given`, signature());
    scope.bind(p.name.text, value, p.name.span);
  }
  boundSpreads.set(scope, bound.spreads);
  declaredTypes.set(
    scope,
    new Map(
      params.flatMap((p) =>
        p.type?.kind === "tensor_type" && p.type.dims ? [[p.name.text, p.type.dims] as const] : [],
      ),
    ),
  );
  return bound;
}
const defaultText = (e: ast.Expr): string =>
  e.span.end - e.span.start <= 12 ? e.span.file.text.slice(e.span.start, e.span.end) : "...";
function bindDims(
  self: Interpreter,
  type: ast.Type,
  value: Value,
  bound: Bound,
  ctx: Context,
  from?: { readonly span: Span; readonly name: string },
): void {
  if (value.kind === "lazy") return bindDims(self, type, value.force(), bound, ctx, from);
  if (type.kind === "tuple_type") {
    if (value.kind === "tuple")
      type.elements.forEach((t, i) => value.elements[i] && bindDims(self, t, value.elements[i]!, bound, ctx, from));
    return;
  }
  if (!type.dims) return;
  const shape =
    value.kind === "tensor"
      ? value.node.shape
      : value.kind === "scalar"
        ? []
        : value.kind === "list"
          ? type.element.text === "int"
            ? [value.elements.length]
            : asTensor(value, from?.span ?? type.span, elementType(type)).shape
          : type.element.text === "int" && integerOf(value)
            ? [1]
            : undefined;
  if (!shape) return;
  const remember = (name: string): void =>
    void (
      from &&
      bound.origins?.set(name, {
        ...from,
        get text() {
          return described(value, from.span);
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
/** The dim variable that stands alone in a formula: `T`, or `T <= 512`. */
const dimVariable = (e: ast.Expr): string | undefined =>
  e.kind === "name" && /^[A-Z]/.test(e.text)
    ? e.text
    : e.kind === "binary" &&
        (e.operator === "<=" || e.operator === "<") &&
        e.left.kind === "name" &&
        /^[A-Z]/.test(e.left.text)
      ? e.left.text
      : undefined;

const elementType = (t: ast.TensorType): DType =>
  t.element.text === "i32" || t.element.text === "bool" ? t.element.text : "f32";
export function typeSource(t: ast.Type): string {
  return t.span.file.text.slice(t.span.start, t.span.end);
}
/** The shape that a type states, its dims known. */
export function statedShape(self: Interpreter, type: ast.TensorType, bound: Bound, ctx: Context): Shape {
  return (type.dims ?? []).flatMap((d): Extent[] => {
    if (d.kind === "spread") {
      const shape = bound.spreads.get(d.name.text);
      if (!shape) throw errors.unboundDim(d.span, `...${d.name.text}`);
      return [...shape];
    }
    return [extentOf(self, d.value, bound.scope, ctx)];
  });
}
function extentOf(self: Interpreter, e: ast.Expr, scope: Scope, ctx: Context): Extent {
  const alone = dimVariable(e);
  if (alone && scope.find(alone) === undefined && ctx.ambient.find(alone) === undefined)
    throw errors.unboundDim(e.span, alone);
  if (e.kind === "name" && scope.find(e.text) === undefined && ctx.ambient.find(e.text) === undefined)
    throw errors.unboundDim(e.span, e.text);
  if (e.kind === "binary" && !alone)
    for (const part of [e.left, e.right])
      if (
        part.kind === "name" &&
        dimVariable(part) &&
        scope.find(part.text) === undefined &&
        ctx.ambient.find(part.text) === undefined
      )
        throw errors.unboundDim(part.span, part.text);
  const v = evaluate(self, alone && e.kind === "binary" ? e.left : e, scope, ctx);
  return extentValue(v, e.span);
}
export function extentValue(v: Value, span: Span): Extent {
  if (v.kind === "ratio") throw errors.notWhole(span);
  const whole = integerOf(v);
  if (!whole) {
    if (v.kind === "number") throw errors.notWhole(span, v.value);
    throw errors.wrongKind(span, "a size", kindText(v));
  }
  if (!isFixed(whole)) throw errors.wrongKind(span, "a size known at compile time", "a value of the run");
  const known = constantOf(whole);
  if (known !== undefined && known < 0) throw errors.wrongKind(span, "a size of 0 or more", String(known));
  if (known !== undefined && known > errors.mostElements)
    throw errors.tooMany(span, "the elements of an axis", known, errors.mostElements, "positions in a tensor are i32");
  return sizeFrom(whole, span);
}

/** The value if it fits the type: dtype, shape exactly, range. A plain number fits any shape. */
export function checkType(
  self: Interpreter,
  value: Value,
  type: ast.Type,
  bound: Bound,
  what: string,
  span: Span,
  ctx: Context,
  param?: ast.Param,
): Value {
  if (value.kind === "lazy") return checkType(self, value.force(), type, bound, what, span, ctx, param);
  if (type.kind === "tuple_type") {
    if (value.kind !== "tuple" || value.elements.length !== type.elements.length)
      throw errors.wrongKind(span, `a tuple of ${type.elements.length}`, kindText(value));
    return {
      kind: "tuple",
      elements: type.elements.map((t, i) => checkType(self, value.elements[i]!, t, bound, what, span, ctx, param)),
    };
  }
  const want = type.element.text;
  switch (want) {
    case "fn":
      if (!isCallable(value))
        throw errors.wrongKind(
          span,
          "a function",
          kindText(value),
          value.kind === "layer"
            ? `write ${value.declaration.name.text}()`
            : value.kind === "string"
              ? `choices are functions: write ${value.value} without quotes`
              : undefined,
        );
      return value;
    case "dist": {
      const initial = initialiser(self, value, span, ctx);
      if (!initial)
        throw errors.wrongKind(
          span,
          "a distribution",
          kindText(value),
          "write uniform(-1, 1), an initialiser as glorot_uniform(), or a number",
        );
      return initial;
    }
    case "int": {
      if (!type.dims) {
        if (!integerOf(value) || value.kind === "tensor")
          throw value.kind === "number"
            ? errors.notWhole(span, value.value)
            : errors.wrongKind(span, "a whole number", kindText(value));
        return value;
      }
      const count = statedShape(self, type, bound, ctx)[0];
      if (typeof count === "number" && count > errors.most)
        throw errors.tooMany(type.span, "the elements of a list", count, errors.most, "large data are tensors: i32[n]");
      if (integerOf(value) && typeof count === "number")
        return { kind: "list", elements: Array.from({ length: count }, () => value) };
      if (value.kind !== "list" || (count !== undefined && value.elements.length !== count))
        throw errors.wrongKind(span, `a list of ${count} whole numbers`, kindText(value));
      return value;
    }
    case "bool":
      if (!type.dims && value.kind === "bool") return value;
      break;
    case "f32":
    case "i32":
      break;
    default:
      throw errors.unknownName(type.element.span, want, ["f32", "i32", "bool", "int", "fn", "dist"], { kind: "type" });
  }
  const dtype = want;
  if (type.range && dtype !== "i32")
    throw errors.wrongKind(type.range.span, "i32 before `in`", dtype, "only whole numbers carry a range");
  // a plain number fits any shape
  if (isPlain(value) || (value.kind === "bool" && dtype === "bool")) {
    if (dtype === "bool" && value.kind !== "bool") throw errors.wrongKind(span, "true or false", kindText(value));
    if (isPlain(value) && dtype === "i32" && !integerOf(value))
      throw errors.wrongKind(span, "a whole number", kindText(value));
    if (type.range) checkRange(self, integerOf(value)!, undefined, type.range, bound.scope, what, span, ctx);
    const known = (type.dims ?? []).every((d) =>
      d.kind === "spread" ? bound.spreads.has(d.name.text) : dimKnown(d.value, bound.scope),
    );
    const shape = type.dims?.length && known ? statedShape(self, type, bound, ctx) : [];
    if (!shape.length)
      return dtype !== "f32" || !isPlain(value)
        ? value
        : value.kind === "number"
          ? number(value.value, false)
          : scalar(asScalarValue(value, span, "f32"));
    return tensor(compute(axesOf(shape), undefined, filling(value, span, dtype), { span }));
  }
  if (value.kind === "scalar") {
    if (value.scalar.dtype !== dtype)
      throw errors.wrongKind(span, dtype, value.scalar.dtype, dtype === "f32" ? "write f32(x)" : undefined);
    const shape = (type.dims ?? []).some((d) => d.kind === "dim") ? undefined : statedShape(self, type, bound, ctx);
    if (shape?.length === 0) {
      if (type.range) checkRange(self, value.scalar as Integer, undefined, type.range, bound.scope, what, span, ctx);
      return value;
    }
    if (isElement(value) || !shape)
      throw errors.shapeMismatch(
        span,
        what,
        shape ? errors.typeText(dtype, shape) : typeSource(type),
        value.scalar.dtype,
        { hint: "inside `for` every value is a single element; functions of whole tensors stand outside of it" },
      );
  }
  if (value.kind !== "tensor" && value.kind !== "list" && value.kind !== "scalar")
    throw errors.wrongKind(span, typeSource(type), kindText(value));
  const node = asTensor(value, span, dtype);
  if (node.dtype !== dtype)
    throw typeMismatch(node, type, bound, what, span, param, {
      hint:
        dtype === "bool"
          ? `compare: ${errors.short(span, "x")} > 0`
          : `write ${dtype}(${errors.short(span, "x")}) to convert`,
    });
  const spread = (type.dims ?? []).find((d) => d.kind === "spread");
  const fixed = (type.dims ?? []).length - (spread ? 1 : 0);
  if (spread ? node.shape.length < fixed : node.shape.length !== fixed)
    throw typeMismatch(node, type, bound, what, span, param, {
      equation: `${fixed || "no"} ${fixed === 1 ? "axis is" : "axes are"} needed${spread ? " at least" : ""}, there ${node.shape.length === 1 ? "is" : "are"} ${node.shape.length || "none"}`,
      ...(fixed ? {} : { hint: errors.axesHint(span, [], node.shape) }),
    });
  const wanted = statedShape(self, type, bound, ctx);
  const axis = wanted.length === node.shape.length ? wanted.findIndex((n, d) => n !== node.shape[d]) : -1;
  if (axis >= 0) {
    const stretched = node.shape.every((n, d) => n === wanted[d] || n === 1);
    const hint = stretched
      ? `a signature never stretches an axis; write expand${shapeText(wanted)}(${errors.short(span, "x")}) if it is meant`
      : undefined;
    throw typeMismatch(node, type, bound, what, span, param, {
      wanted,
      axis,
      equation: `axis ${axis} must be ${extentText(wanted[axis]!)}, it is ${extentText(node.shape[axis]!)}`,
      ...(hint ? { hint } : {}),
    });
  }
  if (wanted.length !== node.shape.length) {
    const [need, there] = [wanted.length, node.shape.length];
    throw typeMismatch(node, type, bound, what, span, param, {
      wanted,
      equation: `${need || "no"} ${need === 1 ? "axis is" : "axes are"} needed, there ${there === 1 ? "is" : "are"} ${there || "none"}`,
      hint: errors.axesHint(span, wanted, node.shape, ctx.ambient.find("batch")),
    });
  }
  for (const d of type.dims ?? []) checkBound(self, d, bound, span, ctx);
  if (type.range && dtype === "i32")
    checkRange(
      self,
      load(node, indicesOf(axesOf(node.shape))) as Integer,
      node.range,
      type.range,
      bound.scope,
      what,
      span,
      ctx,
    );
  return tensor(node);
}
/** What parameters may begin as: a distribution, a tensor, a number; zeros, ones and initialisers by their names alone. */
function initialiser(self: Interpreter, v: Value, span: Span, ctx: Context): Value | undefined {
  if (v.kind === "distribution" || v.kind === "deferred" || v.kind === "tensor" || isPlain(v)) return v;
  if (v.kind === "list") return tensor(asTensor(v, span, "f32"));
  if (v.kind === "builtin" && (v.name === "zeros" || v.name === "ones"))
    return number(v.name === "ones" ? 1 : 0, false);
  if (
    (v.kind === "builtin" && (v.name === "normal" || v.name === "uniform")) ||
    (v.kind === "fn" && v.declaration.kind === "init")
  )
    return apply(self, v, [], span, ctx);
  return undefined;
}
/** Both places and both shapes of a value that does not fit its type, and what fixed the dims of the axis that is wrong. */
function typeMismatch(
  node: Node,
  type: ast.TensorType,
  bound: Bound,
  what: string,
  span: Span,
  param: ast.Param | undefined,
  why: { readonly wanted?: Shape; readonly axis?: number; readonly equation?: string; readonly hint?: string },
): errors.Fault {
  const got = errors.typeText(node.dtype, node.shape);
  const dims = type.dims ?? [];
  const spreadAt = dims.findIndex((d) => d.kind === "spread");
  const part =
    why.axis === undefined
      ? why.wanted
        ? dims[spreadAt]
        : undefined
      : spreadAt < 0 || why.axis < spreadAt
        ? dims[why.axis]
        : why.axis >= node.shape.length - (dims.length - 1 - spreadAt)
          ? dims[why.axis - node.shape.length + dims.length]
          : dims[spreadAt];
  const mentions = (name: string): boolean =>
    part !== undefined &&
    (part.kind === "spread"
      ? part.name.text === name
      : new RegExp(`\\b${name}\\b`).test(part.span.file.text.slice(part.span.start, part.span.end)));
  const fixing = [...(bound.origins ?? [])].filter(
    ([name, from]) => from.span !== span && from.name !== param?.name.text && mentions(name),
  );
  const dimText = (name: string): string =>
    bound.spreads.has(name)
      ? `...${name} = ${shapeText(bound.spreads.get(name)!)}`
      : bound.dims.has(name)
        ? `${name} = ${extentText(asExtent(bound.dims.get(name)!))}`
        : name;
  const declared =
    param && !param.span.file.library
      ? [{ span: param.span, text: `${typeSource(type)} is asked for here` }]
      : !param && !type.span.file.library && type.span.start !== span.start
        ? [{ span: type.span, text: "declared here" }]
        : [];
  const labels: Label[] = [
    { span, text: described(tensor(node), span) },
    ...fixing
      .filter(([, from], i) => fixing.findIndex(([, f]) => f.span === from.span) === i)
      .map(([, from]) => ({ span: from.span, text: from.text })),
    ...declared,
  ];
  const notes = [
    ...(bound.signature && param && why.equation ? [bound.signature()] : []),
    ...(why.equation
      ? [fixing.map(([name, from]) => `\`${from.name}\` fixed ${dimText(name)}; `).join("") + why.equation]
      : []),
  ];
  return errors.shapeMismatch(
    span,
    what,
    why.wanted ? errors.typeText(elementType(type), why.wanted) : typeSource(type),
    got,
    { labels, notes, ...(why.hint ? { hint: why.hint } : {}) },
  );
}
/** The type of a value, and where it was made if that is elsewhere in the user's text. */
function described(v: Value, at: Span): string {
  const node = v.kind === "tensor" ? v.node : undefined;
  const model = node && madeBy.get(node);
  if (model) return `${kindText(v)}, from model ${model.text} (${place(model.span)})`;
  const from =
    node?.label !== undefined &&
    node.span &&
    !node.span.file.library &&
    !(node.span.start <= at.start && node.span.end >= at.end && node.span.file === at.file) &&
    !node.label.startsWith("%")
      ? `, from ${node.label} (${place(node.span)})`
      : "";
  return kindText(v) + from;
}
const dimKnown = (e: ast.Expr, scope: Scope): boolean => {
  const alone = dimVariable(e);
  return !alone || scope.find(alone) !== undefined;
};
function checkBound(self: Interpreter, d: ast.DimExpr, bound: Bound, span: Span, ctx: Context): void {
  if (d.kind !== "dim" || d.value.kind !== "binary" || d.value.left.kind !== "name") return;
  const v = knownBool(evaluate(self, d.value, bound.scope, ctx));
  const dim = bound.scope.find(d.value.left.text);
  if (v === false)
    throw errors.shapeMismatch(
      span,
      d.value.left.text,
      d.value.span.file.text.slice(d.value.span.start, d.value.span.end),
      dim?.kind === "number" ? String(dim.value) : "more",
      { labels: d.span.file.library ? [] : [{ span: d.span, text: "declared here" }] },
    );
}
/** Every value of `element`, of range `own`, lies in the declared range. */
function checkRange(
  self: Interpreter,
  element: Integer,
  own: Range | undefined,
  range: ast.Expr,
  scope: Scope,
  what: string,
  span: Span,
  ctx: Context,
): void {
  const r = declaredRange(self, range, scope, span, ctx);
  const ok = provedNonNegative(isub(element, r.low)) && provedNonNegative(isub(iadd(r.end, -1), element));
  if (ok || ctx.trial) return;
  const { low, high } = own ?? interval(element);
  const open = low <= leastI32 || high === mostI32 || high === Infinity;
  const got = open
    ? "any i32"
    : low === high
      ? String(low)
      : `in ${low}..${typeof high === "number" ? high + 1 : `${extentText(high)} + 1`}`;
  throw errors.rangeMismatch(
    span,
    what,
    got,
    `${integerText(r.low)}..${integerText(r.end)}`,
    range.span.file.library ? undefined : { span: range.span, text: "asked for here" },
    ...(low === high ? ["give a number of this range"] : []),
  );
}
/** `in low..end` of a type. */
export function declaredRange(
  self: Interpreter,
  range: ast.Expr,
  scope: Scope,
  span: Span,
  ctx: Context,
): { readonly low: Integer; readonly end: Integer } {
  const names = range.kind === "binary" ? [range.left, range.right] : [];
  for (const e of names)
    if (
      e.kind === "name" &&
      dimVariable(e) &&
      scope.find(e.text) === undefined &&
      ctx.ambient.find(e.text) === undefined
    )
      throw errors.unboundDim(span, e.text);
  const r = evaluate(self, range, scope, ctx);
  if (r.kind !== "range") throw errors.wrongKind(range.span, "a range, as 0..10", kindText(r));
  const [low, end] = [constantOf(r.low), constantOf(r.end)];
  const text = `${integerText(r.low)}..${integerText(r.end)}`;
  if (low !== undefined && end !== undefined && end <= low)
    throw errors.wrongKind(
      range.span,
      "a range that holds a number",
      text,
      "the end is not included: 0..3 is 0, 1 and 2",
    );
  if ((low ?? 0) < leastI32 || (end ?? 0) > mostI32 + 1)
    throw errors.wrongKind(range.span, "a range of i32, between -2147483648 and 2147483648", text);
  return r;
}
const integerText = (e: Integer): string =>
  constantOf(e) !== undefined
    ? String(constantOf(e))
    : termsOf(e).every(([x]) => x.kind === "dim")
      ? extentText(e as Extent)
      : "a value";
function checkResult(
  self: Interpreter,
  value: Value,
  type: ast.Type,
  bound: Bound,
  name: string,
  span: Span,
  ctx: Context,
): Value {
  // dims of the result that no input binds take what comes
  bindDims(self, type, value, bound, ctx);
  return checkType(self, value, type, bound, `the result of ${name}`, span, ctx);
}

/** A body: an expression, or statements up to `return`. */
export function runBody(self: Interpreter, body: ast.Body, scope: Scope, ctx: Context): Value {
  if (body.kind === "expression") return evaluate(self, body.value, scope, ctx);
  const end = body.statements.findIndex((x) => x.kind === "return");
  const beyond = end >= 0 ? body.statements[end + 1] : undefined;
  if (beyond)
    throw errors.misplaced(
      beyond.span,
      "a statement",
      "after `return`, which ends the block",
      "put it above, or leave it out",
    );
  const result = runStatements(self, body.statements, new Scope(scope), ctx);
  if (result.kind !== "returned") throw errors.noReturn(body.span);
  return result.value;
}
type Outcome = { readonly kind: "returned"; readonly value: Value } | { readonly kind: "ended" };
export function runStatements(
  self: Interpreter,
  statements: readonly ast.Statement[],
  scope: Scope,
  ctx: Context,
): Outcome {
  for (const [i, s] of statements.entries()) {
    switch (s.kind) {
      case "let":
        try {
          bindLet(self, s, scope, ctx);
        } catch (error) {
          readOn(
            self,
            error,
            statements.slice(i + 1).flatMap((x) => (x.kind === "let" || x.kind === "return" ? [x.value] : [])),
            scope,
            ctx,
          );
        }
        break;
      case "return":
        return { kind: "returned", value: evaluate(self, s.value, scope, ctx) };
      case "param":
        declareParameter(self, s, scope, ctx);
        break;
      case "state":
        declareState(self, s, scope, ctx);
        break;
      case "next":
        runNext(self, s, scope, ctx);
        break;
      case "yield":
        throw errors.misplaced(s.span, "`yield`", "outside of a scan");
      default:
        s satisfies never;
    }
  }
  return { kind: "ended" };
}
export function bindLet(self: Interpreter, s: ast.Let, scope: Scope, ctx: Context): void {
  const before = ctx.instance;
  // an instance that is the whole right side takes the let's name
  if (before && s.names.length === 1 && s.value.kind === "call") before.siteNames.set(s.value, s.names[0]!.text);
  let value = evaluate(self, s.value, scope, ctx);
  if (s.type)
    value = checkType(
      self,
      value,
      s.type,
      { scope, dims: new Map(), spreads: spreadsOf(scope) },
      s.names[0]!.text,
      s.value.span,
      ctx,
    );
  if (!s.tuple) {
    scope.bind(s.names[0]!.text, label(value, s.names[0]!.text), s.names[0]!.span);
    before?.names.set(s.names[0]!.text, value);
    return;
  }
  const parts = value.kind === "tuple" || value.kind === "list" ? value.elements : undefined;
  if (!parts || parts.length !== s.names.length)
    throw errors.wrongKind(s.value.span, `a tuple of ${s.names.length}`, kindText(value));
  s.names.forEach((n, i) => scope.bind(n.text, label(parts[i]!, n.text), n.span));
}
/** Gives a node its name from the source where it has none yet. */
function label(v: Value, name: string): Value {
  if (v.kind === "tensor" && !v.node.label && v.node.kind !== "source") (v.node as { label?: string }).label = name;
  return v;
}

// ---------------------------------------------------------------- instances, parameters, state

const snake = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .toLowerCase();
export function newInstance(path: string, declaration: Instance["declaration"], scope: Scope, pass = 0): Instance {
  return {
    path,
    declaration,
    scope,
    parameters: new Map(),
    states: new Map(),
    children: new Map(),
    names: new Map(),
    siteNames: new Map(),
    taken: new Set(),
    uses: new Set(),
    pass,
    applied: declaration.kind === "train",
    asked: { parameters: Infinity, missing: new Set() },
  };
}
const siteIds = new WeakMap<ast.Expr, number>();
let siteCount = 0;
const siteId = (e: ast.Expr): number => {
  if (!siteIds.has(e)) siteIds.set(e, siteCount++);
  return siteIds.get(e)!;
};
function construct(
  self: Interpreter,
  layer: Extract<Callable, { kind: "layer" }>,
  e: Extract<ast.Expr, { kind: "call" }>,
  scope: Scope,
  ctx: Context,
): Value {
  const owner = ctx.instance;
  if (!owner || ctx.declared)
    throw errors.misplaced(
      e.span,
      `an instance of ${layer.declaration.name.text}`,
      ctx.declared ? `in a ${ctx.declared}` : "here",
      ctx.declared === "metric"
        ? "make it above, with `let`"
        : ctx.declared === "fn"
          ? "declare a `layer` or `model` instead: they hold instances"
          : "layers, models and train blocks hold instances",
    );
  const key = `${siteId(e)}${ctx.stackPosition}`;
  let child = owner.children.get(key);
  const bind = (): Scope => {
    const args = argumentsOf(self, e.args, scope, ctx);
    return within(e.span, layer.declaration.name.text, () =>
      bindParameters(self, layer.declaration.name.text, layer.declaration.hyper, args, layer.scope, e.span, {
        ...ctx,
        declared: undefined,
      }),
    ).scope;
  };
  if (child && child.pass !== self.pass.number) Object.assign(child, { scope: bind(), pass: self.pass.number });
  if (!child) {
    let name = owner.siteNames.get(e);
    if (name === undefined || !owner.taken.has(`#${siteId(e)}`)) {
      const base = name ?? snake(layer.declaration.name.text);
      name = base;
      for (let n = 2; owner.taken.has(name); n++) name = `${base}${n}`;
      owner.taken.add(name).add(`#${siteId(e)}`);
      owner.siteNames.set(e, name);
    }
    child = newInstance(`${owner.path}.${name}${ctx.stackPosition}`, layer.declaration, bind(), self.pass.number);
    owner.children.set(key, child);
  }
  return { kind: "instance", instance: child };
}
export function modelInstance(self: Interpreter, declaration: ast.ModelDeclaration, scope: Scope): Instance {
  let found = self.models.get(declaration);
  if (!found) self.models.set(declaration, (found = newInstance(declaration.name.text, declaration, scope)));
  return found;
}
function applyInstance(
  self: Interpreter,
  callee: Extract<Value, { kind: "instance" }>,
  args: readonly Argument[],
  span: Span,
  ctx: Context,
): Value {
  const { instance } = callee;
  const d = instance.declaration;
  if (d.kind === "train") throw errors.wrongKind(span, "a layer or model", kindText(callee));
  if (d.kind === "model") ctx.instance?.uses.add(instance);
  const current = callee.values ? new Map([...ctx.current, ...callee.values]) : ctx.current;
  const frozen = ctx.frozen || (callee.frozen ?? false);
  let ambient = ctx.ambient;
  if (callee.frozen) {
    ambient = new Scope(ctx.ambient);
    ambient.bind("training", { kind: "bool", value: false });
  }
  const inner: Context = {
    ...ctx,
    ambient,
    current,
    frozen,
    instance,
    training: callee.frozen ? false : ctx.training,
    writes: ctx.writes && !frozen,
    stackPosition: "",
    declared: undefined,
    draws: { count: 0, path: `${ctx.draws.path}/${instance.path}#${ctx.draws.count++}` },
  };
  const bound = within(span, d.name.text, () =>
    bindParameters(self, d.name.text, d.params, args, instance.scope, span, inner),
  );
  const value = within(span, d.name.text, () => runBody(self, d.body, bound.scope, inner));
  instance.applied = true;
  if (callee.values) for (const [k, v] of current) if (!callee.values.has(k)) ctx.current.set(k, v); // states written inside
  const result = d.result
    ? within(span, d.name.text, () =>
        checkResult(self, value, d.result!, bound, d.name.text, resultSpan(d.body), inner),
      )
    : value;
  if (result.kind === "tensor" && d.kind === "model") madeBy.set(result.node, d.name);
  return result;
}
/** The model that gave a value, told in messages. */
const madeBy = new WeakMap<Node, ast.Name>();
export function parameterValue(p: Source, ctx: Context): Node {
  const now = ctx.current.get(p) ?? p;
  if (!ctx.frozen) return now;
  const axes = axesOf(p.shape);
  return compute(axes, undefined, callScalar("stop", load(now, indicesOf(axes))), { label: p.label });
}
function declareParameter(self: Interpreter, s: ast.ParamStatement, scope: Scope, ctx: Context): void {
  const owner = ctx.instance;
  if (!owner || ctx.declared || owner.declaration.kind === "train")
    throw errors.misplaced(
      s.span,
      "`param`",
      ctx.declared ? `in a ${ctx.declared}` : "here",
      "parameters belong to layers and models",
    );
  const force = (): Value => {
    if (s.type.kind !== "tensor_type" || s.type.element.text !== "f32")
      throw errors.wrongKind(s.type.span, "f32 with a shape", typeSource(s.type));
    if (s.type.range)
      throw errors.wrongKind(s.type.range.span, "i32 before `in`", "f32", "only whole numbers carry a range");
    const shape = statedShape(self, s.type, { scope, dims: new Map(), spreads: spreadsOf(scope) }, ctx);
    if (shape.some((n) => typeof n !== "number"))
      throw errors.runTimeDim(
        s.type.span,
        `the shape of the parameter ${s.name.text}`,
        "a parameter has one size for every call: use the dims that are known, not that of the rows",
      );
    let p = owner.parameters.get(s.name.text);
    if (!p) {
      const path = `${owner.path}.${s.name.text}`;
      p = source({ role: "parameter", path, shape, dtype: "f32", span: s.span, label: path });
      owner.parameters.set(s.name.text, p);
      const initial = initialValue(self, s.initial, scope, shape as number[], path, ctx);
      self.parameters.set(path, { source: p, initial, span: s.span });
    } else if (shape.some((n, d) => n !== p!.shape[d])) {
      throw errors.shapeMismatch(
        s.span,
        `the parameter ${p.path}`,
        errors.typeText("f32", p.shape),
        errors.typeText("f32", shape),
        {
          notes: [
            `${typeSource(s.type)}: ${owner.path} was applied before, where this was ${shapeText(p.shape)}; now it would be ${shapeText(shape)}`,
          ],
          hint: "one instance has one shape; make a second one for inputs of another size",
        },
      );
    }
    return tensor(parameterValue(p, ctx));
  };
  scope.bind(s.name.text, { kind: "lazy", force }, s.name.span);
}
function initialValue(
  self: Interpreter,
  e: ast.Expr,
  scope: Scope,
  shape: readonly number[],
  path: string,
  ctx: Context,
): Node {
  const inner = new Scope(scope);
  inner.bind("fan_in", number(shape.slice(0, -1).reduce((a, b) => a * b, 1)));
  inner.bind("fan_out", number(shape.at(-1) ?? 1));
  inner.bind("shape", { kind: "list", elements: shape.map((n) => number(n)) });
  const base = self.initialContext(path);
  const ambient = new Scope(ctx.ambient);
  for (const name of ["fan_in", "fan_out", "shape"]) ambient.bind(name, inner.own(name)!);
  const initContext: Context = { ...base, ambient, instance: ctx.instance, stackPosition: ctx.stackPosition };
  let v = evaluate(self, e, inner, initContext);
  v = initialiser(self, v, e.span, initContext) ?? v;
  if (v.kind === "fn" || v.kind === "builtin") v = apply(self, v, [], e.span, initContext);
  if (v.kind === "deferred") v = v.run(initContext);
  if (v.kind === "distribution") return drawTensor(v, shape, hashSite(path), initContext, e.span);
  const node = asTensor(
    isPlain(v) ? tensor(compute(axesOf(shape), undefined, plainScalar(v, "f32", e.span))) : v,
    e.span,
    "f32",
  );
  if (node.shape.length !== shape.length || node.shape.some((n, d) => n !== shape[d]))
    throw errors.shapeMismatch(
      e.span,
      `the initial value of ${path}`,
      errors.typeText("f32", shape),
      errors.typeText(node.dtype, node.shape),
    );
  return node;
}
export function declareState(self: Interpreter, s: ast.State, scope: Scope, ctx: Context): void {
  const owner = ctx.instance;
  if (!owner || ctx.declared)
    throw errors.misplaced(
      s.span,
      "`state`",
      ctx.declared ? `in a ${ctx.declared}` : "here",
      "a fn has no state; layers, optimizers and train blocks do",
    );
  const force = (): Value => {
    const path = `${owner.path}.${s.name.text}`;
    if (!owner.states.has(s.name.text)) {
      const copy = instanceStateOf(self, s, scope, ctx, owner, path);
      if (copy) return instanceValue(copy, ctx);
    }
    const held = stateOf(self, s, scope, ctx, owner, path, "state");
    return tensor(ctx.current.get(held) ?? held);
  };
  scope.bind(s.name.text, { kind: "lazy", force }, s.name.span);
  owner.names.set(s.name.text, { kind: "lazy", force });
}
/** State that holds a layer's parameters, `state smooth = net`: one state for every parameter, begun as the parameter is. */
interface InstanceState {
  readonly instance: Instance;
  readonly held: ReadonlyMap<Source, Source>; // by parameter
}
const instanceStates = new WeakMap<Instance, Map<string, InstanceState>>();
export const instanceState = (owner: Instance, name: string): InstanceState | undefined =>
  instanceStates.get(owner)?.get(name);
function instanceStateOf(
  self: Interpreter,
  s: ast.State,
  scope: Scope,
  ctx: Context,
  owner: Instance,
  path: string,
): InstanceState | undefined {
  const known = instanceState(owner, s.name.text);
  if (known) return known;
  const v = evaluate(self, s.value, scope, {
    ...self.initialContext(path),
    ambient: ctx.ambient,
    instance: ctx.instance,
  });
  if (v.kind !== "instance") return undefined;
  if (s.type) throw errors.wrongKind(s.type.span, "no type", "a type of a state that holds a layer's parameters");
  const held = new Map<Source, Source>();
  for (const p of parametersOf(self, v.instance, s.value.span)) {
    const own = source({
      role: "state",
      path: `${path}.${p.path}`,
      shape: p.shape,
      dtype: "f32",
      span: s.span,
      label: `${path}.${p.path}`,
    });
    held.set(p, own);
    const begun = self.parameters.get(p.path);
    if (!begun) throw new errors.Quiet(); // its size is an error of its own
    self.states.set(own.path, { source: own, initial: begun.initial, span: s.span, kind: "state" });
  }
  if (!held.size)
    throw errors.wrongKind(
      s.value.span,
      "an instance with parameters",
      `${kindText(v)}, which is applied nowhere above`,
      "apply it before its state is used",
    );
  const made = { instance: v.instance, held };
  if (!instanceStates.has(owner)) instanceStates.set(owner, new Map());
  instanceStates.get(owner)!.set(s.name.text, made);
  return made;
}
const instanceValue = ({ instance, held }: InstanceState, ctx: Context): Value => ({
  kind: "instance",
  instance,
  values: new Map([...held].map(([p, own]) => [p, ctx.current.get(own) ?? own])),
});
/** `next` of such a state: an instance with its parameters, or arithmetic of instances. */
export function writeInstanceState({ instance, held }: InstanceState, value: Value, span: Span, ctx: Context): void {
  if (value.kind !== "instance" || value.instance !== instance)
    throw errors.wrongKind(span, `parameters of ${instance.path}`, kindText(value));
  for (const [p, own] of held) ctx.current.set(own, stopGradient(value.values?.get(p) ?? parameterValue(p, ctx)));
}
export function stateOf(
  self: Interpreter,
  s: ast.State,
  scope: Scope,
  ctx: Context,
  owner: Instance,
  path: string,
  kind: "state" | "optimizer",
): Source {
  let held = owner.states.get(s.name.text);
  if (held && self.states.has(path)) return held;
  const base = self.initialContext(path);
  const initContext: Context = { ...base, ambient: ctx.ambient, instance: ctx.instance };
  let value = evaluate(self, s.value, scope, initContext);
  if (s.type)
    value = checkType(
      self,
      value,
      s.type,
      { scope, dims: new Map(), spreads: spreadsOf(scope) },
      `the state ${path}`,
      s.value.span,
      initContext,
    );
  const wanted = s.type?.kind === "tensor_type" ? elementType(s.type) : undefined;
  const node = asTensor(value, s.value.span, wanted ?? (value.kind === "number" && !value.whole ? "f32" : undefined));
  if (node.shape.some((n) => typeof n !== "number"))
    throw errors.runTimeDim(
      s.span,
      `the shape of the state ${path}`,
      "a state has one size for every call: use the dims that are known, not that of the rows",
    );
  let range: Range | undefined = node.dtype === "i32" ? { low: -Infinity, high: Infinity } : undefined;
  if (s.type?.kind === "tensor_type" && s.type.range) {
    const r = declaredRange(self, s.type.range, scope, s.type.range.span, initContext);
    const [low, end] = [constantOf(r.low), constantOf(r.end)];
    if (low === undefined || end === undefined)
      throw errors.wrongKind(s.type.range.span, "a range of known numbers", "one that depends on the run");
    range = { low, high: end - 1 };
  }
  held = source({
    role: "state",
    path,
    shape: node.shape,
    dtype: node.dtype,
    span: s.span,
    label: path,
    ...(range ? { range } : {}),
  });
  owner.states.set(s.name.text, held);
  self.states.set(path, { source: held, initial: node, span: s.span, kind });
  return held;
}
/** What `...S` stands for in a scope whose parameters bound it. */
const boundSpreads = new WeakMap<Scope, Map<string, Shape>>();
export function spreadsOf(scope: Scope): Map<string, Shape> {
  for (let at: Scope | undefined = scope; at; at = at.parent) if (boundSpreads.has(at)) return boundSpreads.get(at)!;
  return new Map();
}
function runNext(self: Interpreter, s: ast.Next, scope: Scope, ctx: Context): void {
  const values = s.assignments.map((a) => ({
    name: a.name,
    value: evaluate(self, a.value, scope, ctx),
    span: a.value.span,
  }));
  const owner = ctx.instance;
  if (!owner || ctx.declared)
    throw errors.misplaced(
      s.span,
      "`next`",
      ctx.declared ? `in a ${ctx.declared}` : "here",
      "a fn has no state; layers, optimizers, loops and train blocks do",
    );
  for (const { name, value, span } of values) {
    if (scope.find(name.text) === undefined)
      throw errors.unknownName(name.span, name.text, owner.states.keys(), { kind: "state" });
    const held = owner.states.get(name.text);
    if (!held)
      throw errors.wrongKind(name.span, "a declared state", `\`${name.text}\``, `write state ${name.text} = ... above`);
    if (!ctx.writes) continue;
    ctx.current.set(held, stopGradient(nextValue(held, value, span, name.text, ctx)));
  }
}
/** The next value of a state, which must lie in the range that the state declares. */
export function nextValue(held: Source, value: Value, span: Span, name: string, ctx: Context): Node {
  const node = fitTo(held, value, span, name);
  if (held.range && held.range.low !== -Infinity && held.dtype === "i32" && !ctx.trial) {
    const { low, high } = held.range as { low: number; high: number };
    const own = interval(load(node, indicesOf(axesOf(node.shape))) as Integer);
    if (own.low < low || own.high > high)
      throw errors.nextOutOfRange(
        span,
        name,
        own.low <= leastI32 || own.high >= mostI32 ? "any i32" : `in ${own.low}..${own.high + 1}`,
        low,
        high + 1,
        held.span && !held.span.file.library ? { span: held.span, text: "declared here" } : undefined,
      );
  }
  return node;
}
/** A value as the next one of a carried tensor: same dtype and shape; a plain number fills it. */
export function fitTo(
  held: { readonly shape: Shape; readonly dtype: DType; readonly span?: Span | undefined },
  value: Value,
  span: Span,
  name: string,
): Node {
  if (isPlain(value) || value.kind === "bool")
    return compute(axesOf(held.shape), undefined, filling(value, span, held.dtype));
  const node = asTensor(value, span, held.dtype);
  if (
    node.dtype !== held.dtype ||
    node.shape.length !== held.shape.length ||
    node.shape.some((n, d) => n !== held.shape[d])
  )
    throw errors.shapeMismatch(
      span,
      `the next value of ${name}`,
      errors.typeText(held.dtype, held.shape),
      errors.typeText(node.dtype, node.shape),
      {
        labels: [
          { span, text: errors.typeText(node.dtype, node.shape) },
          ...(held.span && !held.span.file.library
            ? [{ span: held.span, text: `${errors.typeText(held.dtype, held.shape)} by this` }]
            : []),
        ],
      },
    );
  return node;
}
/** The same values, through which no gradient passes: what is written to a parameter or a state is a constant of every line below. */
export function stopGradient(node: Node): Node {
  if (node.dtype !== "f32") return node;
  const axes = axesOf(node.shape);
  return compute(axes, undefined, callScalar("stop", load(node, indicesOf(axes))));
}
function bindOptimizer(
  self: Interpreter,
  callee: Extract<Callable, { kind: "optimizer" }>,
  args: readonly Argument[],
  span: Span,
  ctx: Context,
): Value {
  const d = callee.declaration;
  const bound = within(span, d.name.text, () =>
    bindParameters(self, d.name.text, d.hyper, args, callee.scope, span, ctx),
  );
  const value: OptimizerValue = { declaration: d, scope: bound.scope, name: d.name.text };
  return { kind: "optimizers", chain: [value] };
}

// ---------------------------------------------------------------- members and indices

function member(self: Interpreter, e: Extract<ast.Expr, { kind: "member" }>, scope: Scope, ctx: Context): Value {
  if (e.operand.kind === "name") {
    const joined =
      scope.find(`${e.operand.text}.${e.name.text}`) ?? ctx.ambient.find(`${e.operand.text}.${e.name.text}`);
    if (joined) return joined;
  }
  const v = evaluate(self, e.operand, scope, ctx);
  if (v.kind === "dataset") return self.dataset(v.name, e.name.text, e.name.span);
  if (v.kind === "instance") return memberOf(v, e.name.text, e.name.span, ctx);
  throw errors.wrongKind(
    e.operand.span,
    "an instance or data",
    kindText(v),
    v.kind === "tensor" || v.kind === "scalar"
      ? e.name.text === "shape"
        ? "write size(x, axis: n) for the extent of an axis"
        : e.name.text === "T"
          ? "write transpose(x)"
          : `functions are applied from outside: ${e.name.text}(x), or x |> ${e.name.text}`
      : undefined,
  );
}
/** Is it a parameter, a state, or a layer within (or the layers of a stack)? */
const ownMember = (i: Instance, name: string): boolean =>
  i.parameters.has(name) ||
  i.states.has(name) ||
  [...i.children.values()].some((c) => `${c.path}.`.startsWith(`${i.path}.${name}.`));
function memberOf(v: Extract<Value, { kind: "instance" }>, name: string, span: Span, ctx: Context): Value {
  const { instance } = v;
  const p = instance.parameters.get(name);
  if (p) return tensor(parameterOf(v, p, ctx));
  const held = instance.states.get(name);
  if (held) return tensor(ctx.current.get(held) ?? held);
  const copy = instanceState(instance, name);
  if (copy) return instanceValue(copy, ctx);
  for (const child of instance.children.values())
    if (child.path === `${instance.path}.${name}`) return { ...v, instance: child };
  // a stack: net.block[3] is net.block.3
  const stacked = [...instance.children.values()].filter((c) => c.path.startsWith(`${instance.path}.${name}.`));
  if (stacked.length) return { kind: "list", elements: stacked.map((child) => ({ ...v, instance: child })) };
  const bound = instance.names.get(name);
  if (bound) return bound.kind === "lazy" ? bound.force() : bound;
  instance.asked.missing.add(name);
  throw errors.unknownName(
    span,
    name,
    [
      ...instance.parameters.keys(),
      ...instance.states.keys(),
      ...[...instance.children.values()].map((c) => c.path.split(".").at(-1)!),
      ...instance.names.keys(),
    ],
    { kind: "member", place: `in ${instance.path}` },
  );
}

function indexExpression(
  self: Interpreter,
  e: Extract<ast.Expr, { kind: "index" }>,
  scope: Scope,
  ctx: Context,
): Value {
  const v = evaluate(self, e.operand, scope, ctx);
  if (v.kind === "builtin" || v.kind === "distribution") {
    if (v.kind === "distribution") return tensor(drawBracketed(self, v, e, scope, ctx));
    if (shapedNames.has(v.name)) {
      if (v.name === "zeros" || v.name === "ones")
        return tensor(
          compute(
            axesOf(bracketShape(self, e.indices, scope, ctx)),
            undefined,
            plainScalar(plainNumber(v.name === "ones" ? 1 : 0), "f32", e.span),
          ),
        );
      if (v.name === "normal" || v.name === "uniform")
        return tensor(drawBracketed(self, applyBuiltin(self, v.name, [], e.span, ctx) as Distribution, e, scope, ctx));
      return { kind: "shaped", name: v.name, dims: e.indices, scope };
    }
  }
  if (v.kind === "list" || v.kind === "tuple") {
    const first = e.indices[0];
    if (e.indices.length === 1 && first?.kind === "at") {
      const at = evaluate(self, first.value, scope, ctx);
      if (at.kind === "number") {
        const i = at.value < 0 ? v.elements.length + at.value : at.value;
        const found = v.elements[i];
        if (!found)
          throw errors.outOfRange(
            first.span,
            `the index ${at.value}`,
            String(v.elements.length),
            0,
            { span: e.operand.span, text: kindText(v) },
            `the last element is ${v.elements.length - 1}, or -1 from the end`,
          );
        return found;
      }
    }
    return indexTensor(self, asTensor(v, e.operand.span), e, scope, ctx);
  }
  if (v.kind === "scalar" && e.indices.every((i) => i.kind === "rest")) return v; // i[...] of an element
  return indexTensor(self, asTensor(v, e.operand.span), e, scope, ctx);
}
export function bracketShape(self: Interpreter, indices: readonly ast.IndexExpr[], scope: Scope, ctx: Context): Shape {
  return indices.flatMap((i): Extent[] => {
    if (i.kind === "all") throw errors.wrongKind(i.span, "a size", "`:`");
    if (i.kind === "rest") {
      const found = i.name && findSpread(scope, i.name.text);
      if (!found) throw errors.unboundDim(i.span, `...${i.name?.text ?? ""}`);
      return [...found];
    }
    return [extentValue(evaluate(self, i.value, scope, ctx), i.span)];
  });
}
function findSpread(scope: Scope, name: string): Shape | undefined {
  for (let at: Scope | undefined = scope; at; at = at.parent) {
    const found = boundSpreads.get(at)?.get(name);
    if (found) return found;
  }
  return undefined;
}
function drawBracketed(
  self: Interpreter,
  d: Distribution,
  e: Extract<ast.Expr, { kind: "index" }>,
  scope: Scope,
  ctx: Context,
): Node {
  if (ctx.element)
    throw errors.misplaced(e.span, "a draw", "inside `for`", "draw the whole tensor above: let noise = normal[8]");
  const site = hashSite(`${ctx.draws.path}!${ctx.draws.count++}`);
  return drawTensor(d, bracketShape(self, e.indices, scope, ctx), site, ctx, e.span);
}

/** x[...]: whole-array when any axis stays, an element when all indices are elements inside index notation. */
function indexTensor(
  self: Interpreter,
  x: Node,
  e: Extract<ast.Expr, { kind: "index" }>,
  scope: Scope,
  ctx: Context,
): Value {
  const restAt = e.indices.findIndex((i) => i.kind === "rest");
  const named = e.indices.length - (restAt >= 0 ? 1 : 0);
  const operand = { span: e.operand.span, text: errors.typeText(x.dtype, x.shape) };
  if (named > x.shape.length)
    throw errors.argumentsDoNotFit(e.span, "this index", `has ${named} entries for ${x.shape.length} axes`);
  const restCount = x.shape.length - named;
  const restVariables = scope.find("...") as { kind: "list"; elements: readonly Value[] } | undefined;
  type Part =
    | { kind: "keep" }
    | { kind: "slice"; low: Integer; extent: Extent }
    | { kind: "at"; index: Integer; guard?: Scalar; fromEnd?: boolean }
    | { kind: "tensor"; ids: Node };
  const parts: { part: Part; span: Span }[] = [];
  const addRest = (span: Span): void => {
    const inside =
      restAt >= 0 &&
      restVariables &&
      e.indices[restAt]!.kind === "rest" &&
      !(e.indices[restAt] as { name?: ast.Name }).name;
    if (inside) {
      const own = restVariables.elements;
      if (own.length !== restCount)
        throw errors.argumentsDoNotFit(span, "`...`", `stands for ${own.length} axes, here there are ${restCount}`);
      for (const v of own) parts.push({ part: { kind: "at", index: integerOf(v)! }, span });
    } else for (let i = 0; i < restCount; i++) parts.push({ part: { kind: "keep" }, span });
  };
  for (const i of e.indices) {
    if (i.kind === "rest") {
      addRest(i.span);
      continue;
    }
    const extent = x.shape[parts.length]!;
    if (i.kind === "all") parts.push({ part: { kind: "keep" }, span: i.span });
    else {
      const v = evaluate(self, i.value, scope, ctx);
      if (v.kind === "range") {
        const fromEnd = (n: Integer, literalNegative: boolean): Integer =>
          literalNegative ? iadd(n, extentInteger(extent)) : n;
        const bounds = i.value.kind === "binary" && i.value.operator === ".." ? i.value : undefined;
        const low = fromEnd(v.low, isNegativeLiteral(bounds?.left));
        const end = fromEnd(v.end, isNegativeLiteral(bounds?.right));
        if (!provedNonNegative(low) || !provedNonNegative(isub(extentInteger(extent), end)))
          throw errors.outOfRange(
            i.span,
            `the slice ${integerText(low)}..${integerText(end)}`,
            extentText(extent),
            parts.length,
            operand,
            `the whole axis is 0..${extentText(extent)}: the end is not included`,
          );
        parts.push({ part: { kind: "slice", low, extent: sizeFrom(isub(end, low), i.span) }, span: i.span });
      } else if (v.kind === "number" && !Number.isInteger(v.value) && e.outside) {
        parts.push({ part: { kind: "at", index: integer(Math.floor(v.value)), guard: FALSE }, span: i.span }); // does not come out even: outside
      } else if (v.kind === "ratio") {
        parts.push({
          part: {
            kind: "at",
            index: floorDiv(v.numerator, v.divisor),
            guard: combine("==", [modulo(v.numerator, v.divisor), integer(0)], i.span),
          },
          span: i.span,
        });
      } else if (v.kind === "tensor" && v.node.shape.length > 0) {
        if (v.node.dtype !== "i32")
          throw errors.wrongKind(i.span, "a tensor of i32 indices", errors.typeText(v.node.dtype, v.node.shape));
        parts.push({ part: { kind: "tensor", ids: v.node }, span: i.span });
      } else if (v.kind === "list") {
        parts.push({ part: { kind: "tensor", ids: asTensor(v, i.span, "i32") }, span: i.span });
      } else {
        const index = integerOf(v);
        if (!index) throw errors.wrongKind(i.span, "a whole number", kindText(v));
        const fromEnd = isNegativeLiteral(i.value);
        parts.push({
          part: { kind: "at", index: fromEnd ? iadd(index, extentInteger(extent)) : index, fromEnd },
          span: i.span,
        });
      }
    }
  }
  if (restAt < 0) while (parts.length < x.shape.length) parts.push({ part: { kind: "keep" }, span: e.span });

  const outside = e.outside && evaluate(self, e.outside, scope, ctx);
  const [, secondTensor] = parts.filter((x) => x.part.kind === "tensor");
  if (secondTensor)
    throw errors.argumentsDoNotFit(
      secondTensor.span,
      "this index",
      "is a second tensor of indices; one is possible",
      undefined,
      "write the elements: for k: x[i[k], j[k]]",
    );
  // output axes in order; a tensor index puts its axes in its place
  const output: Variable[] = [];
  const guards: Scalar[] = [];
  const at = parts.map(({ part, span }, d): Integer => {
    const n = x.shape[d]!;
    const checked = (index: Integer, fromEnd = false): Integer => {
      if (
        !e.outside &&
        !ctx.trial &&
        (!provedNonNegative(index) || !provedNonNegative(isub(iadd(extentInteger(n), -1), index)))
      ) {
        const { low, high } = interval(index);
        const known = isBounded({ low, high }) && Number.isFinite(high);
        const last =
          typeof n === "number" ? `the last index is ${n - 1}, or -1 from the end` : "say what is outside: x[...] ?? 0";
        const declare =
          index.kind === "load" && !known
            ? `declare its range where it enters, as \`i32 in 0..${extentText(n)}\`, or say what is outside: x[...] ?? 0`
            : "say what is outside: x[...] ?? 0, or run the index over fewer elements";
        throw errors.outOfRange(
          span,
          known
            ? low === high
              ? `the index ${fromEnd && typeof n === "number" ? low - n : low}`
              : `this index, ${low}..${high + 1},`
            : "this index",
          extentText(n),
          d,
          operand,
          known && low === high ? last : declare,
        );
      }
      return index;
    };
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
          if (!e.outside)
            throw errors.outOfRange(
              span,
              "this index, written with `/`,",
              extentText(n),
              d,
              operand,
              "say what is there where it does not come out even: x[...] ?? 0, or divide by `//`",
            );
          guards.push(part.guard);
        }
        return checked(part.index, part.fromEnd);
      case "tensor": {
        const axes = axesOf(part.ids.shape);
        output.push(...axes);
        return checked(load(part.ids, indicesOf(axes)) as Integer);
      }
      default:
        return part satisfies never;
    }
  });
  const beyond = outside && asScalarValue(outside, e.outside!.span, x.dtype);
  let element = load(x, at, beyond);
  if (guards.length) element = select(and(...guards), element, beyond!);
  const elementary = output.length === 0 && (element.variables.size > 0 || scope.find("%for") !== undefined);
  if (elementary) return scalar(element);
  if (element.variables.size > output.length || [...element.variables].some((v) => !output.includes(v)))
    throw errors.misplaced(
      e.span,
      "a slice",
      "inside `for`, where every value is a single element",
      "give every axis an index; functions of whole tensors stand outside of `for`",
    );
  return tensor(compute(output, undefined, element, { span: e.span }));
}

// ---------------------------------------------------------------- index notation

interface Binders {
  readonly variables: Variable[];
  readonly scope: Scope;
  readonly guards: Scalar[]; // bounds that depend on outer indices or data
}
/** Makes a variable for every index; an index without a range takes the extent of every axis where it stands alone. */
function openBinders(
  self: Interpreter,
  binders: readonly ast.Binder[],
  body: ast.Expr,
  scope: Scope,
  ctx: Context,
): Binders {
  const inner = new Scope(scope);
  inner.bind("%for", { kind: "bool", value: true });
  const variables: Variable[] = [];
  const guards: Scalar[] = [];
  const found = extentsByUse(self, binders, body, scope, ctx);
  for (const b of binders) {
    if (b.kind === "rest") {
      const own = (found.rest ?? []).map((n) => variable(n, "r"));
      variables.push(...own);
      inner.bind("...", {
        kind: "list",
        elements: own.map((v) => (v.extent === 1 ? number(0) : { kind: "int", value: v })),
      });
      continue;
    }
    let extent: Extent | undefined;
    let low: Integer = integer(0);
    if (b.range) {
      const r = evaluate(self, b.range, inner, ctx);
      if (r.kind !== "range") throw errors.wrongKind(b.range.span, "a range, as 0..n", kindText(r));
      const length = isub(r.end, r.low);
      const fixed = isFixed(length) && isFixed(r.low);
      if (fixed) {
        low = r.low;
        extent = sizeFrom(length, b.range.span);
        if (typeof extent === "number" && extent > errors.mostElements)
          throw errors.tooMany(
            b.range.span,
            "the elements of an axis",
            extent,
            errors.mostElements,
            "positions in a tensor are i32",
          );
      } else {
        // bounds of outer indices or data: the widest box and a guard
        const widest = interval(r.end).high;
        const least = interval(r.low).low;
        const used = found.named.get(b.name.text);
        if (used !== undefined) {
          extent = used;
          guards.push(nonNegative(integer(0)));
        } else if (isBounded({ low: least, high: widest }) && Number.isFinite(widest)) {
          low = integer(least);
          extent = Math.max(0, widest - least);
        } else throw errors.wrongKind(b.range.span, "bounds with a known largest value", "bounds without one");
        const v = variable(extent, b.name.text);
        variables.push(v);
        const position = iadd(v, low);
        inner.bind(b.name.text, { kind: "int", value: position });
        guards.push(lessEqual(r.low, position), less(position, r.end));
        continue;
      }
    } else {
      extent = found.named.get(b.name.text);
      if (extent === undefined)
        throw errors.argumentsDoNotFit(
          b.span,
          `the index ${b.name.text}`,
          "stands alone in no axis, so its range is unknown",
          undefined,
          `write ${b.name.text} in 0..n`,
        );
    }
    const v = variable(extent, b.name.text);
    variables.push(v);
    inner.bind(b.name.text, int(extent === 1 ? low : iadd(v, low)));
  }
  return { variables, scope: inner, guards: guards.filter((g) => !isTrue(g)) };
}
/** Does a bound stay the same in the whole run, so that it may be an axis? */
const isFixed = (e: Integer): boolean => !e.variables.size && !e.scans.size && !hasLoad(e);
/** Does it read data? A formula of sizes alone is known before the run. */
function hasLoad(e: Integer): boolean {
  let found = false;
  visit(e, (x) => void ((x.kind === "load" || x.kind === "random") && (found = true)));
  return found;
}

/** Extents of the axes where an index stands alone: a walk over the body's text, for names whose values are known outside of it. */
function extentsByUse(
  self: Interpreter,
  binders: readonly ast.Binder[],
  body: ast.Expr,
  scope: Scope,
  ctx: Context,
): { named: Map<string, Extent>; rest?: Shape } {
  const wanted = new Set(binders.flatMap((b) => (b.kind === "index" ? [b.name.text] : [])));
  const wantsRest = binders.some((b) => b.kind === "rest");
  const named = new Map<string, Extent>();
  let rest: Shape | undefined;
  const walk = (e: ast.Expr, hidden: ReadonlySet<string>): void => {
    switch (e.kind) {
      case "index": {
        const x = knownTensor(e.operand, hidden);
        if (x) {
          const restAt = e.indices.findIndex((i) => i.kind === "rest");
          const count = x.shape.length - (e.indices.length - (restAt >= 0 ? 1 : 0));
          e.indices.forEach((i, k) => {
            const d = restAt >= 0 && k > restAt ? k + count - 1 : k;
            if (i.kind === "at" && i.value.kind === "name" && wanted.has(i.value.text) && !hidden.has(i.value.text)) {
              const n = x.shape[d];
              const before = named.get(i.value.text);
              if (
                n !== undefined &&
                before !== undefined &&
                before !== n &&
                !binders.some(
                  (b) => b.kind === "index" && b.name.text === (i.value as { text: string }).text && b.range,
                )
              )
                throw errors.argumentsDoNotFit(
                  i.span,
                  `the index ${i.value.text}`,
                  `runs over axes of ${extentText(before)} and ${extentText(n)}`,
                );
              if (n !== undefined && before === undefined) named.set(i.value.text, n);
            }
            if (i.kind === "rest" && !i.name && wantsRest && count >= 0 && rest === undefined)
              rest = x.shape.slice(k, k + count);
          });
        } else if (e.operand.kind !== "name") walk(e.operand, hidden);
        for (const i of e.indices) if (i.kind === "at") walk(i.value, hidden);
        if (e.outside) walk(e.outside, hidden);
        return;
      }
      case "for":
      case "reduce":
        for (const b of e.binders) if (b.kind === "index" && b.range) walk(b.range, hidden);
        walk(e.body, new Set([...hidden, ...e.binders.flatMap((b) => (b.kind === "index" ? [b.name.text] : []))]));
        return;
      case "paren":
        return walk(e.value, hidden);
      case "unary":
        return walk(e.operand, hidden);
      case "binary":
        walk(e.left, hidden);
        walk(e.right, hidden);
        return;
      case "call":
        walk(e.callee, hidden);
        for (const a of e.args) walk(a.value, hidden);
        return;
      case "tuple":
      case "list":
        for (const x of e.elements) walk(x, hidden);
        return;
      case "if":
        walk(e.condition, hidden);
        walk(e.then, hidden);
        walk(e.else, hidden);
        return;
      case "member":
        return walk(e.operand, hidden);
      default:
        return;
    }
  };
  const knownTensor = (e: ast.Expr, hidden: ReadonlySet<string>): Node | undefined => {
    if (e.kind === "paren") return knownTensor(e.value, hidden);
    if (e.kind === "name" && hidden.has(e.text)) return undefined;
    if (e.kind !== "name" && e.kind !== "member") return undefined;
    const v = e.kind === "name" ? (scope.find(e.text) ?? ctx.ambient.find(e.text)) : evaluate(self, e, scope, ctx);
    if (v?.kind === "tensor") return v.node;
    if (v?.kind === "list") return asTensor(v, e.span);
    return undefined;
  };
  walk(body, new Set());
  return rest ? { named, rest } : { named };
}
function forExpression(self: Interpreter, e: Extract<ast.Expr, { kind: "for" }>, scope: Scope, ctx: Context): Value {
  const inElement = scope.find("%for") !== undefined;
  const opened = openBinders(self, e.binders, e.body, scope, ctx);
  if (opened.guards.length)
    throw errors.misplaced(
      e.span,
      "a bound that depends on other indices",
      "in `for`",
      "only reducers may have such bounds",
    );
  const v = evaluate(self, e.body, opened.scope, { ...ctx, element: true });
  const nested = (): errors.Fault =>
    errors.misplaced(e.span, "`for`", "inside an element", "nested `for`s are written as one: for i, j: ...");
  if (inElement) throw nested();
  if (v.kind === "tensor" && v.node.shape.length > 0)
    throw errors.wrongKind(
      e.body.span,
      "a single element as the body of `for`",
      kindText(v),
      "index every axis, or use whole-array operators without `for`",
    );
  // for i: for j: e  merges
  const body = asScalarValue(v, e.body.span, isPlain(v) && v.kind === "number" && !v.whole ? "f32" : undefined);
  if ([...body.variables].some((x) => !opened.variables.includes(x))) throw nested(); // in a function called from a `for`
  return tensor(compute(opened.variables, undefined, body, { span: e.span }));
}
function reduceExpression(
  self: Interpreter,
  e: Extract<ast.Expr, { kind: "reduce" }>,
  scope: Scope,
  ctx: Context,
): Value {
  const word = e.reducer.text;
  // over an instance, or over all parameters of an optimizer's line
  const [only] = e.binders;
  if (e.binders.length === 1 && only?.kind === "index") {
    if (!only.range && only.name.text === "params" && ctx.params)
      return foldValues(word, ctx.params.each(e.body, scope), e);
    if (only.range) {
      const over = evaluate(self, only.range, scope, ctx);
      if (over.kind === "instance" || over.kind === "gradient") {
        const parts = parametersOf(self, over.instance, only.range.span).map((p) => {
          const inner = new Scope(scope);
          inner.bind(only.name.text, tensor(parameterOf(over, p, ctx)));
          return evaluate(self, e.body, inner, ctx);
        });
        return foldValues(word, parts, e);
      }
    }
  }
  const opened = openBinders(self, e.binders, e.body, scope, ctx);
  const guard = and(...opened.guards);
  const v = evaluate(self, e.body, opened.scope, { ...ctx, element: true });
  if (v.kind === "tensor" && v.node.shape.length > 0)
    throw errors.wrongKind(e.body.span, "a single element", kindText(v), "index every axis");
  const element = asScalarValue(v, e.body.span, v.kind === "number" && !v.whole ? "f32" : undefined);
  // outer indices become the axes of the node, which is then read at them
  const outer = [...new Set([...element.variables, ...guard.variables])].filter((x) => !opened.variables.includes(x));
  if (word === "argmax" || word === "argmin")
    someElements(
      word,
      opened.variables.map((v) => v.extent),
      e.span,
    );
  const build = (name: string, body: Scalar): Scalar => {
    const { reduction, body: own } = reducer(name, body, e.span);
    const guarded = isTrue(guard) ? own : select(guard, own, nothingOf(reduction.op, own));
    const node = finishReducer(
      name,
      compute(outer, { ...reduction, over: opened.variables }, guarded, { span: e.span }),
      e.span,
    );
    return load(node, indicesOf(outer));
  };
  let result: Scalar;
  if (word === "mean") {
    const sum = build("sum", toF32(element));
    if (isTrue(guard))
      result = divideByCount(
        sum,
        opened.variables.map((x) => x.extent),
      );
    else {
      const count = build("sum", plainScalar(plainNumber(1), "f32", e.span));
      result = select(callScalar("less", 0, count), callScalar("div", sum, callScalar("max", count, 1)), 0);
    }
  } else if (word === "logsumexp" && opened.variables.some((v) => v.extent === 0))
    result = build("amax", toF32(element));
  else if (word === "logsumexp") {
    const x = toF32(element);
    const top = callScalar("stop", build("amax", x));
    const filled = isTrue(guard) && opened.variables.every((v) => typeof v.extent === "number" && v.extent > 0);
    result = logOfSum(build("sum", callScalar("exp", callScalar("sub", x, top))), top, filled);
  } else if ((word === "argmax" || word === "argmin") && !isComparedAsF32(element)) {
    const best = build(word === "argmax" ? "amax" : "amin", element);
    result = build("argmax", callScalar("equal", element, best));
  } else result = build(word, element);
  // in a function called from a `for`, the scope does not tell; the indices around do
  return scope.find("%for") !== undefined || result.variables.size
    ? scalar(result)
    : tensor(compute([], undefined, result, { span: e.span }));
}
function foldValues(word: string, parts: readonly Value[], e: Extract<ast.Expr, { kind: "reduce" }>): Value {
  if (word !== "sum" && word !== "prod" && word !== "max" && word !== "min")
    throw errors.unsupported(e.span, `\`${word} over\` parameters`, "sum, prod, max and min are");
  const operator = word === "sum" ? "+" : word === "prod" ? "*" : word;
  return parts.reduce(
    (a, b) =>
      operator === "max" || operator === "min"
        ? elementwiseValues(operator, [a, b], [e.span, e.span], e.span)
        : operate(operator, a, b, [e.span, e.span], e.span),
    number(word === "prod" ? 1 : 0, false),
  );
}

// ---------------------------------------------------------------- stack, scan, fold, grad

function stackExpression(
  self: Interpreter,
  e: Extract<ast.Expr, { kind: "stack" }>,
  scope: Scope,
  ctx: Context,
): Value {
  const counted = evaluate(self, e.count, scope, ctx);
  const [low, end] =
    counted.kind === "range"
      ? [constantOf(counted.low), constantOf(counted.end)]
      : [0, counted.kind === "number" ? counted.value : undefined];
  if (low === undefined || end === undefined)
    throw errors.notCompileTime(
      e.count.span,
      "the count of `stack`",
      "use a constant, a parameter of kind int or a known dim",
    );
  if (!Number.isInteger(low) || !Number.isInteger(end)) throw errors.notWhole(e.count.span, end);
  if (end - low > errors.most)
    throw errors.tooMany(e.count.span, "the copies of `stack`", end - low, errors.most, "a loop at run time is `fold`");
  const apply_ = (input: Value, span: Span): Value => {
    let value = input;
    for (let i = low; i < end; i++) {
      const inner = new Scope(scope);
      if (e.index) inner.bind(e.index.text, number(i));
      const own: Context = { ...ctx, stackPosition: `${ctx.stackPosition}.${i}` };
      const layer = evaluate(self, e.of, inner, own);
      value = apply(
        self,
        layer,
        (value.kind === "tuple" ? value.elements : [value]).map((x) => ({ value: x, span })),
        span,
        ctx,
      );
    }
    return value;
  };
  return { kind: "stacked", apply: apply_ };
}

function loopExpression(self: Interpreter, e: ast.Loop, scope: Scope, ctx: Context): Value {
  if (scope.find("%for") !== undefined || ctx.element)
    throw errors.misplaced(e.span, `\`${e.kind}\``, "inside `for`", "put the loop outside; its body may hold `for`");
  const iterators = e.iterators.map((it) => {
    const v = evaluate(self, it.in, scope, ctx);
    if (v.kind === "range") {
      const n = constantOf(isub(v.end, v.low));
      if (n === undefined) throw errors.notCompileTime(it.in.span, "the number of rounds");
      return { it, count: Math.max(0, n), low: v.low, x: undefined, axis: 0 };
    }
    const x = asTensor(v, it.in.span);
    let axis = 0;
    if (it.along) {
      const along = evaluate(self, it.along, scope, ctx);
      if (along.kind === "number" && !(it.along.kind === "name"))
        axis = along.value < 0 ? x.shape.length + along.value : along.value;
      else {
        // a dim's name: the axis that is it
        const n = extentValue(along, it.along.span);
        const candidates = x.shape.flatMap((m, d) => (m === n ? [d] : []));
        const named = it.along.kind === "name" ? declaredAxis(it.in, it.along.text, scope) : undefined;
        axis = named ?? candidates[0] ?? -1;
        if (axis < 0)
          throw errors.argumentsDoNotFit(
            it.along.span,
            "`along`",
            `finds no axis of ${extentText(n)} in ${shapeText(x.shape)}`,
          );
      }
    }
    const n = x.shape[axis];
    if (typeof n !== "number")
      throw errors.runTimeDim(
        it.span,
        "the number of rounds",
        "walk over an axis of known size, as x: f32[B, 32, 4] along 1; a model with T in its input is compiled for every T that a train block gives it",
      );
    return { it, count: n, low: integer(0), x, axis };
  });
  const count = iterators[0]!.count;
  for (const i of iterators)
    if (i.count !== count)
      throw errors.argumentsDoNotFit(i.it.span, "the iterators", `have ${count} and ${i.count} rounds`);
  const initialValues = e.carries.map((c) => evaluate(self, c.value, scope, ctx));
  const returned = e.body.statements.find((s) => s.kind === "return");
  if (returned) throw errors.misplaced(returned.span, "`return`", `in a ${e.kind}`, "use `next` and `yield`");
  // a carry written as a plain number takes the dtype and shape that its next value has: found by a first pass
  let initial = initialValues.map((v, j) =>
    isPlain(v) || v.kind === "bool" ? undefined : asTensor(v, e.carries[j]!.value.span),
  );
  let yields: Node[] | undefined;
  let yieldTuple = false;
  let positions: number[] = [];
  const once = (
    starts: readonly Node[],
    ranges: readonly (Range | undefined)[],
    draws: Context["draws"],
    trial = false,
  ): { scan: ReturnType<typeof makeScan> } => {
    const scan_ = makeScan(
      { count, initial: starts, names: e.carries.map((c) => c.name.text), ranges, span: e.span },
      (t, incoming) => {
        const inner = new Scope(scope);
        for (const { it, low, x, axis } of iterators) {
          if (!x) inner.bind(it.name.text, { kind: "int", value: iadd(t, low) });
          else {
            const axes = axesOf(x.shape.filter((_, d) => d !== axis));
            const at = indicesOf(axes);
            at.splice(axis, 0, t);
            inner.bind(
              it.name.text,
              tensor(compute(axes, undefined, load(x, at), { span: it.span, label: it.name.text })),
            );
          }
        }
        e.carries.forEach((c, j) => inner.bind(c.name.text, tensor(incoming[j]!)));
        const next = new Map<string, Value>();
        const own: Context = {
          ...ctx,
          rounds: [...ctx.rounds, { step: t, count }],
          draws,
          trial: trial || ctx.trial === true,
        };
        for (const s of e.body.statements) {
          if (s.kind === "let") bindLet(self, s, inner, own);
          else if (s.kind === "next") {
            const values = s.assignments.map((a) => evaluate(self, a.value, inner, own));
            s.assignments.forEach((a, k) => {
              if (!e.carries.some((c) => c.name.text === a.name.text))
                throw errors.unknownName(
                  a.name.span,
                  a.name.text,
                  e.carries.map((c) => c.name.text),
                );
              next.set(a.name.text, values[k]!);
            });
          } else if (s.kind === "yield") {
            if (e.kind === "fold") throw errors.misplaced(s.span, "`yield`", "in a fold");
            const v = evaluate(self, s.value, inner, own);
            yieldTuple = v.kind === "tuple";
            yields = (v.kind === "tuple" ? v.elements : [v]).map((x) => asTensor(x, s.span));
            const walked = iterators.find((i) => i.x);
            positions = yields.map((y) => (walked ? Math.min(walked.axis, y.shape.length) : 0));
          } else throw errors.misplaced(s.span, `\`${s.kind}\``, `in a ${e.kind}`);
        }
        return e.carries.map((c, j) => {
          const v = next.get(c.name.text);
          if (!v) return incoming[j]!;
          return fitTo(starts[j]!, v, e.span, c.name.text);
        });
      },
    );
    return { scan: scan_ };
  };
  if (initial.some((x) => x === undefined))
    initial = initial.map(
      (x, j) =>
        x ??
        asTensor(
          initialValues[j]!,
          e.span,
          initialValues[j]!.kind === "number" && (initialValues[j] as { whole: boolean }).whole ? undefined : "f32",
        ),
    );
  // an integer carry has a range that holds its first value and that every step stays in; it is found by trial, then the body is made
  const path = `${ctx.draws.path}%${ctx.draws.count++}`;
  let ranges = (initial as Node[]).map((x) => x.range);
  if ((initial as Node[]).some((x) => x.dtype === "i32")) {
    const join = (from: readonly (Range | undefined)[], round: number): (Range | undefined)[] =>
      once(initial as Node[], from, { count: 0, path }, true).scan.carries.map((c, j) =>
        joinRanges(from[j], c.next.range, round),
      );
    const stable = (from: readonly (Range | undefined)[]): boolean => join(from, 0).every((r, j) => r === from[j]);
    for (let round = 0; round < 4 && !stable(ranges); round++) ranges = join(ranges, round);
    // under bounds that hold, the first and next values may be bounded more closely: min(i + 1, 3)
    const closer = once(initial as Node[], ranges, { count: 0, path }, true).scan.carries.map(
      (c, j) => ranges[j] && (c.next.range ? joinRanges(c.initial.range, c.next.range, 0) : ranges[j]),
    );
    if (stable(closer)) ranges = closer;
  }
  const { scan: made } = once(initial as Node[], ranges, { count: 0, path });
  if (e.kind === "fold") {
    const finals = e.carries.map((_, j) => tensor(finalOf(made, j)));
    return finals.length === 1 ? finals[0]! : { kind: "tuple", elements: finals };
  }
  if (!yields) throw errors.noYield(e.span);
  const stacks = (yields as Node[]).map((y, i): Value => {
    const stacked = stackOf(made, y);
    const axis = positions[i]!;
    if (axis === 0) return tensor(stacked);
    const order = y.shape.map((_, d) => d + 1);
    order.splice(axis, 0, 0);
    const axes = axesOf(order.map((d) => stacked.shape[d]!));
    return tensor(
      compute(
        axes,
        undefined,
        load(
          stacked,
          stacked.shape.map((_, d) => indicesOf(axes)[order.indexOf(d)]!),
        ),
        { span: e.span },
      ),
    );
  });
  return yieldTuple ? { kind: "tuple", elements: stacks } : stacks[0]!;
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
/** -1 as it is written: it counts from the end; computed indices never do. */
const isNegativeLiteral = (e: ast.Expr | undefined): boolean =>
  e?.kind === "paren"
    ? isNegativeLiteral(e.value)
    : e?.kind === "unary" && e.operator === "-" && e.operand.kind === "number";
/** The axis that a parameter's type calls by this dim: `xs: f32[B, T, I]` along T. */
function declaredAxis(e: ast.Expr, name: string, scope: Scope): number | undefined {
  if (e.kind !== "name") return undefined;
  for (let at: Scope | undefined = scope; at; at = at.parent) {
    const axis = declaredTypes.get(at)?.get(e.text);
    if (axis) {
      const found = axis.findIndex((d) => d.kind === "dim" && dimVariable(d.value) === name);
      return found >= 0 && axis.slice(0, found).every((d) => d.kind === "dim") ? found : undefined;
    }
  }
  return undefined;
}
export const declaredTypes = new WeakMap<Scope, Map<string, readonly ast.DimExpr[]>>();

/** Is the derivative by new values of parameters, of a value that was computed with old ones? */
function checkFresh(root: Node, wrt: readonly Node[], span: Span, ctx: Context): void {
  const stale = ctx.updated?.find(
    (u) => wrt.includes(ctx.current.get(u.parameter)!) && dependsOutsideStop(root, u.before, ctx.current),
  );
  if (stale) throw errors.staleValue(span, "derivative", stale.parameter.path, stale.span);
}
/** Does the value reach the old value of a parameter, neither through its new value nor only through stop? */
export function dependsOutsideStop(root: Node, before: Node, current: ReadonlyMap<Source, Node>): boolean {
  const updated = new Set(current.values());
  return topological([root], (n) => updated.has(n), inputsOutsideStop).includes(before);
}
/** What a node reads with a gradient: not what stands inside stop. */
function inputsOutsideStop(n: Node): readonly Node[] {
  if (n.kind !== "compute") return inputs(n);
  const found = new Set<Node>();
  const seen = new Set<Scalar>();
  const queue: Scalar[] = [n.body];
  while (queue.length) {
    const e = queue.pop()!;
    if (seen.has(e) || isCall(e, "stop")) continue;
    seen.add(e);
    if (e.kind === "load") found.add(e.tensor);
    queue.push(...operandsOf(e));
  }
  return [...found];
}

function gradExpression(self: Interpreter, e: Extract<ast.Expr, { kind: "call" }>, scope: Scope, ctx: Context): Value {
  if (ctx.element)
    throw errors.misplaced(
      e.span,
      "`grad`",
      "inside `for`",
      "differentiate whole tensors outside, and index the result",
    );
  const wrtArg = e.args.find((a) => a.name?.text === "wrt");
  const ofArg = e.args.find((a) => !a.name);
  if (!wrtArg || !ofArg || e.args.length !== 2)
    throw errors.argumentsDoNotFit(e.span, "grad", "takes a value and `wrt`", undefined, "write grad(e, wrt: x)");
  const root = asTensor(evaluate(self, ofArg.value, scope, ctx), ofArg.span, "f32");
  if (root.shape.length)
    throw errors.notScalar(ofArg.span, "what grad differentiates", errors.typeText(root.dtype, root.shape));
  const one = (x: ast.Expr): Value => {
    const v = evaluate(self, x, scope, ctx);
    if (v.kind === "instance") {
      const parameters = parametersOf(self, v.instance, x.span);
      const nodes = parameters.map((p) => v.values?.get(p) ?? ctx.current.get(p) ?? p);
      checkFresh(root, nodes, ofArg.span, ctx);
      const found = derivatives(root, nodes);
      if (found.every((g) => g === undefined))
        throw errors.noDependence(x.span, `the parameters of ${v.instance.path}`);
      return {
        kind: "gradient",
        instance: v.instance,
        values: new Map(parameters.map((p, i) => [p, found[i] ?? zeros(p.shape)])),
      };
    }
    const node = asTensor(v, x.span);
    if (node.dtype !== "f32") throw errors.wrongKind(x.span, "f32", errors.typeText(node.dtype, node.shape));
    checkFresh(root, [node], ofArg.span, ctx);
    const [g] = derivatives(root, [node]);
    if (g) return tensor(g);
    // reached, but with slope 0 everywhere (sign, comparisons, stop): zero is the answer
    if (topological([root], undefined, levelInputs).includes(node)) return tensor(zeros(node.shape));
    throw errors.noDependence(x.span, x.span.file.text.slice(x.span.start, x.span.end));
  };
  const w = wrtArg.value;
  return w.kind === "tuple" ? { kind: "tuple", elements: w.elements.map(one) } : one(w);
}
