// DLM2505: probabilities where a function takes logits, which would go through softmax twice.
import * as ast from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import type { Finding, Lint, Linted } from "./finding.ts";
import { argument, callee, expressions, stages, valueOf } from "./text.ts";

export const doubledSoftmax: Lint = {
  code: "DLM2505",
  severity: "warning",
  check: (linted) =>
    linted.file.items.flatMap((item) => {
      const lets = letsOf(item);
      return expressions(item).flatMap((e) => {
        const name = callee(e);
        if (e.kind !== "call" || name === undefined || !linted.facts(name).has("takesLogits")) return [];
        const logits = argument(linted, e) ?? e.args[0]?.value;
        const made = logits && probabilities(linted, logits, lets);
        return made ? [finding(name, e.args[0]!.span, made)] : [];
      });
    }),
};
interface Made {
  readonly by: string; // the function that gives probabilities
  readonly span: Span;
}
const finding = (name: string, span: Span, made: Made): Finding => ({
  span,
  message: `${name} takes logits, but these went through ${made.by} already`,
  hint: `leave ${made.by} out of the objective, and apply it in the export`,
  ...(made.span === span ? {} : { labels: [{ span: made.span, text: `${made.by} here` }] }),
});
type Lets = ReadonlyMap<string, ast.Expr>;
const letsOf = (item: ast.Item): Lets =>
  new Map(
    [...ast.below(item)].flatMap((x) =>
      x.kind === "let" ? (x as ast.Let).names.map((n) => [n.text, (x as ast.Let).value] as const) : [],
    ),
  );
/** What makes the value probabilities: its last stage, that of a `let`, or that of a model. */
function probabilities(linted: Linted, e: ast.Expr, lets: Lets, depth = 0): Made | undefined {
  if (depth > 8) return undefined;
  const last = stages(e).at(-1)!;
  const name = callee(last);
  const parameter = linted.facts(name ?? "").appliedLast;
  const applied = parameter === undefined ? undefined : argument(linted, last, parameter);
  for (const by of [name, applied && callee(applied)])
    if (by !== undefined && linted.facts(by).has("givesProbabilities")) return { by, span: last.span };
  const bound = last.kind === "name" ? lets.get(last.text) : undefined;
  if (bound) return probabilities(linted, bound, lets, depth + 1);
  const model = linted.file.items.find((i) => i.kind === "model" && i.name.text === name);
  const value = model?.kind === "model" ? valueOf(model.body) : undefined;
  return value && probabilities(linted, value, new Map(), depth + 1);
}
