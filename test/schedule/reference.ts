// Direct evaluation of a kernel's specification in f64: every stage and every stored value is one tensor of the reference evaluator.
import { evaluateNodes, extentValue, sizeOfShape, type Dims } from "../../compiler/evaluate/evaluate.ts";
import { within, working, type Compilation, type Options } from "../../compiler/graph/compilation.ts";
import { baseOf, compute, reshape, source } from "../../compiler/graph/node.ts";
import { integer, load, substitute, visit } from "../../compiler/graph/scalar.ts";
import type { Integer, Node, Scalar, Source, Variable } from "../../compiler/graph/types.ts";
import type { KernelSpec } from "../../compiler/kernel/kernel.ts";

/** Runs with other options for the compilation that is worked on. */
function withOptions<T>(changed: Partial<Options>, run: () => T): T {
  const compilation = working();
  const before = compilation.options;
  compilation.options = { ...before, ...changed };
  try {
    return run();
  } finally {
    compilation.options = before;
  }
}

/** That the kernel's tensors belong to. */
export const compilationOf = (spec: KernelSpec): Compilation => spec.stores[0]!.target.compilation;
/** The same kernel over sources alone: memory of intermediate tensors becomes a source of the same shape. */
export const overSources = (spec: KernelSpec): KernelSpec => within(compilationOf(spec), () => readingSources(spec));
function readingSources(spec: KernelSpec): KernelSpec {
  const sources = new Map<Node, Source>();
  const memory = (node: Node): Node => {
    const base = baseOf(node);
    let own = sources.get(base);
    if (!own)
      sources.set(
        base,
        (own =
          base.kind === "source"
            ? base
            : source({
                role: "input",
                path: base.label ?? `t${sources.size}`,
                shape: base.shape,
                dtype: base.dtype,
                range: base.range,
              })),
      );
    return node.kind === "reshape" ? reshape(own, node.shape) : own;
  };
  const go = (e: Scalar): Scalar =>
    substitute(e, new Map(), (l, indices, outside) => load(memory(l.tensor), indices, outside));
  return {
    ...spec,
    stages: spec.stages.map((s) => ({ ...s, value: go(s.value) })),
    stores: spec.stores.map((s) => ({
      ...s,
      target: memory(s.target),
      indices: s.indices.map((e) => go(e) as Integer),
      value: go(s.value),
    })),
  };
}
export function sourcesOf(spec: KernelSpec): Source[] {
  const found = new Set<Source>();
  const look = (e: Scalar): void => visit(e, (x) => void (x.kind === "load" && found.add(baseOf(x.tensor) as Source)));
  for (const s of spec.stages) look(s.value);
  for (const s of spec.stores) {
    [s.value, ...s.indices].forEach(look);
    found.add(baseOf(s.target) as Source);
  }
  return [...found];
}

/** New values of every stored tensor; elements that no store writes keep theirs. */
export function evaluateSpec(
  spec: KernelSpec,
  values: ReadonlyMap<Source, ArrayLike<number>>,
  dims: Dims = {},
): Map<Source, Float64Array> {
  const plainly = <T>(run: () => T): T =>
    within(compilationOf(spec), () =>
      withOptions({ factor: false, support: false, compress: false, outside: false }, run),
    );
  return plainly(() => {
    const known = new Map<Source, ArrayLike<number>>(values);
    const locals = new Map<Scalar, Scalar>();
    const at = spec.axes.map((v) => (v.extent === 1 ? integer(0) : v));
    const tabulate = (axes: readonly Variable[], value: Scalar, reduction?: Parameters<typeof compute>[1]): Source => {
      const node = compute(axes, reduction, substitute(value, locals));
      const result = source({
        role: "input",
        path: "",
        shape: axes.map((v) => v.extent),
        dtype: node.dtype,
        range: node.range,
      });
      known.set(result, evaluateNodes([node], known, dims)[0]!);
      return result;
    };
    for (const s of spec.stages)
      locals.set(s.local, load(tabulate(spec.axes, s.value, { op: s.op, over: s.over }), at));
    const results = new Map<Source, Float64Array>();
    for (const s of spec.stores) {
      const axes = [...spec.axes, ...s.over];
      const value = known.get(tabulate(axes, s.value))!;
      const indices = s.indices.map((e) => known.get(tabulate(axes, e))!);
      const target = baseOf(s.target) as Source;
      if (!results.has(target)) results.set(target, Float64Array.from(values.get(target)!));
      const shape = s.target.shape.map((n) => extentValue(n, dims));
      for (
        let p = 0;
        p <
        sizeOfShape(
          axes.map((v) => v.extent),
          dims,
        );
        p++
      ) {
        if (indices.every((e, d) => e[p]! >= 0 && e[p]! < shape[d]!))
          results.get(target)![indices.reduce((sum, e, d) => sum * shape[d]! + e[p]!, 0)] = value[p]!;
      }
    }
    return results;
  });
}
