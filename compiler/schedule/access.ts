// Access analysis: what a nest loads and computes, and how each part depends on the axes. Strides, windows and invariance come from here;
// the schedule space and the closed form of the price stand on it. Axes are numbers here, since hundreds of schedules are priced by it:
// outer ones first, then inner ones.
import { baseOf } from "../graph/node.ts";
import {
  conjuncts,
  constantOf,
  holdsLoad,
  isContracted,
  isGuard,
  isGuarded,
  isub,
  operandsOf,
  scalarOrder,
  termsOf,
} from "../graph/scalar.ts";
import type { Integer, Load, Node, Scalar, Variable } from "../graph/types.ts";
import type { Cost } from "../kernel/target.ts";
import type { Stage, Store } from "../kernel/kernel.ts";
import { estimate, flatAddress, type Nest } from "./nest.ts";

export interface Access {
  readonly tensor: Node; // that holds the memory
  readonly axes: readonly number[]; // that the element depends on
  readonly stride: Float64Array; // of every axis: elements from one step to the next; NaN = irregular
  readonly wide: readonly boolean[]; // of every axis: four steps along it may be one access
  readonly indices: readonly (readonly (readonly [axis: number, coefficient: number])[])[]; // of each dimension
  readonly windowed: boolean; // some dimension depends on several axes
  readonly guarded: boolean;
}
/** A value that is computed: once for every combination of these axes. */
export interface Work {
  readonly cost: Cost;
  readonly axes: readonly number[];
  readonly access?: Access; // of a load
  readonly guards?: Access; // of a choice between a loaded value and the one outside
  readonly summed?: true; // a multiplication whose product a sum takes up: one instruction, where the device has it
}
export interface Part {
  readonly over: readonly number[]; // inner axes, outer to inner
  readonly work: readonly Work[];
  readonly stores: readonly Access[];
  readonly ops?: readonly string[]; // of the reductions that share these loops
  readonly products: number; // of them that sum products: one instruction a step
  readonly stretch?: Stretch;
}
/** The last of the reduced axes runs over a stretch between two bounds that are data, where no axis that these depend on is tiled. */
export interface Stretch {
  readonly share: number; // of the axis, about
  readonly axes: readonly number[]; // of the bounds
}
export interface Analysis {
  readonly axes: readonly string[]; // by their numbers
  readonly outer: readonly number[];
  readonly extents: readonly number[]; // about
  readonly stages: readonly Part[];
  readonly stores: readonly Part[];
  readonly loads: readonly Access[]; // of all parts
}

const known = new WeakMap<Nest, Analysis>();
export function analyse(nest: Nest): Analysis {
  let found = known.get(nest);
  if (!found) known.set(nest, (found = makeAnalysis(nest)));
  return found;
}
/** The axes of a nest by their numbers. */
interface Numbering {
  readonly count: number;
  readonly outer: readonly number[];
  readonly numberOf: ReadonlyMap<Scalar, number>;
}
function makeAnalysis(nest: Nest): Analysis {
  const axes = [...nest.outer, ...nest.inner];
  const n: Numbering = {
    count: axes.length,
    outer: nest.outer.map((_, a) => a),
    numberOf: new Map([...nest.nameOf].map(([v, name]) => [v as Scalar, axes.indexOf(name)])),
  };
  const numbers = (over: readonly Variable[]): number[] => over.map((v) => n.numberOf.get(v)!);
  const stages = nest.groups.map((group): Part => ({
    over: numbers(group[0]!.over),
    work: workOf(
      n,
      group.map((s) => s.value),
      new Set(group.filter(sumsProducts).map((s) => s.value)),
    ),
    stores: [],
    ops: group.map((s) => s.op),
    products: group.filter(sumsProducts).length,
    ...stretchOf(n, group),
  }));
  // stores of the same elements are one part: what they read is read once
  const together = new Map<string, Store[]>();
  for (const s of nest.spec.stores) {
    const key = numbers(s.over).join();
    if (!together.has(key)) together.set(key, []);
    together.get(key)!.push(s);
  }
  const stores = [...together.values()].map((list): Part => ({
    over: numbers(list[0]!.over),
    work: workOf(
      n,
      list.map((s) => s.value),
    ),
    stores: list.map((s) => accessOf(n, s.target, s.indices, false)),
    products: 0,
  }));
  const loads = [...stages, ...stores].flatMap((p) => p.work.flatMap((w) => w.access ?? []));
  const extents = axes.map((a) => estimate(nest.extentOf.get(a)!));
  return { axes, outer: n.outer, extents, stages, stores, loads };
}
/**
 * Bounds that follow one another in one tensor cut the axis into as many stretches as it has elements, but for the last; those from another axis as long to a
 * number for each of its elements into as many as that has.
 */
