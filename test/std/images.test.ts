// Layers of images and signals against loops over elements (naive.ts), over tables of sizes, strides, paddings, dilations and groups, with their derivatives.
import { describe, expect, test } from "vitest";
import { evaluate } from "../../compiler/evaluate/evaluate.ts";
import type { Source } from "../../compiler/graph/types.ts";
import { checkGradient, numbers } from "../grad/check.ts";
import { programOf } from "../graph/programs.ts";
import { checkSimplify } from "../rewrite/compare.ts";
import * as naive from "./naive.ts";
import type { Mode, Tensor, Window } from "./naive.ts";

const drawn = (shape: readonly number[], seed: number): Tensor => ({
  shape,
  data: numbers(naive.count(shape), seed),
});
interface Applied {
  readonly outputs: readonly Tensor[];
  readonly parameters: Readonly<Record<string, Tensor>>; // by the last name of their paths
}
/** What `use` makes of x, with parameters drawn, and whether its derivatives of these orders hold. */
function applied(use: string, x: Tensor, orders: 0 | 1 | 2 = 1): Applied {
  const type = `f32[${x.shape.join(", ")}]`;
  const program = programOf(`model net(x: ${type}) = x |> ${use}\nexport fn probe(x: ${type}) = net(x)\n`);
  const { program: graph } = program.exports[0]!;
  const values = new Map<Source, number[]>();
  const parameters: Record<string, Tensor> = {};
  for (const [i, source] of graph.inputs.entries()) {
    if (source.path === "x") values.set(source, [...x.data]);
    else {
      const own = drawn(source.shape as number[], 50 + i);
      parameters[source.path.split(".").at(-1)!] = own;
      values.set(source, [...own.data]);
    }
  }
  checkSimplify(graph, values);
  const floats = graph.inputs.filter((s) => s.dtype === "f32");
  for (const { node } of graph.outputs) if (orders && node.dtype === "f32") checkGradient(node, floats, orders, values);
  const { outputs } = evaluate(graph, values);
  return {
    outputs: graph.outputs.map((o) => ({ shape: o.node.shape as number[], data: [...outputs.get(o.name)!] })),
    parameters,
  };
}
function same(got: Tensor | undefined, want: Tensor): void {
  expect(got!.shape).toEqual(want.shape);
  const worst = Math.max(...got!.data.map((v, i) => Math.abs(v - want.data[i]!)));
  expect(worst).toBeLessThan(1e-6); // constants are f32
}
const both = (p: readonly number[]): Window["pad"] => p.map((n) => [n, n] as const);
const list = (n: readonly number[]): string => `[${n.join(", ")}]`;

