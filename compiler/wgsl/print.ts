// The loop IR as WGSL text: the one place that writes it. Prints; decides nothing.
import { lineComment } from "./names.ts";
import type { Expr, Op } from "../kernel/expr.ts";
import { hashOfText, type PlanEdit, type PlanSubgroups } from "../../runtime/plan.ts";
import type { Builtin, Module, Statement } from "../kernel/ir.ts";
import { elements } from "../scalar/dtype.ts";
import { helperCode } from "./prelude.ts";

/** How names are written, and whether the reader's comments are. */
export interface Writing {
  readonly name: (name: string) => string;
  readonly comments: boolean;
}
const forReaders: Writing = { name: (name) => name, comments: true };

// ---------------------------------------------------------------- expressions

/** How tight an operator binds (WGSL, section 8.19). */
const binds: Readonly<Record<Op, number>> = {
  "||": 1,
  "&&": 2,
  "&": 3,
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
  negate: 8,
  not: 8,
  name: 9,
  number: 9,
  call: 9,
  index: 9,
  member: 9,
};
const bindsOf = (e: Expr): number => (e.op === "number" && e.text.startsWith("-") ? binds.negate : binds[e.op]);
/** Operators of bits and shifts, and the two of truth together, take no operators beside them without brackets. */
const needsBrackets = (outer: Op, inner: Op): boolean =>
  binds[inner] < binds.negate &&
  (binds[outer] === binds["&"] || binds[outer] === binds["<<"] || (outer === "||" && inner === "&&"));

export function printExpr(e: Expr, w: Writing = forReaders): string {
  const { op, args } = e;
  switch (op) {
    case "name":
      return w.name(e.text);
    case "number":
      return e.text;
    case "call":
      return `${e.text}(${args.map((a) => printExpr(a, w)).join(", ")})`;
    case "index":
      return `${w.name(e.text)}[${printExpr(args[0]!, w)}]`;
    case "member":
      return `${operand(args[0]!, bindsOf(args[0]!) === binds.name, w)}.${e.text}`;
    case "negate":
    case "not":
      return `${op === "not" ? "!" : "-"}${operand(args[0]!, bindsOf(args[0]!) > binds[op], w)}`;
    default: {
      let text = operand(args[0]!, fitsLeft(op, args[0]!), w);
      for (let i = 1; i < args.length; i++) text += ` ${op} ${operand(args[i]!, fitsRight(op, args[i]!), w)}`;
      return text;
    }
  }
}
const operand = (e: Expr, fits: boolean, w: Writing): string => (fits ? printExpr(e, w) : `(${printExpr(e, w)})`);
const fitsLeft = (op: Op, a: Expr): boolean =>
  bindsOf(a) >= (binds[op] === binds["<"] ? binds["+"] : binds[op]) && !needsBrackets(op, a.op);
/** Sums of integers wrap, so that their order is free. */
const fitsRight = (op: Op, b: Expr): boolean =>
  (bindsOf(b) > binds[op] || (op === "+" && binds[b.op] === binds["+"] && elements[b.type.element].whole)) &&
  !needsBrackets(op, b.op);

// ---------------------------------------------------------------- statements

/** A line; or lines that others may take the place of. */
type Line = string | { readonly lines: readonly string[]; readonly direct: readonly string[]; readonly reach: number };
const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
const indent = (lines: readonly Line[]): Line[] =>
  lines.map((x) => (typeof x === "string" ? `  ${x}` : { ...x, lines: indented(x.lines), direct: indented(x.direct) }));
const plain = (lines: readonly Line[]): string[] => lines.flatMap((x) => (typeof x === "string" ? [x] : x.lines));

