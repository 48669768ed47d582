// DLM2510: learning rates above those that an optimizer mostly bears.
import type * as ast from "../../grammar/ast.ts";
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
function largeRate({ file, facts }: Linted, optimizer: ast.Expr): Finding[] {
  const name = callee(optimizer) ?? "";
  const limit = facts(name).usualRate;
  let rate = argument(optimizer, "lr", 0);
  // a schedule's first number is its peak
  while (rate?.kind === "call" || rate?.kind === "paren")
    rate = rate.kind === "paren" ? rate.value : rate.args[0]?.value;
  const constant = rate?.kind === "name" ? constantOf(file, rate.text) : rate;
  if (!rate || constant?.kind !== "number" || limit === undefined || constant.value <= limit) return [];
  return [
    {
      span: rate.span,
      message: `a learning rate of ${constant.value} is above what ${name} mostly bears (${limit})`,
      hint: `try ${limit / 10}`,
    },
  ];
}
const constantOf = (file: ast.File, name: string): ast.Expr | undefined =>
  file.items.find((i): i is ast.Const => i.kind === "const" && i.name.text === name)?.value;
