// Loops as one launch each, where that is cheaper than a launch for every kernel of every round; what runs before and after them joins where it saves
// a launch. In: units with their kernels. Out: the same with RowwiseSteps.
import type { Node } from "../graph/types.ts";
import type { KernelGraph, KernelStep, LoopStep, Step, View } from "../kernel/graph.ts";
import type { Target } from "../kernel/target.ts";
import { nestOf } from "../schedule/nest.ts";
import { rowsOf, type RowAxis } from "../schedule/rows.ts";
import { priceRowwise, type RowwisePrice } from "../schedule/rowwise.ts";
import { choose } from "../schedule/choose.ts";
import type { FusedUnit } from "./fuse.ts";
import { dependOn } from "./depend.ts";
import { inMemory, usersIn, type Surroundings } from "./local.ts";
import { isRunOnce } from "./lower.ts";
import { movesOf } from "./moves.ts";

/** `views`: what lies in flat buffers. */
export function rowwiseUnits(
  units: readonly FusedUnit[],
  views: ReadonlyMap<Node, View>,
  target: Target,
): readonly FusedUnit[] {
  return units.map((u): FusedUnit => {
    if (u.oneLaunch || isRunOnce(u) || !u.kernels.steps.some((s) => s.kind === "loop")) return u;
    return { ...u, kernels: rowwise(u.kernels, views, target) };
  });
}
function rowwise(kernels: KernelGraph, views: ReadonlyMap<Node, View>, target: Target): KernelGraph {
  const joined = new Map<Node, View>();
  const around: Surroundings = { kernels, views, joined, target, usersOf: usersIn(kernels.steps) };
  const steps = new Regions(around).inList(kernels.steps);
  return { ...kernels, steps, joined };
}
/** Steps that one launch may do. */
interface Region {
  readonly members: readonly Step[];
  readonly rows: RowAxis | undefined;
  readonly price: RowwisePrice;
}
class Regions {
  private readonly around: Surroundings;
  private readonly alone = new Map<Step, number>();

