// DLM2506: functions whose slope is unbounded at 0 (sqrt, log, division) on the way to a gradient, of what depends on parameters and may be 0.
import type * as ast from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import { resolveNames } from "../elaborate/names.ts";
import { topological } from "../graph/node.ts";
import { operandsOf } from "../graph/scalar.ts";
import type { Node, Scalar } from "../graph/types.ts";
import type { ScalarFunction } from "../scalar/functions.ts";
import { namedFunctions } from "../scalar/table.ts";
import { libraryDeclarations } from "../std/declarations.ts";
import type { Finding, Lint, Linted } from "./finding.ts";
import { lowerBounds } from "./lower-bounds.ts";
import { expressions } from "./text.ts";

export const unboundedSlopes: Lint = {
  code: "DLM2506",
  severity: "warning",
  check: (linted) => {
    const parameters = new Set<Node>(linted.program.parameters.map((p) => p.source));
    const varies = varying(linted);
    const found = linted.program.trains.flatMap((t) =>
      inLosses(
        t.objectives.map((o) => o.loss),
        parameters,
        linted.file,
        varies,
      ),
    );
    // the innermost place is the one to change
    return found.filter((d) => !found.some((x) => x !== d && liesWithin(x.span, d.span)));
  },
};
const liesWithin = (a: Span, b: Span): boolean =>
  a.start >= b.start && a.end <= b.end && (a.start > b.start || a.end < b.end);

type Varies = (e: ast.Expr) => boolean;
/** Does an expression name anything but constants and functions of numbers? A name that the text binds varies, whatever else is called so. */
function varying({ file, imported }: Linted): Varies {
  const bound = new Map(
    resolveNames(file, imported, libraryDeclarations).uses.map((u) => [u.span.start, u.definition?.kind]),
  );
  const isConstant = (text: string, at: number): boolean => {
    const kind = bound.get(at);
    return kind ? kind === "const" : text === "pi" || namedFunctions.has(text);
  };
  return (e) => expressions(e).some((x) => x.kind === "name" && !isConstant(x.text, x.span.start));
}
function inLosses(losses: readonly Node[], parameters: ReadonlySet<Node>, file: ast.File, varies: Varies): Finding[] {
  const order = topological([...losses], undefined, inputsOf);
  const depends = new Set<Node>();
  for (const n of order) if (parameters.has(n) || inputsOf(n).some((x) => depends.has(x))) depends.add(n);
  const lower = lowerBounds();
  const own = expressions(file);
  const mayBeZero = (e: Scalar): boolean =>
    scalars(e).some((x) => x.kind === "load" && depends.has(x.tensor)) && !(lower(e) > 0);
  return order.flatMap((n): Finding[] => {
    if (n.kind !== "compute" || !n.span || !isOwn(n.span, file)) return [];
    for (const e of scalars(n.body)) {
      if (e.kind !== "call" || e.fn.steep === undefined) continue;
      if (isWritten(e.fn, n.span, own, varies) && mayBeZero(e.operands[e.fn.steep]!)) return [finding(n.span, e.fn)];
    }
    return [];
  });
}
/** In the user's text, and in no optimizer: nothing is differentiated there. */
const isOwn = (span: Span, file: ast.File): boolean =>
  span.file === file.source &&
  !file.items.some((i) => i.kind === "optimizer" && span.start >= i.span.start && span.end <= i.span.end);
/**
 * Is it the user's own? The logarithm of `logsumexp` is not, and nothing could be added to its operand; one of constants, a quotient by them and a whole
 * power are not it.
 */
function isWritten(fn: ScalarFunction, span: Span, own: readonly ast.Expr[], varies: Varies): boolean {
  const within = own.filter((e) => e.span.start >= span.start && e.span.end <= span.end);
  const ofConstants = new Set(
    within.flatMap((e) =>
      e.kind === "call" && e.args.length && !e.args.some((a) => varies(a.value)) ? [e.callee] : [],
    ),
  );
  return within.some((e) => {
    if (e.kind === "binary" && e.operator === "^") return e.right.kind !== "number" || !Number.isInteger(e.right.value);
    if (fn.operands.length === 2) return e.kind === "binary" && e.operator === "/" && varies(e.right);
    return e.kind === "name" && e.text === fn.name && !ofConstants.has(e);
  });
}
const finding = (span: Span, fn: ScalarFunction): Finding =>
  fn.operands.length === 2
    ? {
        span,
        message: "the division here has an unbounded slope where its divisor is 0",
        hint: "keep the divisor away from 0: x / (y + 1e-8), or max(y, 1e-8)",
      }
    : {
        span,
        message: `\`${fn.name}\` here has an unbounded slope where its operand is 0`,
        hint: "add a small number: sqrt(x + 1e-9), log(x + 1e-9)",
      };
const inputsOf = (n: Node): readonly Node[] =>
  n.kind === "compute"
    ? scalars(n.body).flatMap((e) => (e.kind === "load" ? [e.tensor] : []))
    : n.kind === "reshape"
      ? [n.operand]
      : n.kind === "source"
        ? []
        : topological([n]).filter((x) => x !== n);
/** What passes a gradient: not what stands inside `stop` or a step. */
function scalars(root: Scalar): Scalar[] {
  const seen = new Set<Scalar>();
  const queue = [root];
  while (queue.length) {
    const e = queue.pop()!;
    if (seen.has(e) || (e.kind === "call" && e.fn.derivative === "zero")) continue;
    seen.add(e);
    queue.push(...operandsOf(e));
  }
  return [...seen];
}
