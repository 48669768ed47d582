// Functions that move elements: transpose, concat, split and their kin. In: a call. Out: a tensor, or a tuple of tensors.
import type { Span } from "../../../grammar/diagnostic.ts";
import { reshape } from "../../graph/node.ts";
import { extentText, shapeText } from "../../graph/print.ts";
import { integer } from "../../graph/scalar.ts";
import type { Extent, Node } from "../../graph/types.ts";
import type { Value } from "../context.ts";
import {
  beyondLimit,
  differing,
  emptyList,
  most,
  needed,
  noPermutation,
  notWhole,
  shapeMismatch,
  sizesDoNotAddUp,
  typeText,
} from "../errors.ts";
import { concat, flip, matmul, slice, transpose } from "../tensors.ts";
import { asTensor, kindText, number, tensor } from "../values.ts";
import { axisList, axisNumber, type Builtins, type Call } from "./call.ts";

export const arrays: Builtins = {
  concat: {
    summary: "`concat([a, b], axis: 0)`: tensors one after another along an axis",
    takes: [1, 2, ["axis"]],
    apply: concatenated,
  },
  split: {
    summary: "`split(x, 2, axis: 0)`: equal parts by their number, or parts of the sizes in a list, as a tuple",
    takes: [2, 3, ["axis"]],
    apply: splitIntoParts,
  },
  flip: {
    summary: "`flip(x, axis: 0)`: in reverse along an axis or a list of axes",
    takes: [1, 2, ["axis"]],
    apply: ({ node, option, span }) => {
      const x = node(0);
      const axes = axisList(option("axis", 1) ?? number(0), x.shape.length, span);
      return tensor(axes.reduce((y, d) => flip(y, d, span), x));
    },
  },
  transpose: {
    summary:
      "`transpose(x, axes: [1, 0])`: axes in another order, the last two swapped without it. Changes the shape only.",
    takes: [1, 2, ["axes"]],
    apply: ({ name, node, option, span }) => {
      const x = node(0);
      const rank = x.shape.length;
      const given = option("axes", 1);
      const order = given ? axisList(given, rank, span) : lastTwoSwapped(rank);
      if (new Set(order).size !== rank) throw noPermutation(span, name, rank);
      return tensor(transpose(x, order, span));
    },
  },
  move_axis: {
    summary: "`move_axis(x, from, to)`: one axis in another place, the others in their order. Changes the shape only.",
    takes: [3, 3, []],
    apply: ({ at, node, span }) => {
      const x = node(0);
      const rank = x.shape.length;
      const from = axisNumber(at(1).value, rank, at(1).span);
      const order = Array.from({ length: rank }, (_, d) => d).filter((d) => d !== from);
      order.splice(axisNumber(at(2).value, rank, at(2).span), 0, from);
      return tensor(transpose(x, order, span));
    },
  },
  squeeze: {
    summary: "`squeeze(x, axis: 0)`: without an axis of extent 1, or without all of them. Changes the shape only.",
    takes: [1, 2, ["axis"]],
    apply: squeezed,
  },
  unsqueeze: {
    summary: "`unsqueeze(x, axis: 0)`: with a new axis of extent 1. Changes the shape only.",
    takes: [1, 2, ["axis"]],
    apply: ({ node, option, span }) => {
      const x = node(0);
      const d = axisNumber(option("axis", 1) ?? number(0), x.shape.length + 1, span);
      return tensor(reshape(x, [...x.shape.slice(0, d), 1, ...x.shape.slice(d)], { span }));
    },
  },
  matmul: {
    summary: "`matmul(a, b)`: the matrix product, as `a @ b`",
    takes: [2, 2, []],
    apply: ({ at, node, span }) => tensor(matmul(node(0), node(1), [at(0).span, at(1).span], span)),
  },
};
function lastTwoSwapped(rank: number): number[] {
  const order = Array.from({ length: rank }, (_, d) => d);
  return rank < 2 ? order : [...order.slice(0, -2), rank - 1, rank - 2];
}
function concatenated({ at, option, span }: Call): Value {
  const list = at(0).value;
  if (list.kind !== "list" && list.kind !== "tuple") throw needed(at(0).span, "tensors", kindText(list));
  const nodes = list.elements.map((v) => asTensor(v, at(0).span));
  const [first] = nodes;
  if (!first) throw emptyList(at(0).span, "someTensors");
  const axis = axisNumber(option("axis", 1) ?? number(0), first.shape.length, span);
  const isOther = (_: Extent, d: number): boolean => d !== axis;
  const others = first.shape.filter(isOther);
  const fits = (x: Node): boolean =>
    x.dtype === first.dtype &&
    x.shape.length === first.shape.length &&
    x.shape.filter(isOther).every((n, d) => n === others[d]);
  for (const x of nodes)
    if (!fits(x))
      throw shapeMismatch(
        at(0).span,
        "concat",
        `${typeText(first.dtype, first.shape)} (axis ${axis} may differ)`,
        typeText(x.dtype, x.shape),
        { unequal: x.dtype === first.dtype ? differing(others, x.shape.filter(isOther)) : [] },
      );
  return tensor(concat(nodes, axis, span));
}
/** Equal parts by their number, or parts of given sizes. */
function splitIntoParts({ name, at, node, option, span }: Call): Value {
  const x = node(0);
  const count = at(1).value;
  const axis = axisNumber(option("axis", 2) ?? number(0), x.shape.length, span);
  const n = x.shape[axis]!;
  if (typeof n !== "number") throw needed(span, "knownAxis", extentText(n));
  const sizes = sizesOfParts(count, n, at(1).span);
  const total = sizes.reduce((a, b) => a + b, 0);
  if (total !== n) throw sizesDoNotAddUp(span, name, total, n);
  let start = 0;
  const parts = sizes.map((s) => {
    const part = tensor(slice(x, axis, integer(start), s, span));
    start += s;
    return part;
  });
  return { kind: "tuple", elements: parts };
}
function sizesOfParts(count: Value, n: number, span: Span): number[] {
  if (count.kind === "list")
    return count.elements.map((v) => {
      if (v.kind !== "number" || !Number.isInteger(v.value) || v.value < 0)
        throw needed(span, "sizes", `one with ${kindText(v)}`);
      return v.value;
    });
  if (count.kind !== "number") throw needed(span, "parts", kindText(count));
  const parts = count.value;
  if (!Number.isInteger(parts) || parts < 1) throw needed(span, "positive", kindText(count));
  if (parts > most) throw beyondLimit(span, "parts", parts);
  if (n % parts) throw notWhole(span, `${n} / ${parts}`);
  return Array.from({ length: parts }, () => n / parts);
}
function squeezed({ node, option, span }: Call): Value {
  const { shape } = node(0);
  const given = option("axis", 1);
  const axes = given ? axisList(given, shape.length, span) : shape.flatMap((n, d) => (n === 1 ? [d] : []));
  for (const d of axes)
    if (shape[d] !== 1)
      throw shapeMismatch(
        span,
        "squeeze",
        `an axis of extent 1`,
        `${shapeText(shape)}, whose axis ${d} has ${extentText(shape[d]!)}`,
        { unequal: differing([1], [shape[d]!]) },
      );
  const kept = shape.filter((_, d) => !axes.includes(d));
  return tensor(reshape(node(0), kept, { span }));
}
