// Operators that move elements or make them from shapes: reshape, transpose, slice, pad, tile, triangles, ranges.
import { elementTypes, Unsupported } from "../model.ts";
import { constantOf, elementType } from "../types.ts";
import { axisOf, broadcast, float, range, sameShape, shapeText, sizeOf, type Result, type Value } from "../value.ts";
import { affine, at, forAll, indices, type Writer } from "../writer.ts";
import { folds, one, type Operator, type Operators } from "./operator.ts";

/** The same elements in the same order under another shape. */
export function reshaped(writer: Writer, x: Value, shape: readonly number[]): Result {
  if (x.constant && (folds([x], x.constant.length) || sameShape(x.shape, shape)))
    return { shape, type: x.type, constant: x.constant };
  const text = sameShape(x.shape, shape) ? writer.text(x) : `reshape${shapeText(shape)}(${writer.text(x)})`;
  return { shape, type: x.type, text };
}
/** Elements taken by position: `source(index)` is the input's index of the element at `index`. */
function taken(
  x: Value,
  shape: readonly number[],
  source: (index: readonly number[]) => readonly number[],
): Result | undefined {
  if (!folds([x], sizeOf(shape))) return undefined;
  const constant = range(sizeOf(shape)).map((position) => {
    const index = shape.map((n, axis) => Math.floor(position / sizeOf(shape.slice(axis + 1))) % n);
    return x.constant![source(index).reduce((sum, i, axis) => sum * x.shape[axis]! + i, 0)]!;
  });
  return { shape, type: x.type, constant };
}

const reshape: Operator = one((node, writer) => {
  const x = node.input(0);
  node.ignore("consumed_inputs");
  const wanted = node.opset < 5 ? (node.numbers("shape") ?? []) : node.constantInput(1, "the shape");
  const allowsZero = node.flag("allowzero");
  const shape = wanted.map((n, i) => (n === 0 && !allowsZero ? x.shape[i]! : n));
  const open = shape.indexOf(-1);
  if (open >= 0) shape[open] = sizeOf(x.shape) / sizeOf(shape.filter((n) => n !== -1));
  return reshaped(writer, x, shape);
});
const squeeze: Operator = one((node, writer) => {
  const x = node.input(0);
  const axes = node.axes(1, x.shape.length) ?? range(x.shape.length).filter((axis) => x.shape[axis] === 1);
  return reshaped(
    writer,
    x,
    x.shape.filter((_, axis) => !axes.includes(axis)),
  );
});
const unsqueeze: Operator = one((node, writer) => {
  const x = node.input(0);
  const listed = node.numbers("axes") ?? node.constantInput(1, "axes");
  const rank = x.shape.length + listed.length;
  const axes = listed.map((axis) => axisOf(axis, rank));
  const rest = [...x.shape];
  return reshaped(
    writer,
    x,
    range(rank).map((axis) => (axes.includes(axis) ? 1 : rest.shift()!)),
  );
});
const flatten: Operator = one((node, writer) => {
  const x = node.input(0);
  const axis = node.int("axis", 1);
  const split = axis < 0 ? axis + x.shape.length : axis;
  return reshaped(writer, x, [sizeOf(x.shape.slice(0, split)), sizeOf(x.shape.slice(split))]);
});
export function transposed(writer: Writer, x: Value, order: readonly number[]): Result {
  const shape = order.map((axis) => x.shape[axis]!);
  const folded = taken(x, shape, (index) => range(order.length).map((axis) => index[order.indexOf(axis)]!));
  if (folded) return folded;
  if (order.every((axis, i) => axis === i)) return { shape, type: x.type, text: writer.text(x) };
  return { shape, type: x.type, text: `transpose(${writer.text(x)}, axes: ${shapeText(order)})` };
}
const transpose: Operator = one((node, writer) => {
  const x = node.input(0);
  return transposed(writer, x, node.numbers("perm") ?? range(x.shape.length).reverse());
});
const expand: Operator = one((node, writer) => {
  const x = node.input(0);
  const shape = broadcast(x.shape, node.constantInput(1, "the shape"));
  const skipped = shape.length - x.shape.length;
  return (
    taken(x, shape, (index) => x.shape.map((n, axis) => (n === 1 ? 0 : index[skipped + axis]!))) ?? {
      shape,
      type: x.type,
      text: sameShape(shape, x.shape) ? writer.text(x) : `expand${shapeText(shape)}(${writer.text(x)})`,
    }
  );
});

