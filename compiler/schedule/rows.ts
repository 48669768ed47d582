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
  const kernels = kernelsIn(steps);
  const written = new Set(kernels.flatMap(({ spec }) => spec.stores.map((s) => baseOf(s.target))));
  const classes = new Classes();
  for (const { spec } of kernels) {
    const outer = new Set<Scalar>(spec.axes);
    const see = (tensor: Node, indices: readonly Integer[]): void => {
      const base = baseOf(tensor);
      if (!written.has(base)) return;
      const kept = keptDimensions(base.shape, tensor.shape);
      for (let d = 0; d < base.shape.length; d++) {
        const at = d < kept ? indices[d] : undefined;
        const place = classes.dimension(base, d);
        if (at?.kind === "variable" && outer.has(at) && at.extent === base.shape[d]) classes.join(place, at);
        else classes.spoil(place);
      }
    };
    for (const s of spec.stores) see(s.target, s.indices);
    for (const l of loadsIn(spec)) see(l.tensor, l.indices);
  }
  // the rows are an axis of every kernel: of the first, too
  const candidates = kernels[0]?.spec.axes ?? [];
  return candidates.flatMap((v) => {
    const axisOf = new Map<KernelStep, Variable>();
    const dimensionOf = new Map<Node, number>();
    for (const k of kernels) {
      const own = k.spec.axes.filter((x) => classes.same(x, v));
      if (own.length === 1) axisOf.set(k, own[0]!);
    }
    for (const x of written) {
      const own = x.shape.flatMap((_, d) => (classes.same(classes.dimension(x, d), v) ? [d] : []));
      if (own.length === 1) dimensionOf.set(x, own[0]!);
    }
    const whole = axisOf.size === kernels.length && dimensionOf.size === written.size && !classes.isSpoilt(v);
    return whole ? [{ extent: v.extent, axisOf, dimensionOf }] : [];
  });
}
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

/** Dimensions of tensors and axes of kernels that are one axis. */
class Classes {
  private readonly parent = new Map<object, object>();
  private readonly spoilt = new Set<object>();
  private readonly dimensions = new Map<Node, object[]>();

  dimension(x: Node, d: number): object {
    let own = this.dimensions.get(x);
    if (!own) this.dimensions.set(x, (own = x.shape.map(() => ({}))));
    return own[d]!;
  }
  join(a: object, b: object): void {
    const [x, y] = [this.root(a), this.root(b)];
    if (x === y) return;
    this.parent.set(x, y);
    if (this.spoilt.has(x)) this.spoilt.add(y);
  }
  same(a: object, b: object): boolean {
    return this.root(a) === this.root(b);
  }
  /** One of its elements depends on others. */
  spoil(a: object): void {
    this.spoilt.add(this.root(a));
  }
  isSpoilt(a: object): boolean {
    return this.spoilt.has(this.root(a));
  }
  private root(a: object): object {
    let x = a;
    for (let up = this.parent.get(x); up; up = this.parent.get(x)) x = up;
    return x;
  }
}
