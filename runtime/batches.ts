// Which rows are trained on, and in which order. In: the number of rows, holdouts, a seed. Out: rows of each split; an endless stream of
// training rows. Everything is a function of the seed and a position, so that an interrupted run goes on with the same rows.
import { RuntimeProblem } from "./problem.ts";
import type { PlanDataset } from "./plan.ts";

/** splitmix32 (after Steele, Lea and Flood 2014), begun where the seed and a stream's number say. */
export function generator(seed: number, stream: number): () => number {
  let z = Math.imul(seed, 0x85ebca6b) ^ Math.imul(stream, 0xc2b2ae35);
  return () => {
    z = (z + 0x9e3779b9) | 0;
    let x = z ^ (z >>> 16);
    x = Math.imul(x, 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  };
}
export function shuffle(rows: Int32Array, next: () => number): Int32Array {
  for (let i = rows.length - 1; i > 0; i--) {
    const j = Math.floor((next() * (i + 1)) / 4294967296);
    const kept = rows[i]!;
    rows[i] = rows[j]!;
    rows[j] = kept;
  }
  return rows;
}
const interval = (from: number, to: number, stride = 1): Int32Array =>
  Int32Array.from({ length: Math.max(0, Math.ceil((to - from) / stride)) }, (_, i) => from + i * stride);
/** How windows of text move: how many units they hold, and how far apart they begin. */
export interface Moves {
  readonly window: number;
  readonly stride: number;
}
export function movesOf(columns: PlanDataset["columns"]): Moves {
  const windows = columns.flatMap(({ loader }) => (loader.kind === "windows" ? [loader] : []));
  return {
    window: Math.max(1, ...windows.map((l) => l.window)),
    stride: Math.max(1, ...windows.map((l) => l.stride ?? 1)),
  };
}
const [holdoutStream, sampleStream] = [0x5eed, 0x5a3b1e];
/** So many of the rows, chosen by the seed, in rising order; all where there are no more. */
export const sampleOf = (rows: Int32Array, count: number, seed: number): Int32Array =>
  rows.length <= count ? rows : shuffle(rows.slice(), generator(seed, sampleStream)).slice(0, count).sort();

/**
 * Rows by split, "train" first, each in rising order. A share is chosen by the seed. Of text the end is kept apart, and windows that reach
 * over a border belong to neither side: `window` - 1 rows before it are left out. Of each side every `stride`-th row is used.
 */
export function splitRows(
  dataset: Pick<PlanDataset, "name" | "holdouts" | "windowed">,
  ownRows: number,
  seed: number,
  { window, stride }: Moves = { window: 1, stride: 1 },
  others: Readonly<Record<string, readonly [from: number, to: number]>> = {},
): ReadonlyMap<string, Int32Array> {
  const splits = new Map<string, Int32Array>([["train", new Int32Array(0)]]);
  const order = dataset.windowed ? undefined : shuffle(interval(0, ownRows), generator(seed, holdoutStream));
  let end = ownRows;
  const gap = dataset.windowed ? window - 1 : 0;
  for (const h of dataset.holdouts) {
    if (h.dataset !== undefined) {
      const [from, to] = others[h.dataset] ?? [0, 0];
      splits.set(h.name, interval(from, to, stride));
      continue;
    }
    // of text the share is one of characters
    const share = Math.round((h.fraction ?? 0) * (ownRows + gap));
    const count = share - gap;
    if (count < 1 || end - share < 1)
      throw new RuntimeProblem(
        `${h.place}: holdout ${h.name} = ${h.fraction} of ${ownRows} rows leaves ${count < 1 ? "none in it" : "none to train on"}${gap ? ` (a window is ${window} long)` : ""}`,
      );
    splits.set(h.name, order ? order.slice(end - count, end).sort() : interval(end - count, end, stride));
    end -= share;
  }
  splits.set("train", order ? order.slice(0, end).sort() : interval(0, end, stride));
  return splits;
}

/** Rows of the stream from `position` on into `out`: epoch after epoch in a new order, without a seam between them. */
export type Stream = (position: number, out: Int32Array) => void;
export function batchStream(rows: Int32Array, seed: number, shuffled: boolean): Stream {
  let epoch = -1;
  let order = rows;
  return (position, out) => {
    for (let i = 0; i < out.length;) {
      const at = position + i;
      const e = Math.floor(at / rows.length);
      if (shuffled && e !== epoch) order = shuffle(rows.slice(), generator(seed, e + 1 + 0x10000));
      epoch = e;
      const from = at - e * rows.length;
      const n = Math.min(out.length - i, rows.length - from);
      out.set(order.subarray(from, from + n), i);
      i += n;
    }
  };
}
