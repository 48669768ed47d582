// Functions that move elements: transpose, concat, split and their kin, and `reshape[...]`, `expand[...]`.
import type { Span } from "../../../grammar/diagnostic.ts";
import { reshape, sameElementCount } from "../../graph/node.ts";
import { extentText, shapeText } from "../../graph/print.ts";
import { integer, literal } from "../../graph/scalar.ts";
import type { Extent, Node } from "../../graph/types.ts";
import type { Argument, Callable, Context, Value } from "../context.ts";
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
import { bracketShape } from "../expression/types.ts";
import { concat, expand, filled, flip, matmul, slice, transpose } from "../tensors.ts";
import { asTensor, kindText, number, tensor } from "../values.ts";
import { axisList, axisNumber, type Builtins, type Call, callOf } from "./call.ts";

/** Names that take a shape in brackets. */
export const shapedNames: ReadonlySet<string> = new Set(["zeros", "ones", "expand", "reshape", "normal", "uniform"]);

export const arrays: Builtins = {
  concat: { takes: [1, 2, ["axis"]], apply: concatenated },
  split: { takes: [2, 3, ["axis"]], apply: splitIntoParts },
  flip: {
    takes: [1, 2, ["axis"]],
    apply: ({ node, option, span }) => {
      const x = node(0);
      const axes = axisList(option("axis", 1) ?? number(0), x.shape.length, span);
      return tensor(axes.reduce((y, d) => flip(y, d, span), x));
    },
  },
  transpose: {
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
  squeeze: { takes: [1, 2, ["axis"]], apply: squeezed },
  unsqueeze: {
    takes: [1, 2, ["axis"]],
    apply: ({ node, option, span }) => {
      const x = node(0);
      const d = axisNumber(option("axis", 1) ?? number(0), x.shape.length + 1, span);
      return tensor(reshape(x, [...x.shape.slice(0, d), 1, ...x.shape.slice(d)], { span }));
    },
  },
  matmul: {
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

/** `reshape[B, 4](x)`, `expand[B, 4](x)`. */
export function applyShaped(
  f: Extract<Callable, { kind: "shaped" }>,
  args: readonly Argument[],
  span: Span,
  ctx: Context,
): Value {
  const x = callOf(f.name, args, span, ctx).node(0);
  const shape = bracketShape(f.dims, f.scope, ctx);
  if (f.name === "expand") return tensor(expand(x, shape, span));
  if (f.name !== "reshape") return tensor(filled(shape, literal(f.name === "ones" ? 1 : 0), span));
  if (!sameElementCount(shape, x.shape))
    throw shapeMismatch(span, "reshape", shapeText(shape), shapeText(x.shape), {
      notes: ["both must have the same number of elements"],
      unequal: [[shape, x.shape]],
    });
  return tensor(reshape(x, shape, { span }));
}
