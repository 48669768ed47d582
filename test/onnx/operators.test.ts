// ONNX operators against plain loops of their definitions, at attributes, axes and ranks that the project's own cases do not have.
import { describe, expect, test } from "vitest";
import { filled, from, gives, node, reader, refusal, tensor } from "./build.ts";

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
const ints = (data: readonly number[]): ReturnType<typeof tensor> => tensor([data.length], data, "INT64");

describe("windows", () => {
  test.each([
    { size: [7, 9], kernel: [3, 2], strides: [2, 3], pads: [1, 0, 2, 1], dilations: [2, 1], group: 1 },
    { size: [6, 5], kernel: [2, 3], strides: [1, 2], pads: [0, 1, 1, 2], dilations: [1, 2], group: 2 },
    { size: [5], kernel: [3], strides: [2], pads: [2, 0], dilations: [1], group: 4 },
    {
      size: [4, 5, 3],
      kernel: [2, 2, 1],
      strides: [1, 2, 1],
      pads: [1, 0, 0, 0, 1, 0],
      dilations: [1, 1, 1],
      group: 2,
    },
  ])("Conv %o", ({ size, kernel, strides, pads, dilations, group }) => {
    const rank = size.length;
    const [channels, outs] = [4, 8];
    const [x, w, b] = [
      filled([2, channels, ...size], 1),
      filled([outs, channels / group, ...kernel], 2),
      filled([outs], 3),
    ];
    const [at, weight] = [reader(x), reader(w)];
    const out = size.map(
      (n, i) => Math.floor((n + pads[i]! + pads[rank + i]! - dilations[i]! * (kernel[i]! - 1) - 1) / strides[i]!) + 1,
    );
    const taps = (each: (tap: number[]) => number, tap: number[] = []): number =>
      tap.length === rank ? each(tap) : sum(range(kernel[tap.length]!).map((k) => taps(each, [...tap, k])));
    const y = from([2, outs, ...out], (n, o, ...p) => {
      const first = Math.floor(o! / (outs / group)) * (channels / group);
      const each = (c: number): number =>
        taps(
          (tap) =>
            at(n!, first + c, ...tap.map((k, i) => p[i]! * strides[i]! + k * dilations[i]! - pads[i]!)) *
            weight(o!, c, ...tap),
        );
      return b.data[o!]! + sum(range(channels / group).map(each));
    });
    const attributes = { strides, pads, dilations, group, kernel_shape: kernel };
    const nodes = [node("Conv", ["x", "w", "b"], ["y"], attributes)];
    expect(gives({ nodes, inputs: { x }, initializers: { w, b }, outputs: { y } })).toContain(`= Conv${rank}d(8, `);
    for (const initializers of [{}, { w }, { b }])
      expect(gives({ nodes, inputs: { x, w, b }, initializers, outputs: { y } })).toContain("with_rank(convolution(");
  });

  test.each([
    { size: [4, 3], kernel: [3, 2], strides: [2, 3], pads: [1, 0, 0, 1], dilations: [1, 2], group: 2, extra: [1, 2] },
    { size: [5], kernel: [4], strides: [3], pads: [2, 1], dilations: [2], group: 1, extra: [0] },
  ])("ConvTranspose %o", ({ size, kernel, strides, pads, dilations, group, extra }) => {
    const rank = size.length;
    const [channels, per] = [4, 3];
    const [x, w] = [filled([2, channels, ...size], 4), filled([channels, per, ...kernel], 5)];
    const out = size.map(
      (n, i) => strides[i]! * (n - 1) + extra[i]! + dilations[i]! * (kernel[i]! - 1) + 1 - pads[i]! - pads[rank + i]!,
    );
    // pushed from the input, as the definition has it
    const total = new Map<string, number>();
    const walk = (extents: readonly number[], each: (index: number[]) => void, index: number[] = []): void => {
      if (index.length === extents.length) each(index);
      else for (const i of range(extents[index.length]!)) walk(extents, each, [...index, i]);
    };
    const [at, weight] = [reader(x), reader(w)];
    walk(x.shape, ([n, c, ...p]) =>
      walk([per, ...kernel], ([o, ...k]) => {
        const target = p.map((i, axis) => i * strides[axis]! + k[axis]! * dilations[axis]! - pads[axis]!);
        const own = Math.floor(c! / (channels / group)) * per + o!;
        const key = [n, own, ...target].join();
        total.set(key, (total.get(key) ?? 0) + at(n!, c!, ...p) * weight(c!, o!, ...k));
      }),
    );
    const y = from([2, per * group, ...out], (...index) => total.get(index.join()) ?? 0);
    const attributes = { strides, pads, dilations, group, output_padding: extra };
    const nodes = [node("ConvTranspose", ["x", "w"], ["y"], attributes)];
    expect(gives({ nodes, inputs: { x }, initializers: { w }, outputs: { y } })).toContain(`= ConvTranspose${rank}d(`);
    gives({ nodes, inputs: { x, w }, outputs: { y } });
  });

  test.each([
    { op: "MaxPool", ceil_mode: 1, count_include_pad: 0 },
    { op: "AveragePool", ceil_mode: 1, count_include_pad: 0 },
    { op: "AveragePool", ceil_mode: 1, count_include_pad: 1 },
    { op: "AveragePool", ceil_mode: 0, count_include_pad: 0 },
  ])("$op with ceil $ceil_mode and padding counted $count_include_pad", ({ op, ceil_mode, count_include_pad }) => {
    const [size, kernel, strides, pads, dilations] = [
      [7, 6],
      [3, 2],
      [3, 2],
      [1, 1, 0, 1],
      [1, 2],
    ];
    const x = filled([1, 2, ...size], 6);
    const at = reader(x, NaN);
    const out = size.map((n, i) => {
      const room = n + pads[i]! + pads[2 + i]! - dilations[i]! * (kernel[i]! - 1) - 1;
      const count = (ceil_mode ? Math.ceil(room / strides[i]!) : Math.floor(room / strides[i]!)) + 1;
      return ceil_mode && (count - 1) * strides[i]! >= n + pads[i]! ? count - 1 : count;
    });
    const y = from([1, 2, ...out], (n, c, ...p) => {
      const places = range(kernel[0]!).flatMap((r) =>
        range(kernel[1]!).map((s) => [r, s].map((k, i) => p[i]! * strides[i]! + k * dilations[i]! - pads[i]!)),
      );
      const read = places.map((place) => at(n!, c!, ...place)).filter((v) => !Number.isNaN(v));
      if (op === "MaxPool") return Math.max(...read);
      const covered = places.filter((q) => q.every((v, i) => v >= -pads[i]! && v < size[i]! + pads[2 + i]!)).length;
      return sum(read) / (count_include_pad ? covered : read.length);
    });
    const shared = { kernel_shape: kernel, strides, pads, dilations, ceil_mode };
    const attributes = op === "MaxPool" ? shared : { ...shared, count_include_pad };
    gives({ nodes: [node(op, ["x"], ["y"], attributes)], inputs: { x }, outputs: { y } });
  });

  test("MaxPool says where its values come from, and MaxUnpool puts them back", () => {
    const x = filled([2, 3, 4, 6], 7);
    const at = reader(x);
    const best = (n: number, c: number, i: number, j: number): number => {
      const places = range(4).map((k) => [2 * i + (k >> 1), 2 * j + (k & 1)] as const);
      const [r, s] = places.reduce((a, b) => (at(n, c, ...b) > at(n, c, ...a) ? b : a));
      return ((n * 3 + c) * 4 + r) * 6 + s;
    };
    const z = from([2, 3, 2, 3], (n, c, i, j) => best(n!, c!, i!, j!), "INT64");
    const y = from([2, 3, 2, 3], (...index) => x.data[reader(z)(...index)]!);
    const kept = new Set(z.data);
    const w = from([2, 3, 4, 6], (n, c, i, j) => {
      const position = ((n! * 3 + c!) * 4 + i!) * 6 + j!;
      return kept.has(position) ? x.data[position]! : 0;
    });
    const attributes = { kernel_shape: [2, 2], strides: [2, 2] };
    gives({
      nodes: [node("MaxPool", ["x"], ["y", "z"], attributes), node("MaxUnpool", ["y", "z"], ["w"], attributes)],
      inputs: { x },
      outputs: { y, z, w },
    });
  });
});

