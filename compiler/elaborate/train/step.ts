// One training step as graph: the statements of a block in order, each part of an accumulated batch by itself.
import type * as ast from "../../../grammar/ast.ts";
import { compute, nameNode } from "../../graph/node.ts";
import { call as callScalar, iadd, load, modulo, toF32 } from "../../graph/scalar.ts";
import type { Integer, Node, Source } from "../../graph/types.ts";
import { baseContext, type Context, evaluate, Scope, type Updated } from "../context.ts";
import { withRange } from "../data/rows.ts";
import { quiet } from "../declarations.ts";
import * as errors from "../errors.ts";
import { bindLet } from "../expression/bodies.ts";
import { dependsOutsideStop } from "../expression/gradients.ts";
import { declareState, nextValue, nextValues, writeInstanceState } from "../expression/states.ts";
import { stopGradient } from "../tensors.ts";
import { asTensor, tensor } from "../values.ts";
import { overRows } from "../vmap.ts";
import { type Part, type Step, type TrainBlock, trainScope } from "./block.ts";
import { minimize } from "./minimize.ts";

/** Statements before the first `minimize` are evaluated once per accumulated part. */
export function runStep(block: TrainBlock): Step {
  const { settings, scope, item, attempt } = block;
  const current = new Map<Source, Node>();
  const updated: Updated[] = [];
  const parts = Array.from({ length: settings.accumulate }, (_, part): Part => {
    const fields = new Scope(scope);
    bindFields(block, fields, part);
    return { scope: new Scope(fields), ctx: contextOf(block, part, current, updated) };
  });
  const step: Step = {
    parts,
    current,
    updated,
    columns: [],
    outputs: [],
    groups: [],
    objectives: [],
    loss: undefined,
    lines: 0,
  };
  for (const s of item.statements) attempt(() => runStatement(s, block, step));
  return step;
}
function contextOf(block: TrainBlock, part: number, current: Map<Source, Node>, updated: Updated[]): Context {
  const { self, settings, owner, name, step } = block;
  return {
    ...baseContext(self, trainScope(block, true, settings.batch), name),
    training: true,
    writes: true,
    instance: owner,
    current,
    updated,
    step: settings.accumulate === 1 ? step : drawStep(step, settings.accumulate, part),
  };
}
const drawStep = (step: Integer, accumulate: number, part: number): Integer =>
  iadd(...Array.from({ length: accumulate }, () => step), part);
/** The fields of the rows that this part of the batch reads. */
function bindFields({ data, index, step, window, settings }: TrainBlock, scope: Scope, part: number): void {
  if (!data || !index) return;
  for (const name of data.broken) scope.bind(name, { kind: "lazy", force: quiet });
  for (const f of data.fields) {
    const row = (b: Integer): Integer => load(index, [modulo(step, window), iadd(b, part * settings.batch)]) as Integer;
    const node = overRows(f.formula, data.row, settings.batch, row);
    if (node.kind === "compute") nameNode(node, f.name);
    scope.bind(f.name, tensor(withRange(node, f.public.range)));
  }
}
function runStatement(s: ast.TrainStatement, block: TrainBlock, step: Step): void {
  switch (s.kind) {
    case "let":
      for (const p of step.parts) bindOrQuiet(s, p);
      return;
    case "state":
      for (const p of step.parts) declareState(s, p.scope, p.ctx);
      return;
    case "next":
      return runNext(s, block, step.parts[step.parts.length - 1]!);
    case "metric":
      return s.every ? undefined : runMetric(s, step);
    case "minimize":
      return runMinimize(s, block, step);
    case "setting":
      return;
    default:
      s satisfies never;
  }
}
/** Names that failed are told of once: what reads them is quiet. */
function bindOrQuiet(s: ast.Let, { scope, ctx }: Part): void {
  try {
    bindLet(s, scope, ctx);
  } catch (error) {
    for (const n of s.names) if (scope.own(n.text) === undefined) scope.bind(n.text, { kind: "lazy", force: quiet });
    throw error;
  }
}
/** `next` of a train block: states by name; an instance bound as a state takes a bundle. */
function runNext(s: ast.Next, { owner }: TrainBlock, { scope, ctx }: Part): void {
  const values = nextValues(s, scope, ctx);
  for (const { name, span, value } of values) {
    scope.get(name.text, name.span);
    const copy = owner.copies.get(name.text);
    if (copy) {
      writeInstanceState(copy, value, span, ctx);
      continue;
    }
    const held = owner.states.get(name.text);
    if (!held) throw errors.undeclaredState(name.span, name.text);
    ctx.current.set(held, stopGradient(nextValue(held, value, span, name.text, ctx)));
  }
}
function runMetric(s: ast.Metric, step: Step): void {
  const values = step.parts.map((p) =>
    asTensor(evaluate(s.value, p.scope, { ...p.ctx, writes: false, declared: "metric" }), s.value.span),
  );
  if (values[0]!.shape.length) {
    step.outputs.push({ name: s.name.text, node: values[values.length - 1]! });
    return;
  }
  const numbers = values.map((v) => (v.dtype === "f32" ? v : compute([], undefined, toF32(load(v, [])))));
  step.columns.push({ name: s.name.text, node: averaged(numbers) });
}
function runMinimize(s: ast.Minimize, block: TrainBlock, step: Step): void {
  step.lines += 1;
  const losses = step.parts.map((p) => {
    const v = asTensor(evaluate(s.value, p.scope, p.ctx), s.value.span, "f32");
    if (v.shape.length || v.dtype !== "f32")
      throw errors.notScalar(s.value.span, "an objective", errors.typeText(v.dtype, v.shape));
    return v;
  });
  const stale = step.updated.find((u) => losses.some((l) => dependsOutsideStop(l, u.before, step.current)));
  if (stale) throw errors.staleValue(s.value.span, "objective", stale.parameter.path, stale.span);
  step.loss ??= averaged(losses);
  const made = minimize(s, losses, block, step);
  step.groups.push(...made.groups);
  const name = `${block.name}.minimize${step.lines}`;
  step.objectives.push({ name, loss: averaged(losses), gradients: made.gradients });
  step.updated.push(...made.updated);
}
function averaged(nodes: readonly Node[]): Node {
  if (nodes.length === 1) return nodes[0]!;
  const sum = nodes.map((n) => load(n, [])).reduce((a, b) => callScalar("add", a, b));
  return compute([], undefined, callScalar("div", sum, nodes.length));
}
