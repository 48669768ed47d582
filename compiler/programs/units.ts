// The units of a model: every graph that is run, in the order in which they are planned. The phases after elaboration work on all of them,
// each unit by itself. In: Program. Out: units, simplified, then narrowed.
import type { Program, TrainProgram } from "../elaborate/program.ts";
import { narrow } from "../fuse/narrow.ts";
import { readyForStreams } from "../fuse/stream-graph.ts";
import { topological } from "../graph/node.ts";
import type { GraphProgram } from "../graph/types.ts";
import type { Target } from "../kernel/target.ts";
import { simplify } from "../rewrite/simplify.ts";

export interface Unit {
  readonly kind: UnitKind;
  readonly origin: GraphProgram; // as elaborated: what a unit is found by
  readonly graph: GraphProgram; // as the last phase left it
  readonly train?: TrainProgram; // of a step
}
/** "begin" runs before the first step, "rows" and "finish" are the halves of an evaluation, "late init" sets what no train block sets, "check" looks at declared ranges of fields, "view" gives the fields of rows. */
export type UnitKind = "init" | "begin" | "step" | "rows" | "finish" | "export" | "late init" | "check" | "view";

export function unitsOf(program: Program): readonly Unit[] {
  const unit = (kind: UnitKind, origin: GraphProgram): Unit => ({ kind, origin, graph: origin });
  const late = lateInit(program);
  return [
    ...program.trains.flatMap((t) => [
      unit("init", t.init),
      ...(t.begin ? [unit("begin", t.begin)] : []),
      stepUnit(t),
      ...(t.evaluation ? [unit("rows", t.evaluation.rows), unit("finish", t.evaluation.finish)] : []),
    ]),
    ...program.exports.map((e) => unit("export", e.program)),
    ...(late ? [unit("late init", late)] : []),
    ...program.datasets.flatMap((d) => (d.check ? [unit("check", d.check.program)] : [])),
    ...program.datasets.flatMap((d) => (d.view ? [unit("view", d.view.program)] : [])),
  ];
}
/** Its outputs are the gradients of the optimizer groups, until they lie in flat buffers. Metrics that are no numbers are measured over splits only. */
function stepUnit(t: TrainProgram): Unit {
  const gradients = t.groups.flatMap((g) => g.members.map((m) => m.gradient));
  const outputs = gradients.map((node, i) => ({ name: `gradient${i}`, node }));
  return { kind: "step", origin: t.step, graph: { ...t.step, outputs }, train: t };
}
/** Initial values of parameters and states that no train block sets. */
function lateInit(program: Program): GraphProgram | undefined {
  const set = new Set(program.trains.flatMap((t) => t.init.updates.map((u) => u.target)));
  const updates = [...program.parameters, ...program.states]
    .filter((h) => !set.has(h.source) && (h.kind === "parameter" || h.kind === "state"))
    .map((h) => ({ target: h.source, value: h.initial }));
  if (!updates.length) return undefined;
  const inputs = topological(updates.map((u) => u.value)).flatMap((x) =>
    x.kind === "source" && x.role === "input" ? [x] : [],
  );
  return { name: "init", inputs, dims: [], outputs: [], updates };
}

export const simplified = (units: readonly Unit[]): readonly Unit[] =>
  units.map((u) => ({ ...u, graph: simplify(u.graph) }));
/** Softmaxes that will be computed in tiles have the form for it, and no body reads more tensors than a kernel binds, with room for what it writes. */
export const narrowed = (units: readonly Unit[], target: Target): readonly Unit[] =>
  units.map((u) => ({ ...u, graph: narrow(readyForStreams(u.graph, target), target.storageBuffers - 2) }));
