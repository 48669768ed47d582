// What an export's inputs and outputs, and the fields of data, are to people: pictures, points, classes, texts, sequences, numbers, tables.
// In: types, as the plan has them, and what is known of the data. Out: a kind, which the page has a control or a picture for. Nothing goes by a name, but
// that of two fields which fit an input equally the one of its name is taken.
import type { DType, Loader, Plan, PlanDataset, PlanExport, PlanPort, Size } from "../../../runtime/plan.ts";

/** A size that is known, or the name of the dim that gives it when the program runs. */
export type Extent = number | string;
export interface Field {
  readonly dataset: string;
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[]; // of a row
  readonly range?: readonly [low: number, end: number];
  readonly loaders: readonly Loader[]; // that its formula reads
  readonly bare: boolean; // its values are a column's own
}
export interface PictureKind {
  readonly kind: "picture";
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}
/** Whole numbers that stand for characters or words, or for nothing but themselves. */
export interface TextKind {
  readonly kind: "text";
  readonly range: readonly [low: number, end: number];
  readonly field?: Field; // whose text has the same units
}
export interface ClassKind {
  readonly kind: "class";
  readonly range: readonly [low: number, end: number];
  readonly field?: Field; // a label of as many classes
}
export type Kind =
  | PictureKind
  | TextKind
  | ClassKind
  | { readonly kind: "scores"; readonly count: number; readonly field?: Field } // a number for each class
  | { readonly kind: "number" }
  | { readonly kind: "truth" }
  | { readonly kind: "point" } // two numbers
  | { readonly kind: "vector"; readonly count: number }
  | { readonly kind: "series" } // numbers one after the other
  | { readonly kind: "table" };

export interface Port {
  readonly port: PlanPort;
  readonly name: string;
  readonly shape: readonly Extent[]; // of a row
  readonly axis: number | undefined; // where the rows are; undefined: there is only one
  readonly kind: Kind;
  readonly field?: Field; // with values of this type
}
/** An export, for the page. */
export interface Use {
  readonly plan: PlanExport;
  readonly rows: string | undefined; // the dim that counts rows
  readonly inputs: readonly Port[]; // that have to be given
  readonly settings: readonly Port[]; // numbers with a default
  readonly outputs: readonly Port[];
  /** How it is asked: by clicking on a plane, along a line, with controls, by drawing numbers at random, or only by a button. */
  readonly asked: "plane" | "line" | "controls" | "draw" | "button";
}

export const isTextLoader = (l: Loader): l is Extract<Loader, { readonly kind: "windows" | "lines" }> =>
  l.kind === "windows" || l.kind === "lines";

/** Every field that the plan can show. */
export const fieldsOf = (plan: Plan): readonly Field[] =>
  plan.datasets.flatMap((d) => (d.view ? d.view.fields.map((p) => fieldOf(d, p)) : []));
function fieldOf(d: PlanDataset, port: PlanPort): Field {
  const columns = d.columns.filter((c) => c.name.split(".")[1] === port.name);
  const shape = port.shape.slice(1).map((n) => (typeof n === "number" ? n : 0));
  const [range, only] = [rangeOf(port), columns.length === 1 ? columns[0] : undefined];
  return {
    dataset: d.name,
    name: port.name,
    dtype: port.dtype,
    shape,
    ...(range ? { range } : {}),
    loaders: columns.map((c) => c.loader),
    bare: only !== undefined && only.range !== undefined && only.range.join() === range?.join(),
  };
}
function rangeOf(port: PlanPort): readonly [number, number] | undefined {
  if (port.dtype === "bool") return [0, 2];
  const end = port.range?.[1];
  return port.range && typeof end === "number" ? [port.range[0], end] : undefined;
}
/** The dim that stands alone in a size. */
function dimOf(size: Size): string | undefined {
  if (typeof size === "number" || size.sum.length !== 1) return undefined;
  const [term] = size.sum;
  return term!.factor === 1 && term!.dims.length === 1 ? term!.dims[0] : undefined;
}
const extentOf = (size: Size): Extent => (typeof size === "number" ? size : (dimOf(size) ?? "…"));
const product = (shape: readonly Extent[]): number =>
  shape.reduce<number>((n, size) => n * (typeof size === "number" ? size : NaN), 1);
const same = (a: readonly Extent[], b: readonly Extent[]): boolean => a.join() === b.join();

