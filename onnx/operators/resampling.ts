// Pictures of another size, and pictures read at places that are data. Resizing is linear in the elements and goes axis by axis: which
// elements count for a place, and how much, is computed here and stands in the text as two small tables.
import { Unsupported } from "../model.ts";
import type { NodeReader } from "../node.ts";
import { axisOf, float, listText, range, type Result, type Value } from "../value.ts";
import { at, binders, forAll, indices, type Writer } from "../writer.ts";
import { one, type Operator, type Operators } from "./operator.ts";

/** For one axis: the elements read for every place of the result, with their weights; all rows are of one length. */
interface Taps {
  readonly places: number[][];
  readonly weights: number[][];
}
interface Axis {
  readonly size: number;
  readonly out: number;
  /** out / size as it was given, not rounded to whole places. */
  readonly scale: number;
  readonly roi?: readonly [number, number];
}
interface Interpolation {
  readonly mode: string;
  readonly coordinates: string;
  readonly nearest: string;
  readonly cubic: number;
  readonly antialias: boolean;
  readonly excludesOutside: boolean;
}

/** Where place o of the result lies in the input. */
function coordinate({ size, out, scale, roi }: Axis, how: string, o: number): number {
  const length = scale * size;
  switch (how) {
    case "half_pixel":
      return (o + 0.5) / scale - 0.5;
    case "pytorch_half_pixel":
      return length === 1 || out === 1 ? -0.5 : (o + 0.5) / scale - 0.5;
    case "half_pixel_symmetric":
      return (size / 2) * (1 - out / length) + (o + 0.5) / scale - 0.5;
    case "align_corners":
      return length === 1 || out === 1 ? 0 : (o * (size - 1)) / (length - 1);
    case "asymmetric":
      return o / scale;
    case "tf_crop_and_resize": {
      const [from, to] = roi ?? [0, 1];
      if (length === 1 || out === 1) return ((to - from) * (size - 1)) / 2 + from * (size - 1);
      return (o * (to - from) * (size - 1)) / (length - 1) + from * (size - 1);
    }
    default:
      throw new Unsupported(`coordinates ${how}`);
  }
}
const nearestPlace = (x: number, how: string): number => {
  const down = Math.floor(x);
  switch (how) {
    case "round_prefer_floor":
      return x - down <= 0.5 ? down : down + 1;
    case "round_prefer_ceil":
      return x - down < 0.5 ? down : down + 1;
    case "floor":
      return down;
    case "ceil":
      return Math.ceil(x);
    default:
      throw new Unsupported(`nearest_mode ${how}`);
  }
};
/** The weight of an element at distance x: a triangle, or Keys' cubic convolution with coefficient a. */
const filter = (mode: string, a: number): { reach: number; weight: (x: number) => number } => {
  if (mode === "linear") return { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) };
  if (mode !== "cubic") throw new Unsupported(`Resize with mode ${mode}`);
  return {
    reach: 2,
    weight: (x) => {
      const d = Math.abs(x);
      if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
      return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0;
    },
  };
};
function taps(axis: Axis, how: Interpolation): Taps {
  const { size, out } = axis;
  const inside = (p: number): number => Math.max(0, Math.min(size - 1, p));
  const all = range(out).map((o) => coordinate(axis, how.coordinates, o));
  if (how.mode === "nearest")
    return { places: all.map((x) => [inside(nearestPlace(x, how.nearest))]), weights: all.map(() => [1]) };
  const { reach, weight } = filter(how.mode, how.cubic);
  // without aliases a smaller picture averages over as many elements as fall on one place
  const narrow = how.antialias ? Math.min(1, axis.scale) : 1;
  const half = Math.ceil(reach / narrow);
  const rows = all.map((x) => {
    const places = range(2 * half, Math.floor(x) - half + 1);
    let weights = places.map((p) => weight((p - x) * narrow));
    if (how.excludesOutside) weights = weights.map((w, i) => (places[i]! < 0 || places[i]! >= size ? 0 : w));
    const total = weights.reduce((a, b) => a + b, 0);
    return { places: places.map(inside), weights: weights.map((w) => w / total) };
  });
  return { places: rows.map((r) => r.places), weights: rows.map((r) => r.weights) };
}
/** One axis resized. */
function resized(writer: Writer, x: Value, axis: number, { places, weights }: Taps): Value {
  const shape = x.shape.map((n, i) => (i === axis ? places.length : n));
  const count = places[0]?.length ?? 0;
  const own = indices(shape.length);
  const name = own[axis]!;
  const source = (place: string): string =>
    at(
      writer.text(x),
      own.map((i) => (i === name ? place : i)),
    );
  const flat = places.map((p) => p[0]!);
  const factor = Math.round(places.length / x.shape[axis]!);
  let text: string;
  if (count === 1 && flat.every((p, o) => p === Math.floor(o / factor))) text = source(`${name} // ${factor}`);
  else if (count === 1) text = source(`${writer.let("places", listText(flat, [flat.length], "i32"))}[${name}]`);
  else {
    const table = writer.let("places", listText(places.flat(), [places.length, count], "i32"));
    const share = writer.let("shares", listText(weights.flat(), [places.length, count], "f32"));
    text = `sum over u in 0..${count}: ${share}[${name}, u] * ${source(`${table}[${name}, u]`)}`;
  }
  return { shape, type: x.type, text: writer.let("resized", forAll(own, shape, text)) };
}