describe("normalisation", () => {
  const shape = [2, 6, 4, 3];
  const x = filled(shape, 50);
  const [scale, bias, mean] = [filled([6], 51), filled([6], 52), filled([6], 53)];
  const variance = tensor([6], [0.5, 1, 2, 0.25, 3, 1.5]);
  const eps = 0.01;
  /** Normalised among the elements of which `group` says the same, then scaled. */
  const normal = (group: (index: readonly number[]) => string, own: (index: readonly number[]) => number): typeof x => {
    const groups = new Map<string, number[]>();
    from(shape, (...i) => {
      groups.set(group(i), [...(groups.get(group(i)) ?? []), reader(x)(...i)]);
      return 0;
    });
    return from(shape, (...i) => {
      const list = groups.get(group(i))!;
      const m = sum(list) / list.length;
      const v = sum(list.map((e) => (e - m) ** 2)) / list.length;
      return ((reader(x)(...i) - m) / Math.sqrt(v + eps)) * scale.data[own(i)]! + bias.data[own(i)]!;
    });
  };
  const y = {
    batch: from(shape, (...i) => {
      const c = i[1]!;
      const standard = (reader(x)(...i) - mean.data[c]!) / Math.sqrt(variance.data[c]! + eps);
      return standard * scale.data[c]! + bias.data[c]!;
    }),
    instance: normal(
      ([n, c]) => `${n} ${c}`,
      ([, c]) => c!,
    ),
    group: normal(
      ([n, c]) => `${n} ${Math.floor(c! / 2)}`,
      ([, c]) => c!,
    ),
  };
  test.each([
    ["BatchNormalization", "BatchNorm(eps: 0.01)", y.batch, {}, { mean, variance }],
    ["InstanceNormalization", "InstanceNorm(eps: 0.01, affine: true)", y.instance, {}, {}],
    ["GroupNormalization", "GroupNorm(3, eps: 0.01)", y.group, { num_groups: 3 }, {}],
  ] as const)("%s", (op, layer, wanted, attributes, more) => {
    const weights = { scale, bias, ...more };
    const nodes = [node(op, ["x", ...Object.keys(weights)], ["y"], { epsilon: eps, ...attributes })];
    const held = gives({ nodes, inputs: { x }, initializers: weights, outputs: { y: wanted } });
    expect(held).toContain(`= ${layer}`);
    gives({ nodes, inputs: { x, ...weights }, outputs: { y: wanted } });
  });
  test.each([
    { axis: -1, rms: false },
    { axis: -1, rms: true },
    { axis: 2, rms: false },
    { axis: 1, rms: true },
  ])("over the axes from $axis on, by mean squares alone: $rms", ({ axis, rms }) => {
    const rows = shape.slice(0, axis).reduce((a, b) => a * b, 1);
    const size = x.data.length / rows;
    const own = filled(shape.slice(axis), 54);
    const shift = filled(shape.slice(axis), 55);
    const data = x.data.map((e, i) => {
      const row = x.data.slice(Math.floor(i / size) * size, (Math.floor(i / size) + 1) * size);
      const m = rms ? 0 : sum(row) / size;
      const standard = (e - m) / Math.sqrt(sum(row.map((r) => (r - m) ** 2)) / size + eps);
      return standard * own.data[i % size]! + (rms ? 0 : shift.data[i % size]!);
    });
    const weights = rms ? { own } : { own, shift };
    const nodes = [
      node(rms ? "RMSNormalization" : "LayerNormalization", ["x", ...Object.keys(weights)], ["y"], {
        epsilon: eps,
        axis,
      }),
    ];
    const outputs = { y: tensor(shape, data) };
    const held = gives({ nodes, inputs: { x }, initializers: weights, outputs, opset: 23 });
    expect(held).toContain(rms ? "= RMSNorm(eps: 0.01" : "= LayerNorm(eps: 0.01");
    gives({ nodes, inputs: { x, ...weights }, outputs, opset: 23 });
  });
  test("layers of a file are layers of the library, which hold its weights", () => {
    const picture = filled([1, 3, 4, 4], 56);
    const [w, b] = [filled([6, 3, 1, 1], 57), filled([6], 58)];
    const convolved = from(
      [1, 6, 4, 4],
      (n, o, i, j) => b.data[o!]! + sum(range(3).map((c) => reader(picture)(n!, c, i!, j!) * reader(w)(o!, c, 0, 0))),
    );
    const relu = from([1, 6, 4, 4], (...i) => {
      const c = i[1]!;
      const standard = (reader(convolved)(...i) - mean.data[c]!) / Math.sqrt(variance.data[c]! + 1e-5);
      return Math.max(0, standard * scale.data[c]! + bias.data[c]!);
    });
    const source = gives({
      nodes: [
        node("Conv", ["picture", "w", "b"], ["a"]),
        node("BatchNormalization", ["a", "scale", "bias", "mean", "variance"], ["c"]),
        node("Relu", ["c"], ["d"]),
        node("MaxPool", ["d"], ["y"], { kernel_shape: [2, 2], strides: [2, 2] }),
      ],
      inputs: { picture },
      initializers: { w, b, scale, bias, mean, variance },
      outputs: {
        y: from([1, 6, 2, 2], (n, c, i, j) =>
          Math.max(...range(4).map((k) => reader(relu)(n!, c!, 2 * i! + (k >> 1), 2 * j! + (k % 2)))),
        ),
      },
    });
    expect(source).toMatchInlineSnapshot(`
      "model net(picture: f32[1, 3, 4, 4]) {
        let conv = Conv2d(6, 1)
        let a = transpose(conv(transpose(picture, axes: [0, 2, 3, 1])), axes: [0, 3, 1, 2])
        let norm = BatchNorm()
        let c = transpose(norm(transpose(a, axes: [0, 2, 3, 1])), axes: [0, 3, 1, 2])
        let d = relu(c)
        let pool = MaxPool2d(2)
        let y = transpose(pool(transpose(d, axes: [0, 2, 3, 1])), axes: [0, 3, 1, 2])
        return y
      }

      export fn forward(picture: f32[1, 3, 4, 4]) = net(picture)
      "
    `);
  });
});

