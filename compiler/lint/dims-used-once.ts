// DLM2503: a dim of several inputs that stands in the declaration once, or in the result only: mostly a slip of the pen.
import type * as ast from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import type { Finding, Lint } from "./finding.ts";
import { expressions } from "./text.ts";

export const dimsUsedOnce: Lint = {
  code: "DLM2503",
  severity: "hint",
  check: ({ file, declaration }) => {
    const isDim = (name: string): boolean => /^[A-Z]/.test(name) && declaration(name)?.kind !== "const";
    return file.items.flatMap((item) =>
      item.kind === "fn" || item.kind === "model" || item.kind === "layer" ? usedOnce(item, isDim) : [],
    );
  },
};
type IsDim = (name: string) => boolean;
function usedOnce(item: ast.Fn | ast.ModelDeclaration | ast.LayerDeclaration, isDim: IsDim): Finding[] {
  const uses = new Map<string, Span[]>();
  for (const e of expressions([item.kind === "layer" ? item.hyper : [], item.params, item.result, item.body]))
    if (e.kind === "name" && isDim(e.text)) uses.set(e.text, [...(uses.get(e.text) ?? []), e.span]);
  const given = new Set(item.params.flatMap((p) => dimsOf(p.type, isDim)));
  const shaped = item.params.filter((p) => p.type?.kind === "tensor_type" && p.type.dims?.length).length;
  return [...uses].flatMap(([name, spans]) => {
    const inTypes = given.has(name) || dimsOf(item.result, isDim).includes(name);
    if (spans.length !== 1 || !inTypes || (given.has(name) && shaped < 2)) return [];
    const message = given.has(name)
      ? `the dim ${name} is used once, so it says nothing about the other inputs`
      : `the dim ${name} of the result is the size of no input`;
    return [{ span: spans[0]!, message, hint: "write the dim that it should equal, or its number" }];
  });
}
const dimsOf = (t: ast.Type | undefined, isDim: IsDim): string[] =>
  expressions(t).flatMap((e) => (e.kind === "name" && isDim(e.text) ? [e.text] : []));
