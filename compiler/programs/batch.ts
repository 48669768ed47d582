// Kernels that differ only in their tensors and do not wait for one another (the weight gradients of equal layers, the nets of an ensemble) as one launch with
// one more axis, where that is cheaper. What they read and write lies at one distance: tensors of the unit alone are put into one buffer for it.
// In: units with their kernels. Out: the same with fewer.
import { baseOf, source } from "../graph/node.ts";
import { iadd, imul, variable } from "../graph/scalar.ts";
import type { Node } from "../graph/types.ts";
import type { KernelGraph, KernelStep, Step, View } from "../kernel/graph.ts";
import type { Layout } from "../kernel/layout.ts";
import { bindingAlignment } from "../kernel/sizes.ts";
import type { Target } from "../kernel/target.ts";
import { loadsOf, storesOf } from "../lower/procedures.ts";
import { physical, type PlacedView } from "../lower/whole.ts";
import { elements } from "../scalar/dtype.ts";
import { nestOf } from "../schedule/nest.ts";
import { choose } from "../schedule/space.ts";
import type { FusedUnit } from "./fuse.ts";
import { isPersistent } from "./layout.ts";
import { isRunOnce } from "./lower.ts";
import { movesOf } from "./moves.ts";
import { specKey } from "./spec-key.ts";

/** `views`: what lies in flat buffers. */
export function batchUnits(
  units: readonly FusedUnit[],
  views: ReadonlyMap<Node, View>,
  layout: Layout,
  target: Target,
): readonly FusedUnit[] {
  return units.map((u): FusedUnit => {
    if (u.oneLaunch || isRunOnce(u)) return u;
    return { ...u, kernels: batched(u.kernels, views, layout, target) };
  });
}
interface Member {
  readonly step: KernelStep;
  readonly tensors: readonly Node[]; // by their places in the specification
}
function batched(kernels: KernelGraph, views: ReadonlyMap<Node, View>, layout: Layout, target: Target): KernelGraph {
  const joined = new Map(kernels.joined);
  const outputs = new Set(kernels.outputs.map((o) => o.memory));
  let steps = kernels.steps;
  for (const alike of alikeIn(steps, layout))
    for (const run of runsOf(steps, alike)) {
      const made = batch(run, { views, joined, outputs, target });
      if (!made) continue;
      for (const [x, v] of made.joined) joined.set(x, v);
      const members = new Set<Step>(made.members);
      const last = steps.findLastIndex((s) => members.has(s));
      steps = steps.flatMap((s, k) => (k === last ? [made.step] : members.has(s) ? [] : [s]));
    }
  return steps === kernels.steps ? kernels : { ...kernels, steps, joined };
}
/** Kernels of one formula, in their order. */
function alikeIn(steps: readonly Step[], layout: Layout): readonly Member[][] {
  const found = new Map<string, Member[]>();
  for (const step of steps) {
    if (step.kind !== "kernel" || movesOf(step.spec)) continue;
    const { key, tensors, scans } = specKey(step.spec, layout);
    if (scans.length || tensors.some((x) => x.shape.some((n) => typeof n !== "number"))) continue;
    found.set(key, [...(found.get(key) ?? []), { step, tensors }]);
  }
  return [...found.values()].filter((list) => list.length > 1);
}
/** Those of them that may all run where the last does: nothing between needs what they write, or writes what they read. */
function runsOf(steps: readonly Step[], alike: readonly Member[]): readonly Member[][] {
  const runs: Member[][] = [];
  let from = 0;
  for (const m of alike) {
    const to = steps.indexOf(m.step);
    const run = runs.at(-1);
    const isFree =
      run &&
      steps
        .slice(from + 1, to + 1)
        .every((s) =>
          run.every((r) => r.step === s || steps.indexOf(r.step) > steps.indexOf(s) || !depends(r.step, s)),
        );
    if (isFree) run.push(m);
    else {
      runs.push([m]);
      from = to;
    }
  }
  return runs.filter((run) => run.length > 1);
}
/** Must b stay behind a? */
function depends(a: Step, b: Step): boolean {
  for (const x of a.writes) if (b.reads.has(x) || b.writes.has(x)) return true;
  for (const x of b.writes) if (a.reads.has(x)) return true;
  return false;
}

