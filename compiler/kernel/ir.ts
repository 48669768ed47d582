// The loop IR of a kernel: what lowering makes, the cost model counts, the plan compares and wgsl/print.ts writes down. All values are immutable
// `let`s but accumulators and values that are carried round a loop.
import type { Node } from "../graph/types.ts";
import { eachName, type Expr } from "./expr.ts";
import type { Form } from "./forms.ts";
import type { Cost } from "./target.ts";

/** What a load reads: enough to see that another load reads the same a step of the loop later. */
export interface LoadOf {
  readonly tensor: Node;
  readonly indices: readonly Form[];
  readonly outside: Expr | undefined; // the value beyond the tensor
}
export interface Let {
  readonly kind: "let";
  readonly name: string;
  readonly value: Expr;
  readonly cost: Cost;
  readonly pinned: boolean; // must be evaluated where it stands
  readonly load?: LoadOf;
  readonly comment?: string;
}
export interface Var {
  readonly kind: "var";
  readonly name: string;
  readonly value: Expr;
}
export interface SetTo {
  readonly kind: "set";
  readonly target: Expr; // a variable, or an element of workgroup memory
  readonly operator: "=" | "+=" | "*=";
  readonly value: Expr;
  readonly cost: Cost;
}
/** Variables that take the values of others, one after the other, on one line. */
export interface Moves {
  readonly kind: "moves";
  readonly moves: readonly (readonly [to: string, from: string])[];
}
export interface For {
  readonly kind: "for";
  readonly variable: string;
  readonly from: Expr;
  readonly to: Expr; // exclusive, but for a loop that counts down by one
  readonly step: Expr | "down" | "halve"; // "halve": as long as it is more than `to`
  readonly trips: number; // expected
  readonly body: readonly Statement[];
}
export interface StoreTo {
  readonly kind: "store";
  readonly tensor: string;
  readonly at: Expr;
  readonly value: Expr;
}
export interface If {
  readonly kind: "if";
  readonly condition: Expr;
  readonly body: readonly Statement[];
}
export interface Barrier {
  readonly kind: "barrier";
  readonly memory: "workgroup" | "storage";
}
/** What invocations hand one another: through workgroup memory, or, where blocks of `reach` neighbours lie in one subgroup, by its operations. Both end in the same values. */
export interface Exchange {
  readonly kind: "exchange";
  readonly body: readonly Statement[]; // through workgroup memory; its names are those of the block around, where `throughMemory` finds them
  readonly direct: readonly Statement[]; // reads nothing that the other does not read
  readonly reach: number; // a power of two
}
/** A call for what it does. */
export interface Invoke {
  readonly kind: "invoke";
  readonly call: Expr;
}
export interface Comment {
  readonly kind: "comment";
  readonly lines: readonly string[];
}
export type Statement = Let | Var | SetTo | Moves | For | StoreTo | If | Barrier | Exchange | Invoke | Comment;

/** The expressions of a statement, without those of its body, in the order of the text. */
export function expressionsOf(s: Statement): readonly Expr[] {
  switch (s.kind) {
    case "let":
    case "var":
      return [s.value];
    case "set":
      return [s.target, s.value];
    case "for":
      return typeof s.step === "string" ? [s.from, s.to] : [s.from, s.to, s.step];
    case "store":
      return [s.at, s.value];
    case "if":
      return [s.condition];
    case "invoke":
      return [s.call];
    case "moves":
    case "barrier":
    case "exchange":
    case "comment":
      return [];
    default:
      return s satisfies never;
  }
}
/** The statement with other expressions; its body is left as it is. */
export function mapExpressions(s: Statement, f: (e: Expr) => Expr): Statement {
  switch (s.kind) {
    case "let":
    case "var":
      return { ...s, value: f(s.value) };
    case "set":
      return { ...s, target: f(s.target), value: f(s.value) };
    case "for":
      return { ...s, from: f(s.from), to: f(s.to), step: typeof s.step === "string" ? s.step : f(s.step) };
    case "store":
      return { ...s, at: f(s.at), value: f(s.value) };
    case "if":
      return { ...s, condition: f(s.condition) };
    case "invoke":
      return { ...s, call: f(s.call) };
    case "moves":
    case "barrier":
    case "exchange":
    case "comment":
      return s;
    default:
      return s satisfies never;
  }
}
const nameLists = new WeakMap<Statement, readonly string[]>();
/** The names that a statement uses, each as often as it does, without those of its body. */
export function namesIn(s: Statement): readonly string[] {
  let found = nameLists.get(s);
  if (!found) {
    const list: string[] = [];
    for (const e of expressionsOf(s)) eachName(e, (name) => void list.push(name));
    if (s.kind === "moves") list.push(...s.moves.flat());
    if (s.kind === "store") list.push(s.tensor);
    nameLists.set(s, (found = list));
  }
  return found;
}
export function countNames(block: readonly Statement[], uses: Map<string, number>): void {
  for (const s of block) {
    for (const name of namesIn(s)) uses.set(name, (uses.get(name) ?? 0) + 1);
    if ("body" in s) countNames(s.body, uses);
  }
}
/** The statements of a block, with those of its exchanges. */
export const throughMemory = (block: readonly Statement[]): readonly Statement[] =>
  block.flatMap((s) => (s.kind === "exchange" ? s.body : [s]));

// ---------------------------------------------------------------- modules

/** What the device tells an invocation, under the name that it has in every kernel. */
export type Builtin = "group" | "local_index" | "lane_index";
export interface Declaration {
  readonly name: string;
  readonly space: "storage, read" | "storage, read_write" | "uniform" | "workgroup" | "private";
  readonly type: string;
}
export interface Procedure {
  readonly name: string;
  readonly comment: readonly string[];
  readonly parameters: readonly Builtin[];
  readonly body: readonly Statement[];
}
/** One WGSL module: its entry point, and what stands before that. */
export interface Module {
  readonly comment: readonly string[];
  readonly enables: readonly string[];
  readonly overrides: readonly string[]; // i32, known when the pipeline is made
  readonly bindings: readonly Declaration[]; // in the order of their numbers
  readonly numbers?: Numbers; // bound after them
  readonly memory: readonly Declaration[];
  readonly helpers: readonly string[]; // of wgsl/prelude.ts
  readonly functions: readonly Procedure[];
  readonly workgroup: number;
  readonly parameters: readonly Builtin[];
  readonly body: readonly Statement[];
}
/** Numbers that kernels differ in, as a struct in a uniform buffer. */
export interface Numbers {
  readonly comment: string;
  readonly name: string;
  readonly type: string;
  readonly fields: readonly { readonly name: string; readonly type: string; readonly comment: string }[];
}
/** Of what the device tells, what a body asks for. */
export function builtinsIn(body: readonly Statement[]): Builtin[] {
  const uses = new Map<string, number>();
  countNames(body, uses);
  return (["group", "local_index", "lane_index"] as const).filter((b) => uses.has(b));
}
