// Products of matrices, normalisation, losses, dropout.
import { Unsupported } from "../model.ts";
import type { NodeReader } from "../node.ts";
import { channelsFirst, channelsLast, named } from "../channels.ts";
import { broadcast, float, range, sameShape, shapeText, type Result, type Value } from "../value.ts";
import { at, broadcastIndex, forAll, indices, type Writer } from "../writer.ts";
import { one, type Operator, type Operators } from "./operator.ts";

const matmul: Operator = one((node, writer) => {
  const [a, b] = [node.input(0), node.input(1)];
  if (a.type !== "f32") throw new Unsupported(`${node.op} of ${a.type}`);
  if (a.shape.length < 2 || b.shape.length < 2) {
    const rest = [...a.shape.slice(0, -2), ...b.shape.slice(0, -2)];
    const shape =
      a.shape.length === 1 && b.shape.length === 1
        ? []
        : a.shape.length === 1
          ? [...rest, b.shape.at(-1)!]
          : a.shape.slice(0, -1);
    return { shape, type: "f32", text: `${writer.text(a)} @ ${writer.text(b)}` };
  }
  const lead = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const grown = (v: Value): string =>
    v.shape.length === 2 || sameShape(v.shape.slice(0, -2), lead)
      ? writer.text(v)
      : `expand${shapeText([...lead, ...v.shape.slice(-2)])}(${writer.text(v)})`;
  return { shape: [...lead, a.shape.at(-2)!, b.shape.at(-1)!], type: "f32", text: `${grown(a)} @ ${grown(b)}` };
});
const gemm: Operator = one((node, writer) => {
  const [a, b] = [node.input(0), node.input(1)];
  const c = node.optional(2);
  if (node.opset < 7) node.ignore("broadcast");
  const [alpha, beta] = [node.float("alpha", 1), node.float("beta", 1)];
  const turned = (v: Value, flag: string): string =>
    node.flag(flag) ? `transpose(${writer.text(v)})` : writer.text(v);
  const [left, right] = [turned(a, "transA"), turned(b, "transB")];
  const shape = [node.flag("transA") ? a.shape[1]! : a.shape[0]!, node.flag("transB") ? b.shape[0]! : b.shape[1]!];
  const product = alpha === 1 ? `${left} @ ${right}` : `${float(alpha)} * (${left} @ ${right})`;
  const offset = c && `${beta === 1 ? "" : `${float(beta)} * `}${writer.text(c)}`;
  return { shape, type: "f32", text: offset ? `${product} + ${offset}` : product };
});
const einsum: Operator = one((node, writer) => {
  const values = node.inputs();
  const equation = node.string("equation", "").replaceAll(" ", "");
  const [inputs = "", given] = equation.split("->");
  const terms = inputs.split(",");
  const letters = terms.join("").replaceAll("...", "");
  const output =
    given ??
    [...new Set(letters)]
      .filter((x) => letters.split(x).length === 2)
      .sort()
      .join("");
  if (equation.includes("...")) throw new Unsupported("Einsum with ...");
  if (terms.some((term) => new Set(term).size !== term.length)) throw new Unsupported("Einsum of a diagonal");
  const lower = (x: string): string => (/[A-Z]/.test(x) ? `u${x.toLowerCase()}` : x);
  const spaced = (term: string): string => [...term].map(lower).join(" ");
  const size = (x: string): number => {
    const k = terms.findIndex((term) => term.includes(x));
    return values[k]!.shape[terms[k]!.indexOf(x)]!;
  };
  const pattern = `${terms.map(spaced).join(", ")} -> ${spaced(output)}`;
  return {
    shape: [...output].map(size),
    type: "f32",
    text: `einsum(\`${pattern}\`, ${values.map((v) => writer.text(v)).join(", ")})`,
  };
});
/** Of small matrices, written out along the first row. */
const determinant: Operator = one((node, writer) => {
  const x = node.input(0);
  const n = x.shape.at(-1)!;
  if (n > 4) throw new Unsupported(`Det of ${n} rows`);
  const lead = x.shape.slice(0, -2);
  const names = indices(lead.length);
  const minor = (row: number, columns: readonly number[]): string => {
    const element = (column: number): string => at(writer.text(x), [...names, String(row), String(column)]);
    if (!columns.length) return "1.0";
    if (columns.length === 1) return element(columns[0]!);
    const terms = columns.map((column, i) => {
      const rest = minor(
        row + 1,
        columns.filter((other) => other !== column),
      );
      return `${i % 2 ? " - " : i ? " + " : ""}${element(column)} * ${columns.length > 2 ? `(${rest})` : rest}`;
    });
    return terms.join("");
  };
  return { shape: lead, type: "f32", text: forAll(names, lead, minor(0, range(n))) };
});

