// Layers of dense networks, convolutions, pooling and normalisation. Images of the cases are channels first.
import { permute, reshaped, type ReferenceTensor } from "../case.ts";
import { Refused, type CaseReader } from "../reader.ts";
import {
  binders,
  channelsLast,
  num,
  range,
  shapeText,
  shifted,
  sizeOf,
  type Rule,
  type Rules,
  type Translation,
} from "../translation.ts";

export const matrix = (t: ReferenceTensor): ReferenceTensor => permute(t, [1, 0]);
const kernel = (t: ReferenceTensor): ReferenceTensor => permute(t, [2, 3, 1, 0]);
const last = (t: ReferenceTensor): ReferenceTensor => permute(t, channelsLast(t.shape.length));

const places = ["d", "h", "w"];
const taps = ["r", "s", "t"];
const names = (list: readonly string[], rank: number): string[] => list.slice(-rank);
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
  const out = size.map((n, i) => {
    const room = n + 2 * padding[i]! - dilation[i]! * (own[i]! - 1) - 1;
    const count = (ceil ? Math.ceil(room / stride[i]!) : Math.floor(room / stride[i]!)) + 1;
    return ceil && (count - 1) * stride[i]! >= n + padding[i]! ? count - 1 : count;
  });
  if (String(out) !== String(c.output("y").slice(2))) throw new Refused(`windows give ${shapeText(out)}`);
  return { rank, size, kernel: own, stride, padding, dilation, out };
}
const place = (w: Windows, i: number, p: string, t: string): string => {
  const scaled = w.stride[i] === 1 ? p : `${w.stride[i]} * ${p}`;
  return shifted(`${scaled} + ${w.dilation[i] === 1 ? t : `${w.dilation[i]} * ${t}`}`, -w.padding[i]!);
};
const reads = (w: Windows, lead: readonly string[], outside: string): string =>
  `(x[${[...lead, ...range(w.rank).map((i) => place(w, i, names(places, w.rank)[i]!, names(taps, w.rank)[i]!))].join(", ")}] ?? ${outside})`;
const overTaps = (w: Windows): string => binders(names(taps, w.rank), w.kernel);
const forPlaces = (c: CaseReader, w: Windows, channels = "c"): string =>
  `for ${binders(["n", channels, ...names(places, w.rank)], [c.shape("x")[0]!, c.output("y")[1]!, ...w.out])}`;

const convolution: Rule = (c) => {
  const w = windows(c);
  const [ins, outs, groups] = [c.number("in"), c.number("out"), c.number("groups", 1)];
  const bias = c.flag("bias", true);
  c.word("padding_mode", ["zeros"], "zeros");
  if (c.extent("x", 1) !== ins || c.extent("weight", 0) !== outs) throw new Refused("channels that do not fit");
  const per = ins / groups;
  const channel = groups === 1 ? "c" : `o // ${outs / groups} * ${per} + c`;
  const weight = `weight[o, c, ${names(taps, w.rank).join(", ")}]`;
  const sum = `(sum over c in 0..${per}, ${overTaps(w)}: ${reads(w, ["n", channel], "0")} * ${weight})`;
  return { outputs: { y: `${forPlaces(c, w, "o")}: ${sum}${bias ? " + bias[o]" : ""}` } };
};
/** The library's layer, channels last. */
const conv2d: Rule = (c) => {
  const w = windows(c);
  const [ins, outs] = [c.number("in"), c.number("out")];
  c.word("padding_mode", ["zeros"], "zeros");
  const options = `k: ${shapeText(w.kernel)}, stride: ${shapeText(w.stride)}, pad: ${shapeText(w.padding)}, dilate: ${shapeText(w.dilation)}`;
  return {
    declarations: `model net(x: f32[N, H, W, ${ins}]) = x |> Conv2d(${outs}, ${options}, groups: ${c.number("groups", 1)}, bias: ${c.flag("bias", true)})`,
    parameters: { weight: "net.conv2d.w", bias: "net.conv2d.b" },
    layout: { x: last, y: last, weight: kernel },
    outputs: { y: "net(x)" },
  };
};
const transposed: Rule = (c) => {
  const size = c.shape("x").slice(2);
  const rank = size.length;
  const [own, stride, padding, extra, dilation] = [
    c.numbers("kernel", rank),
    c.numbers("stride", rank, 1),
    c.numbers("padding", rank, 0),
    c.numbers("output_padding", rank, 0),
    c.numbers("dilation", rank, 1),
  ];
  const [ins, outs, groups] = [c.number("in"), c.number("out"), c.number("groups", 1)];
  const bias = c.flag("bias", true);
  const out = size.map((n, i) => (n - 1) * stride[i]! - 2 * padding[i]! + dilation[i]! * (own[i]! - 1) + extra[i]! + 1);
  const [p, t] = [names(places, rank), names(taps, rank)];
  const index = p.map((name, i) => {
    const offset = `${shifted(name, padding[i]!)} - ${dilation[i] === 1 ? t[i] : `${dilation[i]} * ${t[i]}`}`;
    return stride[i] === 1 ? offset : `(${offset}) / ${stride[i]}`;
  });
  const [per, each] = [ins / groups, outs / groups];
  const channel = groups === 1 ? "c" : `o // ${each} * ${per} + c`;
  const weight = `weight[${[channel, groups === 1 ? "o" : `o % ${each}`, ...t].join(", ")}]`;
  const sum = `(sum over c in 0..${per}, ${binders(t, own)}: (x[${["n", channel, ...index].join(", ")}] ?? 0) * ${weight})`;
  const all = binders(["n", "o", ...p], [c.extent("x", 0), outs, ...out]);
  return { outputs: { y: `for ${all}: ${sum}${bias ? " + bias[o]" : ""}` } };
};

