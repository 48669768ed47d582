// Operators whose indices are data: gather, scatter, one-hot vectors, the largest elements, sequences turned round.
// Indices count from the end where they are negative. A scatter is written from the side of the result: each of its elements looks for
// the updates that reach it.
import { Unsupported } from "../model.ts";
import type { NodeReader } from "../node.ts";
import { axisOf, range, sizeOf, type ElementType, type Value } from "../value.ts";
import { at, binders, forAll, indices, type Writer } from "../writer.ts";
import { folds, one, type Operator, type Operators } from "./operator.ts";

/** The index `element` into an axis of n, negative ones counted from the end. */
function wrapped(index: Value, element: string, n: number): string {
  if (index.constant?.every((i) => i >= 0 && i < n)) return element;
  return `(${element} + ${n}) % ${n}`;
}
const indexElement = (writer: Writer, index: Value, names: readonly string[], n: number): string =>
  wrapped(index, at(writer.text(index), names), n);

const gather: Operator = one((node, writer) => {
  const [x, index] = [node.input(0), node.input(1)];
  const axis = node.axis("axis", 0, x.shape.length);
  const shape = [...x.shape.slice(0, axis), ...index.shape, ...x.shape.slice(axis + 1)];
  const n = x.shape[axis]!;
  if (folds([x, index], sizeOf(shape)) && x.shape.length === 1)
    return { shape, type: x.type, constant: index.constant!.map((i) => x.constant![i < 0 ? i + n : i]!) };
  const names = indices(shape.length);
  const inner = names.slice(axis, axis + index.shape.length);
  const fixed = index.constant && !index.shape.length ? axisOf(index.constant[0]!, n) : undefined;
  const source = [
    ...names.slice(0, axis),
    fixed === undefined ? indexElement(writer, index, inner, n) : String(fixed),
    ...names.slice(axis + index.shape.length),
  ];
  return { shape, type: x.type, text: forAll(names, shape, at(writer.text(x), source)) };
});
const gatherElements: Operator = one((node, writer) => {
  const [x, index] = [node.input(0), node.input(1)];
  const axis = node.axis("axis", 0, x.shape.length);
  const names = indices(index.shape.length);
  const source = names.map((name, i) => (i === axis ? indexElement(writer, index, names, x.shape[axis]!) : name));
  return { shape: index.shape, type: x.type, text: forAll(names, index.shape, at(writer.text(x), source)) };
});
const gatherND: Operator = one((node, writer) => {
  const [x, index] = [node.input(0), node.input(1)];
  const batch = node.int("batch_dims", 0);
  const depth = index.shape.at(-1)!;
  const lead = index.shape.slice(0, -1);
  const shape = [...lead, ...x.shape.slice(batch + depth)];
  const names = indices(shape.length);
  const place = names.slice(0, lead.length);
  const source = [
    ...names.slice(0, batch),
    ...range(depth).map((k) => indexElement(writer, index, [...place, String(k)], x.shape[batch + k]!)),
    ...names.slice(lead.length),
  ];
  return { shape, type: x.type, text: forAll(names, shape, at(writer.text(x), source)) };
});

/** An element of a scatter's result: what was there, joined with the updates for which `hit` holds. */
function scattered(
  node: NodeReader,
  writer: Writer,
  type: ElementType,
  old: string,
  hit: string,
  update: string,
  names: readonly string[],
  shape: readonly number[],
): string {
  const reduction = node.word("reduction", ["none", "add", "mul", "max", "min"], "none");
  const all = binders(names, shape);
  if (!sizeOf(shape)) return old;
  switch (reduction) {
    case "none": {
      // of several updates of one place the last counts
      if (type === "bool") throw new Unsupported(`${node.op} of bool`);
      const zero = type === "f32" ? "0.0" : "0";
      const order = names.reduce((text, name, i) => (i ? `(${text}) * ${shape[i]} + ${name}` : name), "");
      const last = `(max over ${all}: where(${hit}, ${order}, -1))`;
      return `where(any over ${all}: ${hit}, sum over ${all}: where(${hit} and ${order} == ${last}, ${update}, ${zero}), ${old})`;
    }
    case "add":
      return `${old} + (sum over ${all}: where(${hit}, ${update}, ${type === "f32" ? "0.0" : "0"}))`;
    case "mul":
      if (type !== "f32") throw new Unsupported(`${node.op} with products of whole numbers`);
      return `${old} * (prod over ${all}: where(${hit}, ${update}, 1.0))`;
    case "max":
    case "min":
      return `${reduction}(${old}, ${reduction} over ${all}: where(${hit}, ${update}, ${old}))`;
    default:
      return reduction satisfies never;
  }
}
const scatterElements: Operator = one((node, writer) => {
  const [x, index, update] = [node.input(0), node.input(1), node.input(2)];
  const rank = x.shape.length;
  const axis = node.axis("axis", 0, rank);
  const names = indices(rank);
  // updates reach their own line only: the other indices are the result's, as far as there are updates
  const u = "u";
  const n = index.shape[axis]!;
  const place = names.map((name, i) => (i === axis ? u : name));
  const beyond = names.flatMap((name, i) =>
    i !== axis && index.shape[i]! < x.shape[i]! ? [`${name} < ${index.shape[i]}`] : [],
  );
  const safe = names.map((name, i) =>
    i === axis ? u : index.shape[i]! < x.shape[i]! ? `min(${name}, ${index.shape[i]! - 1})` : place[i]!,
  );
  const hit = [...beyond, `${indexElement(writer, index, safe, x.shape[axis]!)} == ${names[axis]}`].join(" and ");
  const old = at(writer.text(x), names);
  const text = scattered(node, writer, x.type, old, hit, at(writer.text(update), safe), [u], [n]);
  return { shape: x.shape, type: x.type, text: forAll(names, x.shape, text) };
});
const scatterND: Operator = one((node, writer) => {
  const [x, index, update] = [node.input(0), node.input(1), node.input(2)];
  const depth = index.shape.at(-1)!;
  const lead = index.shape.slice(0, -1);
  const names = indices(x.shape.length);
  const own = range(lead.length).map((i) => `u${i}`);
  const hits = range(depth).map(
    (k) => `${indexElement(writer, index, [...own, String(k)], x.shape[k]!)} == ${names[k]}`,
  );
  const value = at(writer.text(update), [...own, ...names.slice(depth)]);
  const text = scattered(
    node,
    writer,
    x.type,
    at(writer.text(x), names),
    hits.join(" and ") || "true",
    value,
    own,
    lead,
  );
  return { shape: x.shape, type: x.type, text: forAll(names, x.shape, text) };
});

