// Parameters that no objective moves though they are not frozen, loaded or left to `wrt`. In: a program and its text. Out: those that no objective
// reads, and those that are read only where the slope is 0.
import type * as ast from "../../grammar/ast.ts";
import type { Span } from "../../grammar/diagnostic.ts";
import type { Held } from "../elaborate/program.ts";
import { topological } from "../graph/node.ts";
import type { Linted } from "./finding.ts";
import { expressions, text } from "./text.ts";

interface Unmoved {
  readonly parameter: Held;
  readonly span: Span; // of what the user wrote: the model or train block, else the parameter
}
export function unmovedParameters({ program, file }: Linted): { unread: Unmoved[]; flat: Unmoved[] } {
  const { parameters, trains } = program;
  if (!trains.length) return { unread: [], flat: [] };
  const moved = new Set(trains.flatMap((t) => t.groups.flatMap((g) => g.members.map((m) => m.parameter))));
  const read = new Set(topological(trains.flatMap((t) => t.objectives.map((o) => o.loss))));
  const frozen = expressions(file).flatMap((e) =>
    e.kind === "call" && e.callee.kind === "name" && e.callee.text === "frozen" && e.args[0]
      ? [text(e.args[0].value.span)]
      : [],
  );
  const meant = [...frozen, ...trains.flatMap((t) => t.load.flatMap((l) => l.into ?? []))];
  const chosen = trains.every((t) => minimizesOf(file, t.name).every((m) => m.clauses.every((c) => c.wrt)));
  const unmoved = parameters.flatMap((p): Unmoved[] => {
    if (moved.has(p.source) || !p.span || meant.some((m) => p.path === m || p.path.startsWith(`${m}.`))) return [];
    return [{ parameter: p, span: ownerSpan(file, p.path) ?? p.span }];
  });
  return {
    unread: unmoved.filter((u) => !read.has(u.parameter.source)),
    flat: chosen ? [] : unmoved.filter((u) => read.has(u.parameter.source)),
  };
}
/** The declaration in this file that holds the parameter: the model, or the train block. */
function ownerSpan(file: ast.File, path: string): Span | undefined {
  const [first] = path.split(".");
  const item = file.items.find((i) => (i.kind === "model" || i.kind === "train") && i.name.text === first);
  return item && item.kind !== "import" ? item.name.span : undefined;
}
const minimizesOf = (file: ast.File, train: string): ast.Minimize[] =>
  file.items.flatMap((i) =>
    i.kind === "train" && i.name.text === train ? i.statements.filter((s) => s.kind === "minimize") : [],
  );
