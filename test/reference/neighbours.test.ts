// Neighbours of the reference cases: the same kinds with other axes, sizes and attributes. Values come from plain loops of the definition, in
// f64, gradients from their central differences.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ReferenceCase, ReferenceTensor } from "./case.ts";
import { runOnEvaluator } from "./evaluator.ts";
import { type Neighbour, type Read, range, sum, filled, whole, elements, caseOf, x34, x234, y } from "./neighbour.ts";
import { layers } from "./neighbour-layers.ts";

const activations: Neighbour[] = [
  ...[0, 1, -3].map((axis): Neighbour => {
    const front = axis < 0 ? axis + 3 : axis;
    const shape = [4, 6, 2].map((n, i) => (i === front ? n / 2 : n));
    const gate = (index: number[]): number[] => index.map((v, i) => (i === front ? v + shape[front]! : v));
    return {
      family: "activation",
      kind: "glu",
      attrs: { axis },
      inputs: { x: filled([4, 6, 2], 3) },
      outputs: y(shape, (r, ...i) => r["x"]!(...i) / (1 + Math.exp(-r["x"]!(...gate(i))))),
    };
  }),
  {
    family: "activation",
    kind: "prelu",
    inputs: { x: filled([2, 3, 2, 2], 4), weight: filled([3], 5) },
    outputs: y([2, 3, 2, 2], (r, ...i) => r["x"]!(...i) * (r["x"]!(...i) > 0 ? 1 : r["weight"]!(i[1]!))),
  },
  {
    family: "activation",
    kind: "softmax",
    attrs: { axis: -2 },
    inputs: { x: x234 },
    outputs: y(
      [2, 3, 4],
      (r, i, j, k) => Math.exp(r["x"]!(i!, j!, k!)) / sum(range(3).map((u) => Math.exp(r["x"]!(i!, u, k!)))),
    ),
  },
];

