// Other schedules of the kernels that steps spend their time in, and the kernels of one launch as launches, for the same tensors: a device may measure them
// and take the best.
// In: a plan with its programs. Out: the same with alternatives at its dispatches; their modules and what their parts sum up come behind all others.
import type { Alternatives, Command, Dispatch, Launch, PlanBuffer } from "../../runtime/plan.ts";
import { baseOf } from "../graph/node.ts";
import type { Node, Scan } from "../graph/types.ts";
import type { Layout } from "../kernel/layout.ts";
import type { Target } from "../kernel/target.ts";
import { lowerKernel, type LoweredKernel } from "../lower/lower.ts";
import { specKey, type SpecKey } from "../kernel/spec-key.ts";
import { withTensors, type AsLaunches } from "../programs/lower.ts";
import { alternatives } from "../schedule/alternatives.ts";
import { nestOf } from "../schedule/nest.ts";
import { printSchedule, type Schedule } from "../schedule/schedule.ts";
import { isPersistent } from "../programs/layout.ts";
import { bytesOfShape, shifted } from "./buffers.ts";
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
type Bindings = Dispatch["bindings"];
type Binding = Bindings[number];
type Ways = Alternatives["ways"];
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
      const { kernel, asLaunches } = group.launched[0]!;
      const ways = asLaunches ? this.launches(asLaunches, group, bound) : own.flatMap((s) => this.way(s, group, bound));
      if (!ways.length) return c;
      const schedule = asLaunches?.before ?? printSchedule(kernel.schedule);
      const alternatives: Alternatives = { key: keyOf(group)!, parts, schedule, ways };
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
        const [{ step, kernel, asLaunches }] = of.launched as readonly [Launched];
        const own = printSchedule(kernel.schedule);
        const others = asLaunches ? [] : alternatives(nestOf(step.spec), this.target, this.wanted.ways + 1);
        return [[key, others.filter((s) => printSchedule(s) !== own).slice(0, this.wanted.ways)] as const];
      }),
    );
  }
  /** By this schedule; none where it asks for more than the plan does. */
  private way(schedule: Schedule, { launched }: Group, bound: Bindings): Ways {
    const { step } = launched[0]!;
    const memory = this.memory(placesIn(launched, bound), ({ kind }) => kind === "source");
    const kernel = this.lower(step, schedule);
    const dispatches = this.dispatches([{ step, kernel }], memory);
    return dispatches ? [{ schedule: printSchedule(schedule), dispatches }] : [];
  }
  /** Kernels that are one launch, each by itself: what lay in workgroup memory has memory of its own. */
  private launches({ views, schedule, launches }: AsLaunches, { launched }: Group, bound: Bindings): Ways {
    const places = placesIn(launched, bound);
    for (const [x, { memory, offset }] of views) {
      const of = places.get(memory);
      if (of) places.set(x, { ...of, ...shifted(of, offset, x.dtype), bytes: bytesOfShape(x.shape, x.dtype) });
    }
    const list = launches().map(({ step, kernel }) => ({ step, kernel: kernel() }));
    const made = new Set(list.flatMap(({ step }) => [...step.writes]));
    const dispatches = this.dispatches(
      list,
      this.memory(places, (x) => made.has(x) || x.kind === "source"),
    );
    return dispatches ? [{ schedule, dispatches }] : [];
  }
  /** Each kernel after those that make its parts; undefined where one binds what has no place, or asks for more than the plan does. */
  private dispatches(
    list: readonly Pick<Launched, "step" | "kernel">[],
    memory: (x: Node | Scan) => Binding | undefined,
  ): readonly Launch[] | undefined {
    const made: (() => Launch)[] = [];
    for (const { step, kernel } of list)
      for (const k of [...(kernel.before ?? []), kernel]) {
        if (k.module.enables.some((f) => !this.features.has(f))) return undefined;
        if (k.bindings.filter((b) => b.access !== "uniform").length > this.target.storageBuffers) return undefined;
        const own = k.bindings.map(({ node, binding, access }): Binding | undefined => {
          const of = memory(node.kind === "scan" ? node : baseOf(node));
          return of && { ...of, binding, access };
        });
        if (!own.every((b) => b !== undefined)) return undefined;
        const { bindings, module } = boundOnce(step.spec.name, k, own);
        made.push(() => dispatchOf(step, k, bindings, this.modules.add(step.spec.name, module)));
      }
    return made.map((launch) => launch());
  }
  /** What stands there already, and memory for what else these launches make. */
  private memory(
    places: Map<Node | Scan, Binding>,
    mayMake: (x: Node) => boolean,
  ): (x: Node | Scan) => Binding | undefined {
    let count = 0;
    return (x) => {
      const known = places.get(x);
      if (known || x.kind === "scan" || this.withoutMemory || isPersistent(x) || !mayMake(x)) return known;
      const bytes = bytesOfShape(x.shape, x.dtype);
      if (typeof bytes !== "number") return undefined;
      const made: Binding = { binding: 0, buffer: this.part(count++, bytes), offset: 0, bytes, access: "read" };
      places.set(x, made);
      return made;
    };
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
/** Where the tensors are that these launches bind, and what they are parts of. */
function placesIn(launched: readonly Launched[], bound: Bindings): Map<Node | Scan, Binding> {
  const places = new Map<Node | Scan, Binding>();
  const all = launched.flatMap(({ kernel }) => kernel.bindings);
  for (const [i, { node, within }] of all.entries()) {
    const own = bound[i]!;
    places.set(node.kind === "scan" ? node : baseOf(node), own);
    if (!within) continue;
    const { memory, offset } = within;
    places.set(memory, {
      ...own,
      ...shifted(own, -offset, memory.dtype),
      bytes: bytesOfShape(memory.shape, memory.dtype),
    });
  }
  return places;
}
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
