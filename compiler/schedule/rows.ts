// The rows of several steps: an axis along which nothing that they write depends on another element, so that workgroups may take some rows each and
// never wait for one another. In: steps. Out: the axis of each kernel and the dimension of each tensor, or undefined where there are no such rows.
import { baseOf } from "../graph/node.ts";
import { scalarOrder } from "../graph/scalar.ts";
import type { Extent, Integer, Load, Node, Scalar, Shape, Variable } from "../graph/types.ts";
import type { KernelStep, Step } from "../kernel/graph.ts";
import type { KernelSpec } from "../kernel/kernel.ts";
import { estimate } from "./nest.ts";

export interface RowAxis {
  readonly extent: Extent;
  readonly axisOf: ReadonlyMap<KernelStep, Variable>;
  readonly dimensionOf: ReadonlyMap<Node, number>; // of the tensors that the steps write
}
export const kernelsIn = (steps: readonly Step[]): KernelStep[] =>
  steps.flatMap((s) => (s.kind === "kernel" ? [s] : kernelsIn(s.body)));

/** The longest of them. */
export const rowsOf = (steps: readonly Step[]): RowAxis | undefined =>
  [...sharedRows(steps)].sort((a, b) => estimate(b.extent) - estimate(a.extent))[0];
/** In the order of the first kernel's axes. */
export function sharedRows(steps: readonly Step[]): readonly RowAxis[] {
  const rows = new Rows();
  for (const k of kernelsIn(steps)) rows.add(k);
  return rows.axes();
}

/** What kernels have in common, as one after another joins them. */
export class Rows {
  private readonly kernels: KernelStep[] = [];
  private readonly written = new Set<Node>();
  private readonly readOnly = new Map<Node, Access[]>(); // of what none of them has written so far
  private readonly classes: Classes;

