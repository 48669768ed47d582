// Layers of dense networks, convolutions, pooling and normalisation. Images of the cases are channels first.
import { extent, kernelOrder, padText, windowCount } from "../../../onnx/channels.ts";
import { permute, reshaped, type ReferenceTensor } from "../case.ts";
import { Refused, type CaseReader } from "../reader.ts";
import { channelsLast, num, shapeText, sizeOf, type Rule, type Rules, type Translation } from "../translation.ts";

export const matrix = (t: ReferenceTensor): ReferenceTensor => permute(t, [1, 0]);
/** [out, in, k...] -> [k..., in, out] */
const kernel = (t: ReferenceTensor): ReferenceTensor => permute(t, kernelOrder(t.shape.length, 1));
const last = (t: ReferenceTensor): ReferenceTensor =>
  t.shape.length < 3 ? t : permute(t, channelsLast(t.shape.length));

interface Windows {
  readonly rank: number;
  readonly size: readonly number[];
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly out: readonly number[];
}
/** Windows over the axes behind the channels; the output's shape is checked against what the attributes say. */
function windows(c: CaseReader, ceil = false): Windows {
  const size = c.shape("x").slice(2);
  const rank = size.length;
  const own = c.numbers("kernel", rank);
  const stride = c.attribute("stride") === undefined ? own : c.numbers("stride", rank);
  const padding = c.numbers("padding", rank, 0);
  const dilation = c.numbers("dilation", rank, 1);
  const out = size.map((n, i) =>
    windowCount(n, extent(own[i]!, dilation[i]!), stride[i]!, [padding[i]!, padding[i]!], ceil),
  );
  if (String(out) !== String(c.output("y").slice(2))) throw new Refused(`windows give ${shapeText(out)}`);
  return { rank, size, kernel: own, stride, padding, dilation, out };
}
const axisLetters = ["D", "H", "W"];
/** A model of one library layer over an image, channels last. */
function imageLayer(c: CaseReader, layer: string, parameters: Readonly<Record<string, string>> = {}): Translation {
  const rank = c.shape("x").length - 2;
  const size = rank === 1 ? "L" : axisLetters.slice(-rank).join(", ");
  const name = layer.slice(0, layer.indexOf("("));
  const own = name.replace(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, "_").toLowerCase();
  return {
    declarations: `model net(x: f32[N, ${size}, ${c.extent("x", 1)}]) = x |> ${layer}`,
    parameters: Object.fromEntries(Object.entries(parameters).map(([theirs, ours]) => [theirs, `net.${own}.${ours}`])),
    layout: { x: last, y: last, weight: kernel },
    outputs: { y: "net(x)" },
  };
}
const paddingMode = (c: CaseReader): string => {
  const mode = c.word("padding_mode", ["zeros", "reflect", "replicate", "circular"], "zeros");
  return mode === "zeros" ? "0" : mode;
};
const options = (w: Windows): string =>
  `k: ${shapeText(w.kernel)}, stride: ${shapeText(w.stride)}, pad: ${padText(w.padding, w.padding)}, dilate: ${shapeText(w.dilation)}`;

