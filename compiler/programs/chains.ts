// Kernels that follow one another over the same rows as one launch on GPUs: a workgroup takes a tile of rows and does all of them for it, with barriers
// between. In: units with their kernels. Out: the same with RowwiseSteps that have a grid, where that is cheaper than the launches.
import type { Integer, Node, Scalar, Variable } from "../graph/types.ts";
import { iadd, imul, substitute, variable } from "../graph/scalar.ts";
import type { KernelStep, Step, View } from "../kernel/graph.ts";
import type { KernelSpec } from "../kernel/kernel.ts";
import type { Target } from "../kernel/target.ts";
import { loadsOf, storesOf } from "../lower/procedures.ts";
import { estimate } from "../schedule/nest.ts";
import { Rows, type RowAxis } from "../schedule/rows.ts";
import { Touched } from "./depend.ts";
import type { FusedUnit } from "./fuse.ts";
import { roundFor } from "./grid.ts";
import { unitsWithLaunches, type Prices, type Sharing, type Taken } from "./launches.ts";
import { inMemoryOfGrid, type OnGrid, type Surroundings } from "./local.ts";
import { movesOf } from "./moves.ts";

/** `views`: what lies in flat buffers. Launches cost CPUs little beside their kernels, and barriers much. */
export function chainedUnits(
  units: readonly FusedUnit[],
  views: ReadonlyMap<Node, View>,
  target: Target,
): readonly FusedUnit[] {
  if (!target.gpu) return units;
  return unitsWithLaunches(units, views, target, (around, prices) => {
    const chains = new Chains(around, prices);
    return (first, after) => chains.taken(first, after);
  });
}

/** Kernels that may be one launch, in their order, and the axes over which nothing that they write depends on another element. */
interface Chain {
  readonly members: readonly KernelStep[];
  readonly rows: readonly RowAxis[];
  readonly isCut: boolean; // some were left that have few rows in common with the others
}
class Chains {
  private readonly around: Surroundings;
  private readonly prices: Prices;