  constructor(around: Surroundings) {
    this.around = around;
  }
  /** Steps of one level. A loop that is no launch may have some inside. */
  inList(steps: readonly Step[]): Step[] {
    const waiting = [...steps];
    const result: Step[] = [];
    while (waiting.length) {
      const s = waiting.shift()!;
      if (s.kind !== "loop") {
        result.push(s);
        continue;
      }
      const { region, later } = this.grown(s, result.slice(-furthest), waiting.slice(0, furthest));
      const made = region && inMemory(region.members, region.rows, region.price, this.around, true);
      if (!made) {
        result.push(insideOf(s, this.inList(s.body)));
        continue;
      }
      const taken = new Set(region.members);
      const keep = (list: Step[]): void =>
        void list.splice(0, list.length, ...list.filter((x) => !taken.has(x) && !later.has(x)));
      keep(result);
      keep(waiting);
      result.push(made, ...later);
    }
    return result;
  }
  /** A loop as one launch, with what may join it from before and after; `later`: what is before it and has to run behind it then. */
  private grown(
    loop: LoopStep,
    before: readonly Step[],
    after: readonly Step[],
  ): { readonly region?: Region; readonly later: ReadonlySet<Step> } {
    const first = this.region([loop]);
    if (!first || !this.isBelow(first.price.total, loop, "launches")) return { later: new Set() };
    let region: Region = first;
    // what is not taken stays where it is: nothing may be moved past what it depends on
    const left: Step[] = [];
    for (const s of after) {
      const next: Region | undefined = left.some((x) => dependOn(x, s, this.around.views))
        ? undefined
        : this.joined(region, s, [...region.members, s]);
      if (next) region = next;
      else left.push(s);
    }
    const kept: Step[] = []; // of those before, in order
    let later: ReadonlySet<Step> = new Set();
    for (const s of [...before].reverse()) {
      const moved = this.movedBehind(kept, s, later, region.members, before);
      const next: Region | undefined = moved && this.joined(region, s, [s, ...region.members]);
      if (next && moved) [region, later] = [next, moved];
      else kept.unshift(s);
    }
    return { region, later: new Set(kept.filter((x) => later.has(x))) };
  }
  /** What has to run behind a region that takes s, or undefined where the region needs some of it. */
  private movedBehind(
    kept: readonly Step[],
    s: Step,
    later: ReadonlySet<Step>,
    members: readonly Step[],
    before: readonly Step[],
  ): ReadonlySet<Step> | undefined {
    const moved = new Set(later);
    for (const x of kept)
      if (
        dependOn(s, x, this.around.views) ||
        [...moved].some((y) => y !== x && before.indexOf(y) < before.indexOf(x) && dependOn(y, x, this.around.views))
      )
        moved.add(x);
    const needs = (m: Step, x: Step): boolean =>
      (before.includes(m) ? before.indexOf(m) > before.indexOf(x) : true) && dependOn(x, m, this.around.views);
    return [...moved].some((x) => members.some((m) => needs(m, x))) ? undefined : moved;
  }
  /** The region with one more step, if its launch is worth saving. */
  private joined(region: Region, s: Step, members: readonly Step[]): Region | undefined {
    if (s.kind === "rowwise") return undefined;
    const next = this.region(members, region.rows);
    return next && this.isBelow(next.price.total - region.price.total, s, "cheapest") ? next : undefined;
  }
  /** Undefined where one launch cannot do all of it. */
  private region(members: readonly Step[], like?: RowAxis): Region | undefined {
    if (members.some(hasLaunch)) return undefined;
    const rows = rowsOf(members);
    if (like && !rows) return undefined; // one workgroup in place of many
    const price = priceRowwise(members, rows, this.around.target);
    return price && price.total < longest && inMemory(members, rows, price, this.around, false)
      ? { members, rows, price }
      : undefined;
  }
  // ---- prices without a region
  /** Is it less than the price? What the launches alone take is known at once, and mostly decides. */
  private isBelow(ns: number, s: Step, price: "launches" | "cheapest"): boolean {
    return ((price === "launches" || s.kind === "kernel") && ns < this.launchesAlone(s)) || ns < this[price](s);
  }
  private launchesAlone(s: Step): number {
    if (s.kind === "kernel") return this.launchOf(s);
    return (s.kind === "loop" ? s.scan.count : 1) * s.body.reduce((sum, x) => sum + this.launchesAlone(x), 0);
  }
  private launchOf(s: KernelStep): number {
    return (movesOf(s.spec) ? copyShare : 1) * this.around.target.launchNs;
  }
  private cheapest(s: Step): number {
    const own = s.kind === "loop" ? this.region([s])?.price.total : undefined;
    return Math.min(own ?? Infinity, this.launches(s));
  }
  private launches(s: Step): number {
    let ns = this.alone.get(s);
    if (ns === undefined) this.alone.set(s, (ns = this.launchesOf(s, 1)));
    return ns;
  }
  private launchesOf(s: Step, times: number): number {
    const { target } = this.around;
    if (s.kind !== "kernel") {
      const count = s.kind === "loop" ? s.scan.count : 1;
      return count * s.body.reduce((sum, x) => sum + this.launchesOf(x, times * count), 0);
    }
    if (movesOf(s.spec)) return this.launchOf(s);
    return choose(nestOf(s.spec), times === 1 ? target : { ...target, runs: target.runs * times }).total;
  }
}
/** Has it launches of many kernels in it already? */
const hasLaunch = (s: Step): boolean => s.kind === "rowwise" || (s.kind === "loop" && s.body.some(hasLaunch));
const furthest = 40; // steps from a loop that are looked at
const longest = 2e8; // ns of a launch: systems stop a device that seems to hang
const copyShare = 0.5; // of a launch: what a copy costs that no kernel does
const insideOf = (loop: LoopStep, body: readonly Step[]): LoopStep =>
  body.every((s, i) => s === loop.body[i]) ? loop : { ...loop, body };