const convolution: Rule = (c) => {
  const w = windows(c);
  const [ins, outs] = [c.number("in"), c.number("out")];
  if (c.extent("x", 1) !== ins || c.extent("weight", 0) !== outs) throw new Refused("channels that do not fit");
  const bias = c.flag("bias", true);
  const layer = `Conv${w.rank}d(${outs}, ${options(w)}, groups: ${c.number("groups", 1)}, bias: ${bias}, padding_mode: ${paddingMode(c)})`;
  return imageLayer(c, layer, { weight: "w", bias: "b" });
};
/** Weights are [in, out / groups, k...] in PyTorch, [k..., in, out / groups] in dlm. */
const transposed: Rule = (c) => {
  const rank = c.shape("x").length - 2;
  const list = (name: string, absent?: number): number[] => c.numbers(name, rank, absent);
  const [ins, outs] = [c.number("in"), c.number("out")];
  if (c.extent("x", 1) !== ins) throw new Refused("channels that do not fit");
  const text = [
    `k: ${shapeText(list("kernel"))}`,
    `stride: ${shapeText(list("stride", 1))}`,
    `pad: ${padText(list("padding", 0), list("padding", 0))}`,
    `output_pad: ${shapeText(list("output_padding", 0))}`,
    `dilate: ${shapeText(list("dilation", 1))}`,
    `groups: ${c.number("groups", 1)}`,
    `bias: ${c.flag("bias", true)}`,
  ];
  const translation = imageLayer(c, `ConvTranspose${rank}d(${outs}, ${text.join(", ")})`, { weight: "w", bias: "b" });
  const weight = (t: ReferenceTensor): ReferenceTensor => permute(t, kernelOrder(rank + 2, 0));
  return { ...translation, layout: { ...translation.layout, weight } };
};
const pooled =
  (layer: (rank: number) => string, extra: (c: CaseReader, ceil: boolean) => string = () => ""): Rule =>
  (c) => {
    const ceil = c.flag("ceil_mode", false);
    const w = windows(c, ceil);
    return imageLayer(c, `${layer(w.rank)}${options(w)}, ceil_mode: ${ceil}${extra(c, ceil)})`);
  };
const averaged = (c: CaseReader): string => {
  const divisor = c.attribute("divisor_override") === undefined ? "" : `, divisor: ${c.number("divisor_override")}`;
  return `, count_include_pad: ${c.flag("count_include_pad", true)}${divisor}`;
};
/** An extent that is not given stays. */
const adaptive =
  (kind: string): Rule =>
  (c) => {
    const size = c.shape("x").slice(2);
    const wanted = c.attribute("output");
    const list: unknown[] = Array.isArray(wanted) ? wanted : size.map(() => wanted);
    const out = size.map((n, i) => {
      const value = list[i] ?? n;
      if (typeof value !== "number") throw new Refused("an output of another form");
      return value;
    });
    return imageLayer(c, `Adaptive${kind}Pool${size.length}d(${shapeText(out)})`);
  };

/** To sizes, or by factors. */
function interpolated(c: CaseReader): Translation {
  const rank = c.shape("x").length - 2;
  const amount =
    c.attribute("scale") === undefined
      ? `out: ${shapeText(c.numbers("size", rank))}`
      : `scale: ${shapeText(c.numbers("scale", rank))}`;
  const named = c.word("mode", ["nearest", "linear", "bilinear", "trilinear", "bicubic"], "nearest");
  const mode = named === "linear" || named === "trilinear" ? "bilinear" : named;
  const corners = c.attribute("align_corners") === undefined ? false : c.flag("align_corners");
  return imageLayer(c, `Upsample(${amount}, mode: ${mode}, align_corners: ${corners})`);
}

/** The two layers fc1 and fc2 of many cases, with library layers of these names. */
export const denseParameters = {
  parameters: {
    "fc1.weight": "net.fc1.w",
    "fc1.bias": "net.fc1.b",
    "fc2.weight": "net.fc2.w",
    "fc2.bias": "net.fc2.b",
  },
  layout: { "fc1.weight": matrix, "fc2.weight": matrix },
};
export const twoLayers = (inputs: number, hidden: number, outputs: number, activation: string): string =>
  `model net(x: f32[N, ${inputs}]) -> f32[N, ${outputs}] {\n  let fc1 = Linear(${hidden})\n  let fc2 = Linear(${outputs})\n  return fc2(${activation}(fc1(x)))\n}`;
/** A layer over [N, ..., C] with gain and offset of the channels. */
function spread(c: CaseReader, layer: string, name: string): Translation {
  return {
    declarations: `model net(x: f32[N, ...S, ${c.extent("x", 1)}]) = x |> ${layer}`,
    parameters: { weight: `net.${name}.g`, bias: `net.${name}.b` },
    layout: c.shape("x").length > 2 ? { x: last, y: last } : {},
    outputs: { y: "net(x)" },
  };
}