const oneHot: Operator = one((node, writer) => {
  const [index, values] = [node.input(0), node.input(2)];
  const depth = Math.trunc(node.constantInput(1, "the depth")[0]!);
  const rank = index.shape.length + 1;
  const axis = node.axis("axis", -1, rank);
  const shape = [...index.shape.slice(0, axis), depth, ...index.shape.slice(axis)];
  const names = indices(rank);
  const whole = index.type === "i32" ? writer.text(index) : writer.let("indices", `i32(${writer.text(index)})`);
  const element = at(
    whole,
    names.filter((_, i) => i !== axis),
  );
  const [off, on] = [`${writer.text(values)}[0]`, `${writer.text(values)}[1]`];
  const hit = `${names[axis]} == ${element} or ${names[axis]} - ${depth} == ${element}`;
  return { shape, type: values.type, text: forAll(names, shape, `where(${hit}, ${on}, ${off})`) };
});

/** The place of every element in the order of the axis, then the element of every place; equal ones keep their order. */
const topK: Operator = (node, writer) => {
  const x = node.input(0);
  const axis = node.axis("axis", -1, x.shape.length);
  const k = node.opset < 10 ? node.int("k") : node.constantInput(1, "k")[0]!;
  const largest = node.flag("largest", true);
  node.ignore("sorted"); // sorted is one of the orders that unsorted may have
  const names = indices(x.shape.length);
  const n = x.shape[axis]!;
  const shape = x.shape.map((extent, i) => (i === axis ? k : extent));
  const along = (other: string): string[] => names.map((name, i) => (i === axis ? other : name));
  const [text, own] = [writer.text(x), names[axis]!];
  const [self, other] = [at(text, names), at(text, along("u"))];
  const before = `${other} ${largest ? ">" : "<"} ${self} or ${other} == ${self} and u < ${own}`;
  const places = writer.let("places", forAll(names, x.shape, `sum over u in 0..${n}: where(${before}, 1, 0)`));
  const chosen = forAll(names, shape, `argmax over u in 0..${n}: where(${at(places, along("u"))} == ${own}, 1, 0)`);
  const found = writer.let("indices", chosen);
  return [
    { shape, type: x.type, text: forAll(names, shape, at(text, along(at(found, names)))) },
    { shape, type: "i32", text: found },
  ];
};

const reverseSequence: Operator = one((node, writer) => {
  const [x, lengths] = [node.input(0), node.input(1)];
  const [batch, time] = [node.int("batch_axis", 1), node.int("time_axis", 0)];
  const names = indices(x.shape.length);
  const length = `${writer.text(lengths)}[${names[batch]}]`;
  const t = names[time]!;
  const n = x.shape[time]!;
  const place = `max(0, min(${n - 1}, where(${t} < ${length}, ${length} - 1 - ${t}, ${t})))`;
  return {
    shape: x.shape,
    type: x.type,
    text: forAll(
      names,
      x.shape,
      at(
        writer.text(x),
        names.map((name, i) => (i === time ? place : name)),
      ),
    ),
  };
});

/** A cache with an update written from a place of every sample's own on. */
const tensorScatter: Operator = one((node, writer) => {
  const [cache, update] = [node.input(0), node.input(1)];
  const starts = node.optional(2);
  const mode = node.word("mode", ["linear", "circular"], "linear");
  const axis = node.axis("axis", -2, cache.shape.length);
  const names = indices(cache.shape.length);
  const [own, n] = [names[axis]!, cache.shape[axis]!];
  const start = starts ? `${writer.text(starts)}[${names[0]}]` : "0";
  const place = mode === "circular" ? `(${own} - ${start}) % ${n}` : `${own} - ${start}`;
  const m = update.shape[axis]!;
  const inside = `${place} >= 0 and ${place} < ${m}`;
  const source = names.map((name, i) => (i === axis ? `max(0, min(${m - 1}, ${place}))` : name));
  const text = `where(${inside}, ${at(writer.text(update), source)}, ${at(writer.text(cache), names)})`;
  return { shape: cache.shape, type: cache.type, text: forAll(names, cache.shape, text) };
});

export const indexing: Operators = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ScatterElements: scatterElements,
  Scatter: scatterElements,
  ScatterND: scatterND,
  OneHot: oneHot,
  TopK: topK,
  ReverseSequence: reverseSequence,
  TensorScatter: tensorScatter,
};