const concat: Operator = one((node, writer) => {
  const all = node.inputs();
  const axis = node.axis("axis", 1, all[0]!.shape.length);
  const shape = all[0]!.shape.map((n, i) => (i === axis ? all.reduce((sum, v) => sum + v.shape[axis]!, 0) : n));
  const { type } = all[0]!;
  if (shape.length === 1 && folds(all, sizeOf(shape)))
    return { shape, type, constant: all.flatMap((v) => v.constant!) };
  const parts = all.filter((v) => sizeOf(v.shape) > 0);
  if (!parts.length) return { shape, type, text: writer.text(all[0]!) };
  if (parts.length === 1) return { shape, type, text: writer.text(parts[0]!) };
  return { shape, type, text: `concat([${parts.map((v) => writer.text(v)).join(", ")}], axis: ${axis})` };
});
const split: Operator = (node, writer) => {
  const x = node.input(0);
  const axis = node.axis("axis", 0, x.shape.length);
  const n = x.shape[axis]!;
  const count = node.int("num_outputs", node.outputCount);
  const part = Math.ceil(n / count);
  const sizes =
    node.numbers("split") ??
    node.optionalConstant(1, "the sizes") ??
    range(count).map((i) => Math.max(0, Math.min(part, n - i * part)));
  let start = 0;
  return sizes.map((size) => {
    const from = start;
    start += size;
    const shape = x.shape.map((extent, i) => (i === axis ? size : extent));
    return (
      taken(x, shape, (index) => index.map((i, a) => (a === axis ? i + from : i))) ?? {
        shape,
        type: x.type,
        text: `${writer.text(x)}[${[...range(axis).map(() => ":"), `${from}..${from + size}`].join(", ")}]`,
      }
    );
  });
};

/** Starts, ends, axes and steps: attributes before set 10. */
const slice: Operator = one((node, writer) => {
  const x = node.input(0);
  const list = (i: number, name: string): readonly number[] | undefined =>
    node.opset < 10 ? node.numbers(name) : node.optionalConstant(i, name);
  const starts = list(1, "starts") ?? [];
  const ends = list(2, "ends") ?? [];
  const axes = (list(3, "axes") ?? range(starts.length)).map((axis) => axisOf(axis, x.shape.length));
  const steps = node.opset < 10 ? undefined : list(4, "steps");
  const from = x.shape.map(() => 0);
  const by = x.shape.map(() => 1);
  const shape = [...x.shape];
  for (const [i, axis] of axes.entries()) {
    const n = x.shape[axis]!;
    const step = steps?.[i] ?? 1;
    const clamp = (value: number, lo: number, hi: number): number => Math.max(lo, Math.min(hi, value));
    const counted = (value: number): number => (value < 0 ? value + n : value);
    const start = step > 0 ? clamp(counted(starts[i]!), 0, n) : clamp(counted(starts[i]!), 0, n - 1);
    const end = step > 0 ? clamp(counted(ends[i]!), 0, n) : clamp(counted(ends[i]!), -1, n - 1);
    [from[axis], by[axis]] = [start, step];
    shape[axis] = Math.max(0, Math.ceil((end - start) / step));
  }
  const folded = taken(x, shape, (index) => index.map((i, axis) => from[axis]! + by[axis]! * i));
  if (folded) return folded;
  if (by.every((step) => step === 1)) {
    const parts = shape.map((n, axis) => (n === x.shape[axis] ? ":" : `${from[axis]}..${from[axis]! + n}`));
    while (parts.at(-1) === ":") parts.pop();
    return { shape, type: x.type, text: parts.length ? `${writer.text(x)}[${parts.join(", ")}]` : writer.text(x) };
  }
  const names = indices(shape.length);
  const source = names.map((name, axis) => affine(by[axis]!, name, from[axis]!));
  return { shape, type: x.type, text: forAll(names, shape, at(writer.text(x), source)) };
});

