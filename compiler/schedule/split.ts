// A long reduction over few results in two kernels: parts of it, each into memory of its own, then their sum. Both are ordinary specifications.
// Reductions that need the results of others are first taken apart: each part of a kernel that way may be split.
import {
  extentInteger,
  floorDiv,
  iadd,
  integer,
  less,
  linear,
  literal,
  load,
  select,
  substitute,
  variable,
  visit,
} from "../graph/scalar.ts";
import { baseOf, source, tensorsOf } from "../graph/node.ts";
import type { Extent, Integer, Local, Node, Scalar, Source, Variable } from "../graph/types.ts";
import { elements } from "../scalar/dtype.ts";
import type { KernelSpec, Stage } from "../kernel/kernel.ts";
import { estimate } from "./nest.ts";
import type { Target } from "../kernel/target.ts";

export interface Split {
  readonly parts: KernelSpec; // axes: part, then the kernel's
  readonly whole: KernelSpec; // sums the parts and stores
}
const nothing = ({ op, local }: Stage): number | undefined =>
  local.dtype === "bool" || op === "argmax" || op === "argmin" ? undefined : elements[local.dtype].identity[op];
const grain = 32; // parts begin at multiples of this, so that vectors and lanes divide them

/** The reduced axis that is cut: one of a run-time length, else the first. */
const axisToCut = (over: readonly Variable[]): number =>
  Math.max(
    0,
    over.findIndex((v) => typeof v.extent !== "number"),
  );
/** Does a reduction of a length that only the run knows give few results? */
export const isOpen = (spec: KernelSpec): boolean =>
  spec.axes.every((v) => typeof v.extent === "number") &&
  spec.stages.some((s) => s.over.some((v) => typeof v.extent !== "number"));
/** May this kernel's reductions be split? They run over the same axes, see nothing of one another, keep no places, and neither half binds more than `most` buffers. */
export function canSplit(spec: KernelSpec, most: number): boolean {
  const [first] = spec.stages;
  if (!first || !first.over.length) return false;
  const locals = new Set<Scalar>(spec.stages.map((s) => s.local));
  const bound = (roots: readonly Scalar[], targets: readonly Node[] = []): number =>
    spec.stages.length + new Set([...tensorsOf(roots), ...targets].map(baseOf)).size;
  if (
    bound(spec.stages.map((s) => s.value)) > most ||
    bound(
      spec.stores.flatMap((s) => [s.value, ...s.indices]),
      spec.stores.map((s) => s.target),
    ) > most
  )
    return false;
  return (
    spec.stages.every(
      (s) =>
        nothing(s) !== undefined &&
        s.over.length === first.over.length &&
        s.over.every((v, d) => v.extent === first.over[d]!.extent) &&
        !reads(s.value, locals),
    ) && spec.stores.every((s) => !s.over.length)
  );
}
function reads(e: Scalar, locals: ReadonlySet<Scalar>): boolean {
  let found = false;
  visit(e, (x) => void (locals.has(x) && (found = true)));
  return found;
}
/** Steps of one part when a reduction of n steps is cut into about so many parts. */
export const stepsOfPart = (n: number, count: number): number =>
  n % count === 0 ? n / count : Math.ceil(n / count / grain) * grain;
const partCounts = [4, 16, 64];
/**
 * Into how many parts a reduction of n steps may be cut, in steps of one part, whose kernel moves so many bytes. A GPU that is filled by large tiles of
 * results gains nothing, and the parts that are written and read again are at most half of the bytes that move.
 */
