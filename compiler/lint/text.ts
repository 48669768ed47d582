// Looking for things in the text of a program: expressions, stages of pipes, arguments of calls.
import * as ast from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import type { Linted } from "./finding.ts";

export const text = (s: Span): string => s.file.text.slice(s.start, s.end);
/** The expressions of nodes and lists of nodes: themselves and those below. */
export const expressions = (...roots: readonly unknown[]): ast.Expr[] => [...ast.below(roots)].filter(ast.isExpression);
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
