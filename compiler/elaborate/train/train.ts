// Train blocks: the step (forward, backward and update are one graph), the initial values of what it touches, and evaluation over a split.
import type * as ast from "../../../grammar/ast.ts";
import { compute, inputs, source, topological, zeros } from "../../graph/node.ts";
import { callOrigin, withOrigin } from "../../graph/origin.ts";
import { equal, iadd, integer, literal, load, modulo, select, variable } from "../../graph/scalar.ts";
import type { GraphProgram, Node, Source } from "../../graph/types.ts";
import type { Interpreter, Scope } from "../context.ts";
import type { DatasetState } from "../data/dataset.ts";
import type { Attempt } from "../declarations.ts";
import * as errors from "../errors.ts";
import { parametersSoFar } from "../expression/instances.ts";
import type { ElaborateOptions, TrainProgram } from "../program.ts";
import { initialValues, program } from "../programs.ts";
import { hostScalar, newBlock, type Step, type TrainBlock } from "./block.ts";
import { evaluationOf } from "./evaluation.ts";
import { splitsOf } from "./measured.ts";
import { trainSettings } from "./settings.ts";
import { runStep } from "./step.ts";
import { watchedColumns } from "./watch.ts";

export const elaborateTrain = (...of: Parameters<typeof trainProgram>): TrainProgram => {
  const { name, span } = of[1];
  return withOrigin(callOrigin("train", name.text, name.text, span), () => trainProgram(...of));
};
function trainProgram(
  self: Interpreter,
  item: ast.Train,
  scope: Scope,
  datasets: ReadonlyMap<string, DatasetState>,
  options: ElaborateOptions,
  attempt: Attempt,
): TrainProgram {
  // settings first: they say how much a step reads
  const { settings, data } = trainSettings(self, item, scope, datasets, options, attempt);
  const block = newBlock(self, item, scope, settings, data, datasets, attempt);
  const { log } = self;
  const [calls, builtins] = [log?.calls.length, log?.builtins.length];
  const step = runStep(block);
  const watched =
    options.watchLayers && log ? watchedColumns(step, log.calls.slice(calls), log.builtins.slice(builtins)) : [];
  checkCompared(block, step);
  const loss = lossOf(block, step);
  const columns = [...(loss ? [{ name: "loss", node: loss }] : []), ...step.columns, ...watched];
  const ring = keepLosses(block, step, columns);
  const kept = liveUpdates(
    step.current,
    [...columns, ...step.outputs].map((x) => x.node),
    self,
  );
  const { name } = block;
  forgetDeadStates(block, kept);
  const updates = [...kept].map(([target, value]) => ({ target, value }));
  const stepProgram = program(`${name}.step`, step.outputs, updates);
  const init = initProgram(block, stepProgram);
  const evaluation = attempt(() => evaluationOf(block));
  const groups = step.groups.map((g) => ({
    ...g,
    members: g.members.map((m) => ({ ...m, states: m.states.filter((x) => kept.has(x)) })),
  }));
  hostScalar(block, "steps");
  hostScalar(block, "epochs");
  const { batch, accumulate, shuffle, seed, epochs, steps, evaluateEvery, sample } = settings;
  const { stop, save, checkpoint, keep } = settings;
  return {
    name,
    ...(data ? { dataset: data.public.name } : {}),
    batch,
    accumulate,
    shuffle,
    seed,
    ...(epochs !== undefined ? { epochs } : {}),
    ...(steps !== undefined ? { steps } : {}),
    window: block.window,
    ...(evaluateEvery !== undefined ? { evaluateEvery } : {}),
    ...(sample !== undefined ? { sample } : {}),
    ...(stop ? { stop } : {}),
    ...(save ? { save } : {}),
    load: settings.load,
    ...(checkpoint !== undefined ? { checkpoint } : {}),
    ...(keep !== undefined ? { keep } : {}),
    ...(block.index ? { index: block.index } : {}),
    ring,
    columns: columns.map((x) => x.name),
    counter: block.counter,
    scalars: [{ name: "seed", source: self.seed }, ...[...block.host].map(([path, s]) => ({ name: path, source: s }))],
    init,
    step: stepProgram,
    objectives: step.objectives,
    groups,
    ...(evaluation ? { evaluation } : {}),
    span: item.span,
  };
}
/** What `stop`, `save` and the block itself read of a metric is one number. */
function checkCompared({ settings, data, host, item, attempt }: TrainBlock, { outputs }: Step): void {
  for (const { metric, span } of settings.compared)
    attempt(() => {
      const found = outputs.find((o) => metric.endsWith(`.${o.name}`));
      if (found) throw errors.notScalar(span, "what is compared", errors.typeText(found.node.dtype, found.node.shape));
    });
  for (const o of outputs)
    attempt(() => {
      const split = splitsOf(data).find((s) => host.has(`${s}.${o.name}`));
      if (!split) return;
      const metric = item.statements.find((s) => s.kind === "metric" && s.name.text === o.name);
      const what = `what the block reads as ${split}.${o.name}`;
      throw errors.notScalar((metric ?? item).span, what, errors.typeText(o.node.dtype, o.node.shape));
    });
}
/** Of a block that minimizes; one that only computes its states, or measures, has none. */
function lossOf({ item, name }: TrainBlock, { loss, lines }: Step): Node | undefined {
  if (loss) return loss;
  if (lines > 0) throw new errors.Quiet(); // its faults are told of
  if (!item.statements.some((s) => s.kind === "next" || s.kind === "metric"))
    throw errors.nothingMinimized(item.name.span, name);
  return undefined;
}
/** A ring of the losses and metrics of the last steps, and the counter of steps, are states that the step updates. */
function keepLosses(
  { self, name, item, window, counter, step: at }: TrainBlock,
  step: Step,
  columns: readonly { readonly node: Node }[],
): Source {
  const width = Math.max(1, columns.length); // a block may tell nothing
  const ring = source({
    role: "state",
    path: `${name}.ring`,
    shape: [window, width],
    dtype: "f32",
    label: "ring",
  });
  self.states.set(ring.path, { source: ring, initial: zeros(ring.shape), span: item.span, kind: "counter" });
  const [w, c] = [variable(window, "w"), variable(width, "c")];
  const [first, ...others] = columns.map((x) => load(x.node, []));
  const element = others.reduce((rest, x, i) => select(equal(c, i + 1), x, rest), first ?? literal(0));
  const row = window === 1 ? integer(0) : w;
  const before = load(ring, [row, width === 1 ? integer(0) : c]);
  const next = compute([w, c], undefined, select(equal(row, modulo(at, window)), element, before), { label: "ring" });
  step.current.set(ring, next);
  step.current.set(counter, compute([], undefined, iadd(at, 1), { label: "step" }));
  return ring;
}
/** States of optimizers that nothing else reads are left out: a momentum of 0 has no buffer. */
function forgetDeadStates({ self, name }: TrainBlock, kept: ReadonlyMap<Source, Node>): void {
  for (const [path, s] of [...self.states])
    if (s.kind === "optimizer" && path.startsWith(`${name}.`) && !kept.has(s.source)) self.states.delete(path);
}
/** Initial values of everything that the step touches. */
function initProgram({ self, name, owner }: TrainBlock, step: GraphProgram): GraphProgram {
  const reached = new Set<Source>();
  for (const n of topological([
    ...step.updates.map((u) => u.value),
    ...step.updates.map((u) => u.target),
    ...step.outputs.map((o) => o.node),
  ]))
    if (n.kind === "source" && isHeld(n)) reached.add(n);
  for (const p of parametersSoFar(owner)) reached.add(p);
  const all = [...self.parameters.values(), ...self.states.values()].filter((x) => reached.has(x.source));
  const initial = initialValues(self);
  return program(
    `${name}.init`,
    [],
    all.map((x) => ({ target: x.source, value: initial(x) })),
  );
}
/**
 * The same with what its own states begin as where that comes from parameters, or from states of others: these are what they are when it takes its first
 * step, loaded or trained before. All of its states are made by now: an export or another block may be the only one to read one.
 */