function resizing(
  node: NodeReader,
  writer: Writer,
  x: Value,
  axes: ReadonlyMap<number, Axis>,
  how: Interpolation,
  extrapolated: string,
): Result {
  let result = x;
  for (const [axis, a] of axes)
    if (a.out !== a.size || a.scale !== 1 || how.coordinates === "tf_crop_and_resize")
      result = resized(writer, result, axis, taps(a, how));
  if (how.coordinates !== "tf_crop_and_resize") return { shape: result.shape, type: x.type, text: writer.text(result) };
  // what is read from beyond the picture has a value of its own
  const own = indices(result.shape.length);
  const outside = [...axes].flatMap(([axis, a]) => {
    const beyond = range(a.out).map((o) => {
      const place = coordinate(a, how.coordinates, o);
      return place < 0 || place > a.size - 1 ? 1 : 0;
    });
    if (!beyond.includes(1)) return [];
    return [`${writer.let("beyond", listText(beyond, [beyond.length], "bool"))}[${own[axis]}]`];
  });
  if (!outside.length) return { shape: result.shape, type: x.type, text: writer.text(result) };
  const text = `where(${outside.join(" or ")}, ${extrapolated}, ${at(writer.text(result), own)})`;
  return { shape: result.shape, type: x.type, text: forAll(own, result.shape, text) };
}
const resize: Operator = one((node, writer) => {
  const x = node.input(0);
  const rank = x.shape.length;
  const old = node.opset < 11;
  const axes = node.numbers("axes")?.map((a) => axisOf(a, rank)) ?? range(rank);
  const roi = old ? undefined : node.optionalConstant(1, "the region");
  const scales = node.optionalConstant(old ? 1 : 2, "the scales");
  const sizes = old ? undefined : node.optionalConstant(3, "the sizes");
  const policy = node.word("keep_aspect_ratio_policy", ["stretch", "not_larger", "not_smaller"], "stretch");
  const mode = node.string("mode", "nearest");
  const how: Interpolation = {
    mode: mode === "bilinear" ? "linear" : mode,
    coordinates: node.string("coordinate_transformation_mode", old ? "asymmetric" : "half_pixel"),
    nearest: node.string("nearest_mode", old ? "floor" : "round_prefer_floor"),
    cubic: node.float("cubic_coeff_a", -0.75),
    antialias: node.flag("antialias"),
    excludesOutside: node.flag("exclude_outside"),
  };
  const extrapolated = float(node.float("extrapolation_value", 0));
  let ratio: number[];
  if (sizes?.length) {
    ratio = axes.map((axis, i) => sizes[i]! / x.shape[axis]!);
    if (policy === "not_larger") ratio = ratio.map(() => Math.min(...ratio));
    else if (policy === "not_smaller") ratio = ratio.map(() => Math.max(...ratio));
  } else if (scales?.length) ratio = [...scales];
  else throw new Unsupported("Resize without scales and sizes");
  const whole = (i: number, n: number): number =>
    sizes?.length ? (policy === "stretch" ? sizes[i]! : Math.round(ratio[i]! * n)) : Math.floor(ratio[i]! * n + 1e-6);
  const plan = new Map(
    axes.map((axis, i): [number, Axis] => {
      const n = x.shape[axis]!;
      const region = roi?.length ? ([roi[i]!, roi[axes.length + i]!] as const) : undefined;
      return [axis, { size: n, out: whole(i, n), scale: ratio[i]!, ...(region ? { roi: region } : {}) }];
    }),
  );
  return resizing(node, writer, x, plan, how, extrapolated);
});
/** Resize's forerunner. */
const upsample: Operator = one((node, writer) => {
  const x = node.input(0);
  const scales = node.opset < 9 ? (node.numbers("scales") ?? []) : node.constantInput(1, "the scales");
  const mode = node.string("mode", "nearest");
  const how: Interpolation = {
    mode: mode === "bilinear" ? "linear" : mode,
    coordinates: "asymmetric",
    nearest: "floor",
    cubic: -0.75,
    antialias: false,
    excludesOutside: false,
  };
  const plan = new Map(
    x.shape.map((n, i): [number, Axis] => [i, { size: n, out: Math.floor(n * scales[i]! + 1e-6), scale: scales[i]! }]),
  );
  return resizing(node, writer, x, plan, how, "0.0");
});