const maxPool: Rule = (c) => {
  const w = windows(c, c.flag("ceil_mode", false));
  return { outputs: { y: `${forPlaces(c, w)}: max over ${overTaps(w)}: ${reads(w, ["n", "c"], "-inf")}` } };
};
const pooled2d =
  (layer: string, extra: (c: CaseReader) => string): Rule =>
  (c) => {
    const ceil = c.flag("ceil_mode", false);
    const w = windows(c, ceil);
    if (w.dilation.some((d) => d !== 1)) {
      if (layer === "MaxPool2d") return maxPool(c);
      throw new Refused("dilation");
    }
    const rest = `${shapeText(w.kernel)}, stride: ${shapeText(w.stride)}, pad: ${shapeText(w.padding)}, ceil_mode: ${ceil}${extra(c)}`;
    return {
      declarations: `model net(x: f32[N, H, W, C]) = x |> ${layer}(${rest})`,
      layout: { x: last, y: last },
      outputs: { y: "net(x)" },
    };
  };
const averagePool: Rule = (c) => {
  const w = windows(c, c.flag("ceil_mode", false));
  const padding = c.flag("count_include_pad", true);
  const divisor = c.attribute("divisor_override") === undefined ? undefined : c.number("divisor_override");
  // places of the padded input beyond which nothing counts
  const counts = w.size.map((n, i) =>
    range(w.out[i]!).map(
      (o) =>
        range(w.kernel[i]!).filter((k) => {
          const p = o * w.stride[i]! + k - w.padding[i]!;
          return padding ? p >= -w.padding[i]! && p < n + w.padding[i]! : p >= 0 && p < n;
        }).length,
    ),
  );
  const p = names(places, w.rank);
  const count = counts.map((list, i) => `counts${i}[${p[i]}]`).join(" * ");
  return {
    lets: counts.map((list, i) => `let counts${i} = [${list.map((n) => `${n}.0`).join(", ")}]`).join("\n  "),
    outputs: {
      y: `${forPlaces(c, w)}: (sum over ${overTaps(w)}: ${reads(w, ["n", "c"], "0")}) / (${divisor === undefined ? count : num(divisor)})`,
    },
  };
};
/** Windows of an adaptive pool: place i covers floor(i n / out) to ceil((i + 1) n / out). */
const adaptive =
  (reducer: string): Rule =>
  (c) => {
    const size = c.shape("x").slice(2);
    const wanted = c.attribute("output");
    const list: unknown[] = Array.isArray(wanted) ? wanted : size.map(() => wanted);
    const out = size.map((n, i) => {
      const value = list[i] ?? n;
      if (typeof value !== "number") throw new Refused("an output of another form");
      return value;
    });
    const [p, t] = [names(places, size.length), names(taps, size.length)];
    const over = t
      .map(
        (name, i) =>
          `${name} in ${p[i]} * ${size[i]} // ${out[i]}..((${p[i]} + 1) * ${size[i]} + ${out[i]! - 1}) // ${out[i]}`,
      )
      .join(", ");
    const all = binders(["n", "c", ...p], [...c.shape("x").slice(0, 2), ...out]);
    return { outputs: { y: `for ${all}: ${reducer} over ${over}: x[${["n", "c", ...t].join(", ")}]` } };
  };