export function begun(self: Interpreter, t: TrainProgram): TrainProgram {
  const own = [...self.states.values()].filter((x) => x.source.path.startsWith(`${t.name}.`));
  const first = initialValues(self, own);
  const updates = own
    .map((x) => ({ target: x.source, value: first(x) }))
    .filter(({ value }) => topological([value]).some((x) => x.kind === "source" && isHeld(x)));
  return updates.length ? { ...t, begin: program(`${t.name}.begin`, [], updates) } : t;
}
const isHeld = (x: Source): boolean => x.role === "parameter" || x.role === "state";
/** Updates whose target something reads: outputs, or other live updates, or parameters and layer state (which a checkpoint keeps). */
function liveUpdates(
  current: ReadonlyMap<Source, Node>,
  outputs: readonly Node[],
  self: Interpreter,
): Map<Source, Node> {
  const optional = new Set([...self.states.values()].filter((s) => s.kind === "optimizer").map((s) => s.source));
  const live = new Set<Source>();
  const queue: Node[] = [...outputs];
  for (const [target, value] of current)
    if (!optional.has(target)) {
      live.add(target);
      queue.push(value);
    }
  const seen = new Set<Node>();
  while (queue.length) {
    const x = queue.pop()!;
    if (seen.has(x)) continue;
    seen.add(x);
    if (x.kind === "source" && optional.has(x) && !live.has(x)) {
      live.add(x);
      const value = current.get(x);
      if (value) queue.push(value);
    }
    queue.push(...inputs(x));
  }
  return new Map([...current].filter(([target, value]) => live.has(target) && value !== target));
}