type Shape = readonly number[];
/** sizes, k, stride, pad, dilate, groups, batch, channels */
const windows: readonly (readonly [Shape, Shape, Shape, Shape, Shape, number, number])[] = [
  [[7], [3], [1], [0], [1], 1, 1],
  [[9], [4], [3], [2], [2], 2, 2],
  [[6], [1], [2], [0], [1], 4, 1],
  [[5, 6], [3, 2], [1, 1], [1, 0], [1, 1], 1, 2],
  [[7, 5], [3, 3], [2, 1], [1, 2], [1, 2], 2, 1],
  [[8, 7], [2, 3], [3, 2], [0, 1], [2, 1], 4, 2],
  [[4, 4], [4, 4], [1, 1], [0, 0], [1, 1], 1, 1],
  [[3, 5, 4], [2, 3, 1], [1, 2, 2], [0, 1, 0], [1, 1, 1], 2, 1],
  [[4, 3, 3], [3, 2, 2], [2, 1, 1], [1, 0, 1], [1, 2, 1], 1, 2],
];
describe.each(windows)("a window over %j: k %j, stride %j, pad %j, dilate %j, groups %j, batch %j", (...w) => {
  const [sizes, k, stride, pad, dilate, groups, batch] = w;
  const n = sizes.length;
  const x = drawn([batch, ...sizes, 4], 3);
  const window: Window = { k, stride, pad: both(pad), dilate };
  const places = `stride: ${list(stride)}, pad: ${list(pad)}, dilate: ${list(dilate)}`;
  test("convolution", () => {
    const { outputs, parameters } = applied(`Conv${n}d(8, ${list(k)}, ${places}, groups: ${groups})`, x, 2);
    expect(parameters["w"]!.shape).toEqual([...k, 4 / groups, 8]);
    same(outputs[0], naive.convolution(x, parameters["w"]!, parameters["b"], window, groups));
  });
  test("by PyTorch's names, without bias", () => {
    const { outputs, parameters } = applied(
      `Conv${n}d(4, ${list(k)}, stride: ${list(stride)}, padding: ${list(pad)}, dilation: ${list(dilate)}, groups: ${groups}, bias: false)`,
      x,
      0,
    );
    expect(Object.keys(parameters)).toEqual(["w"]);
    same(outputs[0], naive.convolution(x, parameters["w"]!, undefined, window, groups));
  });
  test.each([0, 1])("transposed convolution, output_pad %j", (more) => {
    const after = stride.map((s, d) => Math.min(more, Math.max(s, dilate[d]!) - 1));
    const { outputs, parameters } = applied(
      `ConvTranspose${n}d(8, ${list(k)}, ${places}, output_pad: ${list(after)}, groups: ${groups})`,
      x,
      2,
    );
    expect(parameters["w"]!.shape).toEqual([...k, 4, 8 / groups]);
    same(outputs[0], naive.transposed(x, parameters["w"]!, parameters["b"], window, groups, after));
  });
  test.each(["reflect", "replicate", "circular"] as const)("padding by %s", (mode) => {
    const { outputs, parameters } = applied(
      `Conv${n}d(4, ${list(k)}, ${places}, groups: ${groups}, padding_mode: ${mode})`,
      x,
      1,
    );
    const around = naive.pad(x, [[0, 0], ...both(pad), [0, 0]], mode);
    same(
      outputs[0],
      naive.convolution(around, parameters["w"]!, parameters["b"], { ...window, pad: both(pad.map(() => 0)) }, groups),
    );
  });
  test.each([false, true])("pooling, ceil_mode %j", (ceil) => {
    const own: Window = { ...window, ceil };
    const options = `${list(k)}, ${places}, ceil_mode: ${ceil}`;
    const total = (e: readonly number[]): number => e.reduce((a, b) => a + b, 0);
    const max = naive.pool(x, own, (e) => Math.max(...e));
    // a window that lies outside throughout: PyTorch allows padding up to k / 2 only
    if (max.data.every(Number.isFinite)) {
      same(applied(`MaxPool${n}d(${options})`, x).outputs[0], max);
      same(
        applied(`LSEPool${n}d(${options}, beta: 0.5)`, x, 2).outputs[0],
        naive.pool(x, own, (e) => Math.log(total(e.map((v) => Math.exp(v / 2))) / e.length) * 2),
      );
      same(
        applied(`LSEPool${n}d(${options}, beta: 2, average: false)`, x).outputs[0],
        naive.pool(x, own, (e) => Math.log(total(e.map((v) => Math.exp(2 * v)))) / 2),
      );
    }
    same(
      applied(`AvgPool${n}d(${options})`, x).outputs[0],
      naive.pool(x, own, (e, padded) => total(e) / Math.max(padded, 1)),
    );
    same(
      applied(`AvgPool${n}d(${options}, count_include_pad: false)`, x).outputs[0],
      naive.pool(x, own, (e) => total(e) / Math.max(e.length, 1)),
    );
    same(
      applied(`AvgPool${n}d(${options}, divisor: 3)`, x).outputs[0],
      naive.pool(x, own, (e) => total(e) / 3),
    );
    for (const p of [1, 2, 3, 4])
      same(
        applied(`LPPool${n}d(${p}, ${options})`, x, 0).outputs[0],
        naive.pool(x, own, (e) => {
          const s = total(e.map((v) => v ** p));
          return Math.sign(s) * Math.abs(s) ** (1 / p);
        }),
      );
    same(
      applied(`LPPool${n}d(2.5, ${options})`, x, 0).outputs[0],
      naive.pool(x, own, (e) => total(e.map((v) => Math.abs(v) ** 2.5)) ** 0.4),
    );
  });
});
describe("amounts of padding", () => {
  const x = drawn([2, 7, 6, 2], 5);
  const conv = (use: string, pad: Window["pad"], stride = [1, 1], dilate = [1, 1], k = [3, 3]): void => {
    const { outputs, parameters } = applied(use, x);
    same(outputs[0], naive.convolution(x, parameters["w"]!, parameters["b"], { k, stride, pad, dilate }, 1));
  };
  test("before and after differ", () =>
    conv("Conv2d(3, 3, pad: [[0, 2], [3, 1]])", [
      [0, 2],
      [3, 1],
    ])); // prettier's own layout
  test("same", () => {
    conv(
      "Conv2d(3, [3, 4], pad: same)",
      [
        [1, 1],
        [1, 2],
      ],
      [1, 1],
      [1, 1],
      [3, 4],
    );
    conv(
      "Conv2d(3, [3, 4], padding: same_lower)",
      [
        [1, 1],
        [2, 1],
      ],
      [1, 1],
      [1, 1],
      [3, 4],
    );
    conv(
      "Conv2d(3, 3, stride: [2, 3], pad: same)",
      [
        [1, 1],
        [0, 0],
      ],
      [2, 3],
    );
    conv(
      "Conv2d(3, 3, dilate: 2, pad: same)",
      [
        [2, 2],
        [2, 2],
      ],
      [1, 1],
      [2, 2],
    );
  });
  test("valid, causal and a rule of one's own", () => {
    conv("Conv2d(3, pad: valid)", [
      [0, 0],
      [0, 0],
    ]);
    conv(
      "Conv2d(3, dilate: [2, 1], pad: causal)",
      [
        [4, 0],
        [2, 0],
      ],
      [1, 1],
      [2, 1],
    );
    conv("Conv2d(3, pad: |n, k, stride, dilate| [1, n - 5])", [
      [1, 2],
      [1, 1],
    ]);
  });
  test("a number outside", () => {
    const { outputs, parameters } = applied("Conv2d(3, pad: 1, padding_mode: 2.5)", x);
    const around = naive.pad(
      x,
      [
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0],
      ],
      "zeros",
      2.5,
    );
    const window = { k: [3, 3], stride: [1, 1], pad: both([0, 0]), dilate: [1, 1] };
    same(outputs[0], naive.convolution(around, parameters["w"]!, parameters["b"], window, 1));
  });
  test("a wrong number of them", () => {
    expect(() => applied("Conv2d(3, pad: [1, 2, 3])", x)).toThrow("a list of 2 whole numbers is needed here");
    expect(() => applied("Conv2d(3, pad: 0.5)", x)).toThrow("0.5");
    expect(() => applied("MaxPool2d(9)", x)).toThrow("a window of 9 does not fit into the 7 elements");
  });
});
describe("pad", () => {
  const x = drawn([3, 5, 4], 8);
  test.each<[Mode, string, number]>([
    ["zeros", "0", 0],
    ["zeros", "-1.5", -1.5],
    ["reflect", "reflect", 0],
    ["symmetric", "symmetric", 0],
    ["replicate", "replicate", 0],
    ["circular", "circular", 0],
  ])("%s %s", (mode, fill, value) => {
    const amounts = [
      [1, 2],
      [0, 3],
      [2, 0],
    ] as const;
    const { outputs } = applied(`pad([[1, 2], [0, 3], [2, 0]], ${fill})`, x, 2);
    same(outputs[0], naive.pad(x, amounts, mode, value));
  });
  test("fewer elements where negative", () => {
    same(
      applied("pad([[-1, 0], [1, -2], [0, 0]])", x).outputs[0],
      naive.pad(x, [
        [-1, 0],
        [1, -2],
        [0, 0],
      ]),
    );
  });
});
describe("adaptive and global pooling", () => {
  test.each<[Shape, Shape]>([
    [[7], [3]],
    [[6], [3]],
    [
      [5, 7],
      [3, 1],
    ],
    [
      [4, 6],
      [2, 6],
    ],
    [
      [3, 5],
      [5, 7],
    ],
    [
      [4, 5, 3],
      [2, 3, 2],
    ],
  ])("%j to %j", (sizes, out) => {
    const x = drawn([2, ...sizes, 2], 4);
    const mean = (e: number[]): number => e.reduce((a, b) => a + b, 0) / e.length;
    const n = sizes.length;
    same(applied(`AdaptiveAvgPool${n}d(${list(out)})`, x).outputs[0], naive.adaptive(x, out, mean));
    same(
      applied(`AdaptiveMaxPool${n}d(${list(out)})`, x).outputs[0],
      naive.adaptive(x, out, (e) => Math.max(...e)),
    );
    const all = naive.adaptive(
      x,
      sizes.map(() => 1),
      mean,
    );
    const flat = { shape: [2, 2], data: all.data };
    same(applied(`GlobalAvgPool${n}d()`, x).outputs[0], flat);
    same(applied(`GlobalAvgPool${n}d(keep: true)`, x).outputs[0], all);
    same(applied(`GlobalMaxPool${n}d()`, x).outputs[0], {
      ...flat,
      data: naive.adaptive(
        x,
        sizes.map(() => 1),
        (e) => Math.max(...e),
      ).data,
    });
  });
});
describe("resampling", () => {
  const sizes: readonly Shape[] = [[5], [4, 3], [2, 3, 4]];
  const kinds = ["nearest", "bilinear", "bicubic"] as const;
  test.each(sizes.flatMap((s) => kinds.map((mode) => [s, mode] as const)))("%j, %s", (s, mode) => {
    const x = drawn([2, ...s, 2], 6);
    for (const scale of [2, 3, 1.5, 0.5])
      same(
        applied(`Upsample(${scale}, mode: ${mode})`, x).outputs[0],
        naive.resampled(x, mode, { scale: s.map(() => scale) }, false),
      );
    const out = s.map((n, i) => n + 3 - 2 * i);
    same(
      applied(`Upsample(out: ${list(out)}, mode: ${mode})`, x, 2).outputs[0],
      naive.resampled(x, mode, { out }, false),
    );
    if (mode === "nearest") return;
    same(
      applied(`Upsample(out: ${list(out)}, mode: ${mode}, align_corners: true)`, x).outputs[0],
      naive.resampled(x, mode, { out }, true),
    );
    same(
      applied(`Upsample(scale: 2, mode: ${mode}, align_corners: true)`, x).outputs[0],
      naive.resampled(x, mode, { out: s.map((n) => 2 * n) }, true),
    );
  });
  test("a scale for each axis", () => {
    const x = drawn([1, 3, 4, 2], 7);
    same(applied("Upsample([2, 3])", x).outputs[0], naive.resampled(x, "nearest", { scale: [2, 3] }, false));
  });
});
describe("windows as rows", () => {
  const sizes = [6, 5];
  const x = drawn([2, 6, 5, 3], 9);
  test.each<[Shape, Shape, Shape, Shape]>([
    [
      [2, 3],
      [1, 1],
      [0, 0],
      [1, 1],
    ],
    [
      [3, 2],
      [2, 3],
      [1, 2],
      [1, 2],
    ],
  ])("Unfold and Fold: k %j, stride %j, pad %j, dilate %j", (k, stride, pad, dilate) => {
    const window: Window = { k, stride, pad: both(pad), dilate };
    const options = `${list(k)}, stride: ${list(stride)}, pad: ${list(pad)}, dilate: ${list(dilate)}`;
    // the rows are what convolutions with one weight of 1 give, an output for each element
    const outputs = 3 * naive.count(k);
    const w = naive.made([...k, 3, outputs], ([r, s, c, o]) => Number(o === (c! * k[0]! + r!) * k[1]! + s!));
    const rows = naive.convolution(x, w, undefined, window, 1);
    const flat = { shape: [2, rows.shape[1]! * rows.shape[2]!, outputs], data: rows.data };
    same(applied(`Unfold(${options})`, x, 2).outputs[0], flat);
    const y = drawn(flat.shape, 10);
    const back = naive.made([...k, outputs, 3], ([r, s, o, c]) => naive.read(w, [r!, s!, c!, o!]));
    const least = sizes.map(
      (n, d) => n - ((rows.shape[d + 1]! - 1) * stride[d]! - 2 * pad[d]! + dilate[d]! * (k[d]! - 1) + 1),
    );
    same(
      applied(`Fold([6, 5], ${options})`, y, 2).outputs[0],
      naive.transposed({ shape: rows.shape, data: y.data }, back, undefined, window, 1, least),
    );
  });
  test("PixelShuffle and its inverse", () => {
    const y = drawn([2, 2, 3, 8], 11);
    const shuffled = naive.made([2, 4, 6, 2], ([b, i, j, c]) =>
      naive.read(y, [b!, Math.floor(i! / 2), Math.floor(j! / 2), c! * 4 + (i! % 2) * 2 + (j! % 2)]),
    );
    same(applied("PixelShuffle(2)", y, 2).outputs[0], shuffled);
    same(applied("PixelUnshuffle(2)", shuffled).outputs[0], y);
  });
});
describe("unpooling", () => {
  test.each<[string, Shape]>([
    ["1d(2)", [6]],
    ["2d(2)", [4, 6]],
    ["2d([2, 3], stride: [2, 3])", [4, 6]],
    ["3d(2)", [2, 4, 4]],
  ])("what MaxPool%s kept, where it was", (use, sizes) => {
    const x = drawn([2, ...sizes, 2], 12);
    const [kind, options] = [use.slice(0, 2), use.slice(3, -1)];
    const { outputs } = applied(`MaxPool${kind}(${options}, indices: true) |> MaxUnpool${kind}(${options})`, x);
    const [pooled, at] = applied(`MaxPool${kind}(${options}, indices: true)`, x, 0).outputs;
    const kept = [...naive.places(pooled!.shape)].map((p) => [p[0], naive.read(at!, p), p.at(-1)].join());
    same(
      outputs[0],
      naive.made(x.shape, (p) => {
        const flat = p.slice(1, -1).reduce((sum, i, d) => sum * sizes[d]! + i, 0);
        return kept.includes([p[0], flat, p.at(-1)].join()) ? naive.read(x, p) : 0;
      }),
    );
  });
  test("windows that overlap name an element once", () => {
    const x = { shape: [1, 5, 1], data: [0, 1, 5, 2, 1] };
    const { outputs } = applied("MaxPool1d(3, stride: 1, indices: true) |> MaxUnpool1d(3, stride: 1)", x, 0);
    same(outputs[0], { shape: [1, 5, 1], data: [0, 0, 5, 0, 0] });
  });
});
