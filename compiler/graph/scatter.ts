// The push form, for indices that are data.
import { mul, select } from "./arithmetic.ts";
import { working } from "./compilation.ts";
import { compute } from "./compute.ts";
import { and } from "./conditions.ts";
import { canonicalAxes, termCount } from "./finish.ts";
import { conjuncts, isGuard } from "./forms.ts";
import { unionScans, variable } from "./leaves.ts";
import { load } from "./loads.ts";
import { reachOf, reachOrNone } from "./masks.ts";
import { metaOf, shapeKey, type Meta } from "./shape.ts";
import { substitute } from "./substitute.ts";
import type { Integer, Node, Scalar, Scatter, Shape, Variable } from "./types.ts";

/** y = 0; y[indices] += value for all of `over`. */
export function scatter(
  shape: Shape,
  over: readonly Variable[],
  indices: readonly Integer[],
  value: Scalar,
  meta: Meta = {},
): Node {
  const mentioned = new Set(indices.flatMap((e) => [...e.variables]));
  const inner = over.filter((v) => v.extent !== 1 && !mentioned.has(v));
  if (inner.length) {
    // summed first, under the guards that the indices may need
    const outer = over.filter((v) => v.extent !== 1 && mentioned.has(v));
    const guards = isGuard(value)
      ? conjuncts(value.condition).filter((g) => !inner.some((v) => g.variables.has(v)))
      : [];
    const sum = load(compute(outer, { op: "sum", over: inner }, value, meta), outer);
    return scatter(shape, outer, indices, guards.length ? select(and(...guards), sum, 0) : sum, meta);
  }
  const canonical = canonicalAxes(over);
  const placed = substitute(value, canonical);
  if (placed.kind === "literal" && placed.value === 0)
    return compute(
      shape.map((n) => variable(n)),
      undefined,
      placed,
      meta,
    );
  const { up, down } = reachOf(placed);
  const terms = 2 ** Math.ceil(Math.log2(termCount(over)));
  if (Math.max(up, down) * terms > 2 ** 128) {
    // as with sums of masks: all of them may meet in one place
    const axes = shape.map((n) => variable(n));
    const parts = scatter(shape, over, indices, mul(value, 1 / terms), meta);
    return compute(axes, undefined, mul(load(parts, axes), terms), meta);
  }
  const at = indices.map((e) => substitute(e, canonical) as Integer);
  const extents = over.map((v) => v.extent);
  const compilation = working();
  return compilation.intern<Scatter>(
    `T${shapeKey(shape)}|${shapeKey(extents)}|${at.map((e) => e.id).join(",")}|${placed.id}`,
    (id) => ({
      kind: "scatter",
      shape,
      over: extents,
      indices: at,
      value: placed,
      dtype: placed.dtype,
      id,
      compilation,
      scans: unionScans([placed.scans, ...at.map((e) => e.scans)]),
      reach: reachOrNone({ up: up * terms, down: down * terms }),
      ...metaOf(meta),
    }),
  );
}
