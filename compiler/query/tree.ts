// The parts of a syntax tree, whatever their kinds: what stands at an offset.
import type * as ast from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";

/** Anything with a place: an item, a statement, an expression, a name, a type. */
export interface Part {
  readonly kind?: string;
  readonly span: Span;
}
const isPart = (x: unknown): x is Part => typeof x === "object" && x !== null && "span" in x;
/** The parts right below one, in the order of the tree. Lists and records without a place are looked through. */
export function partsOf(of: object): Part[] {
  const found: Part[] = [];
  const look = (x: unknown): void => {
    if (isPart(x)) found.push(x);
    else if (Array.isArray(x)) x.forEach(look);
    else if (typeof x === "object" && x !== null) Object.values(x).forEach(look);
  };
  for (const [key, x] of Object.entries(of)) if (!key.endsWith("pan") && key !== "source" && key !== "pattern") look(x);
  return found;
}
/** From the file's item down to the smallest part that holds the offset; a part ends behind its last character. */
export function partsAt(file: ast.File, offset: number): Part[] {
  const path: Part[] = [];
  const holds = (x: Part): boolean => x.span.start <= offset && offset <= x.span.end;
  let at: readonly Part[] = partsOf(file);
  for (;;) {
    const holding = at.filter(holds);
    // where two meet, the one that begins here
    const next = holding.find((x) => x.span.start === offset) ?? holding.at(-1);
    if (!next) return path;
    path.push(next);
    at = partsOf(next);
  }
}
const expressionKinds: ReadonlySet<string> = new Set<ast.Expr["kind"]>([
  "number",
  "string",
  "pattern",
  "boolean",
  "missing",
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
export const isExpression = (x: Part): x is ast.Expr => x.kind !== undefined && expressionKinds.has(x.kind);
/** Names that bind or are bound: they have text and no kind. */
export const isName = (x: Part): x is ast.Name => x.kind === undefined && "text" in x;