interface Surroundings {
  readonly views: ReadonlyMap<Node, View>;
  readonly joined: ReadonlyMap<Node, View>;
  readonly outputs: ReadonlySet<Node>;
  readonly target: Target;
}
interface Batch {
  readonly step: KernelStep;
  readonly members: readonly KernelStep[];
  readonly joined: ReadonlyMap<Node, View>;
}
function batch(run: readonly Member[], around: Surroundings): Batch | undefined {
  const { views, target } = around;
  // in the order of the flat buffers, if they have places there
  const flat = run[0]!.tensors.findIndex(
    (_, t) => new Set(run.map((m) => m.tensors[t])).size > 1 && views.has(run[0]!.tensors[t]!),
  );
  const offsetOf = (m: Member): number => views.get(m.tensors[flat]!)?.offset ?? 0;
  const sorted = flat < 0 ? run : [...run].sort((a, b) => offsetOf(a) - offsetOf(b));
  const { spec } = sorted[0]!.step;
  const joined = new Map<Node, View>();
  const layer = variable(sorted.length, "layer");
  const placed = new Map<Node, PlacedView>();
  let bytes = 0;
  for (const [t, first] of sorted[0]!.tensors.entries()) {
    const own = sorted.map((m) => m.tensors[t]!);
    if (own.every((x) => x === first)) continue; // all read the same
    if (new Set(own).size < own.length) return undefined;
    let at = own.map((x) => views.get(x) ?? around.joined.get(x) ?? joined.get(x));
    if (at.every((v) => v === undefined)) {
      if (own.some((x) => isPersistent(x) || around.outputs.has(x))) return undefined;
      const grain = bindingAlignment / elements[first.dtype].bytes;
      const stride = Math.ceil(sizeOf(first) / grain) * grain;
      const shape = [stride * own.length];
      const memory = source({
        role: "scratch",
        path: "layers",
        shape,
        dtype: first.dtype,
        label: "layers",
        range: first.range,
      });
      at = own.map((_, k) => ({ memory, offset: k * stride }));
      own.forEach((x, k) => joined.set(x, at[k]!));
      bytes += shape[0]! * elements[first.dtype].bytes;
    }
    const places = at.flatMap((v) => v ?? []);
    const [a, b] = places;
    if (!a || !b || places.length < own.length) return undefined;
    const stride = b.offset - a.offset;
    if (!places.every((v, k) => v.memory === a.memory && v.offset === a.offset + k * stride)) return undefined;
    placed.set(first, { memory: a.memory, offset: iadd(imul(layer, stride), a.offset) });
  }
  if (!placed.size || bytes > mostJoined) return undefined;
  const moved = physical(spec, placed);
  const all = sorted.map((m) => m.step);
  const { comment } = spec;
  const made = {
    ...moved,
    axes: [layer, ...moved.axes],
    comment: () => [...comment(), `and ${sorted.length - 1} more of this formula, over \`layer\``],
    places: all.flatMap((s) => s.spec.places ?? []),
    lines: [...new Set(all.flatMap((s) => s.spec.lines ?? []))],
  };
  const alone = choose(nestOf(spec), target).total * sorted.length;
  if (choose(nestOf(made), target).total > mostOfPrice * alone) return undefined;
  const union = (of: (s: KernelStep) => ReadonlySet<Node>, more: ReadonlySet<Node>): Set<Node> =>
    new Set([...all.flatMap((s) => [...of(s)]), ...more]);
  return {
    step: {
      kind: "kernel",
      spec: made,
      reads: union((s) => s.reads, loadsOf(made)),
      writes: union((s) => s.writes, storesOf(made)),
    },
    members: all,
    joined,
  };
}
const mostOfPrice = 0.75; // of the launches one by one: less is within what a price is wrong by
const mostJoined = 2 ** 24; // bytes of tensors that live until all of them are there
const sizeOf = (x: Node): number => baseOf(x).shape.reduce<number>((p, n) => p * (n as number), 1);
