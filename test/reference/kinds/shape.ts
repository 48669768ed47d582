// Operators that move elements, and those whose indices are data.
import { along, axisNames, forAll, num, range, shapeText, shifted, sizeOf, type Rules } from "../translation.ts";
import { Refused, type CaseReader } from "../reader.ts";

/** `x[:, 1..3]` along an axis. */
const part = (axis: number, index: string): string => `x[${[...range(axis).map(() => ":"), index].join(", ")}]`;
const ordered = (c: CaseReader): string[] => c.words("order");

/** Where place `name` of a padded axis of n lies in the tensor. */
function padIndex(mode: string, name: string, n: number, before: number, after: number): string {
  const place = shifted(name, -before);
  if (mode === "constant" || (before <= 0 && after <= 0)) return place;
  if (mode === "replicate") return `max(0, min(${n - 1}, ${place}))`;
  if (mode === "circular") {
    // what is cut off is gone before the rest repeats
    const cut = Math.max(0, -before);
    const around = `(${shifted(name, -Math.max(0, before))}) % ${n - cut - Math.max(0, -after)}`;
    return cut ? `${cut} + ${around}` : around;
  }
  return n === 1 ? `0 * ${name}` : `${n - 1} - abs(${n - 1} - (${place}) % ${2 * (n - 1)})`;
}
/** Extents in a slice of PyTorch's kind: negative numbers count from the end, beyond the ends is cut. */
const bound = (value: number, n: number): number => Math.max(0, Math.min(n, value < 0 ? value + n : value));

