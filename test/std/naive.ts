// Layers of images and signals written out as loops over elements, in plain numbers: what the library is compared with. In: tensors, channels last. Out: tensors.
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
export const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
/** Every place of a box, row by row. */
export function* places(shape: readonly number[]): Generator<number[]> {
  for (let flat = 0; flat < count(shape); flat++) {
    const at: number[] = [];
    let rest = flat;
    for (const n of [...shape].reverse()) {
      at.unshift(rest % n);
      rest = Math.floor(rest / n);
    }
    yield at;
  }
}
const flatOf = (shape: readonly number[], at: readonly number[]): number =>
  at.reduce((flat, i, d) => flat * shape[d]! + i, 0);
const isWithin = (shape: readonly number[], at: readonly number[]): boolean =>
  at.every((i, d) => i >= 0 && i < shape[d]!);
export const read = (x: Tensor, at: readonly number[]): number => x.data[flatOf(x.shape, at)]!;
export const made = (shape: readonly number[], f: (at: number[]) => number): Tensor => ({
  shape,
  data: [...places(shape)].map(f),
});
const spatial = (x: Tensor): number[] => x.shape.slice(1, -1);

/** Where a padding mode reads what lies at i, or undefined: outside. */
const modes = {
  zeros: (i: number, n: number): number | undefined => (i >= 0 && i < n ? i : undefined),
  reflect: (i: number, n: number): number => (i < 0 ? -i : i >= n ? 2 * n - 2 - i : i),
  symmetric: (i: number, n: number): number => (i < 0 ? -1 - i : i >= n ? 2 * n - 1 - i : i),
  replicate: (i: number, n: number): number => Math.min(Math.max(i, 0), n - 1),
  circular: (i: number, n: number): number => (i + n) % n,
};
export type Mode = keyof typeof modes;
export function pad(
  x: Tensor,
  amounts: readonly (readonly [number, number])[],
  mode: Mode = "zeros",
  value = 0,
): Tensor {
  const shape = x.shape.map((n, d) => n + amounts[d]![0] + amounts[d]![1]);
  return made(shape, (at) => {
    const from = at.map((i, d) => modes[mode](i - amounts[d]![0], x.shape[d]!));
    return from.some((i) => i === undefined) ? value : read(x, from as number[]);
  });
}
export interface Window {
  readonly k: readonly number[];
  readonly stride: readonly number[];
  readonly pad: readonly (readonly [number, number])[];
  readonly dilate: readonly number[];
  readonly ceil?: boolean;
}
/** PyTorch's number of windows. */
const moves = (n: number, d: number, { k, stride, pad: p, dilate, ceil }: Window): number => {
  const room = n + p[d]![0] + p[d]![1] - dilate[d]! * (k[d]! - 1) - 1;
  const out = (ceil ? Math.ceil(room / stride[d]!) : Math.floor(room / stride[d]!)) + 1;
  return ceil && (out - 1) * stride[d]! >= n + p[d]![0] ? out - 1 : out;
};
const origin = (w: Window, at: readonly number[], tap: readonly number[]): number[] =>
  at.map((i, d) => i * w.stride[d]! + tap[d]! * w.dilate[d]! - w.pad[d]![0]);

