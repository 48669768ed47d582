// Other schedules of the kernels that steps spend their time in, as launches for the same tensors: a device may measure them and take the best.
// In: a plan with its programs. Out: the same with alternatives at its dispatches; their modules and what their parts sum up come behind all others.
import type { Alternatives, Command, Dispatch, Launch, PlanBuffer } from "../../runtime/plan.ts";
import { baseOf } from "../graph/node.ts";
import type { Node, Scan } from "../graph/types.ts";
import type { Layout } from "../kernel/layout.ts";
import type { Target } from "../kernel/target.ts";
import { lowerKernel, type LoweredKernel } from "../lower/lower.ts";
import { specKey, type SpecKey } from "../kernel/spec-key.ts";
import { withTensors } from "../programs/lower.ts";
import { alternatives } from "../schedule/alternatives.ts";
import { nestOf } from "../schedule/nest.ts";
import { printSchedule, type Schedule } from "../schedule/schedule.ts";
import { bytesOfShape } from "./buffers.ts";
import { boundOnce, dispatchOf, type Launched } from "./commands.ts";
import type { Modules } from "./modules.ts";
import type { Planned } from "./plan.ts";

/** Of a step, which kernels have alternatives, and how many. */
export interface AlternativesWanted {
  readonly ways?: number; // of a kernel, beside the one that there is; default 3
  readonly kernels?: number; // the dearest by price; default 8
  readonly share?: number; // of the step's price, at least; default 0.05
}

/** `withoutMemory`: none that takes memory of its own. */
export function withAlternatives(
  planned: Planned,
  layout: Layout,
  target: Target,
  wanted: AlternativesWanted,
  withoutMemory: boolean,
): Planned {
  const made = new Maker(planned, layout, target, wanted, withoutMemory);
  const trains = planned.plan.trains.map((t) => {
    const program = planned.programs.find((p) => p.name === t.step.name);
    return program?.lowered.length
      ? { ...t, step: { ...t.step, commands: made.commands(t.step.commands, program.lowered) } }
      : t;
  });
  const { modules } = made;
  return { ...planned, modules, plan: { ...planned.plan, modules: modules.list, buffers: made.buffers, trains } };
}

/** A kernel with the parts that it sums up, and how often a step runs it. */
interface Group {
  readonly launched: readonly Launched[];
  readonly rounds: number;
}
const keyOf = ({ launched }: Group): string | undefined => launched.at(-1)!.kernel.key;

class Maker {
  readonly modules: Modules;
  readonly buffers: PlanBuffer[];
  private readonly features: ReadonlySet<string>;
  private readonly layout: Layout;
  private readonly target: Target;
  private readonly wanted: Required<AlternativesWanted>;
  private readonly withoutMemory: boolean;
  private readonly lowered = new Map<string, { readonly key: SpecKey; readonly kernel: LoweredKernel }>();
  private readonly parts: number[] = []; // buffers