function stretchOf(n: Numbering, group: readonly Stage[]): Pick<Part, "stretch"> {
  const [stage] = group;
  const last = stage?.over.at(-1);
  if (!stage || !last || group.length > 1 || stage.op !== "sum" || !isGuarded(stage.value)) return {};
  const bounds: Load[] = [];
  let start: Variable | undefined;
  for (const g of conjuncts(stage.value.condition)) {
    if (g.kind !== "non_negative") continue;
    const terms = termsOf(g.operand);
    const own = terms.find(([atom]) => atom === last)?.[1];
    const data = terms.filter(([atom]) => atom.kind !== "variable");
    const [bound, k] = data[0] ?? [];
    if (own && data.length === 1 && bound?.kind === "load" && k === -own && !bound.variables.has(last))
      bounds.push(bound);
    const [other] = terms.filter(([atom]) => atom !== last);
    if (own === 1 && terms.length === 2 && other![0].kind === "variable" && other![1] === -1) start = other![0];
  }
  const [from, to] = bounds;
  if (from && !to && start?.extent === last.extent && from.variables.has(start))
    return { stretch: { share: 1 / estimate(last.extent), axes: axesOf(n, [from, start]) } };
  if (!from || !to || from.tensor !== to.tensor) return {};
  const stretches = estimate(from.tensor.shape.at(-1) ?? 1) - 1;
  const apart = constantOf(isub(to.indices.at(-1)!, from.indices.at(-1)!)) ?? 1;
  return { stretch: { share: Math.abs(apart) / Math.max(1, stretches), axes: axesOf(n, [from, to]) } };
}
/** The axes that these depend on. */
function axesOf({ numberOf }: Numbering, es: readonly Scalar[]): number[] {
  const result: number[] = [];
  for (const e of es)
    for (const v of e.variables) {
      const a = numberOf.get(v);
      if (a !== undefined && !result.includes(a)) result.push(a);
    }
  return result;
}
function accessOf(n: Numbering, tensor: Node, indices: readonly Integer[], guarded: boolean): Access {
  const stride = new Float64Array(n.count);
  let regular = true; // affine in the axes
  const address = flatAddress(tensor.shape, indices);
  for (const [atom, k] of address ? termsOf(address) : indices.flatMap((e) => termsOf(e))) {
    const own = n.numberOf.get(atom);
    if (own !== undefined) stride[own] = address ? stride[own]! + k : NaN;
    else
      for (const a of axesOf(n, [atom])) {
        stride[a] = NaN;
        regular = false;
      }
  }
  // what data makes of several axes is no window: neighbours share nothing
  const dims = indices.flatMap((e): (readonly (readonly [number, number])[])[] => {
    const regular: [number, number][] = [];
    const data: [number, number][][] = [];
    for (const [atom, k] of termsOf(e)) {
      const own = n.numberOf.get(atom);
      if (own !== undefined) regular.push([own, k]);
      else if (holdsLoad(atom)) data.push(...axesOf(n, [atom]).map((a): [number, number][] => [[a, 1]]));
      else regular.push(...axesOf(n, [atom]).map((a): [number, number] => [a, 1]));
    }
    return [regular, ...data];
  });
  const isWindowed = (a: number): boolean => dims.some((dim) => dim.length > 1 && dim.some(([b]) => a === b));
  const wide = Array.from(
    stride,
    (k, a) => k === 1 && regular && stride.every((other, b) => a === b || other % 4 === 0) && !isWindowed(a),
  );
  return {
    tensor: baseOf(tensor),
    axes: axesOf(n, indices),
    stride,
    wide,
    indices: dims,
    windowed: dims.some((dim) => dim.length > 1),
    guarded,
  };
}
/** Integers inside of addresses are formed once and mostly outside of the loops. */
const priced = (x: Scalar): readonly Scalar[] =>
  x.kind === "load" ? [...x.indices.filter((i) => !isPlain(i)), ...(x.outside ? [x.outside] : [])] : operandsOf(x);
const sumsProducts = (s: Stage): boolean => s.op === "sum" && isContracted(s.value) && !isGuard(s.value);
const none: ReadonlySet<Scalar> = new Set();
function workOf(n: Numbering, roots: readonly Scalar[], summed = none): Work[] {
  return scalarOrder(roots, priced).flatMap((e): Work[] => {
    const own = axesOf(n, [e]);
    const axes = holdsLocal(e) ? [...new Set([...own, ...n.outer])] : own;
    switch (e.kind) {
      case "load": {
        const access = accessOf(n, e.tensor, e.indices, e.outside !== undefined);
        const load: Work = { cost: "load", axes, access };
        return e.outside ? [load, { cost: "select", axes, guards: access }] : [load];
      }
      case "call":
        if (e.fn.wgsl === "operand") return [];
        if (summed.has(e)) return [{ cost: "alu", axes, summed: true }];
        return [{ cost: e.fn.cost === "fn" ? "function" : e.fn.cost === "div" ? "divide" : "alu", axes }];
      case "random":
      case "select":
        return [{ cost: e.kind, axes }];
      case "non_negative":
      case "equal_zero":
      case "and":
      case "not":
        return [{ cost: "compare", axes }];
      case "floor_div":
      case "modulo":
        return [{ cost: "divide", axes }];
      default:
        return [];
    }
  });
}
const isPlain = (e: Integer): boolean => termsOf(e).every(([atom]) => atom.kind === "variable" || atom.kind === "dim");
const containsLocal = new WeakMap<Scalar, boolean>();
function holdsLocal(e: Scalar): boolean {
  let found = containsLocal.get(e);
  if (found === undefined) containsLocal.set(e, (found = e.kind === "local" || operandsOf(e).some(holdsLocal)));
  return found;
}