export const layers: Rules = {
  linear: (c) => ({
    declarations: `model net(x: f32[...S, ${c.number("in")}]) = x |> Linear(${c.number("out")}, bias: ${c.flag("bias", true)})`,
    parameters: { weight: "net.linear.w", bias: "net.linear.b" },
    layout: { weight: matrix },
    outputs: { y: "net(x)" },
  }),
  bilinear: (c) => ({
    declarations: `model net(a: f32[...S, ${c.extent("a", -1)}], b: f32[...S, ${c.extent("b", -1)}]) = Bilinear(${c.extent("weight", 0)}, bias: ${c.has("bias")})(a, b)`,
    parameters: { weight: "net.bilinear.w", bias: "net.bilinear.b" },
    layout: { weight: (t) => permute(t, [1, 2, 0]) },
    outputs: { y: "net(a, b)" },
  }),
  embedding: (c) => {
    const [vocab, dim] = [c.number("vocab"), c.number("dim")];
    const padding = c.attribute("padding_idx") === undefined ? "" : `, padding_idx: ${c.number("padding_idx")}`;
    return {
      declarations: `model net(index: i32[...S] in 0..${vocab}) = index |> Embedding(${vocab}, ${dim}${padding})`,
      parameters: { weight: "net.embedding.table" },
      ranges: { index: `0..${vocab}` },
      outputs: { y: "net(index)" },
    };
  },
  embedding_bag: (c) => {
    const mode = c.word("mode", ["sum", "mean", "max"]);
    const [rows, dim] = c.shape("weight") as [number, number];
    const padding = c.attribute("padding_idx") === undefined ? "" : `, padding_idx: ${c.number("padding_idx")}`;
    const shares = c.has("per_sample_weights");
    const type = shapeText(c.shape("index"));
    return {
      declarations: `model net(index: i32${type} in 0..${rows}${shares ? `, shares: f32${type}` : ""}) = EmbeddingBag(${rows}, ${dim}, mode: ${mode}${padding})(index${shares ? ", shares" : ""})`,
      parameters: { weight: "net.embedding_bag.table" },
      ranges: { index: `0..${rows}` },
      outputs: { y: `net(index${shares ? ", per_sample_weights" : ""})` },
    };
  },
  dropout_eval: (c) => ({
    declarations: `model net(x: f32[...S]) = x |> Dropout(${num(c.number("p", 0.5))})`,
    outputs: { y: "net(x)" },
  }),
  // the mask is given: the layer's formula without its draw
  dropout_mask: (c) => ({ outputs: { y: `where(mask, x / (1 - ${num(c.number("p", 0.5))}), 0)` } }),
  layer_norm: (c) => {
    const shape = c.numbers("normalized_shape");
    const [size, affine, eps] = [sizeOf(shape), c.flag("affine", true), c.number("eps", 1e-5)];
    const flat = (t: ReferenceTensor): ReferenceTensor =>
      reshaped(t, [...t.shape.slice(0, t.shape.length - shape.length), size]);
    return {
      declarations: `model net(x: f32[...S, ${size}]) = x |> LayerNorm(${num(eps)}, affine: ${affine}, bias: ${affine && c.has("bias")})`,
      parameters: affine ? { weight: "net.layer_norm.g", bias: "net.layer_norm.b" } : {},
      layout: { x: flat, y: flat, weight: flat, bias: flat },
      outputs: { y: "net(x)" },
    };
  },
  rms_norm: (c) => ({
    declarations: `model net(x: f32[...S, ${c.extent("x", -1)}]) = x |> RMSNorm(${num(c.number("eps", 1e-6))})`,
    parameters: { weight: "net.rms_norm.g" },
    outputs: { y: "net(x)" },
  }),
  group_norm: (c) => ({
    ...spread(
      c,
      `GroupNorm(${c.number("groups")}, ${num(c.number("eps", 1e-5))}, affine: ${c.has("weight")})`,
      "group_norm",
    ),
  }),
  instance_norm: (c) => {
    const affine = c.flag("affine", c.has("weight"));
    return spread(c, `InstanceNorm(eps: ${num(c.number("eps", 1e-5))}, affine: ${affine})`, "instance_norm");
  },
  batch_norm: (c) => {
    const affine = c.flag("affine", true);
    const training = c.flag("training");
    const options = `${num(c.number("momentum", 0.1))}, ${num(c.number("eps", 1e-5))}, affine: ${affine}`;
    return {
      declarations: `model net(x: f32[...S, ${c.extent("x", 1)}]) = x |> BatchNorm(${options})`,
      parameters: affine ? { weight: "net.batch_norm.g", bias: "net.batch_norm.b" } : {},
      layout: c.shape("x").length > 2 ? { x: last, y: last } : {},
      unused: ["running_mean", "running_var"],
      outputs: { y: "net(x)" },
      training: {
        on: training,
        initial: { running_mean: "net.batch_norm.mu", running_var: "net.batch_norm.var" },
        states: { new_running_mean: "net.batch_norm.mu", new_running_var: "net.batch_norm.var" },
      },
      ...(training ? {} : { unchanged: { new_running_mean: "running_mean", new_running_var: "running_var" } }),
    };
  },
  local_response_norm: (c) => {
    const options = [c.number("size"), c.number("alpha", 1e-4), c.number("beta", 0.75), c.number("k", 1)].map(num);
    return spread(c, `LocalResponseNorm(${options.join(", ")})`, "local_response_norm");
  },
  conv1d: convolution,
  conv2d: convolution,
  conv3d: convolution,
  conv_transpose1d: transposed,
  conv_transpose2d: transposed,
  max_pool1d: pooled((rank) => `MaxPool${rank}d(`),
  max_pool2d: pooled((rank) => `MaxPool${rank}d(`),
  avg_pool1d: pooled((rank) => `AvgPool${rank}d(`, averaged),
  avg_pool2d: pooled((rank) => `AvgPool${rank}d(`, averaged),
  adaptive_avg_pool2d: adaptive("Avg"),
  adaptive_max_pool2d: adaptive("Max"),
  global_avg_pool1d: (c) => imageLayer(c, "GlobalAvgPool()"),
  lp_pool2d: (c) => pooled((rank) => `LPPool${rank}d(${num(c.number("p"))}, `)(c),
  logsumexp_pool2d: pooled(
    (rank) => `LSEPool${rank}d(`,
    (c) => `, beta: ${num(c.number("r"))}, average: ${c.flag("mean")}`,
  ),
  pixel_shuffle: (c) => imageLayer(c, `PixelShuffle(${c.number("r")})`),
  upsample: interpolated,
  mlp: (c) => ({
    ...denseParameters,
    declarations: twoLayers(
      c.extent("x", -1),
      c.extent("fc1.bias", 0),
      c.extent("fc2.bias", 0),
      c.functionName("activation"),
    ),
    outputs: { y: "net(x)" },
  }),
  residual_block: (c) => {
    const eps = num(c.number("eps", 1e-5));
    const [n, channels, h, w] = c.shape("x") as [number, number, number, number];
    const conv = (x: string, weight: string): string =>
      `for n in 0..${n}, o in 0..${channels}, y in 0..${h}, z in 0..${w}: sum over c in 0..${channels}, r in 0..3, s in 0..3: (${x}[n, c, y + r - 1, z + s - 1] ?? 0) * ${weight}[o, c, r, s]`;
    const norm = (x: string, name: string): string =>
      `(${x} - mean(${x}, axis: [0, 2, 3], keep: true)) / sqrt(var(${x}, axis: [0, 2, 3], correction: 0, keep: true) + ${eps}) * reshape[${channels}, 1, 1](${name}_weight) + reshape[${channels}, 1, 1](${name}_bias)`;
    if (sizeOf(c.shape("conv1.weight").slice(2)) !== 9) throw new Refused("kernels of other sizes");
    return {
      lets: [
        `let a = ${conv("x", "conv1_weight")}`,
        `let b = relu(${norm("a", "bn1")})`,
        `let d = ${conv("b", "conv2_weight")}`,
        `let e = ${norm("d", "bn2")}`,
      ].join("\n  "),
      outputs: { y: "relu(x + e)" },
    };
  },
};