export const shapes: Rules = {
  arange: (c) => {
    const [start, stop, step] = [c.number("start"), c.number("stop"), c.number("step")];
    const [lo, hi, n] = [c.number("lo"), c.number("hi"), c.number("n")];
    const count = Math.ceil((stop - start) / step);
    const linspace =
      n === 1 ? `for i in 0..1: ${num(lo)} + 0.0 * i` : `for i in 0..${n}: ${num(lo)} + ${num(hi - lo)} * i / ${n - 1}`;
    return { outputs: { arange: `for i in 0..${count}: ${num(start)} + ${num(step)} * f32(i)`, linspace } };
  },
  causal_mask_fill: (c) => {
    const shape = c.shape("x");
    const names = axisNames(shape.length);
    const [row, column] = names.slice(-2);
    const element = `x[${names.join(", ")}]`;
    return { outputs: { y: `softmax(${forAll(names, shape, `where(${column} <= ${row}, ${element}, -inf)`)})` } };
  },
  concat: (c) => {
    const names = ordered(c);
    return { outputs: { y: `concat([${names.join(", ")}], axis: ${c.axis("axis", c.shape(names[0]!).length)})` } };
  },
  stack: (c) => {
    const names = ordered(c);
    const axis = c.axis("axis", c.shape(names[0]!).length + 1);
    if (axis === 0) return { outputs: { y: `[${names.join(", ")}]` } };
    return {
      outputs: { y: `concat([${names.map((name) => `unsqueeze(${name}, ${axis})`).join(", ")}], axis: ${axis})` },
    };
  },
  diagonal: (c) => {
    const shape = c.shape("x");
    const offset = c.number("offset", 0);
    const lead = axisNames(shape.length).slice(0, -2);
    const [n] = c.output("y").slice(-1) as [number];
    const index = [...lead, shifted("d", Math.max(0, -offset)), shifted("d", Math.max(0, offset))];
    return { outputs: { y: forAll([...lead, "d"], [...shape.slice(0, -2), n], `x[${index.join(", ")}]`) } };
  },
  expand: (c) => {
    const wanted = c.numbers("shape");
    const own = c.shape("x");
    const shape = wanted.map((n, i) => (n === -1 ? own[i - wanted.length + own.length]! : n));
    return { outputs: { y: `expand${shapeText(shape)}(x)` } };
  },
  flatten: (c) => {
    const shape = c.shape("x");
    const [start, end] = [c.axis("start", shape.length, 0), c.axis("end", shape.length, -1)];
    const whole = [...shape.slice(0, start), sizeOf(shape.slice(start, end + 1)), ...shape.slice(end + 1)];
    return { outputs: { y: start === 1 && end === shape.length - 1 ? "flatten(x)" : `reshape${shapeText(whole)}(x)` } };
  },
  flip: (c) => ({ outputs: { y: `flip(x, axis: ${shapeText(c.axes("axes", c.shape("x").length) ?? [])})` } }),
  im2col: (c) => {
    const [kernel, padding, stride, dilation] = [
      c.numbers("kernel", 2),
      c.numbers("padding", 2, 0),
      c.numbers("stride", 2, 1),
      c.numbers("dilation", 2, 1),
    ];
    const [n, channels, ...size] = c.shape("x") as [number, number, number, number];
    const out = size.map(
      (e, i) => Math.floor((e + 2 * padding[i]! - dilation[i]! * (kernel[i]! - 1) - 1) / stride[i]!) + 1,
    );
    const at = (i: number, place: string, tap: string): string =>
      shifted(`${place} * ${stride[i]} + ${tap} * ${dilation[i]}`, -padding[i]!);
    const blocks = `for n in 0..${n}, c in 0..${channels}, r in 0..${kernel[0]}, s in 0..${kernel[1]}, i in 0..${out[0]}, j in 0..${out[1]}: x[n, c, ${at(0, "i", "r")}, ${at(1, "j", "s")}] ?? 0`;
    return { outputs: { y: `reshape${shapeText([n, channels * sizeOf(kernel), sizeOf(out)])}(${blocks})` } };
  },
  pad: (c) => {
    const pads = c.attribute("pad");
    const shape = c.shape("x");
    if (!Array.isArray(pads) || pads.length !== shape.length) throw new Refused("pads of another form");
    const both = pads.map((p: unknown) => {
      if (!Array.isArray(p) || typeof p[0] !== "number" || typeof p[1] !== "number")
        throw new Refused("pads of another form");
      return [p[0], p[1]] as const;
    });
    const mode = c.word("mode", ["constant", "replicate", "reflect", "circular"], "constant");
    const value = c.number("value", 0);
    const names = axisNames(shape.length);
    const padded = shape.map((n, i) => n + both[i]![0] + both[i]![1]);
    const index = names.map((name, i) => padIndex(mode, name, shape[i]!, ...both[i]!));
    return {
      outputs: { y: forAll(names, padded, `x[${index.join(", ")}]${mode === "constant" ? ` ?? ${num(value)}` : ""}`) },
    };
  },
  permute: (c) => ({ outputs: { y: `transpose(x, axes: ${shapeText(c.axes("perm", c.shape("x").length) ?? [])})` } }),
  transpose: (c) => {
    const rank = c.shape("x").length;
    const [a, b] = (c.axes("axes", rank) ?? []) as [number, number];
    const order = range(rank).map((axis) => (axis === a ? b : axis === b ? a : axis));
    const last = Math.min(a, b) === rank - 2 && a !== b;
    return { outputs: { y: last ? "transpose(x)" : `transpose(x, axes: ${shapeText(order)})` } };
  },
  repeat_interleave: (c) => {
    const shape = c.shape("x");
    const repeats = c.number("repeats");
    if (c.attribute("axis") === undefined) {
      const flat = `reshape[${sizeOf(shape)}](x)`;
      return { outputs: { y: `repeat_interleave(${flat}, ${repeats})` } };
    }
    const axis = c.axis("axis", shape.length);
    if (axis === 0) return { outputs: { y: `repeat_interleave(x, ${repeats})` } };
    const names = axisNames(shape.length);
    const index = names.map((name, i) => (i === axis ? `${name} // ${repeats}` : name));
    const out = shape.map((n, i) => (i === axis ? n * repeats : n));
    return { outputs: { y: forAll(names, out, `x[${index.join(", ")}]`) } };
  },
  reshape: (c) => {
    const wanted = c.numbers("shape");
    const rest = sizeOf(wanted.filter((n) => n !== -1));
    const shape = wanted.map((n) => (n === -1 ? sizeOf(c.shape("x")) / rest : n));
    return { outputs: { y: `reshape${shapeText(shape)}(x)` } };
  },
  roll: (c) => {
    const rank = c.shape("x").length;
    const shifts = c.numbers("shifts");
    const axes = c.axes("axes", rank);
    if (!axes) {
      const flat = `roll(reshape[${sizeOf(c.shape("x"))}](x), ${num(shifts[0]!)})`;
      return { outputs: { y: `reshape${shapeText(c.shape("x"))}(${flat})` } };
    }
    const text = axes.reduce((x, axis, i) => along(axis, rank, x, (own) => `roll(${own}, ${num(shifts[i]!)})`), "x");
    return { outputs: { y: text } };
  },
  select: (c) => {
    const axis = c.axis("axis", c.shape("x").length);
    const index = c.number("index");
    return { outputs: { y: part(axis, String(index < 0 ? index + c.extent("x", axis) : index)) } };
  },
  slice: (c) => {
    const shape = c.shape("x");
    const full = (name: string, absent: (axis: number) => number): number[] => {
      const own = c.attribute(name) === undefined ? [] : c.numbers(name);
      return range(shape.length).map((axis) => own[axis] ?? absent(axis));
    };
    const starts = full("starts", () => 0).map((v, axis) => bound(v, shape[axis]!));
    const stops = full("stops", (axis) => shape[axis]!).map((v, axis) => bound(v, shape[axis]!));
    const steps = full("steps", () => 1);
    c.ignore("written"); // the same as people write it
    if (steps.every((step) => step === 1))
      return { outputs: { y: `x[${starts.map((start, i) => `${start}..${Math.max(start, stops[i]!)}`).join(", ")}]` } };
    const names = axisNames(shape.length);
    const out = shape.map((_, i) => Math.max(0, Math.ceil((stops[i]! - starts[i]!) / steps[i]!)));
    const index = names.map((name, i) => shifted(steps[i] === 1 ? name : `${steps[i]} * ${name}`, starts[i]!));
    return { outputs: { y: forAll(names, out, `x[${index.join(", ")}]`) } };
  },
  split: (c) => {
    const axis = c.axis("axis", c.shape("x").length, 0);
    let start = 0;
    const outputs = c.numbers("sizes").map((size, i) => {
      start += size;
      return [`y${i}`, part(axis, `${start - size}..${start}`)];
    });
    return { outputs: Object.fromEntries(outputs) };
  },
  squeeze: (c) => {
    const axes = c.axes("axis", c.shape("x").length);
    const single = axes?.length === 1 && c.extent("x", axes[0]!) === 1; // axes of other extents stay
    return { outputs: { y: axes && single ? `squeeze(x, ${axes[0]})` : `reshape${shapeText(c.output("y"))}(x)` } };
  },
  unsqueeze: (c) => ({ outputs: { y: `unsqueeze(x, ${c.axis("axis", c.shape("x").length + 1)})` } }),
  tile: (c) => {
    const reps = c.numbers("reps");
    const own = c.shape("x");
    const rank = Math.max(reps.length, own.length);
    const names = axisNames(rank);
    const repeats = range(rank).map((i) => reps[i - rank + reps.length] ?? 1);
    const out = range(rank).map((i) => repeats[i]! * (own[i - rank + own.length] ?? 1));
    const index = own.map((n, i) => `${names[i + rank - own.length]} % ${n}`);
    return { outputs: { y: forAll(names, out, `x[${index.join(", ")}]`) } };
  },
  tril: (c) => ({ outputs: { y: `tril(x, ${num(c.number("diagonal", 0))})` } }),
  triu: (c) => ({ outputs: { y: `triu(x, ${num(c.number("diagonal", 0))})` } }),
};

