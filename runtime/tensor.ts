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
export const shapeText = (dtype: string, shape: readonly (number | string)[]): string =>
  shape.length ? `${dtype}[${shape.join(", ")}]` : dtype;

/** What the caller gives under a name. Names that every object has, as `constructor` and `toString`, are nothing given. */
export const givenAs = <T>(values: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(values, name) ? values[name] : undefined;

/** `root`: how places in a nested array begin, when they are to be told. */
export function flatten(value: Value, what: string, root?: string): Flat {
  if (typeof value === "number" || typeof value === "boolean") return { shape: [], data: [Number(value)] };
  if (ArrayBuffer.isView(value)) return { data: value as FlatArray };
  if (Array.isArray(value)) {
    const shape: number[] = [];
    for (let at: unknown = value; Array.isArray(at); at = at[0]) shape.push(at.length);
    const data: number[] = [];
    const within = (at: string): string => (root === undefined ? "" : `, in ${root}${at}`);
    const walk = (nested: Nested, at: string, depth: number): void => {
      if (nested.length !== shape[depth])
        throw new RuntimeProblem(
          `${what}: the rows of a nested array differ in length: ${shape[depth]} and ${nested.length}${within(at)}`,
        );
      nested.forEach((x, i) => {
        if (Array.isArray(x) ? depth + 1 >= shape.length : depth + 1 < shape.length)
          throw new RuntimeProblem(`${what}: a nested array has rows and numbers side by side${within(at)}`);
        if (Array.isArray(x)) walk(x as Nested, `${at}[${i}]`, depth + 1);
        else data.push(typeof x === "number" ? x : numberIn(x, `${what}${at}[${i}]`));
      });
    };
    walk(value as Nested, "", 0);
    return { shape, data };
  }
  const tensor = value as { data?: ArrayLike<number>; shape?: readonly number[] } | null | undefined;
  if (!tensor?.data || !Array.isArray(tensor.shape))
    throw new RuntimeProblem(`${what}: give a number, nested arrays, a typed array or { data, shape }`);
  if (tensor.data.length !== product(tensor.shape))
    throw new RuntimeProblem(
      `${what}: ${tensor.data.length} values do not fill the shape [${tensor.shape.join(", ")}]`,
    );
  if (Array.isArray(tensor.data))
    return {
      shape: tensor.shape,
      data: tensor.data.map((x: unknown, i) => (typeof x === "number" ? x : numberIn(x, `${what}.data[${i}]`))),
    };
  return tensor as Flat;
}
function numberIn(x: unknown, what: string): number {
  if (typeof x !== "number" && typeof x !== "boolean")
    throw new RuntimeProblem(`${what}: ${JSON.stringify(x) ?? String(x)} is no number`);
  return Number(x);
}
/** What keeps a number from being an f32, if anything does. */
export const notOfF32 = (x: number): string | undefined =>
  Number.isFinite(Math.fround(x))
    ? undefined
    : Number.isNaN(x)
      ? "no number"
      : Number.isFinite(x)
        ? "beyond f32, which ends at 3.4028235e38"
        : "no finite number";
/** Where an element of a row-major array of rows stands, counted from 0. */
export function placeIn(shape: readonly number[], i: number): string {
  const own = shape.slice(1);
  const index = own.map((n, d) => Math.floor(i / product(own.slice(d + 1))) % n);
  return `row ${Math.floor(i / product(own))}${own.length > 1 ? `, element [${index.join(", ")}]` : own.length ? `, column ${index[0]}` : ""}`;
}
/** JSON; what it has no numbers for are strings: "NaN", "Infinity", "-Infinity". */
export const jsonText = (value: unknown, indent?: number): string =>
  JSON.stringify(value, (_, x: unknown) => (typeof x === "number" && !Number.isFinite(x) ? String(x) : x), indent);

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
/** The numbers that bytes are, not copied where they lie as a processor has them. */
export const floatsOf = (bytes: Uint8Array): Float32Array =>
  bytes.byteOffset % 4
    ? new Float32Array(bytes.slice().buffer)
    : new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
export const bytesOf = (array: ArrayBufferView): Uint8Array<ArrayBuffer> =>
  new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
