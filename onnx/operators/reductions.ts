// Reductions over axes, positions of extremes, softmax and its relations, running sums and products.
import { Unsupported } from "../model.ts";
import { axisOf, range, sizeOf, type Result, type Value } from "../value.ts";
import { at, binders, forAll, indices, type Writer } from "../writer.ts";
import { folds, one, type Operator, type Operators } from "./operator.ts";

export const reducedShape = (shape: readonly number[], axes: readonly number[], keep: boolean): number[] =>
  keep ? shape.map((n, i) => (axes.includes(i) ? 1 : n)) : shape.filter((_, i) => !axes.includes(i));
/** `sum(x, axis: [1], keep: true)` */
export const reduced = (reducer: string, x: string, axes: readonly number[], keep: boolean): string =>
  `${reducer}(${x}, axis: [${axes.join(", ")}]${keep ? ", keep: true" : ""})`;

interface Reduction {
  readonly reducer: string;
  /** What is done to the elements, and to the results. */
  readonly before?: (x: string) => string;
  readonly after?: (x: string) => string;
}
/** Axes are an attribute before set 18 (13 for ReduceSum), an input from it on. */
const reduction = ({ reducer, before = (x) => x, after = (x) => x }: Reduction): Operator =>
  one((node, writer) => {
    const x = node.input(0);
    const keep = node.flag("keepdims", true);
    const noop = node.flag("noop_with_empty_axes");
    const given = node.axes(1, x.shape.length);
    if (noop && !given?.length) return { shape: x.shape, type: x.type, text: after(before(writer.text(x))) };
    const axes = given?.length ? given : range(x.shape.length);
    const shape = reducedShape(x.shape, axes, keep);
    if (x.type === "bool") {
      const name = { max: "any", min: "all" }[reducer];
      if (!name) throw new Unsupported(`${node.op} of bool`);
      return { shape, type: "bool", text: reduced(name, writer.text(x), axes, keep) };
    }
    if (x.type === "i32" && reducer === "prod") return wholeProduct(writer, x, axes, shape);
    if (x.type === "i32" && !["sum", "max", "min"].includes(reducer))
      throw new Unsupported(`${node.op} of whole numbers`);
    if (!axes.length) return { shape, type: x.type, text: after(before(writer.text(x))) };
    return { shape, type: x.type, text: after(reduced(reducer, before(writer.text(x)), axes, keep)) };
  });
/** dlm's `prod` of i32 is an f32; a loop keeps whole numbers exact. */
function wholeProduct(writer: Writer, x: Value, axes: readonly number[], shape: readonly number[]): Result {
  const size = sizeOf(axes.map((a) => x.shape[a]!));
  if (x.constant && folds([x], x.constant.length) && axes.length === x.shape.length)
    return { shape, type: "i32", constant: [x.constant.reduce((a, b) => Math.imul(a, b), 1)] };
  const rest = range(x.shape.length).filter((a) => !axes.includes(a));
  const first = writer.let(
    "factors",
    `reshape[${[size, ...rest.map((a) => x.shape[a])].join(", ")}](transpose(${writer.text(x)}, axes: [${[...axes, ...rest].join(", ")}]))`,
  );
  const inner = rest.map((a) => x.shape[a]!);
  const product = `fold (factor in ${first} along 0; product = ${inner.length ? `expand[${inner.join(", ")}](1)` : "1"}) { next product = product * factor }`;
  return { shape, type: "i32", text: `reshape[${shape.join(", ")}](${writer.let("product", product)})` };
}

const position = (name: "argmax" | "argmin"): Operator =>
  one((node, writer) => {
    const x = node.input(0);
    const axis = node.axis("axis", 0, x.shape.length);
    const keep = node.flag("keepdims", true);
    const shape = reducedShape(x.shape, [axis], keep);
    const rest = `axis: ${axis}${keep ? ", keep: true" : ""}`;
    const text = node.flag("select_last_index")
      ? `${x.shape[axis]! - 1} - ${name}(flip(${writer.text(x)}, axis: ${axis}), ${rest})`
      : `${name}(${writer.text(x)}, ${rest})`;
    return { shape, type: "i32", text };
  });

/** Before set 13 the axes from `axis` on are one (and the default is 1), since then there is one axis (the last). */
const softmax = (write: (x: string, axis: number, shape: readonly number[]) => string): Operator =>
  one((node, writer) => {
    const x = node.input(0);
    const old = node.opset < 13;
    const axis = node.axis("axis", old ? 1 : -1, x.shape.length);
    if (!old || axis === x.shape.length - 1)
      return { shape: x.shape, type: x.type, text: write(writer.text(x), axis, x.shape) };
    const flat = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))];
    const rows = writer.let("rows", `reshape[${flat.join(", ")}](${writer.text(x)})`);
    const result = writer.let("rows", write(rows, 1, flat));
    return { shape: x.shape, type: x.type, text: `reshape[${x.shape.join(", ")}](${result})` };
  });

