// Optimizers: what a chain of them makes of the gradients of a `minimize` line.
import type * as ast from "../../../grammar/ast.ts";
import { isExpression } from "../../../grammar/ast.ts";
import type { Span } from "../../../grammar/diagnostic.ts";
import { compute, indicesOf } from "../../graph/node.ts";
import { callOrigin, withOrigin } from "../../graph/origin.ts";
import { equal, floorDiv, load, modulo, select } from "../../graph/scalar.ts";
import type { Integer, Node, Source } from "../../graph/types.ts";
import {
  type Context,
  evaluate,
  type Instance,
  type OptimizerParams,
  type OptimizerValue,
  Scope,
  type Value,
} from "../context.ts";
import * as errors from "../errors.ts";
import { runStatements } from "../expression/bodies.ts";
import { newInstance } from "../expression/instances.ts";
import { bindParameters, spreadsOf } from "../expression/parameters.ts";
import { fitTo, stateOf } from "../expression/states.ts";
import { checkType } from "../expression/types.ts";
import { axesOf } from "../tensors.ts";
import { tensor } from "../values.ts";

/** One clause of a `minimize` line, for the parameters in `values`. */
export interface OptimizerLine {
  readonly prefix: string; // of the paths of its states
  readonly every: { readonly count: number; readonly step: Integer } | undefined; // steps from one update to the next
  readonly step: Integer;
  readonly span: Span; // of the clause's optimizers
  readonly ctx: Context;
  readonly current: Map<Source, Node>;
  readonly values: ReadonlyMap<Source, Node>; // of the parameters, before the update
  readonly gradients: ReadonlyMap<Source, Node>;
}
/** Each optimizer gets (p, g) for every parameter of the line; its result is the next one's g, the last one's the step. */
export function runChain(
  chain: readonly OptimizerValue[],
  line: OptimizerLine,
): { steps: Map<Source, Node>; states: Map<Source, Source[]> } {
  const parameters = [...line.values.keys()];
  const states = new Map<Source, Source[]>(parameters.map((p) => [p, []]));
  let g = new Map(parameters.map((p) => [p, line.gradients.get(p)!]));
  chain.forEach((o, position) => {
    const isRepeated = chain.filter((x) => x.name === o.name).length > 1;
    g = runOptimizer(o, `${line.prefix}.${o.name}${isRepeated ? position + 1 : ""}`, g, states, line);
  });
  return { steps: g, states };
}
function runOptimizer(
  o: OptimizerValue,
  path: string,
  gradients: ReadonlyMap<Source, Node>,
  states: ReadonlyMap<Source, Source[]>,
  line: OptimizerLine,
): Map<Source, Node> {
  const d = o.declaration;
  const { ctx, every, current, values } = line;
  if (d.params.length !== 2) throw errors.optimizerParameters(d.name.span, d.name.text, d.params.length);
  const ambient = new Scope(ctx.ambient);
  ambient.bind("step", { kind: "int", value: every ? floorDiv(every.step, every.count) : line.step });
  // one call for all parameters: what it makes of each names it, and kernels are of many
  const origin = callOrigin("optimizer", d.name.text, path, line.span);
  const runs: Run[] = [];
  // `sum over params: e` looks at the same expression for every parameter of the line, each as far as the one that asks has come
  const known = new Map<ast.Expr, Value[]>();
  let reached = 0;
  const params: OptimizerParams = {
    each: (body) => {
      const before = known.get(body);
      if (before) return before;
      const end = reached;
      for (const run of runs) advance(run, end);
      const found = runs.map((r) => evaluate(body, r.scope, { ...ctx, ambient, params }));
      known.set(body, found);
      return found;
    },
  };
  const advance = (run: Run, end: number): void => {
    const outer = reached;
    for (; run.at < end && !run.value; run.at++) {
      reached = run.at;
      const value = withOrigin(origin, () => runPart(run.parts[run.at]!, run));
      if (value) run.value = value;
    }
    reached = outer;
  };
  const parts = d.body.kind === "expression" ? [d.body.value] : d.body.statements;
  for (const [p, value] of values) {
    const { scope, holder } = bindOptimizer(o, `${path}.${p.path}`, value, gradients.get(p)!, ctx);
    const inner: Context = {
      ...ctx,
      ambient,
      instance: holder,
      writes: true,
      current,
      declared: undefined,
      params,
      draws: { count: 0, path: holder.path },
    };
    runs.push({ parameter: p, scope: new Scope(scope), holder, ctx: inner, parts, at: 0 });
  }
  const steps = new Map<Source, Node>();
  for (const run of runs) {
    advance(run, parts.length);
    if (!run.value) throw errors.noReturn(d.body.kind === "block" ? d.body.span : d.span);
    const { parameter: p, holder } = run;
    const value = withOrigin(origin, () => checkedResult(d, run));
    steps.set(p, fitTo({ shape: p.shape, dtype: p.dtype }, value, d.span, d.name.text));
    states.get(p)!.push(...holder.states.values());
    if (every) for (const held of holder.states.values()) keepBetween(held, every, current);
  }
  return steps;
}
/** An optimizer for one parameter, as far as it has run. */
interface Run {
  readonly parameter: Source;
  readonly scope: Scope;
  readonly holder: Instance; // of its states
  readonly ctx: Context;
  readonly parts: readonly (ast.Expr | ast.Statement)[]; // of its body
  at: number; // the next of them
  value?: Value;
}
function bindOptimizer(
  o: OptimizerValue,
  path: string,
  p: Node,
  g: Node,
  ctx: Context,
): { readonly scope: Scope; readonly holder: Instance } {
  const d = o.declaration;
  const args = [p, g].map((x, i) => ({ name: d.params[i]!.name.text, value: tensor(x), span: d.span }));
  const holder = newInstance(path, d, o.scope);
  return { scope: bindParameters(d, d.params, args, o.scope, d.span, ctx).scope, holder };
}
function checkedResult(d: ast.OptimizerDeclaration, { scope, ctx, value }: Run): Value {
  if (!d.result) return value!;
  const bound = { scope, dims: new Map(), spreads: spreadsOf(scope) };
  return checkType(value!, d.result, bound, `the result of ${d.name.text}`, d.result.span, ctx);
}
/** One statement; the result where it returns. An optimizer's states belong to the parameter. */
function runPart(s: ast.Expr | ast.Statement, { scope, ctx, holder }: Run): Value | undefined {
  if (isExpression(s)) return evaluate(s, scope, ctx);
  if (s.kind !== "state") {
    const outcome = runStatements([s], scope, ctx);
    return outcome.kind === "returned" ? outcome.value : undefined;
  }
  const force = (): Value => {
    const held = stateOf(s, scope, ctx, holder, `${holder.path}.${s.name.text}`, "optimizer");
    return tensor(ctx.current.get(held) ?? held);
  };
  force();
  scope.bind(s.name.text, { kind: "lazy", force }, s.name.span);
  return undefined;
}
/** A state stays as it is between two updates. */
function keepBetween(held: Source, every: NonNullable<OptimizerLine["every"]>, current: Map<Source, Node>): void {
  const now = current.get(held);
  if (!now) return;
  const axes = axesOf(held.shape);
  const at = indicesOf(axes);
  const isUpdate = equal(modulo(every.step, every.count), every.count - 1);
  current.set(held, compute(axes, undefined, select(isUpdate, load(now, at), load(held, at))));
}