/** A vector of channels beside the tensor's elements. */
const perChannel = (writer: Writer, vector: Value): string => `${writer.text(vector)}[c]`;
const channelNames = (rank: number): string[] =>
  range(rank).map((i) => (i === 0 ? "n" : i === 1 ? "c" : indices(rank - 2)[i - 2]!));

interface Norm {
  readonly writer: Writer;
  /** Of the library, with its arguments but for `affine`, which is `affine` by default. */
  readonly name: string;
  readonly args: readonly string[];
  readonly affine: boolean;
  readonly scale: Value;
  readonly bias: Value | undefined;
  /** What the layer keeps beside gain and offset. */
  readonly states?: Readonly<Record<string, Value>>;
}
/** A layer that holds gain and offset where they are the file's own and have the shape of the last axis; else one without, and these behind it. */
function normalised(
  { writer, name, args, affine, scale, bias, states = {} }: Norm,
  input: string,
  channels: number,
): string {
  const own = Object.entries({ g: scale, ...(bias ? { b: bias } : {}), ...states });
  const isOwn = own.every(([, v]) => writer.isHeld(v) && sameShape(v.shape, [channels]));
  const options = [...args, ...(affine === isOwn ? [] : [`affine: ${isOwn}`])];
  const held = own.flatMap(([key, v]) =>
    isOwn && writer.isHeld(v) ? [[key, { shape: v.shape, data: v.constant }] as const] : [],
  );
  const normal = `${writer.layer("norm", `${name}(${options.join(", ")})`, Object.fromEntries(held))}(${input})`;
  return isOwn ? normal : `${normal} * ${writer.text(scale)}${bias ? ` + ${writer.text(bias)}` : ""}`;
}
const epsilon = (node: NodeReader, usual = 1e-5): string[] =>
  named({ eps: float(node.float("epsilon", 1e-5)) }, { eps: float(usual) });

const batchNorm: Operator = (node, writer) => {
  const x = node.input(0);
  const [scale, bias, mean, variance] = [node.input(1), node.input(2), node.input(3), node.input(4)];
  node.ignore("consumed_inputs");
  const eps = float(node.float("epsilon", 1e-5));
  const momentum = node.float("momentum", 0.9);
  if (!node.flag("spatial", true)) throw new Unsupported("BatchNormalization with spatial 0");
  const training =
    node.opset >= 14 ? node.flag("training_mode") : node.opset < 7 ? !node.flag("is_test") : node.gives(1);
  const [rank, channels] = [x.shape.length, x.shape[1]!];
  const states = { mu: mean, var: variance };
  if (!training && rank > 1 && [scale, bias, mean, variance].every((v) => writer.isHeld(v))) {
    const norm = { writer, name: "BatchNorm", args: epsilon(node), affine: true, scale, bias, states };
    const text = channelsFirst(normalised(norm, channelsLast(writer.text(x), rank), channels), rank);
    return [{ shape: x.shape, type: "f32", text }];
  }
  const names = channelNames(rank);
  const normal = (m: string, v: string): string =>
    forAll(
      names,
      x.shape,
      `(${at(writer.text(x), names)} - ${m}[c]) / sqrt(${v}[c] + ${eps}) * ${perChannel(writer, scale)} + ${perChannel(writer, bias)}`,
    );
  if (!training) return [{ shape: x.shape, type: "f32", text: normal(writer.text(mean), writer.text(variance)) }];
  const axes = range(x.shape.length).filter((a) => a !== 1);
  const batchMean = writer.let("batch_mean", `mean(${writer.text(x)}, axis: [${axes.join(", ")}])`);
  const batchVariance = writer.let(
    "batch_variance",
    `var(${writer.text(x)}, axis: [${axes.join(", ")}], correction: 0)`,
  );
  const mixed = (old: Value, now: string): Result => ({
    shape: old.shape,
    type: "f32",
    text: `${float(momentum)} * ${writer.text(old)} + ${float(1 - momentum)} * ${now}`,
  });
  return [
    { shape: x.shape, type: "f32", text: normal(batchMean, batchVariance) },
    mixed(mean, batchMean),
    mixed(variance, batchVariance),
  ];
};
const instanceNorm: Operator = one((node, writer) => {
  const [x, scale, bias] = [node.input(0), node.input(1), node.input(2)];
  node.ignore("consumed_inputs");
  const rank = x.shape.length;
  const norm = { writer, name: "InstanceNorm", args: epsilon(node), affine: false, scale, bias };
  const text = channelsFirst(normalised(norm, channelsLast(writer.text(x), rank), x.shape[1]!), rank);
  return { shape: x.shape, type: "f32", text };
});
/** Before set 21 gain and offset are those of groups, since then of channels. */
const groupNorm: Operator = one((node, writer) => {
  const [x, ...affine] = [node.input(0), node.input(1), node.input(2)];
  const groups = node.int("num_groups");
  node.ignore("stash_type");
  const [rank, channels] = [x.shape.length, x.shape[1]!];
  const [scale, bias] = affine.map((v): Value => {
    if (v.shape[0] === channels) return v;
    const text = writer.let("channels", `for c in 0..${channels}: ${writer.text(v)}[c // ${channels / groups}]`);
    return { shape: [channels], type: "f32", text };
  }) as [Value, Value];
  const norm = { writer, name: "GroupNorm", args: [String(groups), ...epsilon(node)], affine: true, scale, bias };
  const text = channelsFirst(normalised(norm, channelsLast(writer.text(x), rank), channels), rank);
  return { shape: x.shape, type: "f32", text };
});
const stretchedText = (writer: Writer, v: Value, names: readonly string[]): string =>
  v.shape.length ? at(writer.text(v), broadcastIndex(v.shape, names)) : writer.text(v);