/** The elements of x that a reduction over `axes` joins for a result's index. */
const joined = (
  x: Read,
  shape: readonly number[],
  axes: readonly number[],
  keep: boolean,
  index: readonly number[],
): number[] => {
  const found: number[] = [];
  elements(shape, (...all) => {
    const rest = keep ? all.map((v, a) => (axes.includes(a) ? 0 : v)) : all.filter((_, a) => !axes.includes(a));
    if (String(rest) === String(index)) found.push(x(...all));
    return 0;
  });
  return found;
};
const reductionOf = (
  kind: string,
  attrs: Record<string, unknown>,
  write: (v: readonly number[]) => number,
): Neighbour => {
  const listed = attrs["axis"] as number[] | null;
  const axes = (listed ?? [0, 1, 2]).map((a) => (a < 0 ? a + 3 : a));
  const keep = attrs["keepdim"] === true;
  const shape = [2, 3, 4].flatMap((n, a) => (axes.includes(a) ? (keep ? [1] : []) : [n]));
  return {
    family: "reduction",
    kind,
    attrs,
    inputs: { x: x234 },
    outputs: y(shape, (r, ...i) => write(joined(r["x"]!, [2, 3, 4], axes, keep, i))),
  };
};
const variance = (v: readonly number[], correction: number): number => {
  const mean = sum(v) / v.length;
  return sum(v.map((e) => (e - mean) ** 2)) / (v.length - correction);
};
const reductions: Neighbour[] = [
  reductionOf("sum", { axis: [-1, 0], keepdim: true }, sum),
  reductionOf("prod", { axis: [2], keepdim: false }, (v) => v.reduce((a, b) => a * b, 1)),
  reductionOf("logsumexp", { axis: [-2], keepdim: true }, (v) => Math.log(sum(v.map(Math.exp)))),
  reductionOf("var", { axis: [0, 2], keepdim: false, correction: 2 }, (v) => variance(v, 2)),
  reductionOf("std", { axis: null, keepdim: true, correction: 0 }, (v) => Math.sqrt(variance(v, 0))),
  reductionOf("norm", { axis: [1], keepdim: true, p: 4 }, (v) => sum(v.map((e) => e ** 4)) ** 0.25),
  reductionOf("norm", { axis: [0, 1], keepdim: false, p: "inf" }, (v) => Math.max(...v.map(Math.abs))),
  ...[0, 1, 2].flatMap((axis): Neighbour[] => [
    {
      family: "reduction",
      kind: "cumsum",
      attrs: { axis: axis - 3 },
      inputs: { x: x234 },
      outputs: y([2, 3, 4], (r, ...i) =>
        sum(range(i[axis]! + 1).map((u) => r["x"]!(...i.map((v, a) => (a === axis ? u : v))))),
      ),
    },
    {
      family: "reduction",
      kind: "max_with_index",
      attrs: { axis, keepdim: axis === 1 },
      inputs: { x: x234 },
      outputs: (() => {
        const keep = axis === 1;
        const shape = [2, 3, 4].flatMap((n, a) => (a === axis ? (keep ? [1] : []) : [n]));
        const all = (r: Readonly<Record<string, Read>>, i: readonly number[]): number[] =>
          joined(r["x"]!, [2, 3, 4], [axis], keep, i);
        return {
          values: { shape, of: (r, ...i) => Math.max(...all(r, i)) },
          indices: { shape, type: "i32", of: (r, ...i) => all(r, i).indexOf(Math.max(...all(r, i))) },
        };
      })(),
    },
  ]),
  {
    family: "reduction",
    kind: "argmax",
    attrs: { axis: null, keepdim: false },
    inputs: { x: x234 },
    outputs: { y: { shape: [], type: "i32", of: () => x234.data.indexOf(Math.max(...x234.data)) } },
  },
  {
    family: "reduction",
    kind: "cosine_similarity",
    attrs: { axis: -1, eps: 1e-8 },
    inputs: { a: filled([2, 1, 4], 12), b: filled([3, 4], 13) },
    outputs: y([2, 3], (r, i, j) => {
      const dot = (a: (k: number) => number, b: (k: number) => number): number => sum(range(4).map((k) => a(k) * b(k)));
      const [a, b] = [(k: number) => r["a"]!(i!, 0, k), (k: number) => r["b"]!(j!, k)];
      return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    }),
  },
  {
    family: "reduction",
    kind: "norm",
    attrs: { axis: [1], keepdim: true, p: "-inf" },
    inputs: { x: x34 },
    outputs: y([3, 1], (r, i) => Math.min(...range(4).map((k) => Math.abs(r["x"]!(i!, k))))),
  },
  {
    family: "reduction",
    kind: "pairwise_distance",
    attrs: { p: 3, eps: 1e-6, keepdim: true },
    inputs: { a: x34, b: filled([3, 4], 6) },
    outputs: y(
      [3, 1],
      (r, i) => sum(range(4).map((k) => Math.abs(r["a"]!(i!, k) - r["b"]!(i!, k) + 1e-6) ** 3)) ** (1 / 3),
    ),
  },
];