export function partsToTry(spec: KernelSpec, n: number, bytes: number, target: Target): readonly number[] {
  const { gpu } = target;
  const least = gpu && spec.stages[0]!.over.length > 1 ? 1 : 2; // a part has something to sum up
  const steps = (counts: readonly number[]): number[] =>
    [...new Set(counts.map((count) => stepsOfPart(n, count)))].filter((chunk) => chunk >= least && 2 * chunk <= n);
  if (!gpu) return steps(partCounts);
  const wanted = fullSimd * gpu.simds * target.cores; // SIMD groups
  const results = spec.axes.reduce((all, v) => all * estimate(v.extent), spec.stages.length);
  const fewest = Math.max(1, results / (largeTile * target.simd));
  const most = Math.min(128, (2 * wanted) / fewest, bytes / (8 * results));
  return steps([2, 4, 8, 16, 32, 64, 128].filter((count) => count <= most));
}
const fullSimd = 4; // SIMD groups that hide most of one another's latency
const largeTile = 32; // results of one invocation
/** Of a run-time length: steps that a part takes at a time (two at least: an axis of extent 1 is none), and how many parts there are. */
export function openParts(spec: KernelSpec, target: Target): { chunk: number; count: number } {
  const { over } = spec.stages[0]!;
  const others = over.reduce((n, v, d) => (d === axisToCut(over) ? n : n * estimate(v.extent)), 1);
  const results = target.gpu ? spec.axes.reduce((all, v) => all * estimate(v.extent), 1) : 1;
  const most = Math.floor((invocationsOfCore * target.cores) / results);
  return {
    chunk: 2 ** Math.max(1, Math.floor(Math.log2(openChunk / others))),
    count: Math.min(256, 8 * target.cores, most),
  };
}
const openChunk = 1024;
const invocationsOfCore = 512; // of a GPU: results by parts that fill it
/** Into ceil(n / chunk) parts, two at least; of a run-time length into `count`, which take the chunks in turn. A part of one step has other axes to sum up over. */
export function splitReduction(spec: KernelSpec, chunk: number, count = 0): Split {
  const cut = axisToCut(spec.stages[0]!.over);
  const n = spec.stages[0]!.over[cut]!.extent;
  const parts = typeof n === "number" ? Math.ceil(n / chunk) : count;
  const part = variable(parts, "part");
  const at = spec.axes.map((v) => (v.extent === 1 ? integer(0) : v));
  const memories: Source[] = [];
  const first = spec.stages.map((s): Stage => {
    const k = s.over[cut]!;
    const own = chunk > 1 ? [variable(chunk, k.name)] : []; // a single step is no axis
    // floor((n + parts * chunk - 1) / (parts * chunk)) turns: an extent of a loop alone, which no tensor has
    const turn =
      typeof n === "number"
        ? undefined
        : variable(
            floorDiv(iadd(extentInteger(n), parts * chunk - 1), parts * chunk) as Integer as Extent,
            `${k.name}_turn`,
          );
    const position = linear([
      [part, chunk],
      ...own.map((v) => [v, 1] as const),
      ...(turn ? [[turn, parts * chunk] as const] : []),
    ]);
    const value = substitute(s.value, new Map([[k, position]]));
    const none = s.local.dtype === "i32" ? integer(nothing(s)!) : literal(nothing(s)!);
    const guarded = parts * chunk === n ? value : select(less(position, extentInteger(n)), value, none);
    memories.push(
      source({
        role: "scratch",
        path: spec.stages.length > 1 ? `${s.local.name}_parts` : "parts",
        shape: [parts, ...spec.axes.map((v) => v.extent)],
        dtype: s.local.dtype,
      }),
    );
    return {
      ...s,
      over: [...(turn ? [turn] : []), ...s.over.slice(0, cut), ...own, ...s.over.slice(cut + 1)],
      value: guarded,
    };
  });
  const second = spec.stages.map((s, i): Stage => {
    const k = variable(parts, "part");
    return { local: s.local, op: s.op, over: [k], value: load(memories[i]!, [k, ...at]) };
  });
  const said =
    typeof n === "number"
      ? `${parts} parts of the reduction, of ${chunk} step${chunk > 1 ? "s" : ""} each`
      : `${parts} parts of the reduction, which take ${chunk} steps in turn`;
  return {
    parts: {
      ...spec,
      name: `${spec.name}_parts`,
      comment: () => [...spec.comment(), said],
      axes: [part, ...spec.axes],
      stages: first,
      stores: first.map((s, i) => ({ target: memories[i]!, over: [], indices: [part, ...at], value: s.local })),
    },
    whole: { ...spec, comment: () => [...spec.comment(), `the sum of the ${parts} parts`], folded: [], stages: second },
  };
}
/**
 * Reductions of run-time length of which some wait for others, as kernels one after the other: the results that later ones need are stored. Undefined:
 * nothing is gained, or a kernel would bind more than the target has.
 */
export function takeApart(spec: KernelSpec, target: Target): { first: KernelSpec; rest: KernelSpec } | undefined {
  if (!isOpen(spec)) return undefined;
  const count = spec.axes.reduce((n, v) => n * (v.extent as number), 1);
  const walks = spec.stores.some((s) => s.over.length);
  const early: Stage[] = [];
  const locals = new Set<Scalar>();
  const read = new Set<Node>();
  for (const s of spec.stages) {
    if (reads(s.value, locals)) break;
    tensorsOf([s.value]).forEach((x) => read.add(baseOf(x)));
    if (read.size + early.length + 1 > target.storageBuffers) break; // each is stored
    early.push(s);
    locals.add(s.local);
  }
  const late = spec.stages.slice(early.length);
  if (
    (!late.length && !walks) ||
    !early.length ||
    count > mostResults * target.cores ||
    early.some((s) => s.local.dtype === "bool")
  )
    return undefined;
  const at = spec.axes.map((v) => (v.extent === 1 ? integer(0) : v));
  const memories = new Map<Local, Source>(
    early.map((s) => [
      s.local,
      source({
        role: "scratch",
        path: `${s.local.name}_of_all`,
        shape: spec.axes.map((v) => v.extent),
        dtype: s.local.dtype,
      }),
    ]),
  );
  const known = new Map<Scalar, Scalar>([...memories].map(([local, memory]) => [local, load(memory, at)]));
  const go = <T extends Scalar>(e: T): T => substitute(e, known) as T;
  const rest = ofRows({
    ...spec,
    stages: late.map((s) => ({ ...s, value: go(s.value) })),
    stores: spec.stores.map((s) => ({ ...s, value: go(s.value), indices: s.indices.map(go) })),
  });
  const bound = new Set([
    ...tensorsOf([...rest.stages.map((s) => s.value), ...rest.stores.flatMap((s) => [s.value, ...s.indices])]),
    ...spec.stores.map((s) => s.target),
  ]);
  if (bound.size + late.length > target.storageBuffers) return undefined;
  const stores = [...memories].map(([local, memory]) => ({ target: memory, over: [], indices: at, value: local }));
  return { first: { ...spec, name: `${spec.name}_first`, stages: early, stores }, rest };
}
const mostResults = 64; // for each core
/** Where nothing is reduced, stores over the same axes: these axes are the kernel's. */
function ofRows(spec: KernelSpec): KernelSpec {
  const [first] = spec.stores;
  if (
    spec.stages.length ||
    !first?.over.length ||
    spec.stores.some(
      (s) => s.over.length !== first.over.length || s.over.some((v, d) => v.extent !== first.over[d]!.extent),
    )
  )
    return spec;
  const stores = spec.stores.map((s) => {
    const own = new Map<Scalar, Scalar>(s.over.map((v, d) => [v, first.over[d]!]));
    return {
      ...s,
      over: [],
      value: substitute(s.value, own),
      indices: s.indices.map((e) => substitute(e, own) as Integer),
    };
  });
  return { ...spec, axes: [...spec.axes, ...first.over], stores };
}
