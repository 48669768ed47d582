// Kernels that wait for none of each other and read the same tensor (the gradients of a layer's weights and of its biases) as one launch on GPUs, where that
// is cheaper than the launches: each workgroup does a tile of one of them. In: units with their kernels. Out: the same with RowwiseSteps that are `beside`.
import { InternalError } from "../../grammar/diagnostic.ts";
import type { Node } from "../graph/types.ts";
import type { KernelGraph, KernelStep, RowwiseStep, Step, View } from "../kernel/graph.ts";
import type { Target } from "../kernel/target.ts";
import { elements } from "../scalar/dtype.ts";
import { loadBeside, nsOf, type Beside, type Load } from "../schedule/beside.ts";
import { estimate } from "../schedule/nest.ts";
import { Stretched, touchedBy, type Place } from "./depend.ts";
import type { FusedUnit } from "./fuse.ts";
import { unitsWithLaunches, type Prices, type Taken } from "./launches.ts";
import { inMemoryBeside, type Surroundings } from "./local.ts";
import { isPersistent } from "./layout.ts";
import { movesOf } from "./moves.ts";

/** `views`: what lies in flat buffers. */
export function besideUnits(
  units: readonly FusedUnit[],
  views: ReadonlyMap<Node, View>,
  target: Target,
): readonly FusedUnit[] {
  if (!target.gpu || target.apart || !target.launchNs) return units; // launches are what there is to save
  return unitsWithLaunches(units, views, target, (around, prices) => {
    const groups = new Groups(around, prices);
    return (first, after) => groups.taken(first, after);
  });
}
/** Brute force: no kernel touches what another one beside it writes. */
export function verifyBeside(units: readonly FusedUnit[], views: ReadonlyMap<Node, View>): void {
  for (const { kernels } of units)
    for (const s of launchesIn(kernels.steps))
      for (const a of s.body) {
        const one = new Stretched(placesOf(kernels, views));
        one.add(a);
        if (s.body.some((b) => b !== a && one.isBefore(b)))
          throw new InternalError(`${s.name}: kernels beside one another share memory`);
      }
}
const launchesIn = (steps: readonly Step[]): RowwiseStep[] =>
  steps.flatMap((s) => (s.kind === "loop" ? launchesIn(s.body) : s.kind === "rowwise" && s.beside ? [s] : []));
const placesOf =
  ({ joined }: KernelGraph, views: ReadonlyMap<Node, View>) =>
  (x: Node): Place =>
    views.get(x) ?? joined?.get(x) ?? { memory: x, offset: 0 };

class Groups {
  private readonly around: Surroundings;
  private readonly prices: Prices;

  constructor(around: Surroundings, prices: Prices) {
    this.around = around;
    this.prices = prices;
  }
  taken(first: KernelStep, after: readonly Step[]): Taken | undefined {
    return movesOf(first.spec) ? undefined : this.launch(this.grown(first, after));
  }
  /** A kernel with all behind it that may run beside it. What may not is left for behind it. */
  private grown(first: KernelStep, after: readonly Step[]): readonly KernelStep[] {
    const { kernels, views } = this.around;
    const members = [first];
    const all = new Stretched(placesOf(kernels, views)); // the kernel with all between
    all.add(first);
    for (const s of after) {
      if (s.kind === "kernel" && !movesOf(s.spec) && !all.isBefore(s)) members.push(s);
      all.add(s);
    }
    return members;
  }
  /** Of what lives in the unit alone and is there earlier beside others. */
  private keptBytes(k: KernelStep): number {
    const own = [...touchedBy(k).writes].filter((x) => !isPersistent(x) && !this.around.views.has(x));
    return own.reduce((n, x) => n + x.shape.reduce<number>((m, e) => m * estimate(e), elements[x.dtype].bytes), 0);
  }
  /** The first of these kernels with those that are best done in its launch. */
  private launch(members: readonly KernelStep[]): Taken | undefined {
    const { target } = this.around;
    const sharing = members.slice(1).some((k) => sharesRead(k, members[0]!));
    let best: (Taken & { readonly gain: number }) | undefined;
    for (const workgroup of sharing ? target.together : []) {
      const launch: Beside = { workgroup, inTurn: target.workgroupMemory };
      const first = loadBeside(members[0]!.spec, launch, target);
      if (!first) continue;
      let chosen: readonly KernelStep[] = [members[0]!];
      let loads: readonly Load[] = [first];
      let ns = nsOf(loads, workgroup, target);
      let alone = this.prices.alone(members[0]!);
      let step: RowwiseStep | undefined;
      let kept = 0; // bytes
      for (const k of members.slice(1)) {
        const more = this.keptBytes(k);
        if (kept + more > mostKept || !chosen.some((m) => sharesRead(k, m))) continue;
        const load = loadBeside(k.spec, launch, target);
        if (!load) continue;
        const own = this.prices.alone(k);
        const together = nsOf([...loads, load], workgroup, target);
        if (ns + own - together <= leastGain * target.launchNs) continue;
        const made = inMemoryBeside([...chosen, k], launch, this.around);
        if (!made) continue;
        [chosen, loads, ns, alone, step, kept] = [
          [...chosen, k],
          [...loads, load],
          together,
          alone + own,
          made,
          kept + more,
        ];
      }
      const gain = alone - ns;
      if (step && gain > (best?.gain ?? 0)) best = { gain, step, members: chosen };
    }
    if (!best) return undefined;
    const { step, members: chosen } = best;
    return { step: { ...step, name: `${chosen[0]!.spec.name}_beside`, asLaunches: chosen }, members: chosen };
  }
}
const leastGain = 0.5; // of a launch: less is within what a price is wrong by
const mostKept = 2 ** 24; // bytes that are there earlier than they need be
/** Do both read some tensor of more than a number? What the host gives, numbers of a step and arguments, is none. */
function sharesRead(a: KernelStep, b: KernelStep): boolean {
  const own = touchedBy(b).reads;
  return [...touchedBy(a).reads].some(
    (x) => own.has(x) && !(x.kind === "source" && x.role === "input") && x.shape.some((n) => n !== 1),
  );
}
