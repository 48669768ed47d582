// The loop IR of a kernel: what lowering makes, the cost model counts and wgsl/print.ts writes down. All values are immutable `let`s but
// accumulators and values that are carried round a loop.
import type { Cost } from "../kernel/target.ts";
import type { Form } from "./forms.ts";
import type { Node } from "../graph/types.ts";

export interface ElementType {
  readonly element: "f32" | "i32" | "u32" | "bool";
  readonly width: 1 | 4;
}
/** What a load reads: enough to see that another load reads the same a step of the loop later. */
export interface LoadOf {
  readonly tensor: Node;
  readonly indices: readonly Form[];
  readonly outside: string | undefined; // the value beyond the tensor
}
export interface Let {
  readonly kind: "let";
  readonly name: string;
  readonly type: ElementType;
  readonly code: string;
  readonly binding: number; // precedence of the operator at the top of `code`
  readonly cost: Cost;
  readonly pinned: boolean; // must be evaluated where it stands
  readonly load?: LoadOf;
  readonly comment?: string;
}
export interface Var {
  readonly kind: "var";
  readonly name: string;
  readonly code: string;
  readonly width: 1 | 4;
}
export interface SetTo {
  readonly kind: "set";
  readonly name: string;
  readonly operator: "=" | "+=" | "*=";
  readonly code: string;
  readonly cost: Cost;
  readonly width: 1 | 4;
}
export interface For {
  readonly kind: "for";
  readonly variable: string;
  readonly from: string;
  readonly below: string;
  readonly step: number;
  readonly trips: number; // expected
  readonly body: readonly Statement[];
}
export interface StoreTo {
  readonly kind: "store";
  readonly tensor: string;
  readonly at: string;
  readonly code: string;
  readonly width: 1 | 4;
}
export interface If {
  readonly kind: "if";
  readonly condition: string;
  readonly body: readonly Statement[];
}
/** A line as it is: comments, barriers, workgroup memory. */
export interface Line {
  readonly kind: "line";
  readonly code: string;
  readonly cost: Cost | "barrier" | "fill";
  readonly count: number;
}
export type Statement = Let | Var | SetTo | For | StoreTo | If | Line;

// ---------------------------------------------------------------- operators

export const precedence = {
  or: 1,
  and: 2,
  bits: 3,
  compare: 4,
  shift: 5,
  add: 6,
  multiply: 7,
  unary: 8,
  atom: 9,
} as const;
const operators: Readonly<Record<string, number>> = {
  "||": 1,
  "&&": 2,
  "|": 3,
  "&": 3,
  "^": 3,
  "<": 4,
  "<=": 4,
  ">": 4,
  ">=": 4,
  "==": 4,
  "!=": 4,
  "<<": 5,
  ">>": 5,
  "+": 6,
  "-": 6,
  "*": 7,
  "/": 7,
  "%": 7,
};
const before = /(\|\||&&|<<|>>|<=|>=|==|!=|[-+*/%<>&|^!])\s*$/;
const after = /^\s*(\|\||&&|<<|>>|<=|>=|==|!=|[-+*/%<>&|^])/;

