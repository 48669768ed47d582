// DLM2509: a layer that drops features right before the output, where it drops answers.
import type * as ast from "../../grammar/ast.ts";
import type { Lint, Linted } from "./finding.ts";
import { callee, stages, valueOf } from "./text.ts";

export const droppedOutput: Lint = {
  code: "DLM2509",
  severity: "warning",
  check: (linted) =>
    linted.file.items.flatMap((item) => {
      const value = item.kind === "model" ? valueOf(item.body) : undefined;
      if (!value) return [];
      const last = stages(value)
        .filter((s) => !reshapes(linted, s))
        .at(-1);
      const name = last?.kind === "call" ? callee(last) : undefined;
      if (!last || name === undefined || !linted.facts(name).has("dropsFeatures")) return [];
      return [
        {
          span: last.span,
          message: `${name} right before the output sets answers to 0`,
          hint: "put it before the last layer",
        },
      ];
    }),
};
function reshapes({ facts }: Linted, stage: ast.Expr): boolean {
  const name = callee(stage) ?? (stage.kind === "index" ? callee(stage.operand) : undefined) ?? "";
  return facts(name).has("reshapes");
}