describe("axes", () => {
  test.each([
    { axes: [0, -1], keepdims: 1 },
    { axes: [1], keepdims: 0 },
    { axes: [-2, 0], keepdims: 0 },
  ])("reductions over $axes, keepdims $keepdims", ({ axes, keepdims }) => {
    const x = filled([2, 3, 4], 8);
    const gone = axes.map((a) => (a < 0 ? a + 3 : a));
    const groups = new Map<string, number[]>();
    from([2, 3, 4], (...index) => {
      const key = index.filter((_, a) => !gone.includes(a)).join();
      groups.set(key, [...(groups.get(key) ?? []), reader(x)(...index)]);
      return 0;
    });
    const shape = x.shape.flatMap((n, a) => (gone.includes(a) ? (keepdims ? [1] : []) : [n]));
    const all: [string, (v: readonly number[]) => number][] = [
      ["ReduceSum", sum],
      ["ReduceMean", (v) => sum(v) / v.length],
      ["ReduceMax", (v) => Math.max(...v)],
      ["ReduceProd", (v) => v.reduce((a, b) => a * b, 1)],
      ["ReduceL2", (v) => Math.sqrt(sum(v.map((e) => e * e)))],
      ["ReduceLogSumExp", (v) => Math.log(sum(v.map(Math.exp)))],
    ];
    for (const [op, write] of all) {
      const y = tensor(shape, [...groups.values()].map(write));
      const old = op === "ReduceSum" ? 12 : 17;
      gives({
        nodes: [node(op, ["x", "axes"], ["y"], { keepdims })],
        inputs: { x },
        initializers: { axes: ints(axes) },
        outputs: { y },
      });
      gives({ nodes: [node(op, ["x"], ["y"], { keepdims, axes })], inputs: { x }, outputs: { y }, opset: old });
    }
  });
  test("softmax before set 13 takes all axes from its own on as one", () => {
    const x = filled([2, 3, 4], 9);
    const rows = range(2).map((i) => x.data.slice(12 * i, 12 * i + 12).map(Math.exp));
    const y = tensor(
      [2, 3, 4],
      rows.flatMap((row) => row.map((e) => e / sum(row))),
    );
    gives({ nodes: [node("Softmax", ["x"], ["y"])], inputs: { x }, outputs: { y }, opset: 11 });
    const last = from([2, 3, 4], (i, j, k) => {
      const at = reader(x);
      return Math.exp(at(i!, j!, k!)) / sum(range(4).map((u) => Math.exp(at(i!, j!, u))));
    });
    gives({ nodes: [node("Softmax", ["x"], ["y"])], inputs: { x }, outputs: { y: last }, opset: 13 });
  });
  test("slices with steps, from the end and beyond it", () => {
    const x = filled([5, 6, 4], 10);
    const y = from([3, 2, 4], (i, j, k) => reader(x)(4 - 2 * i!, 1 + 3 * j!, k!));
    const constants = { s: ints([-1, 1]), e: ints([-100, 1000]), a: ints([0, -2]), t: ints([-2, 3]) };
    gives({
      nodes: [node("Slice", ["x", "s", "e", "a", "t"], ["y"])],
      inputs: { x },
      initializers: constants,
      outputs: { y },
    });
  });
  test.each(["constant", "edge", "reflect", "wrap"])("Pad %s on some axes, also less than nothing", (mode) => {
    const x = filled([2, 4, 5], 11);
    const fold = (i: number, n: number): number =>
      mode === "edge"
        ? Math.max(0, Math.min(n - 1, i))
        : mode === "wrap"
          ? ((i % n) + n) % n
          : mode === "reflect"
            ? n - 1 - Math.abs(n - 1 - (((i % (2 * n - 2)) + 2 * n - 2) % (2 * n - 2)))
            : i;
    const y = from([2, 6, 4], (i, j, k) => reader(x, 7)(i!, fold(j! - 3, 4), k! + 1));
    const pads = ints([-1, 3, 0, -1]);
    gives({
      nodes: [node("Pad", mode === "constant" ? ["x", "p", "v", "a"] : ["x", "p", "", "a"], ["y"], { mode })],
      inputs: { x },
      initializers: { p: pads, v: tensor([], [7]), a: ints([2, 1]) },
      outputs: { y: mode === "constant" ? y : from([2, 6, 4], (i, j, k) => reader(x)(i!, fold(j! - 3, 4), k! + 1)) },
    });
  });
});