/** Places of a picture as data: [N, places..., axes], from -1 to 1 along each axis, the last axis of the picture first. */
const gridSample: Operator = one((node, writer) => {
  const [x, grid] = [node.input(0), node.input(1)];
  const size = x.shape.slice(2);
  const rank = size.length;
  const corners = node.flag("align_corners");
  const named: Readonly<Record<string, string>> = { bilinear: "linear", bicubic: "cubic" };
  const mode = named[node.string("mode", "linear")] ?? node.string("mode", "linear");
  const padding = node.word("padding_mode", ["zeros", "border", "reflection"], "zeros");
  const places = indices(rank);
  const shape = [...x.shape.slice(0, 2), ...grid.shape.slice(1, -1)];
  const placeShape = [grid.shape[0]!, ...grid.shape.slice(1, -1)];
  const lead = ["n", ...places];
  const coordinates = size.map((n, axis) => {
    const g = at(writer.text(grid), [...lead, String(rank - 1 - axis)]);
    const raw = corners ? `(${g} + 1) / 2 * ${float(n - 1)}` : `((${g} + 1) * ${float(n)} - 1) / 2`;
    let name = writer.let("at", forAll(lead, placeShape, mode === "nearest" ? `round(${raw})` : raw));
    const here = at(name, lead);
    if (padding === "border")
      name = writer.let("at", forAll(lead, placeShape, `max(0.0, min(${float(n - 1)}, ${here}))`));
    if (padding === "reflection") name = writer.let("at", forAll(lead, placeShape, reflected(here, n, corners)));
    return name;
  });
  const bases = coordinates.map((c) => writer.let("base", `i32(floor(${c}))`));
  /** The element `offsets` steps away from the base, as padding has it. */
  const element = (offsets: readonly string[]): string => {
    const index = bases.map((base, axis) => {
      const n = size[axis]!;
      const place = `${at(base, lead)}${offsets[axis] ? ` + ${offsets[axis]}` : ""}`;
      if (padding === "zeros") return place;
      if (padding === "border") return `max(0, min(${n - 1}, ${place}))`;
      return wholeReflected(place, n, corners);
    });
    const load = at(writer.text(x), ["n", "c", ...index]);
    return padding === "zeros" ? `(${load} ?? 0)` : load;
  };
  const names = ["n", "c", ...places];
  if (mode === "nearest") return { shape, type: "f32", text: forAll(names, shape, element(size.map(() => ""))) };
  const [count, first] = mode === "linear" ? [2, 0] : [4, -1];
  if (mode !== "linear" && mode !== "cubic") throw new Unsupported(`GridSample with mode ${mode}`);
  // weights of the neighbours along every axis: [count, n, places...]
  const weights = coordinates.map((c) => {
    const fraction = writer.let("fraction", forAll(lead, placeShape, `${at(c, lead)} - floor(${at(c, lead)})`));
    const t = at(fraction, lead);
    const distance = `abs(f32(u) ${first ? "- 1 " : ""}- ${t})`;
    return writer.let(
      "weight",
      forAll(
        ["u", ...lead],
        [count, ...placeShape],
        mode === "linear" ? `1 - ${distance}` : `${cubicWeight(writer)}(${distance})`,
      ),
    );
  });
  const own = range(rank).map((i) => `u${i}`);
  const product = weights.map((w, i) => at(w, [own[i]!, ...lead])).join(" * ");
  const text = `sum over ${binders(
    own,
    own.map(() => count),
  )}: ${product} * ${element(own.map((u) => (first ? `${u} - 1` : u)))}`;
  return { shape, type: "f32", text: forAll(names, shape, text) };
});
const cubicWeight = (writer: Writer): string =>
  writer.helper(
    "cubic_weight",
    `## Keys' cubic convolution with coefficient -0.75 at distance d.
fn cubic_weight(d: f32) -> f32 =
  where(d <= 1, (1.25 * d - 2.25) * d * d + 1, where(d < 2, ((-0.75 * d + 3.75) * d - 6) * d + 3, 0.0))`,
  );
