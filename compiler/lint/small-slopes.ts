// DLM2507: many functions of small slope on one another without normalisation: every one shrinks the gradient to a quarter at most.
import type * as ast from "../../grammar/ast.ts";
import { commonChoices } from "../std/facts.ts";
import type { Finding, Lint, Linted } from "./finding.ts";
import { argument, callee, expressions, stages } from "./text.ts";

const deep = 4;
export const smallSlopes: Lint = {
  code: "DLM2507",
  severity: "hint",
  check: (linted) =>
    linted.file.items.flatMap((item) =>
      item.kind === "model" || item.kind === "layer"
        ? expressions(item.body)
            .flatMap((e) => (e.kind === "binary" && e.operator === "|>" ? inPipe(linted, e) : []))
            .slice(0, 1)
        : [],
    ),
};
function inPipe(linted: Linted, pipe: ast.Expr): Finding[] {
  let count = 0;
  let last = "";
  for (const stage of stages(pipe)) {
    const times = stage.kind === "stack" ? (stage.count.kind === "number" ? stage.count.value : 2) : 1;
    const found = smallSlope(linted, stage.kind === "stack" ? stage.of : stage);
    if (found !== undefined) [count, last] = [count + times, found];
    if (linted.facts(callee(stage) ?? "").has("normalises")) count = 0;
  }
  if (count < deep) return [];
  return [
    {
      span: pipe.span,
      message: `${count} ${last}s follow each other without normalisation; gradients shrink at every one`,
      hint: `use ${commonChoices("fn").join(" or ")} inside, or put ${commonChoices("layer", "normalises").join(" or ")} between`,
    },
  ];
}
/** The function of small slope that a stage is, or has among the names of what it applies last. */
function smallSlope(linted: Linted, stage: ast.Expr): string | undefined {
  const { facts } = linted;
  const name = callee(stage) ?? "";
  const last = facts(name).appliedLast;
  const inside = last === undefined ? [] : expressions(argument(linted, stage, last));
  return [name, ...inside.flatMap((a) => (a.kind === "name" ? [a.text] : []))].find((n) => facts(n).has("smallSlope"));
}