describe("indices", () => {
  test("Gather and GatherElements along any axis, also from the end", () => {
    const x = filled([3, 4, 2], 12);
    const index = tensor([2, 2], [-1, 0, 3, -3], "INT64");
    const y = from([3, 2, 2, 2], (i, a, b, k) => reader(x)(i!, (reader(index)(a!, b!) + 4) % 4, k!));
    gives({ nodes: [node("Gather", ["x", "i"], ["y"], { axis: -2 })], inputs: { x, i: index }, outputs: { y } });
    gives({
      nodes: [node("Gather", ["x", "i"], ["y"], { axis: 1 })],
      inputs: { x },
      initializers: { i: index },
      outputs: { y },
    });
    const each = from([2, 4, 2], (i, j, k) => ((i! + j! + k!) % 3) - 1, "INT64");
    const z = from([2, 4, 2], (i, j, k) => reader(x)((reader(each)(i!, j!, k!) + 3) % 3, j!, k!));
    gives({ nodes: [node("GatherElements", ["x", "i"], ["z"], { axis: 0 })], inputs: { x, i: each }, outputs: { z } });
  });
  test.each(["none", "add", "mul", "max", "min"])("ScatterElements and ScatterND, reduction %s", (reduction) => {
    const x = filled([4, 3], 13);
    const join = (old: number, u: number): number =>
      ({ none: u, add: old + u, mul: old * u, max: Math.max(old, u), min: Math.min(old, u) })[reduction]!;
    const index = tensor([2, 3], [3, 0, 1, 3, 2, -1], "INT64");
    const update = filled([2, 3], 14);
    const data = [...x.data];
    for (const i of range(2))
      for (const j of range(3)) {
        const place = ((reader(index)(i, j) + 4) % 4) * 3 + j;
        data[place] = join(data[place]!, reader(update)(i, j));
      }
    const attributes = reduction === "none" ? { axis: 0 } : { axis: 0, reduction };
    gives({
      nodes: [node("ScatterElements", ["x", "i", "u"], ["y"], attributes)],
      inputs: { x, i: index, u: update },
      outputs: { y: tensor([4, 3], data) },
    });
    const rows = tensor([2, 1], [2, -3], "INT64");
    const moved = [...x.data];
    for (const k of range(2))
      for (const j of range(3)) {
        const place = ((rows.data[k]! + 4) % 4) * 3 + j;
        moved[place] = join(moved[place]!, reader(update)(k, j));
      }
    gives({
      nodes: [node("ScatterND", ["x", "i", "u"], ["y"], { reduction })],
      inputs: { x, i: rows, u: update },
      outputs: { y: tensor([4, 3], moved) },
    });
  });
  test("TopK of the least along an inner axis", () => {
    const x = filled([2, 5, 3], 15);
    const order = (i: number, k: number): number[] =>
      range(5).sort((a, b) => reader(x)(i, a, k) - reader(x)(i, b, k) || a - b);
    const at = from([2, 2, 3], (i, j, k) => order(i!, k!)[j!]!, "INT64");
    const values = from([2, 2, 3], (i, j, k) => reader(x)(i!, reader(at)(i!, j!, k!), k!));
    gives({
      nodes: [node("TopK", ["x", "k"], ["values", "at"], { axis: 1, largest: 0 })],
      inputs: { x },
      initializers: { k: ints([2]) },
      outputs: { values, at },
    });
  });
});

