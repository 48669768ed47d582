// Looking for things in the text of a program: expressions, stages of pipes, arguments of calls.
import * as ast from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";

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
export const argument = (e: ast.Expr, name: string, position: number): ast.Expr | undefined =>
  e.kind === "call"
    ? (e.args.find((a) => a.name?.text === name)?.value ??
      (e.args[position]?.name ? undefined : e.args[position]?.value))
    : undefined;