const layerNorm: Operator = (node, writer) => {
  const [x, scale, bias] = [node.input(0), node.input(1), node.optional(2)];
  node.ignore("stash_type");
  const rank = x.shape.length;
  const first = node.axis("axis", -1, rank);
  if (!node.gives(1) && !node.gives(2)) return [overLastAxes(node, writer, "LayerNorm", first)];
  const list = `[${range(rank - first, first).join(", ")}]`;
  const text = writer.text(x);
  const mean = writer.let("average", `mean(${text}, axis: ${list}, keep: true)`);
  const deviation = `sqrt(var(${text}, axis: ${list}, correction: 0, keep: true) + ${float(node.float("epsilon", 1e-5))})`;
  const inverse = writer.let("inverse", `1 / ${deviation}`);
  const normal = writer.let("normal", `(${text} - ${mean}) * ${inverse}`);
  const names = indices(rank);
  const scaled = `${at(normal, names)} * ${stretchedText(writer, scale, names)}${bias ? ` + ${stretchedText(writer, bias, names)}` : ""}`;
  const shape = x.shape.map((n, i) => (i < first ? n : 1));
  return [
    { shape: x.shape, type: "f32", text: forAll(names, x.shape, scaled) },
    { shape, type: "f32", text: mean },
    { shape, type: "f32", text: inverse },
  ];
};
const rmsNorm: Operator = one((node, writer) => {
  node.ignore("stash_type");
  return overLastAxes(node, writer, "RMSNorm", node.axis("axis", -1, node.input(0).shape.length));
});
/** A layer of the library that normalises over the axes from `first` on. */
function overLastAxes(node: NodeReader, writer: Writer, name: "LayerNorm" | "RMSNorm", first: number): Result {
  const [x, scale] = [node.input(0), node.input(1)];
  const bias = name === "LayerNorm" ? node.optional(2) : undefined;
  const axes = x.shape.length - first;
  const over = named({ axes: String(axes) }, { axes: "1" });
  const withoutOffset = name === "LayerNorm" && !bias ? ["bias: false"] : [];
  const args = [...epsilon(node, name === "LayerNorm" ? 1e-5 : 1e-6), ...over, ...withoutOffset];
  const text = normalised(
    { writer, name, args, affine: true, scale, bias },
    writer.text(x),
    axes === 1 ? x.shape.at(-1)! : -1,
  );
  return { shape: x.shape, type: "f32", text };
}
const meanVarianceNorm: Operator = one((node, writer) => {
  const x = node.input(0);
  const axes = (node.numbers("axes") ?? [0, 2, 3]).map((a) => (a < 0 ? a + x.shape.length : a));
  const [text, list] = [writer.text(x), `[${axes.join(", ")}]`];
  const deviation = `(sqrt(var(${text}, axis: ${list}, correction: 0, keep: true)) + 1e-9)`;
  return { shape: x.shape, type: "f32", text: `(${text} - mean(${text}, axis: ${list}, keep: true)) / ${deviation}` };
});
const localResponseNorm: Operator = one((node, writer) => {
  const x = node.input(0);
  const size = node.int("size");
  const [alpha, beta, bias] = [node.float("alpha", 1e-4), node.float("beta", 0.75), node.float("bias", 1)];
  const names = channelNames(x.shape.length);
  const near = at(
    writer.text(x),
    names.map((name) => (name === "c" ? `c + u - ${Math.floor((size - 1) / 2)}` : name)),
  );
  const sum = `(sum over u in 0..${size}: (${near} ?? 0)^2)`;
  const text = `${at(writer.text(x), names)} / (${float(bias)} + ${float(alpha / size)} * ${sum})^${float(beta)}`;
  return { shape: x.shape, type: "f32", text: forAll(names, x.shape, text) };
});