describe("whole numbers", () => {
  test("quotients are cut towards 0, remainders are of the divisor's sign or of the dividend's", () => {
    const [a, b] = [
      [7, -7, 7, -7, 0, -1, -2147483648, -2147483648, 2147483647],
      [3, 3, -3, -3, 5, 7, 3, -2147483648, -2147483648],
    ];
    const [x, y] = [ints(a), ints(b)];
    const each = (write: (p: number, q: number) => number): ReturnType<typeof tensor> =>
      ints(a.map((p, i) => write(p, b[i]!) + 0));
    gives({
      nodes: [node("Div", ["x", "y"], ["z"])],
      inputs: { x, y },
      outputs: { z: each((p, q) => Math.trunc(p / q)) },
    });
    gives({
      nodes: [node("Mod", ["x", "y"], ["z"])],
      inputs: { x, y },
      outputs: { z: each((p, q) => p - q * Math.floor(p / q)) },
    });
    gives({
      nodes: [node("Mod", ["x", "y"], ["z"], { fmod: 1 })],
      inputs: { x, y },
      outputs: { z: each((p, q) => p % q) },
    });
  });
  test("products and powers stay exact", () => {
    const x = tensor([3], [123457, 3, -7], "INT32");
    gives({
      nodes: [node("ReduceProd", ["x"], ["z"], { keepdims: 0 })],
      inputs: { x },
      outputs: { z: tensor([], [-2592597], "INT32") },
    });
    gives({
      nodes: [node("Pow", ["x", "y"], ["z"])],
      inputs: { x: ints([3, -2, 7, 10]), y: ints([18, 5, 0, 9]) },
      outputs: { z: ints([387420489, -32, 1, 1000000000]) },
    });
  });
});

