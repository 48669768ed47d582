// Access analysis: what a nest loads and computes, and how each part depends on the axes. Strides, windows and invariance come from here;
// the schedule space and the closed form of the price stand on it.
import { baseOf } from "../graph/node.ts";
import { operandsOf, scalarOrder, termsOf } from "../graph/scalar.ts";
import type { Integer, Load, Node, Scalar, Shape } from "../graph/types.ts";
import type { Cost } from "./ir.ts";
import type { Store } from "./kernel.ts";
import { flatAddress, type Nest } from "./nest.ts";

export interface Access {
  readonly tensor: Node;
  readonly axes: ReadonlySet<string>; // that the element depends on
  readonly stride: ReadonlyMap<string, number>; // elements from one step of an axis to the next; NaN = irregular
  readonly indices: readonly (readonly (readonly [axis: string, coefficient: number])[])[]; // of each dimension
  readonly guarded: boolean;
  readonly regular: boolean; // affine in the axes
}
/** A value that is computed: once for every combination of these axes. */
export interface Work {
  readonly cost: Cost;
  readonly axes: ReadonlySet<string>;
  readonly access?: Access; // of a load
  readonly guards?: Access; // of a choice between a loaded value and the one outside
}
export interface Part {
  readonly over: readonly string[]; // inner axes, outer to inner
  readonly work: readonly Work[];
  readonly stores: readonly Access[];
  readonly ops?: readonly string[]; // of the reductions that share these loops
}
export interface Analysis {
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
function makeAnalysis(nest: Nest): Analysis {
  const { spec, nameOf } = nest;
  const axesOf = (e: Scalar): Set<string> => {
    const result = new Set<string>();
    for (const v of e.variables) {
      const name = nameOf.get(v);
      if (name) result.add(name);
    }
    return result;
  };
  const access = (tensor: Node, shape: Shape, indices: readonly Integer[], guarded: boolean): Access => {
    const axes = new Set<string>();
    for (const e of indices) for (const a of axesOf(e)) axes.add(a);
    const stride = new Map<string, number>();
    let regular = true;
    const address = flatAddress(shape, indices);
    for (const [atom, k] of address ? termsOf(address) : indices.flatMap((e) => termsOf(e))) {
      const name = atom.kind === "variable" ? nameOf.get(atom) : undefined;
      if (name) stride.set(name, address ? (stride.get(name) ?? 0) + k : NaN);
      else
        for (const a of axesOf(atom)) {
          stride.set(a, NaN);
          regular = false;
        }
    }
    const dims = indices.map((e) => termsOf(e).flatMap(([atom, k]): (readonly [string, number])[] => (atom.kind === "variable" && nameOf.has(atom) ? [[nameOf.get(atom)!, k]] : [...axesOf(atom)].map((a) => [a, 1] as const))));
    return { tensor: baseOf(tensor), axes, stride, indices: dims, guarded, regular };
  };
  const part = (roots: readonly Scalar[]): Work[] => {
    const work: Work[] = [];
    // integers inside of addresses are formed once and mostly outside of the loops
    for (const e of scalarOrder(roots, (x) => (x.kind === "load" ? [...x.indices.filter((i) => !isPlain(i)), ...(x.outside ? [x.outside] : [])] : operandsOf(x)))) {
      const axes = axesOf(e);
      for (const x of localsOf(e)) if (x) nest.outer.forEach((a) => axes.add(a));
      switch (e.kind) {
        case "load":
          work.push({ cost: "load", axes, access: access(e.tensor, e.tensor.shape, e.indices, e.outside !== undefined) });
          if (e.outside) work.push({ cost: "select", axes, guards: work[work.length - 1]!.access! });
          break;
        case "call":
          if (e.fn.name !== "stop") work.push({ cost: e.fn.cost === "fn" ? "function" : e.fn.cost === "div" ? "divide" : "alu", axes });
          break;
        case "random":
          work.push({ cost: "random", axes });
          break;
        case "select":
          work.push({ cost: "select", axes });
          break;
        case "non_negative": case "equal_zero": case "and": case "not":
          work.push({ cost: "compare", axes }); // prettier-ignore
          break;
        case "floor_div": case "modulo":
          work.push({ cost: "divide", axes }); // prettier-ignore
          break;
        default:
      }
    }
    return work;
  };
  const stages = nest.groups.map((group): Part => ({ over: group[0]!.over.map((v) => nameOf.get(v)!), work: part(group.map((s) => s.value)), stores: [], ops: group.map((s) => s.op) }));
  // stores of the same elements are one part: what they read is read once
  const together = new Map<string, Store[]>();
  for (const s of spec.stores) {
    const key = s.over.map((v) => nameOf.get(v)!).join();
    if (!together.has(key)) together.set(key, []);
    together.get(key)!.push(s);
  }
  const stores = [...together.values()].map((list): Part => ({ over: list[0]!.over.map((v) => nameOf.get(v)!), work: part(list.map((s) => s.value)), stores: list.map((s) => access(s.target, s.target.shape, s.indices, false)) }));
  const loads = [...stages, ...stores].flatMap((p) => p.work.flatMap((w) => (w.access ? [w.access] : [])));
  return { stages, stores, loads };
}
const isPlain = (e: Integer): boolean => termsOf(e).every(([atom]) => atom.kind === "variable" || atom.kind === "dim");
const containsLocal = new WeakMap<Scalar, boolean>();
function localsOf(e: Scalar): readonly boolean[] {
  const own = (x: Scalar): boolean => {
    let found = containsLocal.get(x);
    if (found === undefined) {
      found = x.kind === "local" || operandsOf(x).some(own);
      containsLocal.set(x, found);
    }
    return found;
  };
  return own(e) ? [true] : [];
}
export const loadsOf = (e: Scalar): Load[] => scalarOrder([e]).filter((x): x is Load => x.kind === "load");
