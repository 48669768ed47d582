// Convolutions and pooling: windows that move over the axes behind batch and channels.
import { Unsupported } from "../model.ts";
import type { NodeReader } from "../node.ts";
import { channelsFirst, channelsLast, extent, kernelOrder, named, padText, perAxis, windowCount } from "../channels.ts";
import { permuted, range, shapeText, sizeOf, type Result, type Value } from "../value.ts";
import { affine, at, binders, forAll, type Writer } from "../writer.ts";
import { one, type Operator, type Operators } from "./operator.ts";

interface Windows {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** How many windows there are along every axis. */
  readonly out: readonly number[];
}

/** Attributes that all windows have; `ceil` may add a last window that begins inside the (padded) input. */
function windows(node: NodeReader, size: readonly number[], kernel: readonly number[], ceil = false): Windows {
  const rank = size.length;
  const stride = node.numbers("strides") ?? range(rank).map(() => 1);
  const dilation = node.numbers("dilations") ?? range(rank).map(() => 1);
  const pads = node.numbers("pads") ?? range(2 * rank).map(() => 0);
  const auto = node.word("auto_pad", ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", ""], "NOTSET");
  let before = pads.slice(0, rank);
  let after = pads.slice(rank);
  if (auto === "VALID") [before, after] = [range(rank).map(() => 0), range(rank).map(() => 0)];
  else if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
    const total = range(rank).map((i) => {
      const out = Math.ceil(size[i]! / stride[i]!);
      return Math.max(0, (out - 1) * stride[i]! + extent(kernel[i]!, dilation[i]!) - size[i]!);
    });
    const [less, more] = [total.map((n) => Math.floor(n / 2)), total.map((n) => Math.ceil(n / 2))];
    [before, after] = auto === "SAME_UPPER" ? [less, more] : [more, less];
  }
  const out = size.map((n, i) =>
    windowCount(n, extent(kernel[i]!, dilation[i]!), stride[i]!, [before[i]!, after[i]!], ceil),
  );
  return { kernel, stride, dilation, before, after, out };
}
const axisNames = (rank: number): string[] =>
  rank === 1 ? ["x"] : rank === 2 ? ["y", "x"] : rank === 3 ? ["z", "y", "x"] : range(rank).map((i) => `x${i}`);
const kernelNames = (rank: number): string[] => range(rank).map((i) => (rank <= 3 ? ["r", "s", "t"][i]! : `r${i}`));
/** The library moves windows over three axes at most. */
function dimensions(node: NodeReader, x: Value): number {
  const n = x.shape.length - 2;
  if (n < 1 || n > 3) throw new Unsupported(`${node.op} over ${n} axes`);
  return n;
}
const three = (list: readonly number[], fill: number): string =>
  shapeText([...range(3 - list.length).map(() => fill), ...list]);

