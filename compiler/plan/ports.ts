// What a host writes and reads, as the plan tells it: types, sizes and ranges. In: sources and programs. Out: fields of the plan.
import type { PlanPort, PlanSize, Size } from "../../runtime/plan.ts";
import { topological } from "../graph/node.ts";
import { extentText } from "../graph/print.ts";
import { fitsAnySize, interval, isSize, visit } from "../graph/scalar.ts";
import type { Extent, GraphProgram, Node, Scalar, Shape, Source } from "../graph/types.ts";
import { sizeOfExtents } from "../kernel/sizes.ts";
import { leastI32, mostI32 } from "../scalar/range.ts";
import type { Address, Buffers } from "./buffers.ts";

const asSize = (n: Shape[number]): Size => sizeOfExtents([n]);
export const sizesOf = (shape: Shape): Size[] => shape.map(asSize);

/** What the host writes. */
export const inputPort = (name: string, x: Source, buffers: Buffers): PlanPort => ({
  name,
  dtype: x.dtype,
  shape: sizesOf(x.shape),
  ...buffers.input(x),
  ...rangeOf(x),
});
/** What the host reads. */
export const outputPort = (name: string, x: Node, at: Address): PlanPort => ({
  name,
  dtype: x.dtype,
  shape: sizesOf(x.shape),
  ...at,
});
/** The same with the range that is known of it: what a class number counts to. */
export const rangedPort = (name: string, x: Node, at: Address, range = x.range): PlanPort => ({
  ...outputPort(name, x, at),
  ...(range && range.low > leastI32 ? rangeOf({ dtype: x.dtype, range }) : {}),
});
/** Of a state that declares a range: the counters' own is no declaration. */
export function stateRange(x: Source): { range?: readonly [number, number] } {
  const range = rangeOf(x).range;
  return range && typeof range[1] === "number" ? { range: [range[0], range[1]] } : {};
}
function rangeOf(x: Pick<Node, "dtype" | "range">): { range?: readonly [number, Size] } {
  if (x.dtype !== "i32" || !x.range || x.range.low === -Infinity) return {};
  const { low, high } = x.range;
  if (typeof high === "number") return high >= mostI32 ? {} : { range: [low, high + 1] };
  const end = asSize(high);
  return { range: [low, typeof end === "number" ? end + 1 : { sum: [...end.sum, { factor: 1, dims: [] }] }] };
}
/** Sizes of an export's tensors that some dims make negative (x[3..B] where B is 2), and numbers made of sizes that some take out of i32 (100000 * B). */
export function openSizes(program: GraphProgram): PlanSize[] {
  const found = new Map<string, PlanSize>();
  const add = (n: Exclude<Extent, number>, signed: boolean): void => {
    const text = extentText(n);
    if (!found.has(text)) found.set(text, { size: asSize(n), text, ...(signed ? { signed } : {}) });
  };
  const seen = new Set<Scalar>();
  for (const x of topological(program.outputs.map((o) => o.node))) {
    for (const n of x.shape) if (typeof n !== "number" && interval(n).low < 0) add(n, false);
    for (const e of x.kind === "compute" ? [x.body] : x.kind === "scatter" ? [x.value, ...x.indices] : [])
      visit(e, (y) => y.kind === "affine" && y.terms.length && isSize(y) && !fitsAnySize(y) && add(y, true), seen);
  }
  return [...found.values()];
}
