// What elaboration knew, kept for those who ask (editors): the value of every expression in every call, names, calls, instances.
// In: what the interpreter tells its log. Out: Knowledge, which is read only. Nothing of it reaches a plan.
import type { Compilation } from "../graph/compilation.ts";
import type * as ast from "../../grammar/ast.ts";
import { originNow, type Origin } from "../graph/origin.ts";
import type { Node } from "../graph/types.ts";
import type { BuiltinRecord, CallRecord, Instance, Log, Scope, Value } from "./context.ts";

export type { CallRecord };

/** An expression in one call: where nothing was called (constants), `origin` is undefined. */
export interface Evaluation {
  readonly value: Value;
  readonly scope: Scope;
  readonly origin: Origin | undefined;
  readonly instance: Instance | undefined;
}
export interface Binding {
  readonly name: ast.Name;
  readonly value: Value;
  readonly scope: Scope;
  readonly origin: Origin | undefined;
}
export interface Knowledge {
  readonly compilation: Compilation; // that its nodes belong to
  /** Each in the order of the calls. */
  readonly expressions: ReadonlyMap<ast.Expr, readonly Evaluation[]>;
  readonly names: ReadonlyMap<ast.Name, readonly Binding[]>;
  /** Equal values are one node: all the names that it has. */
  readonly namesOf: ReadonlyMap<Node, readonly Binding[]>;
  readonly calls: readonly CallRecord[];
  readonly models: ReadonlyMap<ast.ModelDeclaration, Instance>;
  readonly trains: ReadonlyMap<ast.Train, Instance>;
  readonly scope: Scope; // of the file
}
/** Where a log writes. */
export interface Keeper extends Log {
  /** What is known so far stays when the file is read again. */
  readonly mark: () => void;
  readonly restore: () => void;
  readonly known: Pick<Knowledge, "expressions" | "names" | "namesOf" | "calls">;
}
const mostEvaluations = 256; // of one expression: those of a library function that is called everywhere

export function newKeeper(): Keeper {
  const expressions = new Map<ast.Expr, Evaluation[]>();
  const names = new Map<ast.Name, Binding[]>();
  const namesOf = new Map<Node, Binding[]>();
  const calls: CallRecord[] = [];
  const builtins: BuiltinRecord[] = [];
  const all = [expressions, names, namesOf] as readonly Map<unknown, unknown[]>[];
  let marked: (readonly (readonly [unknown, unknown[]])[])[] = [];
  let lengths = [0, 0] as readonly [calls: number, builtins: number];
  return {
    evaluated: (e, value, scope, ctx) => {
      if (ctx.trial) return;
      add(expressions, e, { value, scope, origin: originNow(), instance: ctx.instance });
    },
    named: (name, value, scope) => {
      const binding = { name, value, scope, origin: originNow() };
      add(names, name, binding);
      if (value.kind === "tensor") add(namesOf, value.node, binding);
    },
    called: (origin, declaration, scope, result, instance) => {
      calls.push({ origin, declaration, scope, result, instance });
    },
    builtin: (name, span, given, result) => {
      if (result.kind === "tensor") builtins.push({ name, origin: originNow(), span, given, result });
    },
    mark: () => {
      marked = all.map((m) => [...m].map(([k, v]) => [k, [...v]] as const));
      lengths = [calls.length, builtins.length];
    },
    restore: () => {
      all.forEach((m, i) => {
        m.clear();
        for (const [k, v] of marked[i] ?? []) m.set(k, [...v]);
      });
      [calls.length, builtins.length] = lengths;
    },
    calls,
    builtins,
    known: { expressions, names, namesOf, calls },
  };
}
function add<K, V>(to: Map<K, V[]>, key: K, value: V): void {
  const list = to.get(key);
  if (!list) to.set(key, [value]);
  else if (list.length < mostEvaluations) list.push(value);
}
