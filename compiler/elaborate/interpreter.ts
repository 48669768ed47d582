// The interpreter: expressions to values. Tensor values are graph nodes, so elaboration and lowering are one pass: a function is inlined
// by evaluating its body, a layer by evaluating it within its instance. Here every kind of expression and of callable meets the file that knows it.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic, Span } from "../../grammar/diagnostic.ts";
import { source } from "../graph/node.ts";
import { namedFunctions } from "../scalar/table.ts";
import { applyBuiltin, builtinNames, laterNames } from "./builtins/table.ts";
import {
  apply,
  type Argument,
  type Context,
  evaluate,
  type Interpreter,
  type Log,
  Scope,
  type Value,
} from "./context.ts";
import * as errors from "./errors.ts";
import { applyFunction, applyLambda, callExpression, pipe } from "./expression/calls.ts";
import { applyInstance } from "./expression/construct.ts";
import { applyShaped, indexExpression } from "./expression/indexing.ts";
import { loopExpression, stackExpression } from "./expression/loops.ts";
import { member } from "./expression/members.ts";
import { forExpression, reduceExpression } from "./expression/notation.ts";
import { binary, unary, withParameters } from "./expression/operators.ts";
import { kindText, knownBool, number } from "./values.ts";

/** A new one, for the programs of one file. */
export function newInterpreter(diagnostics: Diagnostic[], log?: Log): Interpreter {
  return {
    evaluate: log ? logged(log) : valueOf,
    apply: applied,
    diagnostics,
    log,
    seed: source({
      role: "input",
      path: "seed",
      shape: [],
      dtype: "i32",
      range: { low: -Infinity, high: Infinity },
    }),
    parameters: new Map(),
    states: new Map(),
    models: new Map(),
    trains: new Map(),
    data: new Map(),
    rowsRead: new Map(),
    sites: new Map(),
    madeBy: new Map(),
    forms: new Map(),
    calls: [],
    applied: new Set(),
    pass: { number: 0 },
    work: { calls: 0 },
  };
}
const logged =
  (log: Log): Interpreter["evaluate"] =>
  (e, scope, ctx) => {
    const value = valueOf(e, scope, ctx);
    log.evaluated(e, value, scope, ctx);
    return value;
  };
function valueOf(e: ast.Expr, scope: Scope, ctx: Context): Value {
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
      return evaluate(e.value, scope, ctx);
    case "tuple":
      return { kind: "tuple", elements: e.elements.map((x) => evaluate(x, scope, ctx)) };
    case "list":
      return { kind: "list", elements: e.elements.map((x) => evaluate(x, scope, ctx)) };
    case "unary":
      return unary(e, withParameters(evaluate(e.operand, scope, ctx), e.operand.span, ctx));
    case "binary":
      return e.operator === "|>" ? pipe(e, scope, ctx) : binary(e, scope, ctx);
    case "call":
      return callExpression(e, scope, ctx);
    case "index":
      return indexExpression(e, scope, ctx);
    case "member":
      return member(e, scope, ctx);
    case "reduce":
      return reduceExpression(e, scope, ctx);
    case "for":
      return forExpression(e, scope, ctx);
    case "lambda":
      return { kind: "lambda", params: e.params, body: e.body, scope };
    case "if": {
      const known = knownBool(evaluate(e.condition, scope, ctx));
      if (known === undefined) throw errors.neededEarly(e.condition.span, "condition");
      return evaluate(known ? e.then : e.else, scope, ctx);
    }
    case "stack":
      return stackExpression(e, scope, ctx);
    case "scan":
    case "fold":
      return loopExpression(e, scope, ctx);
    case "missing":
      throw new errors.Quiet(); // a syntax error, which is told already
    default:
      return e satisfies never;
  }
}
function lookup(name: string, span: Span, scope: Scope, ctx: Context): Value {
  const found = scope.find(name) ?? ctx.ambient.find(name);
  if (found) return found;
  if (namedFunctions.has(name) || builtinNames.has(name)) return { kind: "builtin", name };
  if (laterNames.has(name)) throw errors.functionNotYet(span, name);
  const isEarly = ctx.interpreter.diagnostics.length < errors.mostExplained;
  throw errors.unknownName(span, name, isEarly ? [...scope.names(), ...ctx.ambient.names(), ...builtinNames] : []);
}
function applied(callee: Value, args: readonly Argument[], span: Span, ctx: Context, written: Span): Value {
  const { work } = ctx.interpreter;
  if (++work.calls > errors.mostCalls) throw errors.beyondLimit(span, "calls", work.calls);
  switch (callee.kind) {
    case "lazy":
      return apply(callee.force(), args, span, ctx, written);
    case "builtin": {
      const value = applyBuiltin(callee.name, args, span, ctx);
      ctx.interpreter.log?.builtin(
        callee.name,
        span,
        args.map((a) => a.value),
        value,
      );
      return value;
    }
    case "shaped":
      return applyShaped(callee, args, span, ctx);
    case "stacked":
      return callee.apply(
        args.length === 1 ? args[0]!.value : { kind: "tuple", elements: args.map((a) => a.value) },
        span,
      );
    case "composed":
      return apply(callee.second, [{ value: apply(callee.first, args, span, ctx, written), span }], span, ctx, written);
    case "lambda":
      return applyLambda(callee, args, span, ctx);
    case "fn":
      return applyFunction(callee, args, span, ctx, written);
    case "instance":
      return applyInstance(callee, args, span, ctx, written);
    case "layer":
      throw errors.bareLayer(span, kindText(callee), callee.declaration.name.text, true);
    default:
      throw errors.needed(span, "function", kindText(callee));
  }
}