export function useOf(plan: PlanExport, fields: readonly Field[]): Use {
  const rows = rowDim(plan, fields);
  const given = plan.inputs.filter((p) => p.optional === undefined);
  const ports = given.map((p) => inputPort(p, rows, fields));
  const pictures = [...ports, ...fields.map((f) => ({ shape: f.shape, kind: kindOfField(f) }))].flatMap((x) =>
    x.kind.kind === "picture" ? [{ shape: x.shape, kind: x.kind }] : [],
  );
  const settings = plan.inputs
    .filter((p) => p.optional !== undefined)
    .map((p): Port => ({ port: p, name: p.name, shape: [], axis: undefined, kind: { kind: "number" } }));
  const outputs = plan.outputs.map((p) => outputPort(p, rows, fields, pictures));
  return { plan, rows, inputs: ports, settings, outputs, asked: askedBy(ports, rows, settings) };
}
/** The input whose running text an output goes on with: it has the same units, and another number of them. */
export function goneOnFrom({ inputs }: Use, { kind, shape }: Port): Port | undefined {
  if (kind.kind !== "text" || !kind.field?.loaders.some((l) => l.kind === "windows")) return undefined;
  const { field } = kind;
  return inputs.find((x) => x.kind.kind === "text" && x.kind.field === field && !same(x.shape, shape));
}
function askedBy(inputs: readonly Port[], rows: string | undefined, settings: readonly Port[]): Use["asked"] {
  if (!inputs.length) return "button";
  const count = inputs.reduce((n, p) => n + product(p.shape), 0);
  const real = rows !== undefined && inputs.every((p) => p.port.dtype === "f32" && p.axis !== undefined);
  if (real && count === 2) return "plane";
  if (real && count === 1) return "line";
  // numbers that no data have are drawn
  const free = inputs.every((p) => p.port.dtype === "f32" && !p.field && p.shape.length === 1 && count <= 4096);
  return real && free && settings.every((p) => p.shape.length === 0) ? "draw" : "controls";
}
/** The dim that is the first axis of inputs, and nothing else in them. A single list of whole numbers is a text rather than rows of one number, where the data have such. */
function rowDim(x: PlanExport, fields: readonly Field[]): string | undefined {
  const given = x.inputs.filter((p) => p.optional === undefined);
  const dim = given.flatMap((p) => (p.shape.length ? [dimOf(p.shape[0]!)] : [])).find((d) => d !== undefined);
  if (dim === undefined) return undefined;
  const elsewhere = given.some((p) =>
    p.shape.slice(1).some((size) => typeof size !== "number" && size.sum.some((t) => t.dims.includes(dim))),
  );
  const lists = given.filter((p) => p.shape.length === 1 && dimOf(p.shape[0]!) === dim);
  const [only] = lists;
  const range = only && rangeOf(only);
  const isText =
    only !== undefined &&
    lists.length === given.length &&
    range !== undefined &&
    !fields.some((f) => f.shape.length === 0 && f.range?.join() === range.join()) &&
    fields.some((f) => f.shape.length === 1 && f.range?.join() === range.join());
  return elsewhere || isText ? undefined : dim;
}
function inputPort(port: PlanPort, rows: string | undefined, fields: readonly Field[]): Port {
  const axis = rows !== undefined && port.shape.length > 0 && dimOf(port.shape[0]!) === rows ? 0 : undefined;
  const shape = port.shape.slice(axis === 0 ? 1 : 0).map(extentOf);
  const range = rangeOf(port);
  const field = fieldFor(port, shape, range, fields);
  const kind = shapeKind(port.dtype, shape, range, field, fields);
  return { port, name: port.name, shape, axis, kind, ...(field ? { field } : {}) };
}
/** A field with values for an input: of its type, in its range, of its shape or (numbers one after the other) longer. That of its name where there is one. */
function fieldFor(
  port: PlanPort,
  shape: readonly Extent[],
  range: readonly [number, number] | undefined,
  fields: readonly Field[],
): Field | undefined {
  const fits = fields.filter(
    (f) =>
      f.dtype === port.dtype &&
      f.shape.length === shape.length &&
      (!range || (f.range !== undefined && f.range[0] >= range[0] && f.range[1] <= range[1])),
  );
  const exact = fits.filter((f) => same(f.shape, shape));
  const longer = fits.filter(
    (f) => f.dtype === "i32" && shape.length === 1 && (typeof shape[0] !== "number" || f.shape[0]! >= shape[0]),
  );
  const list = exact.length ? exact : longer;
  return list.find((f) => f.name === port.name) ?? list[0];
}
const leastSide = 7;
/** A flat square is a picture only of 7 x 7 and more: a list of 16 or 25 numbers is more often a list. */
function square(count: number): number | undefined {
  const side = Math.sqrt(count);
  return Number.isInteger(side) && side >= leastSide ? side : undefined;
}
function pictureOf(shape: readonly Extent[], fromPictures: boolean): PictureKind | undefined {
  const [height, width, channels = 1] = shape;
  if (shape.length < 2 || shape.length > 3 || typeof height !== "number" || typeof width !== "number") return undefined;
  if (channels !== 1 && channels !== 3 && channels !== 4) return undefined;
  if (shape.length === 2 && !fromPictures && (height !== width || height < leastSide)) return undefined;
  return height >= 4 && width >= 4 ? { kind: "picture", height, width, channels } : undefined;
}
const readsPictures = (f: Field | undefined): boolean =>
  f?.loaders.some((l) => l.kind === "images" || l.kind === "idx") ?? false;

