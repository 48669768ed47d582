// `minimize`: gradients, the optimizers for every parameter, and the new parameters.
// In: the losses of the parts of a batch. Out: groups of parameters with their updates; the step's current values are the new ones.
import type * as ast from "../../../grammar/ast.ts";
import { compute, gradientMeta, indicesOf, sumNodes, topological } from "../../graph/node.ts";
import { callOrigin, withOrigin } from "../../graph/origin.ts";
import { call as callScalar, equal, load, modulo, select } from "../../graph/scalar.ts";
import type { Node, Source } from "../../graph/types.ts";
import { type Context, evaluate, type OptimizerValue, type Scope, type Updated } from "../context.ts";
import { derivatives } from "../derivatives.ts";
import * as errors from "../errors.ts";
import { within } from "../expression/faults.ts";
import { parametersOf } from "../expression/instances.ts";
import type { Objective, OptimizerGroup } from "../program.ts";
import { axesOf } from "../tensors.ts";
import { asTensor, kindText } from "../values.ts";
import type { Step, TrainBlock } from "./block.ts";
import { runChain } from "./optimizers.ts";

interface Minimized {
  readonly groups: OptimizerGroup[];
  readonly updated: Updated[];
  readonly gradients: Objective["gradients"];
}
/** `wrt net by adam(lr: 1e-3) every 2`. */
interface Clause {
  readonly written: ast.Minimize["clauses"][number];
  readonly chain: readonly OptimizerValue[];
  readonly wanted: readonly Source[] | undefined; // undefined: all that no other clause names
  readonly every: number;
}
export function minimize(s: ast.Minimize, losses: readonly Node[], block: TrainBlock, step: Step): Minimized {
  const { self, name } = block;
  const { current } = step;
  const { scope, ctx } = step.parts[0]!;
  const clauses = s.clauses.map((c) => readClause(c, scope, ctx));
  const claimed = new Set(clauses.flatMap((c) => c.wanted ?? []));
  const parameters = [...self.parameters.values()].map((p) => p.source);
  const valueOf = (p: Source): Node => current.get(p) ?? p;
  const rest = reached(losses, parameters, valueOf).filter((p) => !claimed.has(p));
  const all = [...new Set(clauses.flatMap((c) => c.wanted ?? rest))];
  const gradients = gradientsOf(losses, all, valueOf, ctx);
  const places = [...gradients].map(([parameter, gradient]) => ({ parameter, at: valueOf(parameter), gradient }));
  const groups: OptimizerGroup[] = [];
  const updated: Updated[] = [];
  clauses.forEach((clause, k) => {
    const { written, wanted, chain } = clause;
    const own = (wanted ?? rest).filter((p) => gradients.has(p));
    if (!own.length)
      throw errors.noDependence(
        written.wrt?.span ?? s.value.span,
        written.wrt ? written.wrt.span.file.text.slice(written.wrt.span.start, written.wrt.span.end) : "any parameter",
      );
    const prefix = `${name}.minimize${step.lines}${clauses.length > 1 ? `.${k + 1}` : ""}`;
    const before = new Map(own.map((p) => [p, valueOf(p)]));
    const every = clause.every > 1 ? { count: clause.every, step: block.step } : undefined;
    const line = { prefix, every, step: block.step, span: written.by.span, ctx, current, values: before, gradients };
    const optimizers = chain.map((o) => o.name).join(" >> ");
    const result = within(written.by.span, optimizers, () => runChain(chain, line));
    const origin = callOrigin("optimizer", optimizers, prefix, written.by.span);
    const members = own.map((p) => {
      const from = before.get(p)!;
      updated.push({ parameter: p, before: from, span: s.span });
      return {
        parameter: p,
        gradient: gradients.get(p)!,
        states: result.states.get(p) ?? [],
        updated: withOrigin(origin, () => updatedValue(p, from, result.steps.get(p)!, every)),
      };
    });
    for (const m of members) current.set(m.parameter, m.updated);
    groups.push({ name: prefix, members });
  });
  return { groups, updated, gradients: places };
}
function readClause(written: Clause["written"], scope: Scope, ctx: Context): Clause {
  const by = evaluate(written.by, scope, { ...ctx, writes: true });
  if (by.kind !== "optimizers") throw errors.needed(written.by.span, "optimizer", kindText(by));
  const { wrt } = written;
  const parts = wrt && (wrt.kind === "tuple" ? wrt.elements : [wrt]);
  const wanted = parts?.flatMap((e) => parametersNamed(e, scope, ctx));
  const every = written.every && evaluate(written.every, scope, ctx);
  if (every && (every.kind !== "number" || every.value < 1 || !Number.isInteger(every.value)))
    throw errors.settingNeeds(written.every!.span, "every", "positive");
  return { written, chain: by.chain, wanted, every: every?.kind === "number" ? every.value : 1 };
}
/** The parameters of a model, a layer or the layers of a stack, or one by itself. */
function parametersNamed(e: ast.Expr, scope: Scope, ctx: Context): Source[] {
  const v = evaluate(e, scope, ctx);
  if (v.kind === "instance") return parametersOf(v.instance, ctx);
  if (v.kind === "list") return v.elements.flatMap((x) => (x.kind === "instance" ? parametersOf(x.instance, ctx) : []));
  const node = asTensor(v, e.span);
  for (const { source } of ctx.interpreter.parameters.values())
    if ((ctx.current.get(source) ?? source) === node) return [source];
  throw errors.needed(e.span, "trainable", kindText(v));
}
/** Parameters that the losses depend on, in order of their making. */
function reached(losses: readonly Node[], parameters: readonly Source[], valueOf: (p: Source) => Node): Source[] {
  const now = new Map<Node, Source>(parameters.map((p) => [valueOf(p), p]));
  const found = new Set(topological(losses, (n) => now.has(n)).flatMap((x) => now.get(x) ?? []));
  return parameters.filter((p) => found.has(p));
}
/** One gradient for all clauses; averaged over accumulated parts. A parameter that no loss depends on has none. */
function gradientsOf(
  losses: readonly Node[],
  parameters: readonly Source[],
  valueOf: (p: Source) => Node,
  ctx: Context,
): Map<Source, Node> {
  const found = losses.map((loss) => derivatives(loss, parameters.map(valueOf), ctx.interpreter.forms));
  const gradients = new Map<Source, Node>();
  parameters.forEach((p, i) => {
    const parts = found.flatMap((g) => g[i] ?? []);
    if (!parts.length) return;
    const sum = sumNodes(parts, gradientMeta(p));
    if (losses.length === 1) return void gradients.set(p, sum);
    const axes = axesOf(sum.shape);
    const mean = callScalar("div", load(sum, indicesOf(axes)), losses.length);
    gradients.set(p, compute(axes, undefined, mean, gradientMeta(p)));
  });
  return gradients;
}
/** The new value is a constant for every derivative below: none goes through the optimizer. */
function updatedValue(
  p: Source,
  before: Node,
  change: Node,
  every: { readonly count: number; readonly step: TrainBlock["step"] } | undefined,
): Node {
  const axes = axesOf(p.shape);
  const at = indicesOf(axes);
  let next = callScalar("sub", load(before, at), load(change, at));
  if (every) next = select(equal(modulo(every.step, every.count), every.count - 1), next, load(before, at));
  return compute(axes, undefined, callScalar("stop", next), { label: p.path });
}