/** How a place beyond the edge is read: as the value given, or as another place. */
export function padded(
  writer: Writer,
  x: Value,
  before: readonly number[],
  after: readonly number[],
  mode: "constant" | "edge" | "reflect" | "wrap",
  value: string,
): Result {
  const shape = x.shape.map((n, axis) => n + before[axis]! + after[axis]!);
  const names = indices(shape.length);
  const source = names.map((name, axis) => {
    const n = x.shape[axis]!;
    const place = affine(1, name, -before[axis]!);
    if (before[axis]! <= 0 && after[axis]! <= 0) return place;
    switch (mode) {
      case "constant":
        return place;
      case "edge":
        return `max(0, min(${n - 1}, ${place}))`;
      case "reflect":
        // a triangle wave: there and back again in 2 (n - 1) steps
        return n === 1 ? `0 * ${name}` : `${n - 1} - abs(${n - 1} - (${place}) % ${2 * (n - 1)})`;
      case "wrap":
        return `(${place}) % ${n}`;
      default:
        return mode satisfies never;
    }
  });
  const outside = mode === "constant" ? ` ?? ${value}` : "";
  return { shape, type: x.type, text: forAll(names, shape, `${at(writer.text(x), source)}${outside}`) };
}
/** The one element of a tensor, whatever its rank. */
function scalarText(writer: Writer, v: Value): string {
  if (!v.shape.length) return writer.text(v);
  return v.constant
    ? writer.text({ shape: [], type: v.type, constant: v.constant })
    : at(
        writer.text(v),
        v.shape.map(() => "0"),
      );
}
const pad: Operator = one((node, writer) => {
  const x = node.input(0);
  const rank = x.shape.length;
  const mode = node.word("mode", ["constant", "edge", "reflect", "wrap"], "constant");
  const old = node.opset < 11;
  const pads = old ? (node.numbers("pads") ?? node.numbers("paddings") ?? []) : node.constantInput(1, "pads");
  const given = old ? undefined : node.optional(2);
  const axes = (old ? undefined : node.optionalConstant(3, "axes"))?.map((a) => axisOf(a, rank)) ?? range(rank);
  const zero = x.type === "bool" ? "false" : x.type === "f32" ? "0.0" : "0";
  const value = old ? float(node.float("value", 0)) : given ? scalarText(writer, given) : zero;
  const before = range(rank).map((axis) => (axes.includes(axis) ? pads[axes.indexOf(axis)]! : 0));
  const after = range(rank).map((axis) => (axes.includes(axis) ? pads[axes.length + axes.indexOf(axis)]! : 0));
  return padded(writer, x, before, after, mode, value);
});

const tile: Operator = one((node, writer) => {
  const x = node.input(0);
  const repeats =
    node.opset < 6
      ? x.shape.map((_, i) => (i === node.constantInput(2, "the axis")[0] ? node.constantInput(1, "tiles")[0]! : 1))
      : node.constantInput(1, "the repeats");
  const shape = x.shape.map((n, axis) => n * repeats[axis]!);
  const folded = taken(x, shape, (index) => index.map((i, axis) => i % x.shape[axis]!));
  if (folded) return folded;
  const names = indices(shape.length);
  const source = names.map((name, axis) => (repeats[axis] === 1 ? name : `${name} % ${x.shape[axis]}`));
  return { shape, type: x.type, text: forAll(names, shape, at(writer.text(x), source)) };
});
const triangle: Operator = one((node, writer) => {
  const x = node.input(0);
  const upper = node.flag("upper", true);
  const k = node.optionalConstant(1, "the diagonal")?.[0] ?? 0;
  const names = indices(x.shape.length);
  const [row, column] = names.slice(-2);
  const zero = x.type === "bool" ? "false" : x.type === "f32" ? "0.0" : "0";
  const inside = `${column} - ${row} ${upper ? ">=" : "<="} ${k}`;
  return {
    shape: x.shape,
    type: x.type,
    text: forAll(names, x.shape, `where(${inside}, ${at(writer.text(x), names)}, ${zero})`),
  };
});
const eye: Operator = one((node) => {
  const x = node.input(0);
  const k = node.int("k", 0);
  const number = node.int("dtype", undefined);
  const type = number === undefined ? x.type : elementType(elementTypes[number] ?? `type ${number}`, "EyeLike");
  const [on, off] = type === "f32" ? ["1.0", "0.0"] : type === "i32" ? ["1", "0"] : ["true", "false"];
  return { shape: x.shape, type, text: forAll(["i", "j"], x.shape, `where(j == ${affine(1, "i", k)}, ${on}, ${off})`) };
});

const constant: Operator = one((node) => {
  const tensor = node.tensor("value");
  if (tensor) return listed(constantOf(tensor, "a constant"));
  const number = node.int("value_float", undefined);
  if (number !== undefined) return { shape: [], type: "f32", constant: [number] };
  const whole = node.int("value_int", undefined);
  if (whole !== undefined) return { shape: [], type: "i32", constant: [whole] };
  const floats = node.numbers("value_floats");
  if (floats) return { shape: [floats.length], type: "f32", constant: floats };
  const ints = node.numbers("value_ints");
  if (ints) return { shape: [ints.length], type: "i32", constant: ints };
  throw new Unsupported("Constant without a tensor or number");
});
const listed = (v: Value): Result => ({ shape: v.shape, type: v.type, constant: v.constant! });