  constructor(around: Surroundings, prices: Prices) {
    this.around = around;
    this.prices = prices;
  }
  taken(first: KernelStep, after: readonly Step[]): Taken | undefined {
    const wide = this.grown(first, after, rowsOfCore * this.around.target.cores);
    const narrow = wide.isCut && this.isShort(first);
    return this.launch(wide) ?? (narrow ? this.launch(this.grown(first, after, 2)) : undefined);
  }
  /** Of few rows most cores are idle: that may still be better than the launches, where these are most of what kernels take. */
  private isShort(k: KernelStep): boolean {
    return this.prices.alone(k) < shortLaunches * this.prices.target.launchNs;
  }
  /**
   * A kernel with all behind it that may join it and leave so many rows. What does not is left for behind it: nothing may be moved past what it depends on.
   */
  private grown(first: KernelStep, after: readonly Step[], leastRows: number): Chain {
    const { views } = this.around;
    const members = [first];
    let rows = new Rows();
    rows.add(first);
    let axes = rows.axes();
    const [inside, left] = [new Touched(views), new Touched(views)];
    inside.add(first);
    let isCut = false;
    for (const s of after) {
      if (s.kind === "kernel" && !movesOf(s.spec) && inside.isBefore(s) && !left.isBefore(s)) {
        const isLikely = axes.some((r) => s.spec.axes.some((a) => a.extent === r.extent)); // what is one axis has one extent
        const more = isLikely ? rows.with(s) : undefined;
        const kept = more?.axes() ?? [];
        if (more && countOf(kept) >= leastRows) {
          [rows, axes] = [more, kept];
          members.push(s);
          inside.add(s);
          continue;
        }
        isCut = true;
      }
      left.add(s);
    }
    return { members, rows: axes, isCut };
  }
  /** As many of its kernels, from the first on, as are best done in one launch. */
  private launch({ members, rows }: Chain): Taken | undefined {
    const { target } = this.prices;
    let best: { readonly gain: number; readonly way: Way; readonly count: number } | undefined;
    for (const way of this.ways(members, rows)) {
      let gain = -target.launchNs;
      for (const [i, k] of members.entries()) {
        const alone = this.prices.alone(k);
        const most = alone + (i ? mostLoss * target.launchNs : 0);
        const inside = this.prices.inside(k, way, most);
        if (inside >= most) break;
        gain += alone - inside;
        if (i > 0 && gain > (best?.gain ?? 0)) best = { gain, way, count: i + 1 };
      }
    }
    for (let count = best?.count ?? 0; count > 1; count--) {
      const { way } = best!;
      const chosen = members.slice(0, count);
      const step = inMemoryOfGrid({ ...way, members: chosen, body: chosen.map(way.placed) }, this.around);
      if (step) return { step: { ...step, name: `${chosen[0]!.spec.name}_rows`, asLaunches: chosen }, members: chosen };
    }
    return undefined;
  }
  /** Tiles of the rows, and how many invocations have one. */
  private ways(members: readonly KernelStep[], rows: readonly RowAxis[]): readonly Way[] {
    const tiled = rows.findLast((r) => typeof r.extent === "number" && r.extent > 1);
    if (members.length < 2 || !tiled) return [];
    const single = rows.filter((r) => r !== tiled);
    const { cores, together } = this.prices.target;
    const each = tileOf(tiled.extent as number, countOf(rows) / cores);
    const tiles = inTiles(single, tiled, each);
    return together.slice(-2).map((workgroup): Way => ({ ...tiles, each, tiled, single, workgroup }));
  }
}
type Way = Omit<OnGrid, "members" | "body"> & Sharing;
const mostLoss = 2; // launches that a kernel may cost more in the chain than alone: those behind it are to save more than that
const shortLaunches = 1.25; // a kernel with its launch: few others are worth the search
const rowsOfCore = 4; // fewer leave most of it idle
const mostRows = 32; // of a workgroup
/** Rows of a workgroup, so that no tile is cut: about a core's fair share. */
function tileOf(extent: number, fair: number): number {
  const whole = Array.from({ length: Math.min(mostRows, extent) }, (_, k) => k + 1).filter((n) => extent % n === 0);
  return whole.find((n) => n >= fair) ?? whole.at(-1)!;
}
const countOf = (rows: readonly RowAxis[]): number => rows.reduce((n, r) => n * estimate(r.extent), 1);

/** A workgroup takes a tile of the rows. */
function inTiles(single: readonly RowAxis[], tiled: RowAxis, each: number): Pick<Way, "grid" | "placed" | "places"> {
  const ones = single.map((r) => roundFor(r.extent));
  const tile = roundFor((tiled.extent as number) / each);
  const row = variable(each, "r");
  const make = (k: KernelStep): KernelStep => {
    const own = tiled.axisOf.get(k)!;
    const places = new Map<Scalar, Scalar>([
      ...single.map((r, i) => [r.axisOf.get(k)!, ones[i]!.step] as const),
      [own, each > 1 ? iadd(imul(tile.step, each), row) : tile.step],
    ]);
    const onGrid = <T extends Scalar>(e: T): T => substitute(e, places) as T;
    const spec: KernelSpec = {
      ...k.spec,
      axes: k.spec.axes.flatMap((a): Variable[] => (a === own && each > 1 ? [row] : places.has(a) ? [] : [a])),
      stages: k.spec.stages.map((s) => ({ ...s, value: onGrid(s.value) })),
      stores: k.spec.stores.map((s) => ({
        ...s,
        indices: s.indices.map((e): Integer => onGrid(e)),
        value: onGrid(s.value),
      })),
    };
    return { kind: "kernel", spec, reads: loadsOf(spec), writes: storesOf(spec) };
  };
  const made = new Map<KernelStep, KernelStep>();
  const placed = (k: KernelStep): KernelStep => {
    let own = made.get(k);
    if (!own) made.set(k, (own = make(k)));
    return own;
  };
  const places = (k: KernelStep): string => {
    const axis = k.spec.axes.map((a) => single.findIndex((r) => r.axisOf.get(k) === a));
    return `${each} ${k.spec.axes.indexOf(tiled.axisOf.get(k)!)} ${axis.join()}`;
  };
  return { grid: [...ones, tile], placed, places };
}