/** x reflected at the picture's edges, whose places are 0 and n - 1, or half an element beyond. */
function reflected(x: string, n: number, corners: boolean): string {
  const [lo, length] = corners ? [0, n - 1] : [-0.5, n];
  if (length === 0) return `0.0 * ${x}`;
  const wave = `abs(abs(${x} - ${float(lo)}) % ${float(2 * length)} - ${float(length)})`;
  return `${float(length)} - ${wave} + ${float(lo)}`;
}
/** The same for whole places: neighbours of a place inside may lie outside. */
function wholeReflected(place: string, n: number, corners: boolean): string {
  if (n === 1) return `0 * (${place})`;
  if (corners) return `${n - 1} - abs(${n - 1} - (${place}) % ${2 * (n - 1)})`;
  // the wave has 2 n steps and stays two on both ends: -1 -> 0, n -> n - 1
  const top = 2 * n - 1;
  return `(${top} - abs(2 * ((${place}) % ${2 * n}) - ${top})) // 2`;
}

/** Places of a picture moved by matrices: [N, rank, rank + 1] and a size -> [N, places..., rank]. */
const affineGrid: Operator = one((node, writer) => {
  const theta = node.input(0);
  const size = node.constantInput(1, "the size").slice(2);
  const corners = node.flag("align_corners");
  const rank = size.length;
  const places = indices(rank);
  // the last axis of the picture comes first
  const coordinates = range(rank).map((k) => {
    const axis = rank - 1 - k;
    const n = size[axis]!;
    if (corners) return n === 1 ? `(0 * ${places[axis]})` : `(2 * ${places[axis]} / ${n - 1} - 1)`;
    return `((2 * ${places[axis]} + 1) / ${n} - 1)`;
  });
  const terms = coordinates.map((c, k) => `${writer.text(theta)}[n, u, ${k}] * ${c}`);
  const text = `${terms.join(" + ")} + ${writer.text(theta)}[n, u, ${rank}]`;
  const shape = [theta.shape[0]!, ...size, rank];
  return { shape, type: "f32", text: forAll(["n", ...places, "u"], shape, text) };
});

export const resampling: Operators = {
  Resize: resize,
  Upsample: upsample,
  GridSample: gridSample,
  AffineGrid: affineGrid,
};
