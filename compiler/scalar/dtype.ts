// Types of elements, one row each: what memory takes for one, how WGSL names four of them and writes a number, what reductions begin with.
import type { DType } from "./functions.ts";
import { largestF32, leastI32, mostI32 } from "./range.ts";

export interface ElementRow {
  readonly bytes: number; // of one in memory
  readonly word: "f32" | "i32" | "u32"; // what WGSL has in storage for it
  readonly vector: string; // four of them
  readonly text: (x: number) => string; // a number
  readonly bits: (x: number) => number; // of one in memory, as an i32
  readonly whole: boolean; // sums wrap, and have no order
  /** What a reduction over nothing is; places of extremes begin with the extreme. */
  readonly identity: Readonly<Record<"sum" | "prod" | "max" | "min" | "argmax" | "argmin", number>>;
}
const integers = {
  bytes: 4,
  bits: (x: number): number => x | 0,
  whole: true,
  identity: { sum: 0, prod: 1, max: leastI32, min: mostI32, argmax: 0, argmin: 0 },
} as const;
export const elements: Readonly<Record<DType | "u32", ElementRow>> = {
  f32: {
    bytes: 4,
    word: "f32",
    vector: "vec4f",
    text: f32Text,
    bits: (x) => new Int32Array(Float32Array.of(x).buffer)[0]!,
    whole: false,
    identity: { sum: 0, prod: 1, max: -largestF32, min: largestF32, argmax: -largestF32, argmin: largestF32 },
  },
  // a number of i32 wraps; right of an operator it stands as it is: `a + -2147483648`, as the literal 2147483648 is none
  i32: { ...integers, word: "i32", vector: "vec4i", text: (x) => String(x | 0) },
  u32: { ...integers, word: "u32", vector: "vec4u", text: (x) => `${x}u` },
  bool: { ...integers, word: "u32", vector: "vec4<bool>", text: (x) => String(x !== 0) }, // WGSL stores none
};
/** What columns of data take: elements, or bytes of them. */
export const bytesOf = (storage: DType | "u8"): number => (storage === "u8" ? 1 : elements[storage].bytes);

/** The infinities become the largest finite numbers, as constant expressions must be finite. Not for NaN: see `dlm_nan`. */
export function f32Text(x: number): string {
  if (x >= largestF32) return "0x1.fffffep+127f";
  if (x <= -largestF32) return "-0x1.fffffep+127f";
  const rounded = Math.fround(x);
  if (Object.is(rounded, -0)) return "-0.0";
  let digits = 1; // the shortest decimal that is this number
  while (digits < 9 && Math.fround(Number(rounded.toPrecision(digits))) !== rounded) digits++;
  const text = String(Number(rounded.toPrecision(digits)));
  return text.includes(".") || text.includes("e") ? text : `${text}.0`;
}
