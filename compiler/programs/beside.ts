// Kernels that wait for none of each other and read the same tensor (the gradients of a layer's weights and of its biases) as one launch on GPUs, where that
// is cheaper than the launches: each workgroup does a tile of one of them. In: units with their kernels. Out: the same with RowwiseSteps that are `beside`.
import { baseOf } from "../graph/node.ts";
import type { Node } from "../graph/types.ts";
import type { KernelGraph, KernelStep, RowwiseStep, Step, View } from "../kernel/graph.ts";
import type { Target } from "../kernel/target.ts";
import { loadBeside, nsOf, type Beside, type Load } from "../schedule/beside.ts";
import { estimate } from "../schedule/nest.ts";
import { Stretches, touchedBy } from "./depend.ts";
import type { FusedUnit } from "./fuse.ts";
import { inMemoryBeside, usersIn, type Surroundings } from "./local.ts";
import { isRunOnce } from "./lower.ts";
import { movesOf } from "./moves.ts";
import { Prices } from "./prices.ts";

/** `views`: what lies in flat buffers. */
export function besideUnits(
  units: readonly FusedUnit[],
  views: ReadonlyMap<Node, View>,
  target: Target,
): readonly FusedUnit[] {
  if (!target.gpu || target.apart) return units;
  const prices = new Prices(target);
  return units.map((u): FusedUnit =>
    u.oneLaunch || isRunOnce(u) ? u : { ...u, kernels: new Groups(u.kernels, views, prices).kernels() },
  );
}
class Groups {
  private readonly around: Surroundings;
  private readonly prices: Prices;

  constructor(kernels: KernelGraph, views: ReadonlyMap<Node, View>, prices: Prices) {
    const joined = new Map(kernels.joined);
    this.around = { kernels, views, joined, target: prices.target, usersOf: usersIn(kernels.steps) };
    this.prices = prices;
  }
  kernels(): KernelGraph {
    const { kernels } = this.around;
    const steps = this.inList(kernels.steps);
    return { ...kernels, steps };
  }
  private inList(steps: readonly Step[]): Step[] {
    const waiting = [...steps];
    const result: Step[] = [];
    while (waiting.length) {
      const first = waiting.shift()!;
      if (first.kind === "loop") result.push({ ...first, body: this.inList(first.body) });
      else if (first.kind === "rowwise" || movesOf(first.spec)) result.push(first);
      else {
        const made = this.launch(this.grown(first, waiting.slice(0, furthest)));
        result.push(made?.step ?? first);
        for (const m of made?.members.slice(1) ?? []) waiting.splice(waiting.indexOf(m), 1);
      }
    }
    return result;
  }
  /** A kernel with all behind it that may run beside it. What may not is left for behind it. */
  private grown(first: KernelStep, after: readonly Step[]): readonly KernelStep[] {
    const { views, joined } = this.around;
    const members = [first];
    const placeOf = (x: Node): View | { readonly memory: Node; readonly offset: number } =>
      views.get(x) ?? joined.get(x) ?? { memory: x, offset: 0 };
    const [reads, writes] = [new Stretches(placeOf), new Stretches(placeOf)]; // of the kernel with all between
    const add = (s: Step): void => {
      const touched = touchedBy(s);
      reads.add(touched.reads);
      writes.add(touched.writes);
    };
    add(first);
    const read = new Set<Node>(sharedReads(first));
    for (const s of after) {
      const touched = touchedBy(s);
      const waits = writes.meet(touched.reads) || writes.meet(touched.writes) || reads.meet(touched.writes);
      if (!waits && s.kind === "kernel" && !movesOf(s.spec)) {
        const own = sharedReads(s);
        if (own.some((x) => read.has(x))) {
          members.push(s);
          for (const x of own) read.add(x);
        }
      }
      add(s);
    }
    return members;
  }
  /** The first of these kernels with those that are best done in its launch. */
  private launch(
    members: readonly KernelStep[],
  ): { readonly step: RowwiseStep; readonly members: readonly KernelStep[] } | undefined {
    const { target } = this.around;
    let best:
      { readonly gain: number; readonly step: RowwiseStep; readonly members: readonly KernelStep[] } | undefined;
    for (const workgroup of members.length > 1 ? target.together : []) {
      const launch: Beside = { workgroup, inTurn: target.workgroupMemory };
      const first = loadBeside(members[0]!.spec, launch, target);
      if (!first) continue;
      let chosen: readonly KernelStep[] = [members[0]!];
      let loads: readonly Load[] = [first];
      let ns = nsOf(loads, workgroup, target);
      let apart = this.prices.alone(members[0]!);
      let step: RowwiseStep | undefined;
      for (const k of members.slice(1)) {
        const load = loadBeside(k.spec, launch, target);
        if (!load) continue;
        const alone = this.prices.alone(k);
        const together = nsOf([...loads, load], workgroup, target);
        if (!(Math.min(ns + alone - together, target.launchNs) > leastGain * target.launchNs)) continue;
        const made = inMemoryBeside([...chosen, k], launch, this.around);
        if (!made) continue;
        [chosen, loads, ns, apart, step] = [[...chosen, k], [...loads, load], together, apart + alone, made];
      }
      const gain = apart - ns;
      if (step && gain > (best?.gain ?? 0)) best = { gain, step, members: chosen };
    }
    if (!best) return undefined;
    const { step, members: own } = best;
    return { step: { ...step, name: `${own[0]!.spec.name}_beside`, apart: own }, members: own };
  }
}
const furthest = 60; // steps from the first that are looked at
const leastGain = 0.5; // of a launch: less is within what a price is wrong by
/** Tensors of more than a number. */
const sharedReads = ({ reads }: KernelStep): readonly Node[] =>
  [...reads].flatMap((x) => {
    const base = baseOf(x);
    return base.shape.reduce<number>((n, e) => n * estimate(e), 1) > 1 ? [base] : [];
  });
