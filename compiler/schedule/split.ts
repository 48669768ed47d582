// A long reduction over few results in two kernels: parts of it, each into memory of its own, then their sum. Both are ordinary specifications.
import { extentInteger, integer, less, linear, literal, load, select, substitute, variable, visit } from "../graph/scalar.ts";
import { baseOf, source, tensorsOf } from "../graph/node.ts";
import type { Node, Scalar, Source } from "../graph/types.ts";
import type { KernelSpec, Stage } from "./kernel.ts";

export interface Split {
  readonly parts: KernelSpec; // axes: part, then the kernel's
  readonly whole: KernelSpec; // sums the parts and stores
}
const nothing: Readonly<Record<string, number>> = { sum: 0, prod: 1, max: -3.4028234663852886e38, min: 3.4028234663852886e38 };
const grain = 32; // parts begin at multiples of this, so that vectors and lanes divide them

/** May this kernel's reductions be split? They run over the same axes, see nothing of one another, keep no places, and neither half binds more than `most` buffers. */
export function canSplit(spec: KernelSpec, most: number): boolean {
  const [first] = spec.stages;
  if (!first || !first.over.length) return false;
  const n = first.over[0]!.extent;
  if (typeof n !== "number") return false;
  const locals = new Set<Scalar>(spec.stages.map((s) => s.local));
  const bound = (roots: readonly Scalar[], targets: readonly Node[] = []): number => spec.stages.length + new Set([...tensorsOf(roots), ...targets].map(baseOf)).size;
  if (bound(spec.stages.map((s) => s.value)) > most || bound(spec.stores.flatMap((s) => [s.value, ...s.indices]), spec.stores.map((s) => s.target)) > most) return false; // prettier-ignore
  return spec.stages.every((s) => s.op in nothing && s.local.dtype === "f32" && s.over.length === first.over.length && s.over.every((v, d) => v.extent === first.over[d]!.extent) && !reads(s.value, locals)) && spec.stores.every((s) => !s.over.length);
}
function reads(e: Scalar, locals: ReadonlySet<Scalar>): boolean {
  let found = false;
  visit(e, (x) => void (locals.has(x) && (found = true)));
  return found;
}
/** Steps of one part when a reduction of n steps is cut into about so many parts. */
export const stepsOfPart = (n: number, count: number): number => (n % count === 0 ? n / count : Math.ceil(n / count / grain) * grain);
/** Into ceil(n / steps) parts, two at least. */
export function splitReduction(spec: KernelSpec, chunk: number): Split {
  const n = spec.stages[0]!.over[0]!.extent as number;
  const parts = Math.ceil(n / chunk);
  const part = variable(parts, "part");
  const at = spec.axes.map((v) => (v.extent === 1 ? integer(0) : v));
  const memories: Source[] = [];
  const first = spec.stages.map((s): Stage => {
    const [k, ...rest] = s.over;
    const own = variable(chunk, k!.name);
    const position = linear([[part, chunk], [own, 1]]); // prettier-ignore
    const value = substitute(s.value, new Map([[k!, position]]));
    const guarded = parts * chunk === n ? value : select(less(position, extentInteger(n)), value, literal(nothing[s.op]!));
    memories.push(source({ role: "carry", path: spec.stages.length > 1 ? `${s.local.name}_parts` : "parts", shape: [parts, ...spec.axes.map((v) => v.extent)], dtype: "f32" }));
    return { ...s, over: [own, ...rest], value: guarded };
  });
  const second = spec.stages.map((s, i): Stage => {
    const k = variable(parts, "part");
    return { local: s.local, op: s.op, over: [k], value: load(memories[i]!, [k, ...at]) };
  });
  return {
    parts: { ...spec, name: `${spec.name}_parts`, comment: () => [...spec.comment(), `${parts} parts of the reduction, of ${chunk} steps each`], axes: [part, ...spec.axes], stages: first, stores: first.map((s, i) => ({ target: memories[i]!, over: [], indices: [part, ...at], value: s.local })) },
    whole: { ...spec, comment: () => [...spec.comment(), `the sum of the ${parts} parts`], stages: second },
  };
}