describe("recurrence", () => {
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
  test.each(["forward", "reverse", "bidirectional"])(
    "GRU %s with lengths, initial state and both resets",
    (direction) => {
      const [T, B, I, H, D] = [4, 2, 3, 2, direction === "bidirectional" ? 2 : 1];
      const [x, w, r] = [filled([T, B, I], 20), filled([D, 3 * H, I], 21), filled([D, 3 * H, H], 22)];
      const [b, h0] = [filled([D, 6 * H], 23), filled([D, B, H], 24)];
      const lengths = tensor([B], [4, 2], "INT32");
      for (const after of [0, 1]) {
        const shown = new Map<string, number>();
        const last: number[] = [];
        for (const d of range(D))
          for (const n of range(B)) {
            let h = range(H).map((j) => reader(h0)(d, n, j));
            const backwards = direction === "reverse" || d === 1;
            for (const k of range(lengths.data[n]!)) {
              const t = backwards ? lengths.data[n]! - 1 - k : k;
              const wx = (g: number): number =>
                sum(range(I).map((i) => reader(w)(d, g, i) * reader(x)(t, n, i))) + reader(b)(d, g);
              const rh = (g: number, s: readonly number[]): number =>
                sum(s.map((v, j) => reader(r)(d, g, j) * v)) + reader(b)(d, 3 * H + g);
              const z = range(H).map((j) => sigmoid(wx(j) + rh(j, h)));
              const s = range(H).map((j) => sigmoid(wx(H + j) + rh(H + j, h)));
              const gated = h.map((v, j) => s[j]! * v);
              const c = range(H).map((j) =>
                Math.tanh(wx(2 * H + j) + (after ? s[j]! * rh(2 * H + j, h) : rh(2 * H + j, gated))),
              );
              h = h.map((v, j) => (1 - z[j]!) * c[j]! + z[j]! * v);
              h.forEach((v, j) => shown.set([t, d, n, j].join(), v));
            }
            last.push(...h);
          }
        const y = from([T, D, B, H], (...index) => shown.get(index.join()) ?? 0);
        gives({
          nodes: [
            node("GRU", ["x", "w", "r", "b", "l", "h"], ["y", "yh"], {
              hidden_size: H,
              direction,
              linear_before_reset: after,
            }),
          ],
          inputs: { x, l: lengths, h: h0 },
          initializers: { w, r, b },
          outputs: { y, yh: tensor([D, B, H], last) },
        });
      }
    },
  );
});