  constructor(classes = new Classes()) {
    this.classes = classes;
  }
  /** These and one more. */
  with(kernel: KernelStep): Rows {
    const next = new Rows(this.classes.copy());
    next.kernels.push(...this.kernels);
    for (const x of this.written) next.written.add(x);
    for (const [x, own] of this.readOnly) next.readOnly.set(x, [...own]);
    next.add(kernel);
    return next;
  }
  add(kernel: KernelStep): void {
    this.kernels.push(kernel);
    for (const { target } of kernel.spec.stores) {
      const base = baseOf(target);
      if (this.written.has(base)) continue;
      this.written.add(base);
      for (const a of this.readOnly.get(base) ?? []) this.see(a);
      this.readOnly.delete(base);
    }
    for (const a of accessesOf(kernel.spec)) {
      if (this.written.has(a.base)) this.see(a);
      else this.readOnly.set(a.base, [...(this.readOnly.get(a.base) ?? []), a]);
    }
  }
  private see({ base, axes }: Access): void {
    axes.forEach((axis, d) => {
      const place = this.classes.dimension(base, d);
      if (axis) this.classes.join(place, this.classes.axis(axis));
      else this.classes.spoil(place);
    });
  }
  /** The rows are an axis of every kernel: of the first, too. */
  axes(): readonly RowAxis[] {
    const found: RowAxis[] = [];
    for (const v of this.kernels[0]?.spec.axes ?? []) {
      const rows = this.classes.of(this.classes.axis(v));
      if (this.classes.isSpoilt(rows)) continue;
      /** The one of so many that is of the rows. */
      const only = (count: number, placeOf: (i: number) => number): number => {
        let found = -1;
        for (let i = 0; i < count; i++) {
          if (this.classes.of(placeOf(i)) !== rows) continue;
          if (found >= 0) return -1;
          found = i;
        }
        return found;
      };
      const axisOf = new Map<KernelStep, Variable>();
      for (const k of this.kernels) {
        const own = only(k.spec.axes.length, (i) => this.classes.axis(k.spec.axes[i]!));
        if (own < 0) break;
        axisOf.set(k, k.spec.axes[own]!);
      }
      if (axisOf.size < this.kernels.length) continue;
      const dimensionOf = new Map<Node, number>();
      for (const x of this.written) {
        const own = only(x.shape.length, (d) => this.classes.dimension(x, d));
        if (own < 0) break;
        dimensionOf.set(x, own);
      }
      if (dimensionOf.size === this.written.size) found.push({ extent: v.extent, axisOf, dimensionOf });
    }
    return found;
  }
}
/** How a kernel goes through a tensor: the axis of the kernel that each dimension is, undefined where it is none. */
interface Access {
  readonly base: Node;
  readonly axes: readonly (Variable | undefined)[];
}
/** Those that differ. */
function accessesOf(spec: KernelSpec): readonly Access[] {
  let found = knownAccesses.get(spec);
  if (!found) {
    const outer = new Set<Scalar>(spec.axes);
    const byKey = new Map<string, Access>();
    const see = (tensor: Node, indices: readonly Integer[]): void => {
      const base = baseOf(tensor);
      const kept = keptDimensions(base.shape, tensor.shape);
      const axes = base.shape.map((n, d) => {
        const at = d < kept ? indices[d] : undefined;
        return at?.kind === "variable" && outer.has(at) && at.extent === n ? at : undefined;
      });
      byKey.set(`${base.id}:${axes.map((a) => a?.id ?? "").join()}`, { base, axes });
    };
    for (const s of spec.stores) see(s.target, s.indices);
    for (const l of loadsIn(spec)) see(l.tensor, l.indices);
    knownAccesses.set(spec, (found = [...byKey.values()]));
  }
  return found;
}
const knownAccesses = new WeakMap<KernelSpec, readonly Access[]>(); // regions that grow ask again
/** How many leading dimensions of a tensor a view of it has, too. */
export function keptDimensions(base: Shape, view: Shape): number {
  let d = 0;
  while (d < base.length && d < view.length && base[d] === view[d]) d++;
  return d;
}
export function loadsIn(spec: KernelSpec): readonly Load[] {
  let loads = knownLoads.get(spec);
  if (!loads) {
    const roots = [...spec.stages.map((s) => s.value), ...spec.stores.flatMap((s) => [s.value, ...s.indices])];
    loads = [...scalarOrder(roots)].filter((e) => e.kind === "load");
    knownLoads.set(spec, loads);
  }
  return loads;
}
const knownLoads = new WeakMap<KernelSpec, readonly Load[]>(); // regions that grow ask again

/** Dimensions of tensors and axes of kernels, by number, of which some are one axis. */
class Classes {
  private readonly numbers: Map<object, number>; // of an axis; of the first dimension of a tensor
  private readonly parents: number[];
  private readonly spoilt: boolean[];

  constructor(numbers = new Map<object, number>(), parents: number[] = [], spoilt: boolean[] = []) {
    this.numbers = numbers;
    this.parents = parents;
    this.spoilt = spoilt;
  }
  copy(): Classes {
    return new Classes(new Map(this.numbers), [...this.parents], [...this.spoilt]);
  }
  axis(v: Variable): number {
    return this.number(v, 1);
  }
  dimension(x: Node, d: number): number {
    return this.number(x, x.shape.length) + d;
  }
  private number(of: object, count: number): number {
    let first = this.numbers.get(of);
    if (first === undefined) {
      this.numbers.set(of, (first = this.parents.length));
      for (let i = 0; i < count; i++) {
        this.parents.push(first + i);
        this.spoilt.push(false);
      }
    }
    return first;
  }
  join(a: number, b: number): void {
    const [x, y] = [this.of(a), this.of(b)];
    this.parents[x] = y;
    if (this.spoilt[x]) this.spoilt[y] = true;
  }
  /** One of its elements depends on others. */
  spoil(a: number): void {
    this.spoilt[this.of(a)] = true;
  }
  isSpoilt(a: number): boolean {
    return this.spoilt[this.of(a)]!;
  }
  /** What stands for the class. */
  of(a: number): number {
    let x = a;
    while (this.parents[x] !== x) x = this.parents[x] = this.parents[this.parents[x]!]!;
    return x;
  }
}