const moved = (
  kind: string,
  attrs: Record<string, unknown>,
  shape: readonly number[],
  source: (i: number[]) => number[],
  x = x234,
): Neighbour => ({
  family: "shape",
  kind,
  attrs,
  inputs: { x },
  outputs: y(shape, (r, ...i) => {
    const v = r["x"]!(...source(i));
    return Number.isNaN(v) ? 0 : v;
  }),
});
const mod = (a: number, n: number): number => ((a % n) + n) % n;
const shapes: Neighbour[] = [
  moved("diagonal", { offset: 1 }, [2, 3], ([n, d]) => [n!, d!, d! + 1]),
  moved("diagonal", { offset: -2 }, [2, 1], ([n, d]) => [n!, d! + 2, d!]),
  moved("flatten", { start: 0, end: 1 }, [6, 4], ([i, k]) => [Math.floor(i! / 3), i! % 3, k!]),
  moved("flip", { axes: [-1, 0] }, [2, 3, 4], ([i, j, k]) => [1 - i!, j!, 3 - k!]),
  moved(
    "pad",
    {
      pad: [
        [1, 0],
        [-1, 2],
        [2, -1],
      ],
      mode: "circular",
    },
    [3, 4, 5],
    ([i, j, k]) => [mod(i! - 1, 2), 1 + (j! % 2), mod(k! - 2, 3)], // what is cut off does not come round
  ),
  moved(
    "pad",
    {
      pad: [
        [0, 0],
        [1, -1],
        [-2, 3],
      ],
      mode: "constant",
      value: 0,
    },
    [2, 3, 5],
    ([i, j, k]) => [i!, j! - 1, k! + 2],
  ),
  moved("repeat_interleave", { repeats: 2, axis: -1 }, [2, 3, 8], ([i, j, k]) => [i!, j!, Math.floor(k! / 2)]),
  moved("repeat_interleave", { repeats: 3 }, [72], ([p]) => [
    Math.floor(p! / 36),
    Math.floor(p! / 12) % 3,
    Math.floor(p! / 3) % 4,
  ]),
  moved("roll", { shifts: [-1, 3], axes: [1, -1] }, [2, 3, 4], ([i, j, k]) => [i!, mod(j! + 1, 3), mod(k! - 3, 4)]),
  moved("select", { axis: -1, index: -3 }, [2, 3], ([i, j]) => [i!, j!, 1]),
  moved("slice", { starts: [0, -2, 1], stops: [2, 100, -1], steps: [1, 1, 2] }, [2, 2, 1], ([i, j, k]) => [
    i!,
    j! + 1,
    1 + 2 * k!,
  ]),
  moved("squeeze", { axis: -2 }, [2, 3, 4], (i) => i), // an axis of another extent stays
  moved("tril", { diagonal: -5 }, [2, 3, 4], () => [-1, 0, 0]), // nothing is left, so nothing has a slope
  moved("squeeze", { axis: null }, [3, 4], ([j, k]) => [0, j!, k!], filled([1, 3, 4], 7)),
  moved("tile", { reps: [2, 1, 3] }, [2, 3, 12], ([, j, k]) => [j!, k! % 4], x34),
  moved("transpose", { axes: [0, 2] }, [4, 3, 2], ([i, j, k]) => [k!, j!, i!]),
  moved("permute", { perm: [-1, 0, 1] }, [4, 2, 3], ([i, j, k]) => [j!, k!, i!]),
  moved("unsqueeze", { axis: -2 }, [2, 3, 1, 4], ([i, j, , k]) => [i!, j!, k!]),
  {
    family: "shape",
    kind: "stack",
    attrs: { axis: 1, order: ["b", "a"] },
    inputs: { a: x34, b: filled([3, 4], 8) },
    outputs: y([3, 2, 4], (r, i, s, k) => r[s ? "a" : "b"]!(i!, k!)),
  },
  {
    family: "shape",
    kind: "split",
    attrs: { axis: -1, sizes: [1, 3] },
    inputs: { x: x234 },
    outputs: {
      y0: { shape: [2, 3, 1], of: (r, ...i) => r["x"]!(...i) },
      y1: { shape: [2, 3, 3], of: (r, i, j, k) => r["x"]!(i!, j!, k! + 1) },
    },
  },
  {
    family: "shape",
    kind: "im2col",
    attrs: { kernel: [2, 3], padding: [1, 0], stride: [2, 1], dilation: [1, 2] },
    inputs: { x: filled([2, 2, 4, 6], 9) },
    outputs: y([2, 12, 6], (r, n, row, p) => {
      const [c, k, s] = [Math.floor(row! / 6), Math.floor(row! / 3) % 2, row! % 3];
      const v = r["x"]!(n!, c, Math.floor(p! / 2) * 2 + k - 1, (p! % 2) + 2 * s);
      return Number.isNaN(v) ? 0 : v;
    }),
  },
];

