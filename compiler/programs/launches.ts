// Several kernels of a unit as one launch. In: units with their kernels, and who looks for what a kernel may be one launch with. Out: the same units with
// these launches.
import type { Node } from "../graph/types.ts";
import type { KernelStep, RowwiseStep, Step, View } from "../kernel/graph.ts";
import type { KernelSpec } from "../kernel/kernel.ts";
import { specKey } from "../kernel/spec-key.ts";
import type { Target } from "../kernel/target.ts";
import { cheapestInChain } from "../schedule/chain.ts";
import { choose } from "../schedule/choose.ts";
import { estimate, nestOf } from "../schedule/nest.ts";
import type { FusedUnit } from "./fuse.ts";
import { usersIn, type OnGrid, type Surroundings } from "./local.ts";
import { isRunOnce } from "./lower.ts";

/** Kernels that are one launch now, in the place of the first of them. */
export interface Taken {
  readonly step: RowwiseStep;
  readonly members: readonly KernelStep[];
}
/** A kernel with some of those behind it. */
type Launch = (first: KernelStep, after: readonly Step[]) => Taken | undefined;

/** `views`: what lies in flat buffers. */
export function unitsWithLaunches(
  units: readonly FusedUnit[],
  views: ReadonlyMap<Node, View>,
  target: Target,
  launchOf: (around: Surroundings, prices: Prices) => Launch,
): readonly FusedUnit[] {
  const prices = new Prices(target);
  return units.map((u): FusedUnit => {
    if (u.oneLaunch || isRunOnce(u)) return u;
    const { kernels } = u;
    const joined = new Map(kernels.joined);
    const launch = launchOf({ kernels, views, joined, target, usersOf: usersIn(kernels.steps) }, prices);
    return { ...u, kernels: { ...kernels, steps: withLaunches(kernels.steps, launch), joined } };
  });
}
function withLaunches(steps: readonly Step[], launch: Launch): Step[] {
  const waiting = [...steps];
  const result: Step[] = [];
  while (waiting.length) {
    const first = waiting.shift()!;
    if (first.kind === "loop") result.push({ ...first, body: withLaunches(first.body, launch) });
    else if (first.kind === "rowwise") result.push(first);
    else {
      const made = launch(first, waiting.slice(0, furthest));
      result.push(made?.step ?? first);
      for (const m of made?.members.slice(1) ?? []) waiting.splice(waiting.indexOf(m), 1);
    }
  }
  return result;
}
const furthest = 60; // steps from the first that are looked at

/** How the workgroups of a launch share the rows. */
export interface Sharing extends Pick<OnGrid, "grid" | "workgroup"> {
  readonly placed: (k: KernelStep) => KernelStep; // as a workgroup does it
  readonly places: (k: KernelStep) => string; // of its axes among those of the rows
}
/** Prices of kernels, once for all that differ in their tensors alone. */
export class Prices {
  readonly target: Target;
  private readonly known = new Map<string, number>();
  private readonly tooMuch = new Map<string, number>(); // ns that a part of a launch does not take less than
  private readonly keys = new WeakMap<KernelSpec, string>();

  constructor(target: Target) {
    this.target = target;
  }
  /** ns of a launch. */
  alone({ spec }: KernelStep): number {
    return this.once(this.keyOf(spec), () => choose(nestOf(spec), this.target).total);
  }
  /** ns as a part of a launch; `most` or more where they are not less. */
  inside(k: KernelStep, { placed, places, grid, workgroup }: Sharing, most: number): number {
    const groups = grid.reduce((n, s) => n * estimate(s.step.extent), 1);
    const key = `${groups} ${workgroup} ${places(k)} ${this.keyOf(k.spec)}`;
    const chain = { groups, workgroup, inTurn: this.target.inTurn };
    if (most <= (this.tooMuch.get(key) ?? 0)) return Infinity;
    const ns = this.known.get(key) ?? cheapestInChain(placed(k).spec, chain, this.target, most)?.total;
    if (ns === undefined) this.tooMuch.set(key, most);
    else this.known.set(key, ns);
    return ns ?? Infinity;
  }
  private once(key: string, price: () => number): number {
    let ns = this.known.get(key);
    if (ns === undefined) this.known.set(key, (ns = price()));
    return ns;
  }
  private keyOf(spec: KernelSpec): string {
    let key = this.keys.get(spec);
    if (key === undefined) this.keys.set(spec, (key = specKey(spec).key));
    return key;
  }
}
