// The loop nest of a kernel: its axes by name. Neighbouring axes that every address walks as one become one; reductions and rows over the
// same extents share their axes, so that one schedule serves all of them.
import {
  asExtent,
  asInteger,
  extentInteger,
  floorDiv,
  isInteger,
  linear,
  modulo,
  operandsOf,
  substitute,
  termsOf,
  variable,
  visit,
} from "../graph/scalar.ts";
import type { Extent, Integer, Scalar, Shape, Variable } from "../graph/types.ts";
import { mostI32 } from "../scalar/range.ts";
import { freeName } from "../wgsl/names.ts";
import type { KernelSpec, Stage, Store } from "../kernel/kernel.ts";

export interface Nest {
  readonly spec: KernelSpec;
  readonly groups: readonly (readonly Stage[])[]; // the stages, those together that run over the same axes and need nothing of one another
  readonly outer: readonly string[]; // names of spec.axes
  readonly inner: readonly string[]; // of the axes that stages and stores run over
  readonly nameOf: ReadonlyMap<Variable, string>;
  readonly extentOf: ReadonlyMap<string, Extent>;
}
export const estimate = (n: Extent): number => (typeof n === "number" ? n : 64);

const rootsOf = (spec: KernelSpec): Scalar[] => [
  ...spec.stages.map((s) => s.value),
  ...spec.stores.map((s) => s.value),
];
/** The position of an element in row-major order, where the extents below the first are numbers. */
export function flatAddress(shape: Shape, indices: readonly Integer[]): Integer | undefined {
  if (!shape.slice(1).every((n) => typeof n === "number")) return undefined;
  return indices.reduce<Integer>(
    (sum, x, d) =>
      linear([
        [sum, d ? (shape[d] as number) : 1],
        [x, 1],
      ]),
    asInteger(0),
  );
}
/** Does everything see a and b only as a * extent(b) + b? */
function walkedAsOne(spec: KernelSpec, a: Variable, b: Variable): boolean {
  const n = b.extent;
  if (typeof n !== "number" || (typeof a.extent === "number" && a.extent * n > mostI32)) return false; // positions are i32
  const uses = (e: Scalar): boolean => e.variables.has(a) || e.variables.has(b);
  const address = (e: Integer | undefined): boolean => {
    if (!e) return false;
    let ka = 0;
    let kb = 0;
    for (const [atom, k] of termsOf(e)) {
      if (atom === a) ka = k;
      else if (atom === b) kb = k;
      else if (uses(atom)) return false;
    }
    return ka === n * kb;
  };
  const seen = new Set<Scalar>();
  const stack: Scalar[] = rootsOf(spec);
  for (const s of spec.stores) {
    if (!s.indices.some(uses)) continue;
    if (!address(flatAddress(s.target.shape, s.indices))) return false;
  }
  while (stack.length) {
    const e = stack.pop()!;
    if (seen.has(e) || !uses(e)) continue;
    seen.add(e);
    if (e === a || e === b) return false;
    if (e.kind === "load") {
      if (e.outside && e.indices.some(uses)) return false;
      if (!address(flatAddress(e.tensor.shape, e.indices))) return false;
      if (e.outside) stack.push(e.outside);
    } else if (e.kind === "random") {
      if (!address(flatAddress(e.extents, e.indices))) return false;
    } else stack.push(...operandsOf(e));
  }
  return true;
}
const joined = (a: Variable, b: Variable): Variable =>
  variable(asExtent(linear([[extentInteger(a.extent), b.extent as number]])), `${a.name}${b.name}`);