describe("graphs", () => {
  test("shapes are computed while translating, weights are parameters, names cannot hide a word", () => {
    const x = filled([2, 3, 4], 30);
    const w = filled([5, 12], 31);
    const y = from([2, 5], (n, o) => Math.max(0, sum(range(12).map((i) => x.data[12 * n! + i]! * reader(w)(o!, i)))));
    const source = gives({
      nodes: [
        node("Shape", ["sum"], ["shape"]),
        node("Gather", ["shape", "zero"], ["rows"]),
        node("Unsqueeze", ["rows", "first"], ["row"]),
        node("Concat", ["row", "rest"], ["wanted"], { axis: 0 }),
        node("Reshape", ["sum", "wanted"], ["reshape"]),
        node("Gemm", ["reshape", "W"], ["scan"], { transB: 1 }),
        node("Relu", ["scan"], ["y"]),
      ],
      inputs: { sum: x },
      initializers: { zero: tensor([], [0], "INT64"), first: ints([0]), rest: ints([-1]), W: w },
      outputs: { y },
    });
    expect(source).toMatchInlineSnapshot(`
      "model net(sum: f32[2, 3, 4]) {
        param w: f32[5, 12] ~ zeros
        let reshape_2 = reshape[2, 12](sum)
        let scan_2 = reshape_2 @ transpose(w)
        let y = relu(scan_2)
        return y
      }

      export fn forward(sum: f32[2, 3, 4]) = net(sum)
      "
    `);
  });
  test("what is not read is refused with its name", () => {
    const x = filled([2, 3], 32);
    const one = (op: string, attributes: Record<string, number | string>, inputs: readonly string[] = ["x"]): string =>
      refusal({ nodes: [node(op, inputs, ["y"], attributes)], inputs: { x }, outputs: { y: x } });
    expect(one("Relu", { alpha: 2 })).toBe("attribute alpha of Relu");
    expect(one("Exp", {}, ["x", "x"])).toBe("input 1 of Exp");
    expect(one("NonZero", {})).toBe("NonZero: the shape of its result depends on data");
    expect(one("Frobnicate", {})).toBe("the operator Frobnicate");
    expect(one("Gelu", { approximate: "wave" })).toBe("Gelu with approximate wave");
    expect(
      refusal({
        nodes: [node("Relu", ["x"], ["y"])],
        inputs: { x: { ...x, elementType: "DOUBLE" } },
        outputs: { y: x },
      }),
    ).toBe("the input x is of type DOUBLE; dlm has f32, i32 and bool");
  });
});
