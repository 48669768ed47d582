// Loss and metrics over rows of a split: the block again, with `training` false and as many rows as there are.
import type * as ast from "../../../grammar/ast.ts";
import { source } from "../../graph/node.ts";
import { dim } from "../../graph/scalar.ts";
import type { Node, Source } from "../../graph/types.ts";
import { baseContext, type Context, evaluate, Scope, type Value } from "../context.ts";
import type { DatasetState } from "../data/dataset.ts";
import { measuredField, withRange } from "../data/rows.ts";
import { quiet } from "../declarations.ts";
import * as errors from "../errors.ts";
import { bindLet } from "../expression/bodies.ts";
import { declareState, nextValue, nextValues } from "../expression/states.ts";
import type { TrainProgram } from "../program.ts";
import { program } from "../programs.ts";
import { stopGradient } from "../tensors.ts";
import { asTensor, once, tensor } from "../values.ts";
import { type TrainBlock, trainScope } from "./block.ts";
import { splitEvaluation } from "./split.ts";

/** Of a block without data: of its parameters and states alone, where it asks for that. */
export function evaluationOf(block: TrainBlock): TrainProgram["evaluation"] {
  const { data } = block;
  const { self, item, owner, name, step, settings } = block;
  const isAsked = settings.evaluateEvery !== undefined || item.statements.some((s) => s.kind === "metric" && s.every);
  if (!data && !isAsked) return undefined;
  const rows = dim("rows");
  const index = source({
    role: "input",
    path: `${name}.evaluate.index`,
    shape: [rows],
    dtype: "i32",
    range: data ? data.row.range : { low: 0, high: 0 },
    label: "index",
  });
  const scope = new Scope(data ? measuredFields(block, data, index) : block.scope);
  const ctx: Context = {
    ...baseContext(self, trainScope(block, false, rows), `${name}.evaluate`),
    instance: owner,
    step,
    carried: new Map(),
  };
  const outputs: { name: string; node: Node }[] = [];
  const measured = (e: ast.Expr, own: Context): Value => {
    try {
      return evaluate(e, scope, own);
    } catch (fault) {
      throw fault instanceof errors.Fault && data ? errors.ofRows(fault, rows, data.public.name) : fault;
    }
  };
  let first = true;
  for (const s of item.statements) {
    if (s.kind === "let") bindLazily(s, scope, ctx);
    else if (s.kind === "state") declareState(s, scope, ctx);
    else if (s.kind === "next") runCarried(s, block, scope, ctx);
    else if (s.kind === "minimize" && first) {
      first = false;
      outputs.unshift({ name: "loss", node: asTensor(measured(s.value, ctx), s.value.span, "f32") });
    } else if (s.kind === "metric") {
      const v = measured(s.value, { ...ctx, declared: "metric" });
      outputs.push({ name: s.name.text, node: asTensor(v, s.value.span) });
    }
  }
  const carried = [...ctx.carried!].flatMap(([held, { before }]) => {
    const next = ctx.current.get(held);
    return next ? [{ before, next }] : [];
  });
  return splitEvaluation(outputs, carried, index, rows, name, program, item.name.span);
}
/** Of the states that a block hands on, those of the rows of its batches. */
function runCarried(s: ast.Next, { owner }: TrainBlock, scope: Scope, ctx: Context): void {
  const isCarried = (name: string): Source | undefined => {
    scope.find(name);
    const held = owner.states.get(name);
    return held && ctx.carried?.has(held) ? held : undefined;
  };
  const own = s.assignments.filter((a) => isCarried(a.name.text));
  if (!own.length) return;
  for (const { name, value, span } of nextValues({ ...s, assignments: own }, scope, ctx)) {
    const held = isCarried(name.text)!;
    ctx.current.set(held, stopGradient(nextValue(held, value, span, name.text, ctx)));
  }
}
function measuredFields({ scope, datasets }: TrainBlock, data: DatasetState, index: Source): Scope {
  const fields = new Scope(scope);
  for (const name of data.broken) fields.bind(name, { kind: "lazy", force: quiet });
  for (const f of data.fields) {
    const force = once(() => tensor(withRange(measuredField(f, data, datasets, index), f.public.range)));
    fields.bind(f.name, { kind: "lazy", force });
  }
  return fields;
}
/** What no metric reads is not evaluated. */
function bindLazily(s: ast.Let, scope: Scope, ctx: Context): void {
  const bound = once(() => {
    const own = new Scope(scope);
    bindLet(s, own, ctx);
    return own;
  });
  for (const n of s.names) scope.bind(n.text, { kind: "lazy", force: () => bound().own(n.text)! }, n.span);
}