/** Of a value with that type, whether it comes in or lies in the data. */
function shapeKind(
  dtype: DType,
  shape: readonly Extent[],
  range: readonly [number, number] | undefined,
  field: Field | undefined,
  fields: readonly Field[],
): Kind {
  if (!shape.length) {
    if (dtype === "bool") return { kind: "truth" };
    return dtype === "i32" && range && range[1] - range[0] <= 1000
      ? { kind: "class", range, ...labelOf(range, fields, field) }
      : { kind: "number" };
  }
  if (dtype === "i32" && range && shape.length === 1) return { kind: "text", range, ...textOf(range, fields, field) };
  if (dtype === "bool") return { kind: "table" };
  const picture = pictureOf(shape, readsPictures(field));
  if (picture) return picture;
  if (shape.length !== 1 || dtype !== "f32") return { kind: "table" };
  const [count] = shape;
  if (typeof count !== "number") return { kind: "series" };
  const side = square(count);
  const named = field?.loaders.some((l) => l.kind === "csv" && Array.isArray(l.columns)) ?? false; // columns with names are no pixels
  if (side && field && !named) return { kind: "picture", height: side, width: side, channels: 1 };
  if (count === 1) return { kind: "number" };
  if (count === 2) return { kind: "point" };
  const table = field?.loaders.some((l) => l.kind === "csv") ?? false;
  return count < 16 || table ? { kind: "vector", count } : { kind: "series" };
}
export const kindOfField = (f: Field, fields: readonly Field[] = []): Kind =>
  shapeKind(f.dtype, f.shape, f.range, f, fields);
/** A label with these classes: that which is named so, or the only one. */
function labelOf(range: readonly [number, number], fields: readonly Field[], own?: Field): { readonly field?: Field } {
  const found =
    own?.shape.length === 0 && own.dtype === "i32"
      ? own
      : fields.find((f) => f.dtype === "i32" && f.shape.length === 0 && f.range?.join() === range.join());
  return found ? { field: found } : {};
}
function textOf(range: readonly [number, number], fields: readonly Field[], own?: Field): { readonly field?: Field } {
  const found =
    own?.loaders.some(isTextLoader) === true
      ? own
      : fields.find((f) => f.loaders.some(isTextLoader) && f.range?.join() === range.join());
  return found ? { field: found } : {};
}
function outputPort(
  port: PlanPort,
  rows: string | undefined,
  fields: readonly Field[],
  pictures: readonly { readonly shape: readonly Extent[]; readonly kind: PictureKind }[],
): Port {
  const at = rows === undefined ? -1 : port.shape.findIndex((size) => dimOf(size) === rows);
  const axis = at < 0 ? undefined : at;
  const shape = port.shape.filter((_, d) => d !== axis).map(extentOf);
  const made = { port, name: port.name, shape, axis };
  const range = rangeOf(port);
  const like = pictures.find((x) => same(x.shape, shape));
  if (like && port.dtype === "f32") return { ...made, kind: like.kind };
  if (port.dtype === "i32" && shape.length && range) {
    const text = textOf(range, fields);
    if (text.field || shape.length === 1) return { ...made, kind: { kind: "text", range, ...text } };
  }
  if (port.dtype === "f32" && shape.length === 1 && typeof shape[0] === "number" && shape[0] > 1) {
    const count = shape[0];
    const label = labelOf([0, count], fields).field ?? textOf([0, count], fields).field;
    if (label) return { ...made, kind: { kind: "scores", count, field: label } };
    if (count === 2) return { ...made, kind: { kind: "point" } };
    return { ...made, kind: count <= 12 ? { kind: "scores", count } : { kind: "series" } };
  }
  return { ...made, kind: shapeKind(port.dtype, shape, range, undefined, fields) };
}

/** An export that classifies what the data have a label for: its input, its result, the field of each. */
export interface Classifier {
  readonly use: Use;
  readonly output: Port;
  readonly input: Field;
  readonly label: Field;
}
export function classifierOf(uses: readonly Use[], fields: readonly Field[]): Classifier | undefined {
  for (const use of uses) {
    const [only, ...others] = use.inputs;
    if (!only?.field || others.length || only.axis === undefined || !same(only.field.shape, only.shape)) continue;
    const { dataset } = only.field;
    for (const output of use.outputs) {
      if (output.axis !== 0 || (output.kind.kind !== "scores" && output.kind.kind !== "class")) continue;
      const label = output.kind.field;
      if (!label || label === only.field || label.shape.length || label.dtype !== "i32") continue;
      const here = fields.find((f) => f.dataset === dataset && f.name === label.name);
      if (here) return { use, output, input: only.field, label: here };
    }
  }
  return undefined;
}
