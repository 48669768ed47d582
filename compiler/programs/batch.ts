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
import { Stretched, touchedBy, type Place } from "./depend.ts";
import { elements } from "../scalar/dtype.ts";
import { nestOf } from "../schedule/nest.ts";
import { choose } from "../schedule/choose.ts";
import type { FusedUnit } from "./fuse.ts";
import { isPersistent } from "./layout.ts";
import { isRunOnce } from "./lower.ts";
import { movesOf } from "./moves.ts";
import { specKey } from "../kernel/spec-key.ts";

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
  const placeOf = (x: Node): Place => views.get(x) ?? joined.get(x) ?? { memory: x, offset: 0 };
  let steps = kernels.steps;
  for (const alike of alikeIn(steps, layout))
    for (const whole of runsOf(steps, alike, placeOf))
      for (const run of stretches(whole, views)) {
        const made = batch(run, { views, joined, outputs, target });
        if (!made) continue;
        for (const [x, v] of made.joined) joined.set(x, v);
        const members = new Set<Step>(run.map((m) => m.step));
        const last = steps.findLastIndex((s) => members.has(s));
        steps = steps.flatMap((s, k) => (k === last ? [made.step] : members.has(s) ? [] : [s]));
      }
  return steps === kernels.steps ? kernels : { ...kernels, steps, joined };
}
/** Kernels of one formula, in their order. */
function alikeIn(steps: readonly Step[], layout: Layout): readonly Member[][] {
  const likely = grouped(
    steps.filter((s): s is KernelStep => s.kind === "kernel" && !movesOf(s.spec)),
    ({ spec: { axes, stages, stores } }) =>
      [axes, ...stages.map((x) => x.over), ...stores.map((x) => x.over)]
        .map((list) => list.map((v) => (typeof v.extent === "number" ? v.extent : "?")).join())
        .join("|"),
  );
  return likely.flatMap((list) => {
    const members = list.flatMap((step): (Member & { readonly key: string })[] => {
      const { key, tensors, scans } = specKey(step.spec, layout);
      const isKnown = !scans.length && tensors.every((x) => x.shape.every((n) => typeof n === "number"));
      return isKnown ? [{ step, tensors, key }] : [];
    });
    return grouped(members, (m) => m.key);
  });
}
/** Those that have a key in common with others. */
function grouped<T>(list: readonly T[], keyOf: (x: T) => string): T[][] {
  const found = new Map<string, T[]>();
  for (const x of list) {
    const key = keyOf(x);
    const own = found.get(key);
    if (own) own.push(x);
    else found.set(key, [x]);
  }
  return [...found.values()].filter((own) => own.length > 1);
}
/** Those of them that may all run where the last does: nothing between needs what they write, or writes what they read. */
function runsOf(steps: readonly Step[], alike: readonly Member[], placeOf: (x: Node) => Place): readonly Member[][] {
  const runs: Member[][] = [];
  const members = new Map<Step, Member>(alike.map((m) => [m.step, m]));
  let all = new Stretched(placeOf);
  const first = steps.indexOf(alike[0]!.step); // they are in the order of the steps
  const last = steps.indexOf(alike.at(-1)!.step);
  for (const s of steps.slice(first, last + 1)) {
    const member = members.get(s);
    let run = runs.at(-1);
    if (run && all.isBefore(s)) run = undefined;
    if (!run) {
      // what began before does not go on
      all = new Stretched(placeOf);
      if (runs.at(-1)?.length !== 0) runs.push([]);
      run = runs.at(-1)!;
    }
    if (!member) continue;
    run.push(member);
    all.add(s);
  }
  return runs.filter((run) => run.length > 1);
}
/** Those whose slices of flat buffers lie at one distance, the most first: of layers that alternate with others, each kind by itself. */
function stretches(run: readonly Member[], views: ReadonlyMap<Node, View>): readonly (readonly Member[])[] {
  const placed = run[0]!.tensors.flatMap((_, t) => (run.every((m) => views.has(m.tensors[t]!)) ? [t] : []));
  const moving = placed.filter((t) => new Set(run.map((m) => m.tensors[t])).size > 1);
  if (!moving.length || run.length > mostAlike) return [run];
  type At = readonly number[];
  const at = (m: Member): At => moving.map((t) => views.get(m.tensors[t]!)!.offset);
  const nameOf = (m: Member, offsets: At): string =>
    [...moving.map((t) => views.get(m.tensors[t]!)!.memory.id), ...offsets].join();
  let left = [...run].sort((a, b) => at(a)[0]! - at(b)[0]!);
  const found: Member[][] = [];
  while (left.length > 1) {
    const byPlace = new Map(left.map((m) => [nameOf(m, at(m)), m]));
    let best: Member[] = [];
    for (const [i, a] of left.entries())
      for (const b of left.slice(i + 1)) {
        const stride = at(b).map((n, k) => n - at(a)[k]!);
        const members = [a];
        for (let next: Member | undefined = b; next && !members.includes(next);) {
          members.push(next);
          next = byPlace.get(
            nameOf(
              next,
              at(next).map((n, k) => n + stride[k]!),
            ),
          );
        }
        if (members.length > best.length && nameOf(a, at(b)) === nameOf(b, at(b))) best = members;
      }
    if (best.length < 2) break;
    found.push(best);
    left = left.filter((m) => !best.includes(m));
  }
  return found;
}
const mostAlike = 48; // whose places are looked at one by one

interface Surroundings {
  readonly views: ReadonlyMap<Node, View>;
  readonly joined: ReadonlyMap<Node, View>;
  readonly outputs: ReadonlySet<Node>;
  readonly target: Target;
}
interface Batch {
  readonly step: KernelStep;
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
  const touches = {
    reads: new Set(all.flatMap((s) => [...touchedBy(s).reads])),
    writes: new Set(all.flatMap((s) => [...touchedBy(s).writes])),
  };
  return {
    step: {
      kind: "kernel",
      spec: made,
      reads: new Set([...touches.reads, ...loadsOf(made)]),
      writes: new Set([...touches.writes, ...storesOf(made)]),
      touches,
    },
    joined,
  };
}
const mostOfPrice = 0.75; // of the launches one by one: less is within what a price is wrong by
const mostJoined = 2 ** 24; // bytes of tensors that live until all of them are there
const sizeOf = (x: Node): number => baseOf(x).shape.reduce<number>((p, n) => p * (n as number), 1);
