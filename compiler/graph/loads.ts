// Loads and draws. A load of a constant is its value, and one of a reshape reads what is behind it where its indices stay as simple as they are.
import { InternalError } from "../../grammar/diagnostic.ts";
import { leastI32, mostI32 } from "../scalar/range.ts";
import { working } from "./compilation.ts";
import { inRange } from "./conditions.ts";
import { constantOf, everything, interval, isFalse, isInteger, isTrue } from "./forms.ts";
import { asInteger, exactly, floorDiv, hull, iadd, imul, integer, modulo } from "./integers.ts";
import { asScalar, boolean, extentKey, literal, sameExtent, scansOf, union, variablesOf } from "./leaves.ts";
import { reachOfLoad } from "./masks.ts";
import type { Extent, Integer, Interval, Load, Node, Random, Scalar, ScalarBase, Shape } from "./types.ts";
import { visit } from "./walk.ts";

export function load(tensor: Node, indices: readonly (Integer | number)[], outside?: Scalar | number): Scalar {
  const compilation = working();
  if (tensor.compilation !== compilation) throw new InternalError("a load of another compilation's tensor");
  const at = indices.map((e, d) => (tensor.shape[d] === 1 && outside === undefined ? integer(0) : asInteger(e)));
  if (at.length !== tensor.shape.length)
    throw new InternalError(`${at.length} indices for rank ${tensor.shape.length}`);
  at.forEach((e, d) => (at[d] = exactly(e)));
  let beyond =
    outside === undefined
      ? undefined
      : tensor.dtype === "i32" && typeof outside === "number"
        ? integer(outside)
        : asScalar(outside);
  if (beyond) {
    const inside = inRange(tensor, at);
    if (isFalse(inside)) return beyond;
    if (isTrue(inside)) beyond = undefined;
  }
  if (
    tensor.kind === "source" &&
    tensor.role === "constant" &&
    tensor.data &&
    !beyond &&
    at.every((e) => constantOf(e) !== undefined)
  ) {
    const offset = at.reduce((sum, e, d) => sum * (tensor.shape[d] as number) + constantOf(e)!, 0);
    const value = tensor.data[offset]!;
    return tensor.dtype === "bool" ? boolean(value !== 0) : tensor.dtype === "i32" ? integer(value) : literal(value);
  }
  if (tensor.kind === "reshape" && !beyond) {
    const seen = throughReshape(tensor.operand, tensor.shape, at);
    if (seen) return load(tensor.operand, seen);
  }
  const make = (id: number): Load => {
    const parts = beyond ? [...at, beyond] : at;
    return {
      kind: "load",
      dtype: tensor.dtype,
      tensor,
      indices: at,
      outside: beyond,
      id,
      variables: variablesOf(parts),
      scans: union(scansOf(parts), tensor.scans),
      interval: tensor.dtype === "i32" ? intervalOfLoad(tensor, beyond) : undefined,
      reach: tensor.dtype === "f32" ? reachOfLoad(tensor, beyond) : undefined,
    };
  };
  if (!beyond && at.length <= 2) return compilation.internPair<Load>(tensor.id, at[0]?.id ?? 0, at[1]?.id ?? 0, make);
  if (!beyond && at.length <= 4)
    return compilation.internPair<Load>(
      tensor.id,
      compilation.pairNumber(at[0]!.id, at[1]!.id),
      compilation.pairNumber(at[2]!.id, at[3]?.id ?? 0),
      make,
    );
  return compilation.intern<Load>(
    `L${tensor.id}[${at.map((e) => e.id).join(",")}]${beyond ? `?${beyond.id}` : ""}`,
    make,
  );
}
function intervalOfLoad({ range }: Node, outside: Scalar | undefined): Interval {
  const own = range
    ? {
        low: Math.max(range.low, leastI32),
        high: typeof range.high === "number" ? Math.min(range.high, mostI32) : Infinity,
      }
    : everything;
  return outside && isInteger(outside) ? hull(own, interval(outside)) : own;
}
/** Indices into `operand` of the element `indices` of its reshape, where no floor or mod is left over. */
function throughReshape(operand: Node, shape: Shape, indices: readonly Integer[]): Integer[] | undefined {
  const from = operand.shape;
  const result: Integer[] = new Array<Integer>(from.length);
  // match groups of axes of equal product from both ends of the shapes
  let i = 0;
  let j = 0;
  while (i < shape.length || j < from.length) {
    if (i < shape.length && shape[i] === 1) {
      i++;
      continue;
    }
    if (j < from.length && from[j] === 1) {
      result[j++] = integer(0);
      continue;
    }
    if (i >= shape.length || j >= from.length) return undefined;
    if (sameExtent(shape[i]!, from[j]!)) {
      result[j++] = indices[i++]!;
      continue;
    }
    let a = shape[i]!;
    let b = from[j]!;
    let ie = i + 1;
    let je = j + 1;
    if (typeof a !== "number" || typeof b !== "number") return undefined;
    while (a !== b) {
      const next: Extent | undefined = a < b ? shape[ie++] : from[je++];
      if (typeof next !== "number") return undefined;
      if (a < b) a *= next;
      else b *= next;
    }
    let position: Integer = integer(0);
    for (let k = i; k < ie; k++) position = iadd(imul(position, shape[k] as number), indices[k]!);
    let inner = 1;
    for (let k = je - 1; k >= j; k--) {
      const n = from[k] as number;
      result[k] = k === j ? floorDiv(position, inner) : modulo(floorDiv(position, inner), n);
      inner *= n;
    }
    const atoms = (xs: readonly Integer[]): number => xs.reduce((sum, x) => sum + countAtoms(x), 0);
    if (atoms(result.slice(j, je)) > atoms(indices.slice(i, ie))) return undefined;
    i = ie;
    j = je;
  }
  return result;
}
/** Number of distinct floor and mod atoms of a scalar. */
export function countAtoms(e: Scalar): number {
  if (e.kind === "variable") return 0;
  let n = 0;
  visit(e, (x) => {
    if (x.kind === "floor_div" || x.kind === "modulo") n += 1;
  });
  return n;
}
export function random(draw: Omit<Random, keyof ScalarBase | "kind">): Random {
  const key = `R${draw.distribution},${draw.site},${draw.seed.id},${draw.step.id},${draw.indices.map((e) => e.id).join(",")}:${draw.extents.map(extentKey).join(",")}`;
  const parts = [draw.seed, draw.step, ...draw.indices];
  return working().intern<Random>(key, (id) => ({
    kind: "random",
    dtype: "f32",
    ...draw,
    id,
    variables: variablesOf(parts),
    scans: scansOf(parts),
  }));
}
