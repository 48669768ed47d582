// Looking for things in the text of a program: expressions below a node of the AST, stages of pipes, arguments of calls.
import type * as ast from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import type { Linted } from "./finding.ts";

export const text = (s: Span): string => s.file.text.slice(s.start, s.end);
/** Everything below a node of the AST, places left out. */
export function* below(root: unknown): Iterable<{ readonly kind?: string }> {
  const queue: unknown[] = [root];
  while (queue.length) {
    const x = queue.pop();
    if (typeof x !== "object" || x === null) continue;
    if (!Array.isArray(x)) yield x as { readonly kind?: string };
    for (const [key, value] of Object.entries(x)) if (key !== "span" && key !== "source") queue.push(value);
  }
}
const expressionKinds = new Set([
  "number",
  "string",
  "pattern",
  "boolean",
  "name",
  "tuple",
  "paren",
  "list",
  "unary",
  "binary",
  "call",
  "index",
  "member",
  "reduce",
  "for",
  "lambda",
  "if",
  "stack",
  "scan",
  "fold",
]);
export const expressions = (root: unknown): ast.Expr[] =>
  [...below(root)].filter((x): x is ast.Expr => x.kind !== undefined && expressionKinds.has(x.kind) && "span" in x);
/** The value of a body: its expression, or what it returns. */
export const valueOf = (b: ast.Body): ast.Expr | undefined =>
  b.kind === "expression" ? b.value : b.statements.find((s) => s.kind === "return")?.value;
/** The stages of a pipe, or the expression alone. */
export function stages(e: ast.Expr): ast.Expr[] {
  if (e.kind === "paren") return stages(e.value);
  return e.kind === "binary" && e.operator === "|>" ? [...stages(e.left), e.right] : [e];
}
export const callee = (e: ast.Expr): string | undefined =>
  e.kind === "name" ? e.text : e.kind === "call" && e.callee.kind === "name" ? e.callee.text : undefined;
/** What a call gives for a parameter, by name or position; for the first one by default. */
export function argument({ declaration }: Linted, e: ast.Expr, parameter?: string): ast.Expr | undefined {
  if (e.kind !== "call") return undefined;
  const declared = declaration(callee(e) ?? "");
  const names = declared ? parametersOf(declared).map((p) => p.name.text) : [];
  const position = parameter === undefined ? 0 : names.indexOf(parameter);
  const own = e.args.find((a) => a.name !== undefined && a.name.text === names[position]);
  return own ? own.value : e.args[position]?.name ? undefined : e.args[position]?.value;
}
/** What stands first in brackets: the hyper-parameters of what has some. */
const parametersOf = (d: ast.Item): readonly ast.Param[] => ("hyper" in d ? d.hyper : "params" in d ? d.params : []);
