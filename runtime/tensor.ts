// Values from outside: numbers, nested arrays and typed arrays to flat data with a shape, and between the host's arrays and the device's words.
import type { FlatArray, Nested, Tensor, Value } from "./api.ts";
import type { DType } from "./plan.ts";
import { RuntimeProblem } from "./problem.ts";

/** `shape` is absent for a typed array: its length says all that it knows. */
export interface Flat {
  readonly shape?: readonly number[];
  readonly data: ArrayLike<number>;
}
export const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
export const shapeText = (dtype: string, shape: readonly (number | string)[]): string => (shape.length ? `${dtype}[${shape.join(", ")}]` : dtype);

export function flatten(value: Value, what: string): Flat {
  if (typeof value === "number" || typeof value === "boolean") return { shape: [], data: [Number(value)] };
  if (ArrayBuffer.isView(value)) return { data: value as FlatArray };
  if (Array.isArray(value)) {
    const shape: number[] = [];
    for (let at: unknown = value; Array.isArray(at); at = at[0]) shape.push(at.length);
    const data: number[] = [];
    const walk = (nested: Nested, depth: number): void => {
      if (nested.length !== shape[depth]) throw new RuntimeProblem(`${what}: the rows of a nested array differ in length: ${shape[depth]} and ${nested.length}`);
      for (const x of nested) {
        if (Array.isArray(x) ? depth + 1 >= shape.length : depth + 1 < shape.length) throw new RuntimeProblem(`${what}: a nested array has rows and numbers side by side`);
        if (Array.isArray(x)) walk(x as Nested, depth + 1);
        else if (typeof x === "number" || typeof x === "boolean") data.push(Number(x));
        else throw new RuntimeProblem(`${what}: ${String(x)} is no number`);
      }
    };
    walk(value as Nested, 0);
    return { shape, data };
  }
  const tensor = value as { data?: ArrayLike<number>; shape?: readonly number[] } | null | undefined;
  if (!tensor?.data || !Array.isArray(tensor.shape)) throw new RuntimeProblem(`${what}: give a number, nested arrays, a typed array or { data, shape }`);
  if (tensor.data.length !== product(tensor.shape)) throw new RuntimeProblem(`${what}: ${tensor.data.length} values do not fill the shape [${tensor.shape.join(", ")}]`);
  return tensor as Flat;
}

/** The host's array of these device words. Bool is u32 there. */
export function fromWords(bytes: Uint8Array, dtype: DType, shape: readonly number[]): Tensor {
  const n = product(shape);
  const words = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 4 * n);
  if (dtype === "f32") return { dtype, shape, data: new Float32Array(words) };
  if (dtype === "i32") return { dtype, shape, data: new Int32Array(words) };
  return { dtype, shape, data: Uint8Array.from(new Uint32Array(words), (x) => (x ? 1 : 0)) };
}
export function toWords(data: ArrayLike<number>, dtype: DType): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  return dtype === "f32" ? Float32Array.from(data) : Int32Array.from(data);
}
export const bytesOf = (array: ArrayBufferView): Uint8Array<ArrayBuffer> => new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