/** Means and variances over `axes` of the tensor named `x`, and gain and offset of channels where the case has them. */
function normalised(c: CaseReader, x: string, axes: readonly number[], eps: number, affine: boolean): string {
  const list = shapeText(axes);
  const normal = `(${x} - mean(${x}, axis: ${list}, keep: true)) / sqrt(var(${x}, axis: ${list}, correction: 0, keep: true) + ${num(eps)})`;
  const shape = c.shape("x");
  const column = shapeText([shape[1]!, ...shape.slice(2).map(() => 1)]);
  const whole = `reshape${shapeText(shape)}(${normal})`;
  return affine ? `${whole} * reshape${column}(weight) + reshape${column}(bias)` : whole;
}

/** One value per axis of a picture from the ratio of sizes, as PyTorch places pixels. */
function interpolated(c: CaseReader): Translation {
  const shape = c.shape("x");
  const size = shape.slice(2);
  const out = c.output("y").slice(2);
  const factors =
    c.attribute("scale") === undefined
      ? c.numbers("size", size.length).map((n, i) => n / size[i]!)
      : c.numbers("scale", size.length);
  if (out.some((n, i) => n !== Math.floor(size[i]! * factors[i]!))) throw new Refused("sizes that do not fit");
  const mode = c.word("mode", ["nearest", "linear", "bilinear", "trilinear", "bicubic"], "nearest");
  const corners = c.attribute("align_corners") === undefined ? false : c.flag("align_corners");
  const p = names(places, size.length);
  const all = binders(["n", "c", ...p], [...shape.slice(0, 2), ...out]);
  if (mode === "nearest") {
    const lists = out.map((n, i) => range(n).map((o) => Math.min(size[i]! - 1, Math.floor(o / factors[i]!))));
    return {
      lets: lists.map((list, i) => `let places${i} = [${list.join(", ")}]`).join("\n  "),
      outputs: { y: `for ${all}: x[${["n", "c", ...p.map((name, i) => `places${i}[${name}]`)].join(", ")}]` },
    };
  }
  const count = mode === "bicubic" ? 4 : 2;
  const first = mode === "bicubic" ? 1 : 0;
  const weight = (d: number): number => {
    const x = Math.abs(d);
    if (mode !== "bicubic") return Math.max(0, 1 - x);
    const a = -0.75;
    return x <= 1
      ? (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1
      : x < 2
        ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a
        : 0;
  };
  const rows = out.map((n, i) =>
    range(n).map((o) => {
      const half = (o + 0.5) / factors[i]! - 0.5;
      const at = corners
        ? n === 1
          ? 0
          : (o * (size[i]! - 1)) / (n - 1)
        : mode === "bicubic"
          ? half
          : Math.max(0, half);
      const from = Math.floor(at) - first;
      return range(count).map((k) => ({
        at: Math.max(0, Math.min(size[i]! - 1, from + k)),
        share: weight(at - from - k),
      }));
    }),
  );
  const lets = rows.flatMap((list, i) => [
    `let places${i} = [${list.map((row) => `[${row.map((x) => x.at).join(", ")}]`).join(", ")}]`,
    `let shares${i} = [${list.map((row) => `[${row.map((x) => x.share.toFixed(9)).join(", ")}]`).join(", ")}]`,
  ]);
  const t = names(taps, size.length);
  const shares = t.map((name, i) => `shares${i}[${p[i]}, ${name}]`).join(" * ");
  const index = t.map((name, i) => `places${i}[${p[i]}, ${name}]`);
  const over = binders(
    t,
    t.map(() => count),
  );
  return {
    lets: lets.join("\n  "),
    outputs: { y: `for ${all}: sum over ${over}: ${shares} * x[${["n", "c", ...index].join(", ")}]` },
  };
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
const activations = ["tanh", "relu", "sigmoid", "gelu", "silu", "softplus"] as const;

export const layers: Rules = {
  linear: (c) => ({
    declarations: `model net(x: f32[...S, ${c.number("in")}]) = x |> Linear(${c.number("out")}, bias: ${c.flag("bias", true)})`,
    parameters: { weight: "net.linear.w", bias: "net.linear.b" },
    layout: { weight: matrix },
    outputs: { y: "net(x)" },
  }),
  bilinear: (c) => {
    const outs = c.extent("weight", 0);
    const lead = c.shape("a").slice(0, -1);
    const own = lead.map((_, i) => `n${i}`);
    const at = (name: string, index: string): string => `${name}[${[...own, index].join(", ")}]`;
    const sum = `(sum over i in 0..${c.extent("weight", 1)}, j in 0..${c.extent("weight", 2)}: ${at("a", "i")} * weight[o, i, j] * ${at("b", "j")})`;
    return {
      outputs: { y: `for ${binders([...own, "o"], [...lead, outs])}: ${sum}${c.has("bias") ? " + bias[o]" : ""}` },
    };
  },
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
    const [bags, length] = c.shape("index") as [number, number];
    const share = c.has("per_sample_weights") ? " * per_sample_weights[b, t]" : "";
    return {
      ranges: { index: `0..${rows}` },
      outputs: {
        y: `for b in 0..${bags}, d in 0..${dim}: ${mode} over t in 0..${length}: weight[index[b, t], d]${share}`,
      },
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
      declarations: `model net(x: f32[...S, ${size}]) = x |> LayerNorm(${num(eps)}, affine: ${affine})`,
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
  group_norm: (c) => {
    const [groups, shape] = [c.number("groups"), c.shape("x")];
    const apart = [shape[0]!, groups, shape[1]! / groups, ...shape.slice(2)];
    return {
      lets: `let apart = reshape${shapeText(apart)}(x)`,
      outputs: { y: normalised(c, "apart", range(apart.length - 2, 2), c.number("eps", 1e-5), c.has("weight")) },
    };
  },
  instance_norm: (c) => ({
    outputs: {
      y: normalised(
        c,
        "x",
        range(c.shape("x").length - 2, 2),
        c.number("eps", 1e-5),
        c.flag("affine", c.has("weight")),
      ),
    },
  }),
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
    const size = c.number("size");
    const shape = c.shape("x");
    const own = ["n", "c", ...names(places, shape.length - 2)];
    const near = own.map((name) => (name === "c" ? `c + u - ${Math.floor(size / 2)}` : name)).join(", ");
    const sum = `(sum over u in 0..${size}: (x[${near}] ?? 0)^2)`;
    const scale = `(${num(c.number("k", 1))} + ${num(c.number("alpha", 1e-4))} * ${sum} / ${size})`;
    return {
      outputs: { y: `for ${binders(own, shape)}: x[${own.join(", ")}] / ${scale}^${num(c.number("beta", 0.75))}` },
    };
  },
  conv1d: convolution,
  conv2d,
  conv3d: convolution,
  conv_transpose1d: transposed,
  conv_transpose2d: transposed,
  max_pool1d: maxPool,
  max_pool2d: pooled2d("MaxPool2d", () => ""),
  avg_pool1d: averagePool,
  avg_pool2d: (c) =>
    c.attribute("divisor_override") === undefined
      ? pooled2d("AvgPool2d", (own) => `, count_include_pad: ${own.flag("count_include_pad", true)}`)(c)
      : averagePool(c),
  adaptive_avg_pool2d: adaptive("mean"),
  adaptive_max_pool2d: adaptive("max"),
  global_avg_pool1d: () => ({ outputs: { y: "mean(x, axis: -1)" } }),
  lp_pool2d: (c) => {
    const w = windows(c, c.flag("ceil_mode", false));
    const p = c.number("p");
    return {
      outputs: {
        y: `${forPlaces(c, w)}: (sum over ${overTaps(w)}: ${reads(w, ["n", "c"], "0")}^${num(p)})^${num(1 / p)}`,
      },
    };
  },
  logsumexp_pool2d: (c) => {
    const w = windows(c);
    const [r, mean] = [c.number("r"), c.flag("mean")];
    const sum = `(logsumexp over ${overTaps(w)}: ${num(r)} * ${reads(w, ["n", "c"], "-inf")})`;
    return { outputs: { y: `${forPlaces(c, w)}: (${sum}${mean ? ` - log(${sizeOf(w.kernel)})` : ""}) / ${num(r)}` } };
  },
  pixel_shuffle: (c) => {
    const r = c.number("r");
    const shape = c.shape("x");
    const lead = shape.slice(0, -3);
    const [channels, h, w] = shape.slice(-3) as [number, number, number];
    const own = lead.map((_, i) => `n${i}`);
    const index = [...own, `(c * ${r} + y % ${r}) * ${r} + x_ % ${r}`, `y // ${r}`, `x_ // ${r}`];
    const out = [...lead, channels / r ** 2, h * r, w * r];
    return { outputs: { y: `for ${binders([...own, "c", "y", "x_"], out)}: x[${index.join(", ")}]` } };
  },
  upsample: interpolated,
  mlp: (c) => ({
    ...denseParameters,
    declarations: twoLayers(
      c.extent("x", -1),
      c.extent("fc1.bias", 0),
      c.extent("fc2.bias", 0),
      c.word("activation", activations),
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