const index223 = whole([2, 2, 3], [1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1]);
const indexing: Neighbour[] = [
  {
    family: "indexing",
    kind: "gather",
    attrs: { axis: 0 },
    inputs: { x: x234, index: index223 },
    outputs: y([2, 2, 3], (r, i, j, k) => r["x"]!(r["index"]!(i!, j!, k!), j!, k!)),
  },
  {
    family: "indexing",
    kind: "take_along",
    attrs: { axis: 1 },
    inputs: { x: x34, index: whole([1, 2], [3, 1]) },
    outputs: y([3, 2], (r, i, k) => r["x"]!(i!, r["index"]!(0, k!))),
  },
  {
    family: "indexing",
    kind: "take_along",
    attrs: { axis: 0 },
    inputs: { x: filled([3, 1], 11), index: whole([2, 4], [2, 0, 1, 1, 0, 0, 2, 2]) },
    outputs: y([2, 4], (r, i, k) => r["x"]!(r["index"]!(i!, k!), 0)),
  },
  {
    family: "indexing",
    kind: "take_along",
    attrs: { axis: null },
    inputs: { x: x34, index: whole([3], [11, 0, 6]) },
    outputs: y([3], (r, k) => r["x"]!(Math.floor(r["index"]!(k!) / 4), r["index"]!(k!) % 4)),
  },
  {
    family: "indexing",
    kind: "index_select",
    attrs: { axis: -1 },
    inputs: { x: x234, index: whole([2], [3, 1]) },
    outputs: y([2, 3, 2], (r, i, j, k) => r["x"]!(i!, j!, r["index"]!(k!))),
  },
  {
    family: "indexing",
    kind: "scatter_add",
    attrs: { axis: 1 },
    inputs: { x: x34, index: whole([2, 5], [0, 3, 3, 1, 0, 2, 2, 2, 1, 3]), src: filled([2, 5], 10) },
    outputs: y(
      [3, 4],
      (r, i, j) =>
        r["x"]!(i!, j!) + (i! < 2 ? sum(range(5).map((u) => (r["index"]!(i!, u) === j ? r["src"]!(i!, u) : 0))) : 0),
    ),
  },
  ...[true, false].map((descending): Neighbour => {
    const order = (x: Read, k: number): number[] =>
      range(3).sort((a, b) => (descending ? x(b, k) - x(a, k) : x(a, k) - x(b, k)));
    return {
      family: "indexing",
      kind: "sort",
      attrs: { axis: 0, descending },
      inputs: { x: x34 },
      outputs: {
        values: { shape: [3, 4], of: (r, i, k) => r["x"]!(order(r["x"]!, k!)[i!]!, k!) },
        indices: { shape: [3, 4], type: "i32", of: (r, i, k) => order(r["x"]!, k!)[i!]! },
      },
    };
  }),
];

