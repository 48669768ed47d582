// DLM2510: learning rates above those that an optimizer mostly bears.
import type * as ast from "../../grammar/ast.ts";
import { writing } from "../../grammar/fixes.ts";
import type { Finding, Lint, Linted } from "./finding.ts";
import { argument, callee, expressions } from "./text.ts";

export const largeRates: Lint = {
  code: "DLM2510",
  severity: "warning",
  check: (linted) =>
    linted.file.items.flatMap((item) => {
      if (item.kind !== "train") return [];
      const optimizers = item.statements.flatMap((s) => (s.kind === "minimize" ? s.clauses.map((c) => c.by) : []));
      return expressions(optimizers).flatMap((e) => largeRate(linted, e));
    }),
};
function largeRate(linted: Linted, optimizer: ast.Expr): Finding[] {
  const { file, facts } = linted;
  const name = callee(optimizer) ?? "";
  const limit = facts(name).usualRate;
  const rate = largest(linted, argument(linted, optimizer));
  const constant = rate?.kind === "name" ? constantOf(file, rate.text) : rate;
  if (!rate || constant?.kind !== "number" || limit === undefined || constant.value <= limit) return [];
  return [
    {
      span: rate.span,
      message: `a learning rate of ${constant.value} is above what ${name} mostly bears (${limit})`,
      hint: `try ${limit / 10}`,
      fixes: [writing(constant.span, String(limit / 10))],
    },
  ];
}
/** The largest value of a rate: itself, or what a schedule says of its parameters. */
function largest(linted: Linted, rate: ast.Expr | undefined): ast.Expr | undefined {
  if (rate?.kind === "paren") return largest(linted, rate.value);
  if (rate?.kind !== "call") return rate;
  const peak = linted.facts(callee(rate) ?? "").largest;
  return peak === undefined ? undefined : largest(linted, argument(linted, rate, peak));
}
const constantOf = (file: ast.File, name: string): ast.Expr | undefined =>
  file.items.find((i): i is ast.Const => i.kind === "const" && i.name.text === name)?.value;