/** Along one axis, the index says where; the other axes are the index's own. */
const gather = (c: CaseReader): { text: string; axis: number } => {
  const shape = c.shape("index");
  const axis = c.axis("axis", c.shape("x").length);
  const names = axisNames(shape.length);
  const index = names.map((name, i) => (i === axis ? `index[${names.join(", ")}]` : name));
  const last = axis === shape.length - 1 && shape.every((n, i) => i === axis || n === c.shape("x")[i]);
  return { text: last ? "take_along(x, index)" : forAll(names, shape, `x[${index.join(", ")}]`), axis };
};
/** The order of an axis as `sort_descending` has it; ascending is that of the negative. */
function sorted(c: CaseReader, descending: boolean): { values: string; indices: string } {
  const rank = c.shape("x").length;
  const axis = c.axis("axis", rank, -1);
  const values = along(axis, rank, "x", (x) => (descending ? `sort_descending(${x})` : `(-sort_descending(-${x}))`));
  const indices = along(axis, rank, "x", (x) => `order_descending(${descending ? x : `-${x}`})`);
  return { values, indices };
}

export const indexing: Rules = {
  gather: (c) => {
    const { text, axis } = gather(c);
    return { outputs: { y: text }, ranges: { index: `0..${c.extent("x", axis)}` } };
  },
  /** The other axes broadcast; without an axis, the index counts all elements. */
  take_along: (c) => {
    const own = c.shape("x");
    if (c.attribute("axis") === undefined)
      return {
        outputs: { y: `reshape[${sizeOf(own)}](x)[reshape[${sizeOf(c.shape("index"))}](index)]` },
        ranges: { index: `0..${sizeOf(own)}` },
      };
    const axis = c.axis("axis", own.length);
    const ranges = { index: `0..${own[axis]}` };
    const shape = c.output("y");
    if (axis === own.length - 1 && String([...own.slice(0, -1), shape[axis]]) === String(c.shape("index")))
      return { outputs: { y: "take_along(x, index)" }, ranges };
    const names = axisNames(own.length);
    const at = (extents: readonly number[]): string[] => names.map((name, i) => (extents[i] === 1 ? "0" : name));
    const index = at(own).map((name, i) => (i === axis ? `index[${at(c.shape("index")).join(", ")}]` : name));
    return { outputs: { y: forAll(names, shape, `x[${index.join(", ")}]`) }, ranges };
  },
  index_select: (c) => {
    const axis = c.axis("axis", c.shape("x").length);
    return { outputs: { y: part(axis, "index") }, ranges: { index: `0..${c.extent("x", axis)}` } };
  },
  one_hot: (c) => {
    const classes = c.number("classes");
    return { outputs: { y: `i32(one_hot(index, ${classes}))` }, ranges: { index: `0..${classes}` } };
  },
  scatter_add: (c) => {
    const shape = c.shape("x");
    const own = c.shape("index");
    const axis = c.axis("axis", shape.length);
    const names = axisNames(shape.length);
    const from = names.map((name, i) => (i === axis ? "u" : name));
    const beyond = names.flatMap((name, i) => (i !== axis && own[i]! < shape[i]! ? [`${name} < ${own[i]}`] : []));
    const safe = from.map((name, i) => (i !== axis && own[i]! < shape[i]! ? `min(${name}, ${own[i]! - 1})` : name));
    const hit = [...beyond, `index[${safe.join(", ")}] == ${names[axis]}`].join(" and ");
    const added = `sum over u in 0..${own[axis]}: where(${hit}, src[${safe.join(", ")}], 0)`;
    return {
      outputs: { y: forAll(names, shape, `x[${names.join(", ")}] + (${added})`) },
      ranges: { index: `0..${shape[axis]}` },
    };
  },
  sort: (c) => {
    c.flag("stable", false); // equal values keep their order, asked or not
    return { outputs: sorted(c, c.flag("descending", false)) };
  },
  topk: (c) => {
    const k = c.number("k");
    c.flag("sorted", true); // a sorted result is one of those that an unsorted may be
    const { values, indices } = sorted(c, c.flag("largest", true));
    const axis = c.axis("axis", c.shape("x").length, -1);
    const cut = (text: string): string => part(axis, `0..${k}`).replace("x", `(${text})`);
    return { outputs: { values: cut(values), indices: cut(indices) } };
  },
};