const classes = whole([2, 3], [0, 255, 2, 1, 3, 0]);
const logSoftmax = (v: readonly number[]): number[] => v.map((e) => e - Math.log(sum(v.map(Math.exp))));
const losses: Neighbour[] = [
  ...["mean", "sum", "none"].map((reduction): Neighbour => ({
    family: "loss",
    kind: "cross_entropy",
    attrs: { reduction, ignore_index: 255, label_smoothing: 0.2 },
    inputs: { x: filled([2, 4, 3], 23), target: classes, class_weight: filled([4], 24, 0.5, 2) },
    constant: ["class_weight"],
    outputs: (() => {
      const each = (r: Readonly<Record<string, Read>>, n: number, t: number): [number, number] => {
        const k = r["target"]!(n, t);
        if (k === 255) return [0, 0];
        const lp = logSoftmax(range(4).map((c) => r["x"]!(n, c, t)));
        const w = (c: number): number => r["class_weight"]!(c);
        return [-0.8 * w(k) * lp[k]! - (0.2 / 4) * sum(range(4).map((c) => w(c) * lp[c]!)), w(k)];
      };
      const all = (r: Readonly<Record<string, Read>>): [number, number][] =>
        range(6).map((i) => each(r, Math.floor(i / 3), i % 3));
      return {
        loss:
          reduction === "none"
            ? { shape: [2, 3], of: (r, n, t) => each(r, n!, t!)[0] }
            : {
                shape: [],
                of: (r) => sum(all(r).map(([l]) => l)) / (reduction === "mean" ? sum(all(r).map(([, w]) => w)) : 1),
              },
      };
    })(),
  })),
  {
    family: "loss",
    kind: "gaussian_nll",
    attrs: { full: true, eps: 1e-3, reduction: "none" },
    inputs: { x: x34, target: filled([3, 4], 25), var: filled([3, 1], 26, 0.5, 2) },
    outputs: {
      loss: {
        shape: [3, 4],
        of: (r, i, j) =>
          0.5 * (Math.log(r["var"]!(i!, 0)) + (r["x"]!(i!, j!) - r["target"]!(i!, j!)) ** 2 / r["var"]!(i!, 0)) +
          0.5 * Math.log(2 * Math.PI),
      },
    },
  },
  {
    family: "loss",
    kind: "multi_margin",
    attrs: { p: 2, margin: 0.7, reduction: "mean" },
    inputs: { x: x34, target: whole([3], [3, 0, 1]), weight: filled([4], 27, 0.5, 2) },
    constant: ["weight"],
    outputs: {
      loss: {
        shape: [],
        of: (r) =>
          sum(
            range(3).map((i) => {
              const t = r["target"]!(i);
              return (
                sum(
                  range(4).map((k) =>
                    k === t ? 0 : r["weight"]!(t) * Math.max(0, 0.7 - r["x"]!(i, t) + r["x"]!(i, k)) ** 2,
                  ),
                ) / 4
              );
            }),
          ) / 3,
      },
    },
  },
  {
    family: "loss",
    kind: "triplet_margin",
    attrs: { margin: 5, p: 3, eps: 1e-6, swap: true, reduction: "none" },
    inputs: { anchor: x34, positive: filled([3, 4], 28), negative: filled([3, 4], 29) },
    outputs: {
      loss: {
        shape: [3],
        of: (r, i) => {
          const d = (a: string, b: string): number =>
            sum(range(4).map((k) => Math.abs(r[a]!(i!, k) - r[b]!(i!, k) + 1e-6) ** 3)) ** (1 / 3);
          return Math.max(
            0,
            d("anchor", "positive") - Math.min(d("anchor", "negative"), d("positive", "negative")) + 5,
          );
        },
      },
    },
  },
  ...[whole([2, 2], [0, 0, 1, 0]), whole([3], [0, 0, 1])].map((target): Neighbour => ({
    family: "loss",
    kind: "ctc",
    attrs: { reduction: "none", blank: 2 },
    inputs: {
      x: filled([4, 2, 3], 30),
      target, // rows, or one behind another
      input_lengths: whole([2], [4, 3]),
      target_lengths: whole([2], [2, 1]),
    },
    outputs: {
      loss: {
        shape: [2],
        of: (r, n) => {
          // every way of length T that reads as the target
          const [steps, length] = [r["input_lengths"]!(n!), r["target_lengths"]!(n!)];
          const wanted = range(length)
            .map((k) => target.data[2 * n! + k])
            .join();
          const lp = range(steps).map((t) => logSoftmax(range(3).map((c) => r["x"]!(t, n!, c))));
          const ways = elements(
            range(steps).map(() => 3),
            (...way) => {
              const read = way.filter((c, t) => c !== 2 && (t === 0 || way[t - 1] !== c)).join();
              return read === wanted ? Math.exp(sum(way.map((c, t) => lp[t]![c]!))) : 0;
            },
          );
          return -Math.log(sum(ways));
        },
      },
    },
  })),
];

const linalg: Neighbour[] = [
  {
    family: "linalg",
    kind: "einsum",
    attrs: { equation: "ij,jk->ik" },
    inputs: { a: filled([3, 1], 32), b: filled([4, 2], 33) },
    outputs: y([3, 2], (r, i, k) => sum(range(4).map((j) => r["a"]!(i!, 0) * r["b"]!(j, k!)))),
  },
  {
    family: "linalg",
    kind: "svdvals",
    inputs: { x: filled([2, 3, 1, 2], 34) },
    outputs: y([2, 3, 1], (r, i, j) => Math.hypot(r["x"]!(i!, j!, 0, 0), r["x"]!(i!, j!, 0, 1))),
  },
  {
    family: "linalg",
    kind: "einsum",
    attrs: { equation: "bij, bkj" },
    inputs: { a: x234, b: filled([2, 2, 4], 31) },
    outputs: y([3, 2], (r, i, k) =>
      sum(range(8).map((p) => r["a"]!(Math.floor(p / 4), i!, p % 4) * r["b"]!(Math.floor(p / 4), k!, p % 4))),
    ),
  },
];

describe.each([
  ["activations", activations],
  ["reductions", reductions],
  ["shapes", shapes],
  ["indexing", indexing],
  ["layers", layers],
  ["losses", losses],
  ["linear algebra", linalg],
])("%s", (_, list) => {
  test.each(list.map((n) => [`${n.kind} ${JSON.stringify(n.attrs ?? {})}`, n] as const))("%s", (_name, n) => {
    expect(runOnEvaluator(caseOf(n))).toEqual({ kind: "passed" });
  });
});

const referenceCase = (name: string): ReferenceCase =>
  JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), "utf8")) as ReferenceCase;
