// Several kernels of a unit as one launch. In: units with their kernels, and who looks for what a kernel may be one launch with. Out: the same units with
// these launches.
import type { Node } from "../graph/types.ts";
import type { KernelStep, RowwiseStep, Step, View } from "../kernel/graph.ts";
import type { Target } from "../kernel/target.ts";
import type { FusedUnit } from "./fuse.ts";
import { usersIn, type Surroundings } from "./local.ts";
import { isRunOnce } from "./lower.ts";
import { Prices } from "./prices.ts";

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
