// What layers over [batch, channels, positions...] have in common, as ONNX and PyTorch have them: how many windows there are, and the way to the
// library's layout, channels last. The reference cases of test/reference use it too.
import { range } from "./value.ts";

/** Channels last of a tensor of this rank, [batch, channels, positions...]; itself where there are no positions. */
export const channelsLast = (text: string, rank: number): string =>
  rank < 3 ? text : `transpose(${text}, axes: [${[0, ...range(rank - 2, 2), 1].join(", ")}])`;
export const channelsFirst = (text: string, rank: number): string =>
  rank < 3 ? text : `transpose(${text}, axes: [${[0, rank - 1, ...range(rank - 2, 1)].join(", ")}])`;
/** [out, in, positions...] or [in, out, positions...] with the positions first, then `first` and `second` of the two. */
export const kernelOrder = (rank: number, first: 0 | 1): number[] => [...range(rank - 2, 2), first, 1 - first];
/** Elements that the taps of a window span. */
export const extent = (kernel: number, dilation: number): number => dilation * (kernel - 1) + 1;
/** How many windows of that extent there are; `ceil` may add a last one that begins inside of the input or of the padding before it. */
export function windowCount(
  n: number,
  span: number,
  stride: number,
  [before, after]: readonly [number, number],
  ceil = false,
): number {
  const room = n + before + after - span;
  const count = (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
  return ceil && (count - 1) * stride >= n + before ? count - 1 : count;
}
/** One number for all axes where they are equal, else a list. */
export const perAxis = (list: readonly number[]): string =>
  list.every((n) => n === list[0]) ? String(list[0]) : `[${list.join(", ")}]`;
/** Amounts before and after each axis. */
export function padText(before: readonly number[], after: readonly number[]): string {
  return before.every((n, i) => n === after[i])
    ? perAxis(before)
    : `[${before.map((n, i) => `[${n}, ${after[i]}]`).join(", ")}]`;
}
/** Arguments of a call; those that are as they are by default are left out. */
export const named = (values: Readonly<Record<string, string>>, defaults: Readonly<Record<string, string>>): string[] =>
  Object.entries(values).flatMap(([name, text]) => (text === defaults[name] ? [] : [`${name}: ${text}`]));
