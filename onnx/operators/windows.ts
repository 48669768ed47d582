// Convolutions and pooling: windows that move over the axes behind batch and channels.
import { Unsupported } from "../model.ts";
import type { NodeReader } from "../node.ts";
import { float, listText, range, shapeText, sizeOf, type Result, type Value } from "../value.ts";
import { affine, at, binders, forAll, over, type Writer } from "../writer.ts";
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
const extent = (kernel: number, dilation: number): number => dilation * (kernel - 1) + 1;

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
  const out = range(rank).map((i) => {
    const room = size[i]! + before[i]! + after[i]! - extent(kernel[i]!, dilation[i]!);
    const n = (ceil ? Math.ceil(room / stride[i]!) : Math.floor(room / stride[i]!)) + 1;
    // a window that begins in the padding behind the input does not count
    return ceil && (n - 1) * stride[i]! >= size[i]! + before[i]! ? n - 1 : n;
  });
  return { kernel, stride, dilation, before, after, out };
}
const axisNames = (rank: number): string[] =>
  rank === 1 ? ["x"] : rank === 2 ? ["y", "x"] : rank === 3 ? ["z", "y", "x"] : range(rank).map((i) => `x${i}`);
const kernelNames = (rank: number): string[] => range(rank).map((i) => (rank <= 3 ? ["r", "s", "t"][i]! : `r${i}`));
/** Where tap `tap` of window `name` lies along axis i. */
const tapOf = (w: Windows, i: number, name: string, tap: string): string => {
  const moved = w.stride[i] === 1 ? name : `${w.stride[i]} * ${name}`;
  return affine(1, w.kernel[i] === 1 ? moved : `${moved} + ${affine(w.dilation[i]!, tap, 0)}`, -w.before[i]!);
};
/** Does any tap leave the input? */
const leaves = (w: Windows, size: readonly number[]): boolean =>
  size.some(
    (n, i) =>
      w.before[i]! > 0 || (w.out[i]! - 1) * w.stride[i]! + extent(w.kernel[i]!, w.dilation[i]!) - w.before[i]! > n,
  );

const convolution: Operator = one((node, writer) => {
  const [x, weight] = [node.input(0), node.input(1)];
  const bias = node.optional(2);
  const size = x.shape.slice(2);
  const groups = node.int("group", 1);
  const kernel = node.numbers("kernel_shape") ?? weight.shape.slice(2);
  const w = windows(node, size, kernel);
  const [outs, ins] = weight.shape as [number, number];
  const [places, taps] = [axisNames(size.length), kernelNames(size.length)];
  const channel = groups === 1 ? "c" : ins === 1 ? `o // ${outs / groups}` : `o // ${outs / groups} * ${ins} + c`;
  const source = at(writer.text(x), ["n", channel, ...places.map((p, i) => tapOf(w, i, p, taps[i]!))]);
  const load = leaves(w, size) ? `(${source} ?? 0)` : source;
  const product = over(
    "sum",
    ["c", ...taps],
    [ins, ...kernel],
    `${load} * ${at(writer.text(weight), ["o", "c", ...taps])}`,
  );
  const shape = [x.shape[0]!, outs, ...w.out];
  const text = `${product}${bias ? ` + ${writer.text(bias)}[o]` : ""}`;
  return { shape, type: "f32", text: forAll(["n", "o", ...places], shape, text) };
});