function replaceAxes(spec: KernelSpec, a: Variable, b: Variable, f: Variable): KernelSpec {
  const n = b.extent as number;
  const map = new Map<Scalar, Scalar>([
    [a, floorDiv(f, n)],
    [b, modulo(f, n)],
  ]);
  const memo = new Map<Scalar, Scalar>();
  const go = <T extends Scalar>(e: T): T => substitute(e, map, undefined, memo) as T;
  const axes = (list: readonly Variable[]): readonly Variable[] =>
    list.includes(a) ? list.flatMap((v) => (v === a ? [f] : v === b ? [] : [v])) : list;
  return {
    ...spec,
    axes: axes(spec.axes),
    stages: spec.stages.map((s): Stage => ({ ...s, over: axes(s.over), value: go(s.value) })),
    stores: spec.stores.map((s): Store => ({
      ...s,
      over: axes(s.over),
      value: go(s.value),
      indices: s.indices.map((e) => (isInteger(e) ? go(e) : e)),
    })),
  };
}
/** Axes of extent 1 are constants already. */
function withoutUnits(spec: KernelSpec): KernelSpec {
  const live = (list: readonly Variable[]): readonly Variable[] =>
    list.some((v) => v.extent === 1) ? list.filter((v) => v.extent !== 1) : list;
  return {
    ...spec,
    axes: live(spec.axes),
    stages: spec.stages.map((s) => ({ ...s, over: live(s.over) })),
    stores: spec.stores.map((s) => ({ ...s, over: live(s.over) })),
  };
}
function coalesce(spec: KernelSpec, apart: Variable | undefined): KernelSpec {
  const lists = (): (readonly Variable[])[] => [
    spec.axes,
    ...spec.stages.map((s) => s.over),
    ...spec.stores.map((s) => s.over),
  ];
  for (let l = 0; l < lists().length; l++)
    for (let d = 0; d + 1 < lists()[l]!.length;) {
      const [a, b] = [lists()[l]![d]!, lists()[l]![d + 1]!];
      if (a !== apart && b !== apart && walkedAsOne(spec, a, b)) spec = replaceAxes(spec, a, b, joined(a, b));
      else d++;
    }
  return spec;
}
/** These axes, wherever they are, as one. */
export function joinAxes(spec: KernelSpec, [first, ...others]: readonly Variable[]): KernelSpec {
  let whole = first!;
  for (const b of others) {
    const f = joined(whole, b);
    spec = replaceAxes(spec, whole, b, f);
    whole = f;
  }
  return spec;
}
/** All output axes in one. */
function flatten(spec: KernelSpec): KernelSpec {
  return spec.axes.length ? joinAxes(spec, spec.axes) : spec;
}
export const canFlatten = (nest: Nest): boolean =>
  nest.spec.axes.length > 0 && nest.spec.axes.slice(1).every((v) => typeof v.extent === "number");

/** `apart`: an axis that stays one by itself. */
export function nestOf(given: KernelSpec, apart?: Variable): Nest {
  const make = (): Nest => named(coalesce(withoutUnits(given), apart));
  if (apart) return make();
  let nest = known.get(given);
  if (!nest) known.set(given, (nest = make()));
  return nest;
}
const known = new WeakMap<KernelSpec, Nest>();
export const flatNest = (nest: Nest): Nest => named(flatten(nest.spec), "flat");

/** The axes under names of their own. */
export function named(spec: KernelSpec, flat?: string): Nest {
  const nameOf = new Map<Variable, string>();
  const extentOf = new Map<string, Extent>();
  const used = new Set<string>();
  const add = (v: Variable, wanted: string): string => {
    const base = freeName(wanted);
    let name = base;
    for (let n = 2; used.has(name); n++) name = `${base}${n}`;
    used.add(name);
    nameOf.set(v, name);
    extentOf.set(name, v.extent);
    return name;
  };
  const outer = spec.axes.map((v) => add(v, flat && spec.axes.length === 1 ? flat : v.name));
  const inner: string[] = [];
  // lists of the same extents are the same axes
  const shared = new Map<string, readonly Variable[]>();
  const own = (over: readonly Variable[]): { over: readonly Variable[]; go: <T extends Scalar>(e: T) => T } => {
    const key = over.map((v) => (typeof v.extent === "number" ? v.extent : `#${v.extent.id}`)).join(",");
    const known = shared.get(key);
    if (!known) {
      over.forEach((v) => inner.push(add(v, v.name)));
      shared.set(key, over);
    }
    if (!known || known.every((v, d) => v === over[d])) return { over: known ?? over, go: (e) => e };
    const map = new Map(over.map((v, d) => [v, known[d]!] as const));
    return { over: known, go: (e) => substitute(e, map) as typeof e };
  };
  const stages = spec.stages.map((s): Stage => {
    const { over, go } = own(s.over);
    return { ...s, over, value: go(s.value) };
  });
  const stores = spec.stores.map((s): Store => {
    const { over, go } = own(s.over);
    return { ...s, over, value: go(s.value), indices: s.indices.map(go) };
  });
  const groups: Stage[][] = [];
  for (const s of stages) {
    const group = groups[groups.length - 1];
    if (group && group[0]!.over === s.over && !readsAny(s.value, new Set<Scalar>(group.map((x) => x.local))))
      group.push(s);
    else groups.push([s]);
  }
  return { spec: { ...spec, stages, stores }, groups, outer, inner, nameOf, extentOf };
}
function readsAny(e: Scalar, locals: ReadonlySet<Scalar>): boolean {
  let found = false;
  visit(e, (x) => void (locals.has(x) && (found = true)));
  return found;
}