export function convolution(x: Tensor, w: Tensor, b: Tensor | undefined, window: Window, groups: number): Tensor {
  const sizes = spatial(x).map((n, d) => moves(n, d, window));
  const [inputs, outputs] = [w.shape.at(-2)!, w.shape.at(-1)!];
  return made([x.shape[0]!, ...sizes, outputs], (at) => {
    const [o, row] = [at.at(-1)!, at[0]!];
    const group = Math.floor(o / (outputs / groups));
    let sum = b ? b.data[o]! : 0;
    for (const tap of places(window.k)) {
      const from = origin(window, at.slice(1, -1), tap);
      if (!isWithin(spatial(x), from)) continue;
      for (let c = 0; c < inputs; c++) sum += read(x, [row, ...from, group * inputs + c]) * read(w, [...tap, c, o]);
    }
    return sum;
  });
}
/** Every element of x is added wherever the window puts it. */
export function transposed(
  x: Tensor,
  w: Tensor,
  b: Tensor | undefined,
  window: Window,
  groups: number,
  more: readonly number[],
): Tensor {
  const { k, stride, pad: p, dilate } = window;
  const sizes = spatial(x).map(
    (n, d) => (n - 1) * stride[d]! - p[d]![0] - p[d]![1] + dilate[d]! * (k[d]! - 1) + more[d]! + 1,
  );
  const [inputs, own] = [w.shape.at(-2)!, w.shape.at(-1)!];
  const shape = [x.shape[0]!, ...sizes, own * groups];
  const data = [...places(shape)].map((at) => (b ? b.data[at.at(-1)!]! : 0));
  for (const at of places(x.shape))
    for (const tap of places(k)) {
      const to = origin(window, at.slice(1, -1), tap);
      if (!isWithin(sizes, to)) continue;
      const c = at.at(-1)!;
      const group = Math.floor(c / (inputs / groups));
      for (let o = 0; o < own; o++)
        data[flatOf(shape, [at[0]!, ...to, group * own + o])]! += read(x, at) * read(w, [...tap, c, o]);
    }
  return { shape, data };
}
/** What `of` makes of the elements of every window that lie in x, and of how many of its places lie in x or its padding. */
export function pool(x: Tensor, window: Window, of: (elements: number[], padded: number) => number): Tensor {
  const sizes = spatial(x).map((n, d) => moves(n, d, window));
  const around = spatial(x).map((n, d) => n + window.pad[d]![0] + window.pad[d]![1]);
  return made([x.shape[0]!, ...sizes, x.shape.at(-1)!], (at) => {
    const taps = [...places(window.k)].map((tap) => origin(window, at.slice(1, -1), tap));
    const inside = taps.filter((from) => isWithin(spatial(x), from));
    const padded = taps.filter((from) =>
      isWithin(
        around,
        from.map((i, d) => i + window.pad[d]![0]),
      ),
    );
    return of(
      inside.map((from) => read(x, [at[0]!, ...from, at.at(-1)!])),
      padded.length,
    );
  });
}
export function adaptive(x: Tensor, out: readonly number[], of: (elements: number[]) => number): Tensor {
  return made([x.shape[0]!, ...out, x.shape.at(-1)!], (at) => {
    const elements = [...places(spatial(x))].filter((from) =>
      from.every((i, d) => {
        const [n, m, a] = [spatial(x)[d]!, out[d]!, at[d + 1]!];
        return i >= Math.floor((a * n) / m) && i < Math.ceil(((a + 1) * n) / m);
      }),
    );
    return of(elements.map((from) => read(x, [at[0]!, ...from, at.at(-1)!])));
  });
}
/** By scale (coordinates by the scale itself) or to a size, axis after axis, as torch.nn.functional.interpolate says. */
export function resampled(
  x: Tensor,
  mode: "nearest" | "bilinear" | "bicubic",
  by: { readonly scale?: readonly number[]; readonly out?: readonly number[] },
  alignCorners: boolean,
): Tensor {
  let y = x;
  for (let d = 1; d < x.shape.length - 1; d++) {
    const from = y;
    const n = from.shape[d]!;
    const m = by.out ? by.out[d - 1]! : Math.floor(n * by.scale![d - 1]! + 1e-9);
    const step = by.out ? n / m : 1 / by.scale![d - 1]!;
    const shape = from.shape.map((e, i) => (i === d ? m : e));
    y = made(shape, (at) => {
      const near = (i: number): number =>
        read(
          from,
          at.map((e, axis) => (axis === d ? Math.min(Math.max(i, 0), n - 1) : e)),
        );
      if (mode === "nearest") return near(Math.floor(at[d]! * step + 1e-9));
      const place = alignCorners ? (m > 1 ? (at[d]! * (n - 1)) / (m - 1) : 0) : (at[d]! + 0.5) * step - 0.5;
      const low = Math.floor(place + 1e-9);
      const part = place - low;
      if (mode === "bilinear") return near(low) * (1 - part) + near(low + 1) * part;
      const keys = (t: number, a = -0.75): number =>
        t <= 1 ? (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1 : t < 2 ? a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a : 0;
      return [-1, 0, 1, 2].reduce((sum, r) => sum + near(low + r) * keys(Math.abs(r - part)), 0);
    });
  }
  return y;
}
/** x with mean 0 and variance 1 over all elements for which `group` is the same. */
export function normalised(x: Tensor, group: (at: number[]) => string, eps: number): Tensor {
  const groups = new Map<string, number[]>();
  for (const at of places(x.shape))
    groups.set(group(at), [...(groups.get(group(at)) ?? []), x.data[flatOf(x.shape, at)]!]);
  const statistics = new Map(
    [...groups].map(([name, values]) => {
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      return [name, { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length }] as const;
    }),
  );
  return made(x.shape, (at) => {
    const { mean, variance } = statistics.get(group(at))!;
    return (read(x, at) - mean) / Math.sqrt(variance + eps);
  });
}