const transposedConvolution: Operator = one((node, writer) => {
  const [x, weight] = [node.input(0), node.input(1)];
  const bias = node.optional(2);
  const size = x.shape.slice(2);
  const rank = size.length;
  const groups = node.int("group", 1);
  const kernel = node.numbers("kernel_shape") ?? weight.shape.slice(2);
  const stride = node.numbers("strides") ?? range(rank).map(() => 1);
  const dilation = node.numbers("dilations") ?? range(rank).map(() => 1);
  const extra = node.numbers("output_padding") ?? range(rank).map(() => 0);
  const pads = node.numbers("pads") ?? range(2 * rank).map(() => 0);
  const auto = node.word("auto_pad", ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", ""], "NOTSET");
  const full = range(rank).map((i) => stride[i]! * (size[i]! - 1) + extra[i]! + extent(kernel[i]!, dilation[i]!));
  let wanted = node.numbers("output_shape")?.slice(-rank);
  if (!wanted && auto.startsWith("SAME")) wanted = size.map((n, i) => n * stride[i]!);
  const total = full.map((n, i) => (wanted ? n - wanted[i]! : pads[i]! + pads[rank + i]!));
  // an output beyond what the windows reach is padded with zeros behind
  const needed = total.map((n) => Math.max(0, n));
  const half = needed.map((n) => Math.floor(n / 2));
  const before = wanted
    ? auto === "SAME_UPPER"
      ? half
      : needed.map((n, i) => n - half[i]!)
    : auto === "VALID"
      ? range(rank).map(() => 0)
      : pads.slice(0, rank);
  const out = full.map((n, i) => wanted?.[i] ?? n - (auto === "VALID" ? 0 : total[i]!));
  const [ins, perGroup] = [weight.shape[0]! / groups, weight.shape[1]!];
  const outs = perGroup * groups;
  const [places, taps] = [axisNames(rank), kernelNames(rank)];
  const channel = groups === 1 ? "c" : `o // ${perGroup} * ${ins} + c`;
  const source = places.map((p, i) => {
    const shifted = `${affine(1, p, before[i]!)}${kernel[i] === 1 ? "" : ` - ${affine(dilation[i]!, taps[i]!, 0)}`}`;
    return stride[i] === 1 ? shifted : `(${shifted}) / ${stride[i]}`;
  });
  const own = at(writer.text(weight), [channel, groups === 1 ? "o" : `o % ${perGroup}`, ...taps]);
  const product = over(
    "sum",
    ["c", ...taps],
    [ins, ...kernel],
    `(${at(writer.text(x), ["n", channel, ...source])} ?? 0) * ${own}`,
  );
  const shape = [x.shape[0]!, outs, ...out];
  return {
    shape,
    type: "f32",
    text: forAll(["n", "o", ...places], shape, `${product}${bias ? ` + ${writer.text(bias)}[o]` : ""}`),
  };
});

interface Pool {
  readonly x: Value;
  readonly size: readonly number[];
  readonly w: Windows;
  readonly shape: number[];
  readonly places: string[];
  readonly taps: string[];
  readonly load: (outside: string) => string;
}
function pool(node: NodeReader, writer: Writer): Pool {
  const x = node.input(0);
  const size = x.shape.slice(2);
  const kernel = node.numbers("kernel_shape");
  if (kernel?.length !== size.length) throw new Unsupported(`${node.op} whose kernel does not fit`);
  const w = windows(node, size, kernel, node.flag("ceil_mode"));
  const [places, taps] = [axisNames(size.length), kernelNames(size.length)];
  const source = at(writer.text(x), ["n", "c", ...places.map((p, i) => tapOf(w, i, p, taps[i]!))]);
  const load = (outside: string): string => (leaves(w, size) ? `(${source} ?? ${outside})` : source);
  return { x, size, w, shape: [...x.shape.slice(0, 2), ...w.out], places, taps, load };
}
const maxPool: Operator = (node, writer) => {
  const { x, size, w, shape, places, taps, load } = pool(node, writer);
  const columns = node.flag("storage_order");
  if (x.type !== "f32") throw new Unsupported("MaxPool of whole numbers");
  const names = ["n", "c", ...places];
  const result: Result = {
    shape,
    type: x.type,
    text: forAll(names, shape, `max over ${binders(taps, w.kernel)}: ${load("-inf")}`),
  };
  if (!node.gives(1)) return [result];
  // the place of the first largest in the window, then in the whole input
  const place = writer.let("place", forAll(names, shape, `argmax over ${binders(taps, w.kernel)}: ${load("-inf")}`));
  const within = at(place, names);
  const inner = range(size.length).map((i) => {
    const behind = sizeOf(w.kernel.slice(i + 1));
    const tap = `${behind === 1 ? within : `${within} // ${behind}`}${i === 0 ? "" : ` % ${w.kernel[i]}`}`;
    const moved = w.stride[i] === 1 ? places[i]! : `${w.stride[i]} * ${places[i]}`;
    return affine(1, `${moved} + ${w.dilation[i] === 1 ? tap : `${w.dilation[i]} * (${tap})`}`, -w.before[i]!);
  });
  const order = columns ? range(size.length).reverse() : range(size.length);
  const spatial = order.reduce((text, i) => (text ? `(${text}) * ${size[i]} + ${inner[i]}` : inner[i]!), "");
  const image = `(n * ${x.shape[1]} + c) * ${sizeOf(size)}`;
  return [result, { shape, type: "i32", text: forAll(names, shape, `${image} + ${spatial}`) }];
};
const averagePool: Operator = one((node, writer) => {
  const { size, w, shape, places, taps, load } = pool(node, writer);
  const padding = node.flag("count_include_pad");
  // how many places a window covers along each axis; beyond the padding nothing counts
  const counts = size.map((n, i) =>
    range(w.out[i]!).map((o) => {
      const all = range(w.kernel[i]!).map((k) => o * w.stride[i]! + k * w.dilation[i]! - w.before[i]!);
      return all.filter((p) => (padding ? p >= -w.before[i]! && p < n + w.after[i]! : p >= 0 && p < n)).length;
    }),
  );
  let fixed = 1;
  const factors = counts.flatMap((list, i) => {
    if (list.every((n) => n === list[0])) {
      fixed *= list[0] ?? 1;
      return [];
    }
    return [`${writer.let("covered", listText(list, [list.length], "f32"))}[${places[i]}]`];
  });
  if (fixed !== 1 || !factors.length) factors.unshift(float(fixed));
  const sum = over("sum", taps, w.kernel, load("0"));
  const count = factors.length === 1 ? factors[0]! : `(${factors.join(" * ")})`;
  return { shape, type: "f32", text: forAll(["n", "c", ...places], shape, `${sum} / ${count}`) };
});
const lpPool: Operator = one((node, writer) => {
  const { w, shape, places, taps, load } = pool(node, writer);
  const p = node.float("p", 2);
  const sum = over("sum", taps, w.kernel, p === 2 ? `${load("0")}^2` : `abs(${load("0")})^${p}`);
  const text = p === 2 ? `sqrt${sum}` : p === 1 ? sum : `${sum}^(1 / ${p})`;
  return { shape, type: "f32", text: forAll(["n", "c", ...places], shape, text) };
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
