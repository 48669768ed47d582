// What an editor asks of a text, as plain data. In: the answers of `query`. Out: problems with fixes, calls, types, completions.
import type { Diagnostic, Span } from "../../../grammar/diagnostic.ts";
import { completionDetail } from "../../query/completions.ts";
import type { Call, InstanceInfo } from "../../query/calls.ts";
import type { Queries } from "../../query/query.ts";
import type { CallNode, Checked, Fix, Hover, Problem, Suggestion } from "./types.ts";

export function checkedOf(queries: Queries, file: string, milliseconds: number): Checked {
  const { calls, instances } = queries.callTree();
  const counts = new Map<string, number>();
  const count = (i: InstanceInfo): number => {
    const own = i.parameters.reduce((n, p) => n + p.shape.reduce((product, size) => product * size, 1), 0);
    const all = i.children.reduce((n, child) => n + count(child), own);
    counts.set(i.path, all);
    return all;
  };
  instances.forEach(count);
  const isOwn = (c: Call): boolean => c.span.file.name === file && !c.span.file.library;
  const node = (c: Call): CallNode => ({
    kind: c.kind,
    callee: c.callee,
    path: c.path,
    mark: [c.span.start, c.span.end, c.path],
    inputs: c.inputs.map(({ name, type }) => ({ name, type: type.value ?? type.text })),
    output: c.output?.text ?? "",
    parameters: c.kind === "layer" || c.kind === "model" ? (counts.get(c.path) ?? 0) : 0,
    calls: c.calls.filter(isOwn).map(node),
  });
  return {
    problems: queries.diagnostics.map((d) => problemOf(d, file)),
    calls: calls.filter(isOwn).map(node),
    inlays: queries.inlays().map(({ offset, text }) => ({ offset, text })),
    milliseconds,
  };
}
export function problemOf(d: Diagnostic, file: string): Problem {
  const isHere = (span: Span): boolean => span.file.name === file;
  const isElsewhere = !isHere(d.span) && !d.span.file.library;
  const [start, end] = isHere(d.span) || isElsewhere ? [d.span.start, d.span.end] : [0, 0];
  return {
    code: d.code,
    ...(isElsewhere ? { file: d.span.file.name } : {}),
    severity: d.severity,
    start,
    end: Math.max(end, start),
    message: d.message,
    notes: d.notes ?? [],
    ...(d.hint ? { hint: d.hint } : {}),
    labels: (d.labels ?? [])
      .filter((l) => isHere(l.span))
      .map(({ span, text }) => ({ start: span.start, end: span.end, text })),
    fixes: fixesOf(d, file),
  };
}
/** Changes of this text alone. */
const fixesOf = (d: Diagnostic, file: string): readonly Fix[] =>
  (d.fixes ?? []).flatMap(({ title, edits }) =>
    edits.every((e) => e.span.file.name === file && !e.span.file.library)
      ? [{ title, edits: edits.map(({ span, text }) => ({ start: span.start, end: span.end, text })) }]
      : [],
  );
export function hoverOf(queries: Queries, offset: number): Hover | undefined {
  const found = queries.typeAt(offset);
  if (!found) return undefined;
  return {
    start: found.span.start,
    end: found.span.end,
    type: typeText(found),
    ...(found.value === undefined ? {} : { value: found.value }),
    ...(found.doc === undefined ? {} : { doc: found.doc }),
    call: found.call,
    others: found.others.map((o) => `${typeText(o)} in ${o.call}`),
    alsoNamed: found.names.map((n) => n.name),
  };
}
interface Typed {
  readonly text: string;
  readonly shape?: readonly { readonly extent: number | string; readonly names: readonly string[] }[];
}
/** With the dims that have these sizes: `f32[B = 64, 10]` */
function typeText({ text, shape }: Typed): string {
  if (!shape?.some((axis) => axis.names.length)) return text;
  const axes = shape.map(({ extent, names }) =>
    [...names.filter((n) => n !== String(extent)).slice(0, 1), extent].join(" = "),
  );
  return text.replace(/\[[^\]]*\]/, `[${axes.join(", ")}]`);
}
export const suggestionsOf = (queries: Queries, offset: number): readonly Suggestion[] =>
  queries.completionsAt(offset).map(({ name, kind, text = "", start }) => {
    const { doc } = completionDetail(name);
    return { name, kind, text, start, ...(doc === undefined ? {} : { doc }) };
  });