/** Cases of attention, said in other ways. */
describe("attention", () => {
  const forward = (c: ReferenceCase): ReferenceCase => ({ ...c, grads: {} });
  const square = (n: number, of: (i: number, j: number) => number, dtype: "bool" | "f32"): ReferenceTensor => ({
    shape: [n, n],
    dtype,
    data: elements([n, n], (i, j) => of(i!, j!)),
  });
  test("true entries of a mask leave out, for all heads or each", () => {
    const c = referenceCase("attention/mha_self_causal");
    const [batch, steps] = c.inputs["x"]!.shape as [number, number];
    const later = square(steps, (i, j) => Number(j > i), "bool");
    const attrs = { ...c.attrs, causal: false };
    const each = batch * (c.attrs["heads"] as number);
    const repeated = { ...later, shape: [each, steps, steps], data: range(each).flatMap(() => later.data) };
    for (const attn_mask of [later, repeated])
      expect(runOnEvaluator({ ...c, attrs, inputs: { ...c.inputs, attn_mask } })).toEqual({ kind: "passed" });
  });
  test("a mask of truth values says what is seen, one of numbers is added", () => {
    const c = referenceCase("attention/sdpa_causal");
    const n = c.inputs["q"]!.shape.at(-2)!;
    const masks = [square(n, (i, j) => Number(j <= i), "bool"), square(n, (i, j) => (j <= i ? 0 : -1e9), "f32")];
    for (const attn_mask of masks)
      expect(
        runOnEvaluator({ ...c, attrs: { ...c.attrs, causal: false }, inputs: { ...c.inputs, attn_mask } }),
      ).toEqual({ kind: "passed" });
  });
  test("memory of another width has projections of its own", () => {
    const c = referenceCase("attention/mha_cross");
    const [embed, wide] = [c.attrs["embed"] as number, (c.attrs["embed"] as number) + 2];
    const padded = (t: ReferenceTensor, fill: number): ReferenceTensor => ({
      ...t,
      shape: [...t.shape.slice(0, -1), wide],
      data: range(t.data.length / embed).flatMap((row) => [
        ...t.data.slice(row * embed, (row + 1) * embed),
        fill,
        fill,
      ]),
    });
    const { in_proj_weight, ...params } = c.params;
    const part = (k: number): ReferenceTensor => ({
      ...in_proj_weight!,
      shape: [embed, embed],
      data: in_proj_weight!.data.slice(k * embed * embed, (k + 1) * embed * embed),
    });
    const own = { q_proj_weight: part(0), k_proj_weight: padded(part(1), 0), v_proj_weight: padded(part(2), 0) };
    const inputs = { ...c.inputs, kv: padded(c.inputs["kv"]!, 7) };
    expect(runOnEvaluator(forward({ ...c, params: { ...own, ...params }, inputs }))).toEqual({ kind: "passed" });
  });
});
test("an LSTM's projection by the identity changes nothing", () => {
  const c = referenceCase("recurrent/lstm_seq");
  const n = c.attrs["hidden"] as number;
  const weight_hr_l0 = { shape: [n, n], dtype: "f32", data: elements([n, n], (i, j) => Number(i === j)) } as const;
  const attrs = { ...c.attrs, proj_size: n, dropout: 0 };
  expect(runOnEvaluator({ ...c, attrs, params: { ...c.params, weight_hr_l0 } })).toEqual({ kind: "passed" });
});
test("decimals stand for the nearest f32", () => {
  const x = { shape: [1], dtype: "f32", data: [1000.00391] } as const;
  const c = caseOf({
    family: "elementwise",
    kind: "const_add",
    attrs: { c: -1000 },
    inputs: { x },
    outputs: y([1], () => 0.00390625),
    constant: ["x"],
  });
  expect(runOnEvaluator({ ...c, tolerance: { rtol: 0, atol: 1e-9 } })).toEqual({ kind: "passed" });
});

