// How much arithmetic a kernel is: for profiles, and for what a runtime expects of a launch. In: KernelSpec. Out: operations on f32, a number or
// a polynomial in the run-time dims.
import type { Size } from "../../runtime/plan.ts";
import { operandsOf, scalarOrder } from "../graph/scalar.ts";
import type { Scalar, Variable } from "../graph/types.ts";
import type { KernelSpec } from "./kernel.ts";
import { sizeOfExtents, sumOfSizes } from "./sizes.ts";

/**
 * Every function of the formulas is one operation, a product and its addition to a sum are two; what chooses, draws or addresses is none. A value is
 * computed once for every combination of the axes that it depends on.
 */
export function flopsOf({ axes, stages, stores }: KernelSpec): Size {
  const sizes: (readonly [size: Size, times: number])[] = [];
  const add = (over: readonly Variable[], times = 1): void =>
    void sizes.push([sizeOfExtents(over.map((v) => v.extent)), times]);
  for (const s of stages) if (s.value.dtype === "f32") add([...axes, ...s.over]);

  const loops = new Set([...axes, ...stages.flatMap((s) => s.over), ...stores.flatMap((s) => s.over)]);
  const roots = [...stages.map((s) => s.value), ...stores.flatMap((s) => [s.value, ...s.indices])];
  const ofRow = new Set<Scalar>(); // a reduction's result is in it
  for (const e of scalarOrder(roots)) {
    if (e.kind === "local" || operandsOf(e).some((x) => ofRow.has(x))) ofRow.add(e);
    if (!isArithmetic(e)) continue;
    const own = new Set([...(ofRow.has(e) ? axes : []), ...e.variables]);
    add([...own].filter((v) => loops.has(v)));
  }
  return sumOfSizes(sizes);
}
const isArithmetic = (e: Scalar): boolean =>
  e.kind === "call" && e.fn.wgsl !== "operand" && [e, ...e.operands].some((x) => x.dtype === "f32");