interface Convolution {
  readonly node: NodeReader;
  readonly writer: Writer;
  /** Of the library: a layer, and the function of tensors that it is made of. */
  readonly layer: string;
  readonly call: string;
  readonly outs: number;
  readonly groups: number;
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** How much is added behind; of transposed convolutions. */
  readonly extra?: readonly number[];
  readonly shape: readonly number[];
  /** The axis of its weights that is the one before the last of a layer's. */
  readonly first: 0 | 1;
}
/** A layer that holds the weights where they are the file's own; else the function that the layer is made of. */
function convolved(c: Convolution): Result {
  const { node, writer, extra } = c;
  const [x, weight] = [node.input(0), node.input(1)];
  const bias = node.optional(2);
  const rank = x.shape.length;
  const order = kernelOrder(rank, c.first);
  const input = channelsLast(writer.text(x), rank);
  const { shape } = c;
  if (writer.isHeld(weight) && (!bias || writer.isHeld(bias))) {
    const options = named(
      {
        stride: perAxis(c.stride),
        pad: padText(c.before, c.after),
        output_pad: perAxis(extra ?? [0]),
        dilate: perAxis(c.dilation),
        groups: String(c.groups),
        bias: String(bias !== undefined),
      },
      { stride: "1", pad: "0", output_pad: "0", dilate: "1", groups: "1", bias: "true" },
    );
    const text = `${c.layer}${rank - 2}d(${[c.outs, perAxis(c.kernel), ...options].join(", ")})`;
    const held = {
      w: permuted(weight.constant, weight.shape, order),
      ...(bias ? { b: { shape: bias.shape, data: bias.constant } } : {}),
    };
    return { shape, type: "f32", text: channelsFirst(`${writer.layer("conv", text, held)}(${input})`, rank) };
  }
  const margins = c.before.map((n, i) => `[${n}, ${c.after[i]}]`);
  const lifted = [
    `lifted(${input})`,
    `transpose(${writer.text(weight)}, axes: ${shapeText(order)})`,
    three(c.kernel, 1),
    three(c.stride, 1),
    `[${[...range(5 - rank).map(() => "[0, 0]"), ...margins].join(", ")}]`,
    three(c.dilation, 1),
    String(c.groups),
    ...(extra ? [three(extra, 0)] : []),
  ];
  const y = `with_rank(${c.call}(${lifted.join(", ")}), ${rank})`;
  return { shape, type: "f32", text: channelsFirst(bias ? `${y} + ${writer.text(bias)}` : y, rank) };
}
const convolution: Operator = one((node, writer) => {
  const [x, weight] = [node.input(0), node.input(1)];
  const size = x.shape.slice(2);
  dimensions(node, x);
  const kernel = node.numbers("kernel_shape") ?? weight.shape.slice(2);
  const w = windows(node, size, kernel);
  const outs = weight.shape[0]!;
  const shape = [x.shape[0]!, outs, ...w.out];
  const groups = node.int("group", 1);
  return convolved({ ...w, node, writer, layer: "Conv", call: "convolution", outs, groups, shape, first: 1 });
});

