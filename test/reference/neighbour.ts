// A neighbour of a reference case: its kind with other axes, sizes and attributes, and a formula for each output. In: that. Out: the case, with values from
// plain loops in f64 and gradients from their central differences.
import type { ReferenceCase, ReferenceTensor } from "./case.ts";
export type Read = (...index: number[]) => number;
export interface Neighbour {
  readonly family: string;
  readonly kind: string;
  readonly attrs?: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, ReferenceTensor>>;
  /** Shape of each output and its elements, from readers of the inputs; outside a tensor a reader gives NaN. */
  readonly outputs: Readonly<
    Record<
      string,
      {
        shape: readonly number[];
        type?: "i32" | "bool";
        of: (r: Readonly<Record<string, Read>>, ...index: number[]) => number;
      }
    >
  >;
  /** Inputs that have no gradient to be compared. */
  readonly constant?: readonly string[];
}
export const range = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i);
export const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
/** Numbers without a pattern on a grid of f32, far enough from one another for differences. */
export function filled(shape: readonly number[], seed = 1, lo = -2, hi = 2): ReferenceTensor {
  let state = seed * 7919 + 17;
  const order = range(sizeOf(shape))
    .map((i) => ({ i, key: (state = (Math.imul(state, 1103515245) + 12345) >>> 0) }))
    .sort((a, b) => a.key - b.key);
  const data = order.map(({ i }) => Math.fround(lo + ((hi - lo) * (i + 0.5)) / order.length));
  return { shape, dtype: "f32", data };
}
export const whole = (shape: readonly number[], data: readonly number[]): ReferenceTensor => ({
  shape,
  dtype: "i32",
  data,
});
const readerOf =
  (shape: readonly number[], data: ArrayLike<number>): Read =>
  (...index) => {
    let position = 0;
    for (const [axis, n] of shape.entries()) {
      const i = index[axis]!;
      if (i < 0 || i >= n) return NaN;
      position = position * n + i;
    }
    return data[position]!;
  };
export function elements(shape: readonly number[], of: (...index: number[]) => number): number[] {
  return range(sizeOf(shape)).map((p) =>
    of(...shape.map((n, axis) => Math.floor(p / sizeOf(shape.slice(axis + 1))) % n)),
  );
}

export function caseOf(n: Neighbour): ReferenceCase {
  const compute = (name: string, inputs: Readonly<Record<string, ArrayLike<number>>>): number[] => {
    const readers = Object.fromEntries(Object.entries(n.inputs).map(([k, t]) => [k, readerOf(t.shape, inputs[k]!)]));
    const { shape, of } = n.outputs[name]!;
    return elements(shape, (...index) => of(readers, ...index));
  };
  const given = Object.fromEntries(Object.entries(n.inputs).map(([k, t]) => [k, t.data]));
  const outputs = Object.fromEntries(
    Object.entries(n.outputs).map(([k, { shape, type }]): [string, ReferenceTensor] => [
      k,
      { shape, dtype: type ?? "f32", data: compute(k, given) },
    ]),
  );
  const smooth = Object.keys(outputs).filter((k) => outputs[k]!.dtype === "f32");
  const cotangent = Object.fromEntries(smooth.map((k, i) => [k, filled(outputs[k]!.shape, 40 + i, -1, 1)]));
  const objective = (inputs: Readonly<Record<string, ArrayLike<number>>>): number =>
    sum(smooth.flatMap((k) => compute(k, inputs).map((v, i) => v * cotangent[k]!.data[i]!)));
  const grads: Record<string, ReferenceTensor> = {};
  for (const [name, t] of Object.entries(n.inputs)) {
    if (t.dtype !== "f32" || n.constant?.includes(name) || !smooth.length) continue;
    const h = 1e-5;
    const data = t.data.map((v, i) => {
      const at = (x: number): number => objective({ ...given, [name]: t.data.map((old, j) => (j === i ? x : old)) });
      return (at(v + h) - at(v - h)) / (2 * h);
    });
    grads[name] = { ...t, data };
  }
  return {
    name: `${n.kind} ${JSON.stringify(n.attrs ?? {})}`,
    family: n.family,
    kind: n.kind,
    attrs: n.attrs ?? {},
    inputs: n.inputs,
    params: {},
    outputs,
    ...(Object.keys(grads).length ? { grad_of: "cotangent", cotangent } : {}),
    grads,
    tolerance: { rtol: 1e-4, atol: 1e-6 },
  };
}
export const x34 = filled([3, 4]);
export const x234 = filled([2, 3, 4], 2);
export const y = (
  shape: readonly number[],
  of: (r: Readonly<Record<string, Read>>, ...index: number[]) => number,
): Neighbour["outputs"] => ({ y: { shape, of } });
