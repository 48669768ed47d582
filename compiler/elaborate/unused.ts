// Models that nothing applies, checked as if an export applied them. In: a declaration. Out: its fault. What only a caller could know is let pass.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import type { Interpreter, Scope } from "./context.ts";
import type { Attempt } from "./declarations.ts";
import { Fault } from "./errors.ts";
import { elaborateExport } from "./export.ts";
import { isOfSizes } from "./generic.ts";

/** A model that nothing applies: its shapes are checked as an export's are. */
export function checkUnused(
  self: Interpreter,
  item: ast.ModelDeclaration,
  scope: Scope,
  attempt: Attempt,
): Diagnostic | undefined {
  const { diagnostics, applied } = self;
  if (applied.has(item)) return undefined;
  const before = diagnostics.length;
  attempt(() => {
    try {
      applyAlone(self, item, scope);
    } catch (error) {
      if (!(error instanceof Fault && isOfSizes(error, item))) throw error;
    }
  });
  const [fault] = diagnostics.splice(before);
  if (!fault || ["DLM2008", "DLM2009", "DLM2010", "DLM2011", "DLM2017"].includes(fault.code)) return undefined;
  return { ...fault, labels: (fault.labels ?? []).filter((l) => l.span !== item.name.span) };
}
/** A model as an export would apply it, if the types of its inputs say enough. */
export function applyAlone(self: Interpreter, item: ast.ModelDeclaration, scope: Scope): void {
  if (
    item.params.some(
      (p) =>
        p.type?.kind !== "tensor_type" ||
        p.type.dims?.some((d) => d.kind === "spread") ||
        !["f32", "i32", "bool"].includes(p.type.element.text),
    )
  )
    return;
  const name = (n: ast.Name): ast.Expr => ({ kind: "name", text: n.text, span: n.span });
  const call: ast.Expr = {
    kind: "call",
    callee: name(item.name),
    args: item.params.map((p) => ({ value: name(p.name), span: p.name.span })),
    span: item.name.span,
  };
  elaborateExport(
    self,
    {
      kind: "fn",
      exported: true,
      name: item.name,
      params: item.params,
      body: { kind: "expression", value: call },
      span: item.span,
    },
    scope,
  );
}