  constructor(planned: Planned, layout: Layout, target: Target, wanted: AlternativesWanted, withoutMemory: boolean) {
    this.modules = planned.modules.copy();
    this.buffers = [...planned.plan.buffers];
    this.features = new Set(planned.plan.requires.features);
    this.layout = layout;
    this.target = target;
    this.wanted = { ways: 3, kernels: 8, share: 0.05, ...wanted };
    this.withoutMemory = withoutMemory;
  }
  commands(list: readonly Command[], launched: readonly Launched[]): readonly Command[] {
    const groups = groupsOf(list, launched);
    const schedules = this.schedules([...groups.values()]);
    let at = 0;
    const dispatches: Dispatch[] = []; // before the one that is looked at, in its block
    const changed = (c: Command): Command => {
      if (c.kind === "loop") return { ...c, body: c.body.map(changed) };
      if (c.kind === "copy") return c;
      dispatches.push(c);
      const group = groups.get(at++);
      const own = group && schedules.get(keyOf(group)!);
      if (!own) return c;
      const parts = group.launched.length - 1;
      const bound = dispatches.slice(-parts - 1).flatMap((d) => d.bindings);
      const ways = own.flatMap((s) => this.way(s, group, bound) ?? []);
      if (!ways.length) return c;
      const alternatives: Alternatives = {
        key: keyOf(group)!,
        parts,
        schedule: printSchedule(scheduleOf(group)),
        ways,
      };
      return { ...c, alternatives };
    };
    return list.map(changed);
  }
  /** Of the kernels that matter, by their keys. */
  private schedules(groups: readonly Group[]): ReadonlyMap<string, readonly Schedule[]> {
    const price = (g: Group): number => g.rounds * g.launched.reduce((sum, l) => sum + l.kernel.price.ns, 0);
    const prices = new Map<string, { readonly of: Group; ns: number }>();
    for (const g of groups) {
      const known = prices.get(keyOf(g)!);
      if (known) known.ns += price(g);
      else prices.set(keyOf(g)!, { of: g, ns: price(g) });
    }
    const all = [...prices.values()].reduce((sum, p) => sum + p.ns, 0);
    const dearest = [...prices].sort(([, a], [, b]) => b.ns - a.ns).slice(0, this.wanted.kernels);
    return new Map(
      dearest.flatMap(([key, { of, ns }]) => {
        if (ns < this.wanted.share * all) return [];
        const own = printSchedule(scheduleOf(of));
        const others = alternatives(nestOf(of.launched[0]!.step.spec), this.target, this.wanted.ways + 1);
        return [[key, others.filter((s) => printSchedule(s) !== own).slice(0, this.wanted.ways)] as const];
      }),
    );
  }
  /** By this schedule; undefined where it asks for more than the plan does. */
  private way(
    schedule: Schedule,
    { launched }: Group,
    bound: Dispatch["bindings"],
  ): Alternatives["ways"][number] | undefined {
    const { step } = launched[0]!;
    const nodes = launched.flatMap(({ kernel }) => kernel.bindings.map((b) => b.node));
    const known = new Map<Node | Scan, Dispatch["bindings"][number]>(
      nodes.map((x, i) => [x.kind === "scan" ? x : baseOf(x), bound[i]!]),
    );
    const kernel = this.lower(step, schedule);
    const kernels = [...(kernel.before ?? []), kernel];
    let partials = 0;
    for (const k of kernels) {
      if (k.module.enables.some((f) => !this.features.has(f))) return undefined;
      if (k.bindings.filter((b) => b.access !== "uniform").length > this.target.storageBuffers) return undefined;
      for (const { node } of k.bindings) {
        const x = node.kind === "scan" ? node : baseOf(node);
        if (known.has(x)) continue;
        if (x.kind !== "source" || step.reads.has(x) || step.writes.has(x) || this.withoutMemory) return undefined;
        const bytes = bytesOfShape(x.shape, x.dtype);
        if (typeof bytes !== "number") return undefined;
        known.set(x, { binding: 0, buffer: this.part(partials++, bytes), offset: 0, bytes, access: "read" });
      }
    }
    const dispatches = kernels.map((k): Launch => {
      const list = k.bindings.map(({ node, binding, access }) => {
        const { buffer, offset, bytes } = known.get(node.kind === "scan" ? node : baseOf(node))!;
        return { binding, buffer, offset, bytes, access };
      });
      const { bindings, module } = boundOnce(step.spec.name, k, list);
      return dispatchOf(step, k, bindings, this.modules.add(step.spec.name, module));
    });
    return { schedule: printSchedule(schedule), dispatches };
  }
  /** Once for all that differ in their tensors alone. */
  private lower({ spec }: Launched["step"], schedule: Schedule): LoweredKernel {
    const key = specKey(spec, this.layout);
    const name = `${printSchedule(schedule)}|${key.key}`;
    const found = this.lowered.get(name);
    if (found) return withTensors(found.kernel, found.key, key);
    const kernel = lowerKernel(spec, this.layout, this.target, { schedule });
    this.lowered.set(name, { key, kernel });
    return kernel;
  }
  /** Memory of the k-th part, which all alternatives share: one of them runs at a time. */
  private part(k: number, bytes: number): number {
    const buffer = (this.parts[k] ??=
      this.buffers.push({ label: `alternatives.part${k || ""}`, role: "scratch", bytes }) - 1);
    const has = this.buffers[buffer]!;
    if (typeof has.bytes === "number" && has.bytes < bytes) this.buffers[buffer] = { ...has, bytes };
    return buffer;
  }
}
const scheduleOf = ({ launched }: Group): Schedule => launched[0]!.kernel.schedule;
/** Kernels that have a key, by the numbers of their last dispatches. */
function groupsOf(list: readonly Command[], launched: readonly Launched[]): ReadonlyMap<number, Group> {
  const groups = new Map<number, Group>();
  let at = 0;
  const walk = (commands: readonly Command[], rounds: number): void => {
    for (const c of commands) {
      if (c.kind === "loop") walk(c.body, rounds * c.count);
      else if (c.kind === "dispatch") {
        const last = at++;
        if (launched[last]!.kernel.key === undefined) continue;
        let first = last;
        while (first > 0 && launched[first - 1]!.step === launched[last]!.step) first--;
        groups.set(last, { launched: launched.slice(first, last + 1), rounds });
      }
    }
  };
  walk(list, 1);
  return groups;
}
