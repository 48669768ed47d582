// What `stop` and `save` compare: a measured value, and whether less or more of it is better.
// In: `stalled(min: valid.loss, patience: 3)`. Out: "valid.loss", "min", and the other arguments.
import { factsOf } from "../../std/facts.ts";
import type * as ast from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import type { Scope } from "../context.ts";
import type { DatasetState } from "../data/dataset.ts";
import * as errors from "../errors.ts";

/** What `valid.acc` may name. */
export interface Measured {
  readonly data: string | undefined;
  readonly splits: readonly string[];
  readonly metrics: readonly string[];
  readonly better: (metric: string) => "min" | "max" | undefined;
}
export const measuredBy = (item: ast.Train, data: DatasetState | undefined, scope: Scope): Measured => ({
  data: data?.public.name,
  splits: splitsOf(data),
  metrics: metricNames(item),
  better: (metric) => betterMetric(item, metric, scope),
});
/** Parts of the data that are measured: the holdouts, and what is trained on. */
export const splitsOf = (data: DatasetState | undefined): readonly string[] =>
  data ? [...data.public.holdouts.map((h) => h.name), "train"] : [];
export const metricNames = (item: ast.Train): string[] => [
  ...(item.statements.some((s) => s.kind === "minimize") ? ["loss"] : []),
  ...item.statements.flatMap((s) => (s.kind === "metric" ? [s.name.text] : [])),
];
/** Is less or more of it better? The objective is minimized; a metric that is one call of a function is what that function's documentation says. */
function betterMetric(item: ast.Train, name: string, scope: Scope): "min" | "max" | undefined {
  if (name === "loss") return "min";
  let e = item.statements.find((s): s is ast.Metric => s.kind === "metric" && s.name.text === name)?.value;
  while (e?.kind === "paren" || (e?.kind === "binary" && e.operator === "|>"))
    e = e.kind === "paren" ? e.value : e.right;
  if (e?.kind === "call" && e.args.some((a) => a.value.kind === "lambda")) return undefined; // another reduction of it
  const callee = e?.kind === "call" ? e.callee : e;
  const v = callee?.kind === "name" ? scope.find(callee.text) : undefined;
  return v?.kind === "fn" ? factsOf(v.declaration.doc).better : undefined;
}

/** The arguments of `word(...)`: those by position, and those of the given names. */
export interface Written {
  readonly at: readonly ast.Expr[];
  readonly named: ReadonlyMap<string, ast.Expr>;
}
/** How a setting is written: `word(...)` with so many arguments by position, and others by name. */
export interface Form {
  readonly word: string;
  readonly example: string;
  readonly positions: number;
  readonly names: readonly string[];
}
export function readCall(s: ast.Setting, { word, example, positions, names }: Form): Written {
  if (s.value.kind !== "call" || s.value.callee.kind !== "name" || s.value.callee.text !== word)
    throw errors.settingForm(s.value.span, s.name.text, `${word}(...)`, example);
  for (const a of s.value.args)
    if (a.name && !names.includes(a.name.text))
      throw errors.unknownName(a.name.span, a.name.text, names, { kind: "argument", place: `of ${word}` });
  const at = s.value.args.flatMap((a) => (a.name ? [] : [a.value]));
  if (at.length !== positions) throw errors.settingForm(s.value.span, s.name.text, example);
  return { at, named: new Map(s.value.args.flatMap((a) => (a.name ? [[a.name.text, a.value] as const] : []))) };
}
/** The measured value of `best(min: valid.nll, ...)`, and whether less or more of it is better; without min or max where the value says it itself. */
export function readCompared(
  s: ast.Setting,
  form: Form,
  measured: Measured,
): Written & { metric: string; mode: "min" | "max"; span: Span } {
  const { example, positions, names } = form;
  const given =
    s.value.kind === "call" ? s.value.args.filter((a) => a.name?.text === "min" || a.name?.text === "max") : [];
  if (given[1]) throw errors.twoMeasured(given[1].span, s.name.text, example);
  const [own] = given;
  const { at, named } = readCall(s, {
    ...form,
    positions: own ? positions - 1 : positions,
    names: ["min", "max", ...names],
  });
  const value = own?.value ?? at[0]!;
  const metric = metricPath(s, value, measured);
  const mode = own ? (own.name!.text as "min" | "max") : measured.better(metric.slice(metric.indexOf(".") + 1));
  if (!mode)
    throw errors.unknownDirection(
      value.span,
      s.name.text,
      metric,
      example.replace(/\w+: valid\.loss/, `min: ${metric}`),
    );
  return { metric, mode, span: value.span, at: own ? at : at.slice(1), named };
}
/** `valid.loss`, if the data have this part and the block this metric. */
function metricPath(s: ast.Setting, e: ast.Expr, { data, splits, metrics }: Measured): string {
  if (e.kind !== "member" || e.operand.kind !== "name") throw errors.notMeasured(e.span, s.name.text);
  const split = e.operand.text;
  const hasHoldout = splits.some((name) => name !== "train");
  if (!hasHoldout && split !== splits[0]) throw errors.nothingMeasured(e.operand.span, s.name.text, split, data);
  if (!splits.includes(split))
    throw errors.unknownName(e.operand.span, split, splits, { kind: "holdout", place: `in ${data}` });
  if (!metrics.includes(e.name.text))
    throw errors.unknownName(e.name.span, e.name.text, metrics, { kind: "metric", place: "in this train block" });
  return `${split}.${e.name.text}`;
}
