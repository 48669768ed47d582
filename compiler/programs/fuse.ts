// Every unit as kernels in order. In: units over flat buffers. Out: the same with their kernels.
import type { Span } from "../../grammar/diagnostic.ts";
import { checkSize } from "../elaborate/sizes.ts";
import { fuse } from "../fuse/fuse.ts";
import type { Node } from "../graph/types.ts";
import type { KernelGraph, Step } from "../kernel/graph.ts";
import type { Target } from "../kernel/target.ts";
import { isPersistent } from "./layout.ts";
import { placeStreams } from "./streams.ts";
import type { UnitKind } from "./units.ts";
import type { FlatModel, FlatUnit } from "./flatten.ts";

export interface FusedUnit extends FlatUnit {
  readonly kernels: KernelGraph;
  readonly trade?: Trade; // of memory for arithmetic, where there is a budget
}

/** What a unit's memory costs: bytes of its own tensors and operations on f32 in a run, before and after. */
export interface Trade {
  readonly bytes: readonly [before: number, after: number];
  readonly flops: readonly [before: number, after: number];
  readonly again: number; // steps that are there more than once
}
const isInitial: ReadonlySet<UnitKind> = new Set(["init", "begin", "late init"]);
/** Throws a Fault where a tensor that has to be stored is larger than any device can hold; `whole` is its place where it has none. */
export function fuseUnits({ units, views }: FlatModel, whole: Span, target: Target): readonly FusedUnit[] {
  const fused = (u: FlatUnit): FusedUnit => {
    if (u.oneLaunch) return { ...u, kernels: u.oneLaunch.kernels };
    const flat = u.flat ?? { step: u.graph, views, assembled: new Map(), updatedBy: new Map() };
    return {
      ...u,
      kernels: placeStreams(fuse(u.graph, target, flat, isInitial.has(u.kind)), target),
    };
  };
  const result = units.map(fused);
  for (const { kernels } of result)
    for (const x of tensorsOf(kernels.steps))
      if (!isPersistent(x) && !views.has(x)) checkSize(x.shape, x.span ?? whole);
  return result;
}
function tensorsOf(steps: readonly Step[]): ReadonlySet<Node> {
  const found = new Set<Node>();
  const walk = (s: Step): void => {
    if (s.kind !== "kernel") s.body.forEach(walk);
    else for (const x of [...s.reads, ...s.writes]) found.add(x);
  };
  steps.forEach(walk);
  return found;
}
