// What is drawn of a compiled text: its formulas as a graph, its launches and memory over time, what calls cost. In: what the phases made. Out: plain data.
import { within } from "../../graph/compilation.ts";
import { inputs, topological } from "../../graph/node.ts";
import { shapeText } from "../../graph/print.ts";
import type { Node } from "../../graph/types.ts";
import { flopsOfSteps } from "../../lower/whole.ts";
import type { Compiled as CompiledUnit } from "../../plan/unit.ts";
import { derivationOf } from "../../print/derivation.ts";
import { parameterCount, sizeText, workgroupsText } from "../../print/text.ts";
import { programsOf, sizeOf, type Command, type Dispatch, type PlanTensor } from "../../../runtime/plan.ts";
import { Marks } from "./marks.ts";
import type { Costs, DrawnGraph, GraphNode, Launch, Timeline } from "./types.ts";
import { namesOfSteps, placesOf, placesOfSteps, specsOf, type Made } from "./stages.ts";

// ---- the forward graph

/** A node for every value that has a line of its own in the derivation, as far as the objectives read it. */
export function drawnGraph({ program, source }: Made): DrawnGraph {
  const marks = new Marks(source.name);
  const graphs = within(program.compilation, () =>
    program.trains.map((t) => {
      const { writer } = derivationOf(t);
      const losses = new Set<Node>(t.objectives.map((o) => o.loss));
      const order = topological([...losses]);
      const shown = order.filter((x) => writer.isNamed(x) || losses.has(x));
      const number = new Map(shown.map((x, i) => [x, i]));
      const memo = new Map<Node, ReadonlySet<number>>();
      for (const x of order) {
        const read = new Set<number>();
        for (const y of inputs(x)) {
          const own = number.get(y);
          if (own !== undefined) read.add(own);
          else for (const i of memo.get(y) ?? []) read.add(i);
        }
        memo.set(x, read);
      }
      const nodes = shown.map((x): GraphNode => ({
        name: writer.names.node(x),
        about: `${x.dtype}${x.shape.length ? shapeText(x.shape) : ""}`,
        kind:
          x.kind === "source" ? (x.path.startsWith("data.") ? "given" : "parameter") : losses.has(x) ? "goal" : "value",
        reads: [...(memo.get(x) ?? [])],
        ...marks.of([x.span]),
      }));
      return { name: t.name, nodes };
    }),
  );
  return { marks: marks.table, graphs };
}

// ---- launches and memory

export function timelineOf({ plan, programs, source }: Made): Timeline {
  const marks = new Marks(source.name);
  return {
    programs: programs.map((p) => {
      const own = programsOf(plan).find((x) => x.name === p.name);
      const dispatches = own ? dispatchesIn(own.commands) : [];
      const places = placesOfSteps(p.kernels.steps);
      const all = specsOf(p.kernels.steps);
      const stepNames = namesOfSteps(p.kernels.steps);
      const launches = dispatches.map((d, i): Launch => {
        const made = p.lowered[i];
        return {
          name: plan.modules[d.module]!.name,
          does: made ? made.step.spec.comment().join("; ") : (d.lines ?? []).join(", "),
          flops: d.flops === undefined ? 0 : sizeOf(d.flops),
          workgroups: workgroupsText(d.workgroups),
          ...marks.of(made ? placesOf(made.step.spec) : all.flatMap(placesOf)),
        };
      });
      const used = new Map<number, number>();
      for (const m of p.memory) used.set(m.buffer, Math.max(used.get(m.buffer) ?? 0, sizeOf(m.bytes)));
      return {
        name: p.name,
        launches,
        steps: places.length,
        tensors: p.memory.map((m) => ({
          label: isKind(m.label) ? `of ${stepNames[m.first] ?? m.label}` : m.label,
          buffer: plan.buffers[m.buffer]!.label,
          bytes: sizeOf(m.bytes),
          first: m.first,
          last: m.last,
          ...marks.of(places[m.first] ?? []),
        })),
        sharedBytes: [...used.values()].reduce((n, size) => n + size, 0),
        apartBytes: p.memory.reduce((n, m) => n + sizeOf(m.bytes), 0),
        oneLaunch: p.lowered.length === 0 && dispatches.length > 0,
      };
    }),
    kept: plan.states.map((s) => ({ name: s.name, kind: s.kind, type: typeOfTensor(s) })),
    marks: marks.table,
  };
}
/** Of a tensor that has no name of its own. */
const isKind = (label: string): boolean => ["compute", "scatter", "reshape", "result"].includes(label);
const typeOfTensor = ({ dtype, shape }: PlanTensor): string =>
  `${dtype}${shape.length ? `[${shape.map(sizeText).join(", ")}]` : ""}`;
const dispatchesIn = (commands: readonly Command[]): readonly Dispatch[] =>
  commands.flatMap((c) => (c.kind === "loop" ? dispatchesIn(c.body) : c.kind === "dispatch" ? [c] : []));

// ---- costs

/** Arithmetic of one step of the first train block, shared among the calls that a kernel does. */
export function costsOf({ plan, programs, source }: Made): Costs {
  const steps = new Set(plan.trains.map((t) => t.step.name));
  const trained = programs.filter((p) => steps.has(p.name));
  const flops: Record<string, number> = {};
  let [total, launches] = [0, 0];
  for (const p of trained) {
    launches += Math.max(1, p.lowered.length);
    for (const { places, cost } of kernelCosts(p)) {
      total += cost;
      const marks = new Marks(source.name);
      const { at } = marks.of(places);
      for (const i of at) {
        const key = marks.table[i]!.join(" ");
        flops[key] = (flops[key] ?? 0) + cost / at.length;
      }
    }
  }
  return { flops, total, parameters: parameterCount(plan), kernels: plan.modules.length, launches };
}
/** Of a step in one launch: of each kernel that is done in it. */
function kernelCosts({ lowered, kernels: { steps } }: CompiledUnit) {
  if (lowered.length)
    return lowered.map(({ step, kernel }) => ({ places: placesOf(step.spec), cost: sizeOf(kernel.flops) }));
  return steps.map((step) => ({ places: placesOfSteps([step]).flat(), cost: sizeOf(flopsOfSteps([step])) }));
}