const transposedConvolution: Operator = one((node, writer) => {
  const [x, weight] = [node.input(0), node.input(1)];
  const size = x.shape.slice(2);
  const rank = dimensions(node, x);
  const groups = node.int("group", 1);
  const kernel = node.numbers("kernel_shape") ?? weight.shape.slice(2);
  const stride = node.numbers("strides") ?? range(rank).map(() => 1);
  const dilation = node.numbers("dilations") ?? range(rank).map(() => 1);
  const asked = node.numbers("output_padding") ?? range(rank).map(() => 0);
  const pads = node.numbers("pads") ?? range(2 * rank).map(() => 0);
  const auto = node.word("auto_pad", ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", ""], "NOTSET");
  const full = range(rank).map((i) => stride[i]! * (size[i]! - 1) + asked[i]! + extent(kernel[i]!, dilation[i]!));
  let wanted = node.numbers("output_shape")?.slice(-rank);
  if (!wanted && auto.startsWith("SAME")) wanted = size.map((n, i) => n * stride[i]!);
  const total = full.map((n, i) => (wanted ? n - wanted[i]! : auto === "VALID" ? 0 : pads[i]! + pads[rank + i]!));
  // an output beyond what the windows reach is padded with zeros behind
  const needed = total.map((n) => Math.max(0, n));
  const extra = asked.map((n, i) => n + needed[i]! - total[i]!);
  const half = needed.map((n) => Math.floor(n / 2));
  const before = wanted
    ? auto === "SAME_UPPER"
      ? half
      : needed.map((n, i) => n - half[i]!)
    : auto === "VALID"
      ? range(rank).map(() => 0)
      : pads.slice(0, rank);
  const after = needed.map((n, i) => n - before[i]!);
  const outs = weight.shape[1]! * groups;
  const shape = [x.shape[0]!, outs, ...full.map((n, i) => n - total[i]!)];
  const windows = { kernel, stride, dilation, before, after, extra };
  const library = { layer: "ConvTranspose", call: "transposed_convolution", first: 0 } as const;
  return convolved({ ...windows, ...library, node, writer, outs, groups, shape });
});

interface Pool {
  readonly x: Value;
  readonly size: readonly number[];
  readonly w: Windows;
  readonly shape: number[];
  /** The layer of this name, with what other arguments it has, of [batch, positions..., channels]. */
  readonly pooled: (name: string, first?: readonly string[], ...others: readonly string[]) => string;
}
function pool(node: NodeReader, writer: Writer): Pool {
  const x = node.input(0);
  const size = x.shape.slice(2);
  const rank = dimensions(node, x);
  const kernel = node.numbers("kernel_shape");
  if (kernel?.length !== rank) throw new Unsupported(`${node.op} whose kernel does not fit`);
  const ceil = node.flag("ceil_mode");
  const w = windows(node, size, kernel, ceil);
  const options = named(
    {
      stride: perAxis(w.stride),
      pad: padText(w.before, w.after),
      dilate: perAxis(w.dilation),
      ceil_mode: String(ceil),
    },
    { stride: perAxis(kernel), pad: "0", dilate: "1", ceil_mode: "false" },
  );
  const pooled: Pool["pooled"] = (name, first = [], ...others) =>
    writer.layer("pool", `${name}${rank}d(${[...first, perAxis(kernel), ...options, ...others].join(", ")})`);
  return { x, size, w, shape: [...x.shape.slice(0, 2), ...w.out], pooled };
}
const maxPool: Operator = (node, writer) => {
  const { x, size, shape, pooled } = pool(node, writer);
  const columns = node.flag("storage_order");
  if (x.type !== "f32") throw new Unsupported("MaxPool of whole numbers");
  const rank = shape.length;
  const input = channelsLast(writer.text(x), rank);
  if (!node.gives(1)) {
    const text = channelsFirst(`${pooled("MaxPool")}(${input})`, rank);
    return [{ shape, type: x.type, text }];
  }
  // the library counts the places of a channel row by row, ONNX those of the whole input
  const [y, at] = [writer.name("pooled"), writer.name("places")];
  writer.statements.push(`let (${y}, ${at}) = ${pooled("MaxPool", [], "indices: true")}(${input})`);
  const places = axisNames(size.length);
  const place = `${at}[n, ${places.join(", ")}, c]`;
  const parts = range(size.length).map((i) => {
    const behind = sizeOf(size.slice(i + 1));
    return `${behind === 1 ? place : `${place} // ${behind}`}${i === 0 ? "" : ` % ${size[i]}`}`;
  });
  const turned = range(size.length)
    .reverse()
    .reduce((text, i) => (text ? `(${text}) * ${size[i]} + ${parts[i]}` : parts[i]!), "");
  const index = `(n * ${x.shape[1]} + c) * ${sizeOf(size)} + ${columns ? turned : place}`;
  return [
    { shape, type: x.type, text: channelsFirst(y, rank) },
    { shape, type: "i32", text: forAll(["n", "c", ...places], shape, index) },
  ];
};
const averagePool: Operator = one((node, writer) => {
  const { x, shape, pooled } = pool(node, writer);
  const layer = pooled(
    "AvgPool",
    [],
    ...named({ count_include_pad: String(node.flag("count_include_pad")) }, { count_include_pad: "true" }),
  );
  return {
    shape,
    type: "f32",
    text: channelsFirst(`${layer}(${channelsLast(writer.text(x), shape.length)})`, shape.length),
  };
});
/** Of magnitudes. */
const lpPool: Operator = one((node, writer) => {
  const { x, shape, pooled } = pool(node, writer);
  const layer = pooled("LPPool", [String(node.float("p", 2))]);
  return {
    shape,
    type: "f32",
    text: channelsFirst(`${layer}(abs(${channelsLast(writer.text(x), shape.length)}))`, shape.length),
  };
});
const globalPool = (write: (x: string, axes: string, node: NodeReader) => string): Operator =>
  one((node, writer) => {
    const x = node.input(0);
    const axes = `[${range(x.shape.length - 2, 2).join(", ")}]`;
    const shape = x.shape.map((n, i) => (i < 2 ? n : 1));
    return { shape, type: "f32", text: write(writer.text(x), axes, node) };
  });

/** Each pooled value goes back to the place that MaxPool said; the places are those of the output without `output_shape`. */
const maxUnpool: Operator = one((node, writer) => {
  const [x, index] = [node.input(0), node.input(1)];
  const size = x.shape.slice(2);
  const kernel = node.numbers("kernel_shape") ?? [];
  const stride = node.numbers("strides") ?? size.map(() => 1);
  const pads = node.numbers("pads") ?? range(2 * size.length).map(() => 0);
  const inferred = size.map((n, i) => (n - 1) * stride[i]! + kernel[i]! - pads[i]! - pads[size.length + i]!);
  const shape = node.optionalConstant(2, "the shape") ?? [...x.shape.slice(0, 2), ...inferred];
  const places = axisNames(size.length);
  const own = places.map((p) => `from_${p}`);
  const flat = places.reduce((text, p, i) => (text ? `(${text}) * ${inferred[i]} + ${p}` : p), "");
  const target = `(n * ${shape[1]} + c) * ${sizeOf(inferred)} + ${flat}`;
  const inside = places.flatMap((p, i) => (shape[i + 2]! > inferred[i]! ? [`${p} < ${inferred[i]}`] : []));
  const source = ["n", "c", ...own];
  const hit = [...inside, `${at(writer.text(index), source)} == ${target}`].join(" and ");
  const text = `sum over ${binders(own, size)}: where(${hit}, ${at(writer.text(x), source)}, 0.0)`;
  return { shape, type: x.type, text: forAll(["n", "c", ...places], shape, text) };
});

/** The sum of all blocks at their places. */
const columnsToImage: Operator = one((node, writer) => {
  const x = node.input(0);
  const size = node.constantInput(1, "the image's shape");
  const block = node.constantInput(2, "the block's shape");
  const w = windows(node, size, block);
  const channels = x.shape[1]! / sizeOf(block);
  const [places, taps] = [axisNames(size.length), kernelNames(size.length)];
  const apart = writer.let(
    "blocks",
    `reshape${shapeText([x.shape[0]!, channels, ...block, ...w.out])}(${writer.text(x)})`,
  );
  const source = places.map((p, i) => {
    const shifted = `${affine(1, p, w.before[i]!)} - ${affine(w.dilation[i]!, taps[i]!, 0)}`;
    return w.stride[i] === 1 ? shifted : `(${shifted}) / ${w.stride[i]}`;
  });
  const shape = [x.shape[0]!, channels, ...size];
  const text = `sum over ${binders(taps, block)}: (${at(apart, ["n", "c", ...taps, ...source])} ?? 0)`;
  return { shape, type: x.type, text: forAll(["n", "c", ...places], shape, text) };
});

/** A depthwise convolution over the past, with what came before as a state. */
const causalConvolution: Operator = (node, writer) => {
  const [x, weight] = [node.input(0), node.input(1)];
  const [bias, past] = [node.optional(2), node.optional(3)];
  const activation = node.word("activation", ["none", "silu", "swish"], "none");
  const [n, c, length] = x.shape as [number, number, number];
  const k = weight.shape[2]!;
  const text = writer.text(x);
  const long = [n, c, length + k - 1];
  const all =
    past && k > 1
      ? writer.let("sequence", `concat([${writer.text(past)}, ${text}], axis: 2)`)
      : writer.let("sequence", forAll(["n", "c", "t"], long, `${text}[n, c, ${affine(1, "t", 1 - k)}] ?? 0`));
  const sum = `(sum over r in 0..${k}: ${all}[n, c, t + r] * ${writer.text(weight)}[c, 0, r])`;
  const y = writer.let(
    "convolved",
    forAll(["n", "c", "t"], x.shape, `${sum}${bias ? ` + ${writer.text(bias)}[c]` : ""}`),
  );
  const state = { shape: [n, c, k - 1], type: x.type, text: `${all}[:, :, ${length}..${length + k - 1}]` };
  return [{ shape: x.shape, type: x.type, text: activation === "none" ? y : `silu(${y})` }, state];
};

export const windowed: Operators = {
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalAveragePool: globalPool((x, axes) => `mean(${x}, axis: ${axes}, keep: true)`),
  GlobalMaxPool: globalPool((x, axes) => `max(${x}, axis: ${axes}, keep: true)`),
  GlobalLpPool: globalPool((x, axes, node) => {
    const p = node.float("p", 2);
    return `(sum(abs(${x})^${p}, axis: ${axes}, keep: true))^(1 / ${p})`;
  }),
  MaxUnpool: maxUnpool,
  Col2Im: columnsToImage,
  CausalConvWithState: causalConvolution,
};