function printStatements(block: readonly Statement[], w: Writing = forReaders): Line[] {
  const text = (e: Expr): string => printExpr(e, w);
  return block.flatMap((s): Line[] => {
    switch (s.kind) {
      case "let":
        return [
          `let ${w.name(s.name)} = ${text(s.value)};${s.comment !== undefined && w.comments ? ` ${lineComment(s.comment)}` : ""}`,
        ];
      case "var":
        return [`var ${w.name(s.name)} = ${text(s.value)};`];
      case "set":
        return [`${text(s.target)} ${s.operator} ${text(s.value)};`];
      case "moves":
        return [s.moves.map(([to, from]) => `${w.name(to)} = ${w.name(from)};`).join(" ")];
      case "store":
        return [`${w.name(s.tensor)}[${text(s.at)}] = ${text(s.value)};`];
      case "for": {
        const v = w.name(s.variable);
        const step = s.step;
        const [sign, next] =
          step === "down"
            ? [">=", "--"]
            : step === "halve"
              ? [">", " /= 2"]
              : ["<", step.text === "1" || step.text === "1u" ? "++" : ` += ${text(step)}`];
        return [
          `for (var ${v} = ${text(s.from)}; ${v} ${sign} ${text(s.to)}; ${v}${next}) {`,
          ...indent(printStatements(s.body, w)),
          "}",
        ];
      }
      case "if":
        return [`if (${text(s.condition)}) {`, ...indent(printStatements(s.body, w)), "}"];
      case "barrier":
        return [`${s.memory}Barrier();`];
      case "exchange": {
        const [lines, direct] = [s.body, s.direct].map((form) => plain(printStatements(form, w)));
        return [{ lines: lines!, direct: direct!, reach: s.reach }];
      }
      case "invoke":
        return [`${text(s.call)};`];
      case "comment":
        return w.comments ? s.lines.map(lineComment) : [];
      default:
        return s satisfies never;
    }
  });
}

// ---------------------------------------------------------------- modules

export const entryPoint = "main";
const builtins: Readonly<Record<Builtin, { readonly name: string; readonly type: string }>> = {
  group: { name: "workgroup_id", type: "vec3u" },
  local_index: { name: "local_invocation_index", type: "u32" },
  lane_index: { name: "subgroup_invocation_id", type: "u32" },
};
export const printModule = (m: Module, w?: Writing, helpers?: readonly string[]): string =>
  plain(linesOf(m, w, helpers)).join("\n");
/** What of its text is another where invocations exchange values by operations of subgroups. */
export function subgroupEdits(m: Module): PlanSubgroups | undefined {
  const edits: PlanEdit[] = [];
  let line = 0;
  let lanes = 0;
  for (const x of linesOf(m)) {
    if (typeof x === "string") line += x.split("\n").length;
    else {
      edits.unshift({ line, lines: x.lines.length, text: x.direct.join("\n") });
      line += x.lines.length;
      lanes = Math.max(lanes, x.reach);
    }
  }
  return lanes ? { lanes, of: hashOfText(printModule(m)), edits } : undefined;
}
function linesOf(m: Module, w = forReaders, helpers: readonly string[] = helperCode(m.helpers)): Line[] {
  const comment = (lines: readonly string[]): string[] =>
    w.comments ? lines.map((line) => lineComment(line).trimEnd()) : [];
  const { numbers } = m;
  return [
    ...comment(m.comment),
    ...m.enables.map((name) => `enable ${name};`),
    ...(m.enables.length ? [""] : []),
    ...m.overrides.map((name) => `override ${name}: i32;`),
    ...m.bindings.map((b, k) => `@group(0) @binding(${k}) var<${b.space}> ${w.name(b.name)}: ${b.type};`),
    ...(numbers
      ? [
          lineComment(numbers.comment),
          `struct ${numbers.type} {`,
          ...numbers.fields.map((f) => `  ${f.name}: ${f.type}, ${lineComment(f.comment)}`),
          "}",
          `@group(0) @binding(${m.bindings.length}) var<uniform> ${numbers.name}: ${numbers.type};`,
        ]
      : []),
    ...m.memory.map((v) => `var<${v.space}> ${w.name(v.name)}: ${v.type};`),
    ...helpers.flatMap((code) => ["", code]),
    ...m.functions.flatMap((f) => [
      "",
      ...comment(f.comment),
      `fn ${f.name}(${f.parameters.map((p) => `${w.name(p)}: ${builtins[p].type}`).join(", ")}) {`,
      ...indent(printStatements(f.body, w)),
      "}",
    ]),
    "",
    `@compute @workgroup_size(${m.workgroup})`,
    `fn ${entryPoint}(${m.parameters.map((p) => `@builtin(${builtins[p].name}) ${w.name(p)}: ${builtins[p].type}`).join(", ")}) {`,
    ...indent(printStatements(m.body, w)),
    "}",
    "",
  ];
}