interface Inlined {
  readonly code: string;
  readonly binding: number;
  readonly integer: boolean;
}
/** Replaces names by the code that they stand for, in brackets only where the operators beside them bind tighter. */
export function inline(code: string, known: ReadonlyMap<string, Inlined>): string {
  if (!known.size) return code;
  return code.replace(/(?<![\w.])[A-Za-z_]\w*/g, (name: string, position: number) => {
    const value = known.get(name);
    if (!value) return name;
    const head = code.slice(0, position);
    const tail = code.slice(position + name.length);
    const left = before.exec(head)?.[1];
    const right = after.exec(tail)?.[1];
    const unary = left === "!" || (left === "-" && /(^|[-+*/%<>=&|^(,[])\s*-\s*$/.test(head));
    const leftBinds = left === undefined ? 0 : unary ? precedence.unary : operators[left]!;
    const rightBinds = right === undefined ? 0 : operators[right]!;
    const member = /^[.[]/.test(tail);
    // operators of shifts and bits take no operators beside them without brackets
    const strict = (binds: number): boolean =>
      binds === precedence.bits || binds === precedence.shift || binds === precedence.compare;
    const associative = value.integer && left === "+" && value.binding === precedence.add; // sums of integers wrap: their order is free
    const fits = member
      ? value.binding === precedence.atom
      : (value.binding > leftBinds || associative) &&
        value.binding >= rightBinds &&
        !(strict(rightBinds) && value.binding < precedence.add) &&
        !(
          (rightBinds === 3 || rightBinds === 5 || leftBinds === 3 || leftBinds === 5) &&
          value.binding < precedence.unary
        );
    return fits ? value.code : `(${value.code})`;
  });
}
const names = /(?<![\w.])[A-Za-z_]\w*/g;
function codesOf(s: Statement): readonly string[] {
  switch (s.kind) {
    case "let":
    case "var":
      return [s.code];
    case "set":
      return [s.name, s.code];
    case "for":
      return [s.from, s.below];
    case "store":
      return [s.at, s.code];
    case "if":
      return [s.condition];
    case "line":
      return [s.code];
    default:
      return s satisfies never;
  }
}
const nameLists = new WeakMap<Statement, readonly string[]>();
export function namesIn(s: Statement): readonly string[] {
  let found = nameLists.get(s);
  if (!found) nameLists.set(s, (found = codesOf(s).flatMap((code) => code.match(names) ?? [])));
  return found;
}
function countNames(block: readonly Statement[], uses: Map<string, number>): void {
  for (const s of block) {
    for (const name of namesIn(s)) uses.set(name, (uses.get(name) ?? 0) + 1);
    if (s.kind === "for" || s.kind === "if") countNames(s.body, uses);
  }
}
const longest = 96;

/** The same kernel for a reader: a value that is used once, in the block that makes it, is written where it is used; unused ones go. */
export function tidy(block: readonly Statement[]): Statement[] {
  for (;;) {
    const uses = new Map<string, number>();
    countNames(block, uses);
    const live = dropUnused(block, uses);
    if (live === block) return inlineOnce(block, uses);
    block = live;
  }
}
function dropUnused(block: readonly Statement[], uses: ReadonlyMap<string, number>): readonly Statement[] {
  let changed = false;
  const result: Statement[] = [];
  for (const s of block) {
    if (s.kind === "let" && !uses.get(s.name)) {
      changed = true;
      continue;
    }
    if (s.kind === "for" || s.kind === "if") {
      const body = dropUnused(s.body, uses);
      if (body !== s.body) changed = true;
      result.push(body === s.body ? s : { ...s, body });
    } else result.push(s);
  }
  return changed ? result : block;
}
function inlineOnce(
  block: readonly Statement[],
  uses: ReadonlyMap<string, number>,
  outer: ReadonlyMap<string, Inlined> = new Map(),
): Statement[] {
  const inLoops = new Map<string, number>(); // uses from loops below: they must not repeat the work
  for (const s of block) if (s.kind === "for") countNames(s.body, inLoops);
  const nested = new Map<string, number>();
  for (const s of block) if (s.kind === "if") forEachLoop(s.body, (body) => countNames(body, nested));
  const pending = new Map(outer);
  const result: Statement[] = [];
  for (const s of block) {
    switch (s.kind) {
      case "let": {
        const code = inline(s.code, pending);
        if (
          !s.pinned &&
          uses.get(s.name) === 1 &&
          !inLoops.get(s.name) &&
          !nested.get(s.name) &&
          code.length <= longest
        )
          pending.set(s.name, { code, binding: s.binding, integer: s.type.element === "i32" });
        else result.push({ ...s, code });
        break;
      }
      case "var":
      case "set":
      case "line":
        result.push({ ...s, code: inline(s.code, pending) });
        break;
      case "store":
        result.push({ ...s, at: inline(s.at, pending), code: inline(s.code, pending) });
        break;
      case "for":
        result.push({
          ...s,
          from: inline(s.from, pending),
          below: inline(s.below, pending),
          body: inlineOnce(s.body, uses),
        });
        break;
      case "if":
        result.push({ ...s, condition: inline(s.condition, pending), body: inlineOnce(s.body, uses, pending) });
        break;
      default:
        s satisfies never;
    }
  }
  return result;
}
function forEachLoop(block: readonly Statement[], f: (body: readonly Statement[]) => void): void {
  for (const s of block) {
    if (s.kind === "for") f(s.body);
    else if (s.kind === "if") forEachLoop(s.body, f);
  }
}