/** CumSum and CumProd along an axis, exclusive or from the end if asked for. */
const running = (reducer: "sum" | "prod"): Operator =>
  one((node, writer) => {
    const x = node.input(0);
    const axis = axisOf(node.constantInput(1, "the axis")[0]!, x.shape.length);
    const [exclusive, reverse] = [node.flag("exclusive"), node.flag("reverse")];
    if (x.type === "i32" && reducer === "prod") return runningProduct(writer, x, axis, exclusive, reverse);
    const names = indices(x.shape.length);
    const [name, n] = [names[axis]!, x.shape[axis]!];
    const lo = reverse ? (exclusive ? `${name} + 1` : name) : "0";
    const hi = reverse ? n : exclusive ? name : `${name} + 1`;
    const inner = at(
      writer.text(x),
      names.map((i) => (i === name ? "u" : i)),
    );
    return {
      shape: x.shape,
      type: x.type,
      text: forAll(names, x.shape, `${reducer} over u in ${lo}..${hi}: ${inner}`),
    };
  });
function runningProduct(writer: Writer, x: Value, axis: number, exclusive: boolean, reverse: boolean): Result {
  const rank = x.shape.length;
  const order = [axis, ...range(rank).filter((a) => a !== axis)];
  const back = range(rank).map((a) => order.indexOf(a));
  const inner = order.slice(1).map((a) => x.shape[a]!);
  const turned = (text: string): string => (reverse ? `flip(${text}, axis: 0)` : text);
  const first = writer.let("factors", turned(`transpose(${writer.text(x)}, axes: [${order.join(", ")}])`));
  const loop = writer.let(
    "products",
    `scan (factor in ${first} along 0; product = ${inner.length ? `expand[${inner.join(", ")}](1)` : "1"}) {
  let grown = product * factor
  next product = grown
  yield ${exclusive ? "product" : "grown"}
}`,
  );
  // what is yielded stands last where the factors have fewer axes than the states: here they have as many
  return { shape: x.shape, type: "i32", text: `transpose(${turned(loop)}, axes: [${back.join(", ")}])` };
}

const hardmax = softmax((x, axis, shape) => {
  const names = indices(shape.length);
  const first = `argmax(${x}, axis: ${axis}, keep: true)`;
  const index = names.map((name, i) => (i === axis ? "0" : name));
  return `for ${binders(names, shape)}: where(${first}[${index.join(", ")}] == ${names[axis]}, 1.0, 0.0)`;
});

/** 1 norm or 2 norm over an axis; of zeros it is 0 and so are the results. */
const normalized: Operator = one((node, writer) => {
  const x = node.input(0);
  const axis = node.axis("axis", -1, x.shape.length);
  const p = node.int("p", 2);
  if (p !== 1 && p !== 2) throw new Unsupported(`LpNormalization with p ${p}`);
  const text = writer.text(x);
  const norm = writer.let(
    "norm",
    p === 1 ? `sum(abs(${text}), axis: ${axis}, keep: true)` : `sqrt(sum(${text}^2, axis: ${axis}, keep: true))`,
  );
  return { shape: x.shape, type: "f32", text: `${text} / where(${norm} == 0, 1, ${norm})` };
});

export const reductions: Operators = {
  ReduceSum: reduction({ reducer: "sum" }),
  ReduceMean: reduction({ reducer: "mean" }),
  ReduceMax: reduction({ reducer: "max" }),
  ReduceMin: reduction({ reducer: "min" }),
  ReduceProd: reduction({ reducer: "prod" }),
  ReduceL1: reduction({ reducer: "sum", before: (x) => `abs(${x})` }),
  ReduceL2: reduction({ reducer: "sum", before: (x) => `${x}^2`, after: (x) => `sqrt(${x})` }),
  ReduceSumSquare: reduction({ reducer: "sum", before: (x) => `${x}^2` }),
  ReduceLogSum: reduction({ reducer: "sum", after: (x) => `log(${x})` }),
  ReduceLogSumExp: reduction({ reducer: "logsumexp" }),
  ArgMax: position("argmax"),
  ArgMin: position("argmin"),
  Softmax: softmax((x, axis) => `softmax(${x}, ${axis})`),
  LogSoftmax: softmax((x, axis) => `log_softmax(${x}, ${axis})`),
  Hardmax: hardmax,
  LpNormalization: normalized,
  CumSum: running("sum"),
  CumProd: running("prod"),
};
