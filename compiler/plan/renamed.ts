// Steps that run once more: the same over other tensors, or a kernel that makes one of its tensors alone. In: a step. Out: steps.
import { baseOf, reshape } from "../graph/node.ts";
import { load, scalarOrder, substitute } from "../graph/scalar.ts";
import type { Integer, Load, Local, Node, Scalar, Variable } from "../graph/types.ts";
import type { KernelStep, Step, View } from "../kernel/graph.ts";
import type { KernelSpec, Store } from "../kernel/kernel.ts";
import { loadsOf, storesOf } from "../lower/procedures.ts";
import { kernelsIn } from "../schedule/rows.ts";

type Names = ReadonlyMap<Node, Node>;

/** The step over the tensors that these stand for. */
export function renamed(step: Step, names: Names): Step {
  const named = (list: ReadonlySet<Node>): ReadonlySet<Node> => new Set([...list].map((x) => names.get(x) ?? x));
  const own = { reads: named(step.reads), writes: named(step.writes) };
  if (step.kind === "kernel") return { ...step, ...own, spec: renamedSpec(step.spec, names) };
  const body = step.body.map((s) => renamed(s, names));
  if (step.kind === "loop") return { ...step, ...own, body };
  const before = kernelsIn(step.body);
  const after = kernelsIn(body);
  const { rows } = step;
  return {
    ...step,
    ...own,
    body,
    views: new Map([...step.views].map(([x, v]): [Node, View] => [names.get(x) ?? x, v])),
    rows: rows && {
      ...rows,
      axisOf: new Map(
        before.flatMap((k, i) => {
          const axis = rows.axisOf.get(k);
          return axis ? [[after[i]!, axis] as const] : [];
        }),
      ),
    },
  };
}
function renamedSpec(spec: KernelSpec, names: Names): KernelSpec {
  const place = (tensor: Node): Node | undefined => {
    const to = names.get(baseOf(tensor));
    return to && (tensor === baseOf(tensor) ? to : reshape(to, tensor.shape));
  };
  const onLoad = (l: Load, indices: readonly Integer[], outside: Scalar | undefined): Scalar | undefined => {
    const to = place(l.tensor);
    return to && load(to, indices, outside);
  };
  const go = <T extends Scalar>(e: T): T => substitute(e, new Map(), onLoad) as T;
  return {
    ...spec,
    stages: spec.stages.map((s) => ({ ...s, value: go(s.value) })),
    stores: spec.stores.map((s) => ({
      ...s,
      target: place(s.target) ?? s.target,
      indices: s.indices.map(go),
      value: go(s.value),
    })),
  };
}

/**
 * Kernels that make x and nothing else, the cheapest first: of what the kernel stores beside it, where that says all, and of what the kernel reads.
 * `most`: tensors that one binds.
 */
export function alone(step: KernelStep, x: Node, most: number): readonly KernelStep[] {
  let known = aloneKnown.get(step);
  if (!known) aloneKnown.set(step, (known = new Map()));
  let found = known.get(x);
  if (!found) {
    const { spec } = step;
    const isOf = (s: Store): boolean => baseOf(s.target) === x;
    const own = spec.stores.every(isOf) ? spec : withStores(spec, spec.stores.filter(isOf));
    const derived = fromStores(
      own,
      spec.stores.filter((s) => !isOf(s)),
    );
    found = [derived, own].flatMap((made) => {
      if (!made) return [];
      const kernel: KernelStep = { kind: "kernel", spec: made, reads: loadsOf(made), writes: storesOf(made) };
      return new Set([...kernel.reads, ...kernel.writes]).size <= most ? [kernel] : [];
    });
    known.set(x, found);
  }
  return found;
}
const aloneKnown = new WeakMap<KernelStep, Map<Node, readonly KernelStep[]>>();

/** With the stages that these stores need. */
function withStores(spec: KernelSpec, stores: readonly Store[]): KernelSpec {
  const used = localsIn(stores);
  const stages = spec.stages
    .toReversed()
    .filter((s) => {
      if (!used.has(s.local)) return false;
      for (const l of localsOf([s.value])) used.add(l);
      return true;
    })
    .toReversed();
  return { ...spec, stores, stages };
}
const localsOf = (roots: readonly Scalar[]): Set<Local> =>
  new Set(scalarOrder(roots).flatMap((e) => (e.kind === "local" ? [e] : [])));
const localsIn = (stores: readonly Store[]): Set<Local> => localsOf(stores.flatMap((s) => [s.value, ...s.indices]));

/** The values that `others` store are read where they lie; undefined where that does not do for all of it. */
function fromStores(spec: KernelSpec, others: readonly Store[]): KernelSpec | undefined {
  if (!spec.stages.length) return undefined;
  const stores = spec.stores.map((s): Store => {
    const stored = new Map<Scalar, Scalar>();
    for (const o of others) {
      if (o.over.length !== s.over.length || o.over.some((v, k) => v.extent !== s.over[k]!.extent)) continue;
      const at = new Map<Variable, Variable>(o.over.map((v, k) => [v, s.over[k]!]));
      const go = <T extends Scalar>(e: T): T => (at.size ? (substitute(e, at) as T) : e);
      const value = go(o.value);
      if (localsOf([value]).size && value.dtype === o.target.dtype)
        stored.set(value, load(o.target, o.indices.map(go)));
    }
    return { ...s, value: substitute(s.value, stored, () => undefined) };
  });
  return localsIn(stores).size ? undefined : { ...spec, stores, stages: [] };
}
