// Neighbours of the reference cases of layers: windows, norms and tables at other sizes, strides, paddings and groups.
import { type Neighbour, range, sum, sizeOf, filled, whole, elements, y } from "./neighbour.ts";

interface Windowed {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
}
const extents = (size: readonly number[], w: Windowed, ceil = false): number[] =>
  size.map((n, i) => {
    const room = n + 2 * w.padding[i]! - w.dilation[i]! * (w.kernel[i]! - 1) - 1;
    const count = (ceil ? Math.ceil(room / w.stride[i]!) : Math.floor(room / w.stride[i]!)) + 1;
    return ceil && (count - 1) * w.stride[i]! >= n + w.padding[i]! ? count - 1 : count;
  });
const taps = (w: Windowed, p: readonly number[]): { tap: number[]; place: number[] }[] =>
  range(sizeOf(w.kernel)).map((t) => {
    const tap = w.kernel.map((n, i) => Math.floor(t / sizeOf(w.kernel.slice(i + 1))) % n);
    return { tap, place: tap.map((k, i) => p[i]! * w.stride[i]! + k * w.dilation[i]! - w.padding[i]!) };
  });
const zero = (v: number): number => (Number.isNaN(v) ? 0 : v);
const convolution = (kind: string, size: readonly number[], groups: number, w: Windowed, bias: boolean): Neighbour => {
  const [ins, outs] = [4, 6];
  return {
    family: "layer",
    kind,
    attrs: { ...w, in: ins, out: outs, groups, bias },
    inputs: {
      x: filled([2, ins, ...size], 11),
      weight: filled([outs, ins / groups, ...w.kernel], 12),
      ...(bias ? { bias: filled([outs], 13) } : {}),
    },
    outputs: y([2, outs, ...extents(size, w)], (r, n, o, ...p) => {
      const first = Math.floor(o! / (outs / groups)) * (ins / groups);
      const each = (c: number): number =>
        sum(taps(w, p).map((t) => zero(r["x"]!(n!, first + c, ...t.place)) * r["weight"]!(o!, c, ...t.tap)));
      return (bias ? r["bias"]!(o!) : 0) + sum(range(ins / groups).map(each));
    }),
  };
};
const transposedConvolution = (
  kind: string,
  size: readonly number[],
  groups: number,
  w: Windowed,
  extra: readonly number[],
): Neighbour => {
  const [ins, per] = [4, 2];
  const out = size.map(
    (n, i) => (n - 1) * w.stride[i]! - 2 * w.padding[i]! + w.dilation[i]! * (w.kernel[i]! - 1) + extra[i]! + 1,
  );
  return {
    family: "layer",
    kind,
    attrs: { ...w, in: ins, out: per * groups, groups, bias: false, output_padding: extra },
    inputs: { x: filled([1, ins, ...size], 14), weight: filled([ins, per, ...w.kernel], 15) },
    outputs: y([1, per * groups, ...out], (r, n, o, ...p) => {
      const first = Math.floor(o! / per) * (ins / groups);
      return sum(
        range(ins / groups).flatMap((c) =>
          elements([...w.kernel, ...size], (...all) => {
            const [tap, from] = [all.slice(0, size.length), all.slice(size.length)];
            const hits = from.every((q, i) => q * w.stride[i]! + tap[i]! * w.dilation[i]! - w.padding[i]! === p[i]);
            return hits ? r["x"]!(n!, first + c, ...from) * r["weight"]!(first + c, o! % per, ...tap) : 0;
          }),
        ),
      );
    }),
  };
};
const pool = (
  kind: string,
  size: readonly number[],
  w: Windowed,
  attrs: Record<string, unknown>,
  write: (v: readonly number[], covered: number) => number,
): Neighbour => ({
  family: "layer",
  kind,
  attrs: {
    ...Object.fromEntries(Object.entries(w).filter(([k]) => k !== "dilation" || kind.startsWith("max"))),
    ...attrs,
  },
  inputs: { x: filled([1, 2, ...size], 16, 0.5, 3) },
  outputs: y([1, 2, ...extents(size, w, attrs["ceil_mode"] === true)], (r, n, c, ...p) => {
    const all = taps(w, p).map((t) => ({ ...t, v: r["x"]!(n!, c!, ...t.place) }));
    const covered = all.filter((t) =>
      t.place.every((q, i) => q >= -w.padding[i]! && q < size[i]! + w.padding[i]!),
    ).length;
    return write(
      all.map((t) => t.v).filter((v) => !Number.isNaN(v)),
      covered,
    );
  }),
});
export const layers: readonly Neighbour[] = [
  convolution("conv1d", [9], 2, { kernel: [3], stride: [2], padding: [2], dilation: [2] }, true),
  convolution("conv2d", [6, 5], 2, { kernel: [2, 3], stride: [2, 1], padding: [1, 2], dilation: [1, 2] }, false),
  convolution(
    "conv3d",
    [3, 4, 3],
    2,
    { kernel: [2, 1, 2], stride: [1, 2, 1], padding: [1, 0, 1], dilation: [1, 1, 2] },
    true,
  ),
  transposedConvolution("conv_transpose1d", [4], 2, { kernel: [3], stride: [3], padding: [1], dilation: [2] }, [2]),
  // no window meets an element
  transposedConvolution("conv_transpose1d", [2], 2, { kernel: [1], stride: [3], padding: [2], dilation: [1] }, [1]),
  transposedConvolution(
    "conv_transpose2d",
    [3, 2],
    1,
    { kernel: [2, 3], stride: [2, 3], padding: [0, 1], dilation: [2, 1] },
    [1, 2],
  ),
  pool("max_pool1d", [10], { kernel: [3], stride: [2], padding: [1], dilation: [2] }, { ceil_mode: true }, (v) =>
    Math.max(...v),
  ),
  pool(
    "max_pool2d",
    [6, 7],
    { kernel: [2, 3], stride: [2, 2], padding: [1, 1], dilation: [2, 1] },
    { ceil_mode: true },
    (v) => Math.max(...v),
  ),
  pool(
    "avg_pool1d",
    [8],
    { kernel: [3], stride: [2], padding: [1], dilation: [1] },
    { ceil_mode: true, count_include_pad: false },
    (v) => sum(v) / v.length,
  ),
  pool(
    "avg_pool1d",
    [8],
    { kernel: [3], stride: [2], padding: [1], dilation: [1] },
    { ceil_mode: true, count_include_pad: true },
    (v, n) => sum(v) / n,
  ),
  pool(
    "avg_pool2d",
    [5, 4],
    { kernel: [2, 2], stride: [2, 2], padding: [1, 0], dilation: [1, 1] },
    { ceil_mode: true, count_include_pad: false },
    (v) => sum(v) / v.length,
  ),
  pool(
    "lp_pool2d",
    [5, 5],
    { kernel: [2, 3], stride: [1, 2], padding: [0, 0], dilation: [1, 1] },
    { p: 2.5 },
    (v) => sum(v.map((e) => e ** 2.5)) ** 0.4,
  ),
  pool(
    "logsumexp_pool2d",
    [4, 5],
    { kernel: [2, 3], stride: [2, 1], padding: [0, 0], dilation: [1, 1] },
    { r: 0.7, mean: false },
    (v) => Math.log(sum(v.map((e) => Math.exp(0.7 * e)))) / 0.7,
  ),
  {
    family: "layer",
    kind: "adaptive_avg_pool2d",
    attrs: { output: [null, 3] },
    inputs: { x: filled([1, 2, 3, 5], 17) },
    outputs: y([1, 2, 3, 3], (r, n, c, i, j) => {
      const [lo, hi] = [Math.floor((j! * 5) / 3), Math.ceil(((j! + 1) * 5) / 3)];
      return sum(range(hi - lo, lo).map((k) => r["x"]!(n!, c!, i!, k))) / (hi - lo);
    }),
  },
  {
    family: "layer",
    kind: "upsample",
    attrs: { scale: [3, 2], mode: "nearest", align_corners: null },
    inputs: { x: filled([1, 2, 2, 3], 18) },
    outputs: y([1, 2, 6, 6], (r, n, c, i, j) => r["x"]!(n!, c!, Math.floor(i! / 3), Math.floor(j! / 2))),
  },
  ...[true, false].map((align_corners): Neighbour => {
    const at = (o: number, n: number, out: number): number =>
      align_corners ? (o * (n - 1)) / (out - 1) : Math.max(0, (o + 0.5) * (n / out) - 0.5);
    return {
      family: "layer",
      kind: "upsample",
      attrs: { scale: 3, mode: "bilinear", align_corners },
      inputs: { x: filled([1, 1, 3, 2], 19) },
      outputs: y([1, 1, 9, 6], (r, n, c, i, j) => {
        const [a, b] = [at(i!, 3, 9), at(j!, 2, 6)];
        const [p, q] = [Math.floor(a), Math.floor(b)];
        const read = (u: number, v: number): number => r["x"]!(n!, c!, Math.min(2, u), Math.min(1, v));
        const [s, t] = [a - p, b - q];
        return (
          (1 - s) * ((1 - t) * read(p, q) + t * read(p, q + 1)) +
          s * ((1 - t) * read(p + 1, q) + t * read(p + 1, q + 1))
        );
      }),
    };
  }),
  ...(["sum", "max"] as const).map((mode): Neighbour => ({
    family: "layer",
    kind: "embedding_bag",
    attrs: { mode },
    inputs: { weight: filled([5, 3], 20), index: whole([2, 3], [0, 4, 2, 1, 1, 3]) },
    outputs: y([2, 3], (r, b, d) => {
      const v = range(3).map((t) => r["weight"]!(r["index"]!(b!, t), d!));
      return mode === "sum" ? sum(v) : Math.max(...v);
    }),
  })),
  {
    family: "layer",
    kind: "local_response_norm",
    attrs: { size: 4, alpha: 0.3, beta: 0.6, k: 2 },
    inputs: { x: filled([2, 5, 3], 21) },
    outputs: y([2, 5, 3], (r, n, c, i) => {
      const square = sum(range(4).map((u) => zero(r["x"]!(n!, c! + u - 2, i!)) ** 2));
      return r["x"]!(n!, c!, i!) / (2 + (0.3 * square) / 4) ** 0.6;
    }),
  },
  {
    family: "layer",
    kind: "pixel_shuffle",
    attrs: { r: 3 },
    inputs: { x: filled([2, 18, 1, 2], 22) },
    outputs: y([2, 2, 3, 6], (r, n, c, i, j) =>
      r["x"]!(n!, c! * 9 + (i! % 3) * 3 + (j! % 3), Math.floor(i! / 3), Math.floor(j! / 3)),
    ),
  },
];