/** Training cases: what the attributes say of the way, and rules written out. */
describe("sequences", () => {
  const [steps, rate] = [3, 0.5];
  const [w, b] = [[1, -2], [0.5]];
  const slopes = [
    { w: [0.5, -1], b: [2] },
    { w: [0.25, 0.25], b: [-0.125] },
    { w: [-3, 1], b: [0] },
  ];
  const tensor = (shape: readonly number[], data: readonly number[]): ReferenceTensor => ({
    shape,
    dtype: "f32",
    data,
  });
  test.each<[Record<string, unknown>, (g: readonly number[]) => number, number]>([
    [{}, () => 1, 1],
    [{ maximize: true, foreach: false }, () => 1, -1],
    [{ clip: { mode: "norm", max_norm: 1, norm_type: 1 } }, (g) => Math.min(1, 1 / (sum(g.map(Math.abs)) + 1e-6)), 1],
    [
      { clip: { mode: "norm", max_norm: 1, norm_type: "inf" } },
      (g) => Math.min(1, 1 / (Math.max(...g.map(Math.abs)) + 1e-6)),
      1,
    ],
  ])("sgd with %j", (attrs, scale, way) => {
    const rows: { w: number[][]; b: number[][] } = { w: [], b: [] };
    let now = { w, b };
    for (const g of slopes) {
      const step = way * rate * scale([...g.w, ...g.b]);
      now = { w: now.w.map((x, i) => x - step * g.w[i]!), b: now.b.map((x, i) => x - step * g.b[i]!) };
      rows.w.push(now.w);
      rows.b.push(now.b);
    }
    const clip = attrs["clip"] as { norm_type: number | "inf" } | undefined;
    const sizes = slopes.map((g) => {
      const all = [...g.w, ...g.b].map(Math.abs);
      return clip?.norm_type === "inf" ? Math.max(...all) : sum(all);
    });
    const c: ReferenceCase = {
      name: "sgd",
      family: "optimizer",
      kind: "sgd",
      attrs: { lr: rate, steps, ...attrs },
      inputs: {
        "grad.w": tensor(
          [3, 2],
          slopes.flatMap((g) => g.w),
        ),
        "grad.b": tensor(
          [3, 1],
          slopes.flatMap((g) => g.b),
        ),
      },
      params: { w: tensor([2], w), b: tensor([1], b) },
      outputs: {
        w: tensor([3, 2], rows.w.flat()),
        b: tensor([3, 1], rows.b.flat()),
        ...(clip ? { grad_norm: tensor([3], sizes) } : {}),
      },
      grads: {},
      tolerance: { rtol: 1e-6, atol: 1e-6 },
    };
    expect(runOnEvaluator(c)).toEqual({ kind: "passed" });
  });
  test("a block that adds nothing to a GPT leaves its loss", () => {
    const c = referenceCase("model/model_gpt_adamw");
    const zero = ["attn.out_proj.weight", "attn.out_proj.bias", "fc2.weight", "fc2.bias"];
    const params: Record<string, ReferenceTensor> = {};
    for (const [name, t] of Object.entries(c.params)) {
      params[name] = t;
      const part = name.replace(/^block0\./, "");
      if (part !== name) params[`block1.${part}`] = zero.includes(part) ? { ...t, data: t.data.map(() => 0) } : t;
    }
    const architecture = (c.attrs["architecture"] as string).replace("1 pre-LN block ", "2 pre-LN blocks ");
    const first = { loss: c.outputs["loss"]!, losses: tensor([1], c.outputs["losses"]!.data.slice(0, 1)) };
    const two = { ...c, params, outputs: first, grads: {}, attrs: { ...c.attrs, architecture, steps: 1 } };
    expect(runOnEvaluator(two)).toEqual({ kind: "passed" });
  });
});

test("a case with an attribute that nothing reads is refused by name, and so is an input or output", () => {
  const base = caseOf(reductions[0]!);
  const refused = (c: ReferenceCase): unknown => runOnEvaluator(c);
  expect(refused({ ...base, attrs: { ...base.attrs, dtype: "f64" } })).toEqual({
    kind: "skipped",
    reason: "attribute dtype not read",
  });
  expect(refused({ ...base, inputs: { ...base.inputs, weight: x34 } })).toEqual({
    kind: "skipped",
    reason: "input weight not read",
  });
  expect(refused({ ...base, outputs: { ...base.outputs, count: x34 } })).toEqual({
    kind: "skipped",
    reason: "output count not compared",
  });
  expect(refused({ ...base, kind: "median" })).toEqual({ kind: "skipped", reason: "kind not translated" });
});
