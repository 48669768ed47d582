// Declarations that nothing applies: which of them are checked, and models of whose parameters a line asks all the same.
import type * as ast from "../../grammar/ast.ts";
import type { Diagnostic, Span } from "../../grammar/diagnostic.ts";
import type { Interpreter, Scope } from "./context.ts";
import { elaborateExport } from "./export.ts";
import { finished, type Steps } from "./steps.ts";
import { checkGeneric, type Declaration, faultOf } from "./generic.ts";

/** Calls of checks that are made for the values in them alone: as many as take no time. */
const mostForKnowledge = 5000;
/**
 * Tells of those that no caller could set right, where all else is right. `always`: they are evaluated in any case, for what is known of them. Those that
 * no other names are checked first: what they apply is right for one caller then, or it is where the check ends. So a chain of functions is walked once.
 */
export const checkUnapplied = (...of: Parameters<typeof checkingUnapplied>): void => finished(checkingUnapplied(...of));
export function* checkingUnapplied(self: Interpreter, main: ast.File, scope: Scope, always: boolean): Steps<void> {
  const isRight = !self.diagnostics.length;
  if (!isRight && !always) return;
  const unapplied = main.items.filter(
    (item): item is Declaration =>
      (item.kind === "fn" && !item.exported) || item.kind === "layer" || item.kind === "model",
  );
  const own = new Set<ast.Item>(unapplied);
  const inner = namedByOthers(unapplied);
  const waiting = [
    ...unapplied.filter((x) => inner.has(x.name.text)),
    ...unapplied.filter((x) => !inner.has(x.name.text)),
  ];
  const done = new Set<ast.Item>(self.applied);
  let found: Diagnostic[] = [];
  self.work.calls = 0;
  for (let item = waiting.pop(); item; item = waiting.pop()) {
    if (self.applied.has(item) || (done.has(item) && !(always && self.work.calls < mostForKnowledge))) continue;
    done.add(item);
    yield;
    if (always && item.kind === "model" && isRightAlone(self, item, scope)) continue;
    const { told, applied, right, at } = checkGeneric(self, item, scope);
    for (const x of right) done.add(x);
    if (told && isRight) found = [told, ...found.filter((d) => !isSamePlace(d.span, told.span))];
    // the calls around the one that it ended in go no further on their own
    const path = [...applied].filter((x): x is Declaration => own.has(x) && !right.has(x));
    const last = path.findLastIndex((x) => !at || contains(x.span, at));
    if (last <= 0 || done.has(path[last]!)) continue;
    for (const x of path.slice(0, last)) done.add(x);
    waiting.push(path[last]!);
  }
  self.diagnostics.push(...found);
}
/** Names in the text of a declaration of another name. */
function namedByOthers(items: readonly Declaration[]): ReadonlySet<string> {
  const wordsOf = ({ name, span }: Declaration): string[] =>
    [...new Set(span.file.text.slice(span.start, span.end).match(/[A-Za-z_]\w*/g))].filter((w) => w !== name.text);
  return new Set(items.flatMap(wordsOf));
}
const isSamePlace = (a: Span, b: Span): boolean => a.start === b.start && a.file === b.file;
const contains = (whole: Span, part: Span): boolean =>
  whole.file === part.file && whole.start <= part.start && part.end <= whole.end;
/** Applies a model so that it has parameters, if it can be. What it applied half-way is not applied. */
function isRightAlone(self: Interpreter, item: ast.ModelDeclaration, scope: Scope): boolean {
  const before = new Set(self.applied);
  const fault = faultOf(() => applyAlone(self, item, scope));
  const isRight = !fault && self.models.get(item)?.applied === true;
  if (!isRight) for (const x of self.applied) if (!before.has(x)) self.applied.delete(x);
  return isRight;
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