/** -w[y] log p[y], classes on axis 1; what is to be ignored counts neither way. */
function likelihood(node: NodeReader, writer: Writer, logs: string, x: Value, target: Value, weight?: Value): Result {
  const classes = x.shape[1]!;
  const ignored = node.int("ignore_index", undefined);
  const reduction = node.word("reduction", ["none", "sum", "mean"], "mean");
  const names = indices(target.shape.length);
  const own = at(writer.text(target), names);
  const chosen = `max(0, min(${classes - 1}, ${own}))`;
  const weighs = weight ? `${writer.text(weight)}[${chosen}]` : "1.0";
  const counted = ignored === undefined ? weighs : `where(${own} == ${ignored}, 0, ${weighs})`;
  const weights = writer.let("weights", forAll(names, target.shape, counted));
  const picked = at(logs, [names[0]!, chosen, ...names.slice(1)]);
  const losses = writer.let("losses", forAll(names, target.shape, `-${at(weights, names)} * ${picked}`));
  if (reduction === "none") return { shape: target.shape, type: "f32", text: losses };
  if (reduction === "sum") return { shape: [], type: "f32", text: `sum(${losses})` };
  return { shape: [], type: "f32", text: `sum(${losses}) / sum(${weights})` };
}
const negativeLogLikelihood: Operator = one((node, writer) => {
  const [x, target, weight] = [node.input(0), node.input(1), node.optional(2)];
  return likelihood(node, writer, writer.text(x), x, target, weight);
});
const softmaxCrossEntropy: Operator = (node, writer) => {
  const [x, target, weight] = [node.input(0), node.input(1), node.optional(2)];
  const logs = writer.let("log_probability", `log_softmax(${writer.text(x)}, 1)`);
  return [likelihood(node, writer, logs, x, target, weight), { shape: x.shape, type: "f32", text: logs }];
};

const dropout: Operator = (node, writer) => {
  const x = node.input(0);
  node.ignore("seed", "consumed_inputs");
  const ratio = node.opset < 12 ? node.float("ratio", 0.5) : node.optionalConstant(1, "the ratio")?.[0];
  const training = node.opset < 7 ? false : node.opset < 12 ? false : node.optionalConstant(2, "training")?.[0];
  if (node.opset < 7) node.ignore("is_test");
  if (training && ratio !== 0) throw new Unsupported("Dropout in training: its draws are another generator's");
  return [
    { shape: x.shape, type: x.type, text: writer.text(x) },
    { shape: x.shape, type: "bool", text: `expand${shapeText(x.shape)}(true)` },
  ];
};

export const layers: Operators = {
  MatMul: matmul,
  Gemm: gemm,
  Einsum: einsum,
  Det: determinant,
  BatchNormalization: batchNorm,
  InstanceNormalization: instanceNorm,
  GroupNormalization: groupNorm,
  LayerNormalization: layerNorm,
  RMSNormalization: rmsNorm,
  MeanVarianceNormalization: meanVarianceNorm,
  LRN: localResponseNorm,
  NegativeLogLikelihoodLoss: negativeLogLikelihood,
  SoftmaxCrossEntropyLoss: softmaxCrossEntropy,
  Dropout: dropout,
};