const rangeOf: Operator = one((node) => {
  const { type } = node.input(0);
  node.ignore("stash_type");
  const [start, limit, delta] = [0, 1, 2].map((i) => node.constantInput(i, "the range")[0]!) as [
    number,
    number,
    number,
  ];
  const n = Math.max(0, Math.ceil((limit - start) / delta));
  return { shape: [n], type, constant: range(n).map((i) => start + i * delta) };
});

/** The factor goes from channels to both axes of the picture, or back. */
const depthToSpace: Operator = one((node, writer) => {
  const x = node.input(0);
  const b = node.int("blocksize");
  const mode = node.word("mode", ["DCR", "CRD"], "DCR");
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const depth = c / b ** 2;
  const [apart, order] =
    mode === "DCR"
      ? [
          [n, b, b, depth, h, w],
          [0, 3, 4, 1, 5, 2],
        ]
      : [
          [n, depth, b, b, h, w],
          [0, 1, 4, 2, 5, 3],
        ];
  const blocks = writer.let("blocks", `reshape${shapeText(apart!)}(${writer.text(x)})`);
  const shape = [n, depth, h * b, w * b];
  return { shape, type: x.type, text: `reshape${shapeText(shape)}(transpose(${blocks}, axes: ${shapeText(order!)}))` };
});
const spaceToDepth: Operator = one((node, writer) => {
  const x = node.input(0);
  const b = node.int("blocksize");
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const mode = node.word("mode", ["DCR", "CRD"], "DCR");
  const blocks = writer.let("blocks", `reshape${shapeText([n, c, h / b, b, w / b, b])}(${writer.text(x)})`);
  const shape = [n, c * b * b, h / b, w / b];
  return {
    shape,
    type: x.type,
    text: `reshape${shapeText(shape)}(transpose(${blocks}, axes: ${mode === "DCR" ? "[0, 3, 5, 1, 2, 4]" : "[0, 1, 3, 5, 2, 4]"}))`,
  };
});

/** The middle of every axis, or the axis in the middle of zeros. */
const centered: Operator = one((node, writer) => {
  const x = node.input(0);
  const wanted = node.constantInput(1, "the shape");
  const axes = node.numbers("axes")?.map((a) => axisOf(a, x.shape.length)) ?? range(x.shape.length);
  const ends = x.shape.map((n, axis) => {
    const target = axes.includes(axis) ? wanted[axes.indexOf(axis)]! : n;
    const before = target < n ? -Math.floor((n - target) / 2) : Math.floor((target - n) / 2);
    return [before, target - n - before] as const;
  });
  const zero = x.type === "bool" ? "false" : x.type === "f32" ? "0.0" : "0";
  return padded(
    writer,
    x,
    ends.map(([before]) => before),
    ends.map(([, after]) => after),
    "constant",
    zero,
  );
});
/** Windows of signals: sums of cosines over a period of n, or of n - 1 for a symmetric one. */
const window = (coefficients: readonly number[]): Operator =>
  one((node) => {
    const n = node.constantInput(0, "the size")[0]!;
    const period = node.flag("periodic", true) ? n : n - 1;
    if (node.int("output_datatype", 1) !== 1) throw new Unsupported(`${node.op} of another type than f32`);
    const at = (i: number): number =>
      coefficients.reduce((sum, c, k) => sum + (-1) ** k * c * Math.cos((2 * Math.PI * k * i) / period), 0);
    return { shape: [n], type: "f32", constant: range(n).map(at) };
  });

export const shapes: Operators = {
  Reshape: reshape,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Flatten: flatten,
  Transpose: transpose,
  Expand: expand,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Tile: tile,
  CenterCropPad: centered,
  HannWindow: window([0.5, 0.5]),
  HammingWindow: window([25 / 46, 21 / 46]),
  BlackmanWindow: window([0.42, 0.5, 0.08]),
  Trilu: triangle,
  EyeLike: eye,
  Constant: constant,
  ConstantOfShape: one((node) => {
    const shape = node.constantInput(0, "the shape");
    const value = node.tensor("value");
    const { type, constant } = value ? constantOf(value, "a constant") : { type: "f32" as const, constant: [0] };
    return { shape, type, constant: range(sizeOf(shape)).map(() => constant![0]!) };
  }),
  Shape: one((node) => {
    const { shape } = node.input(0);
    const part = shape.slice(node.int("start", 0), node.int("end", shape.length));
    return { shape: [part.length], type: "i32", constant: part };
  }),
  Size: one((node) => ({ shape: [], type: "i32", constant: [sizeOf(node.input(0).shape)] })),
  Range: rangeOf,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
};
