// What the translation knows of a tensor of the graph, and how numbers and shapes are written in dlm.

export type ElementType = "f32" | "i32" | "bool";
export interface Value {
  readonly shape: readonly number[];
  readonly type: ElementType;
  /** The expression that stands for it: a name. Constants have one as soon as they are written. */
  readonly text?: string;
  /** Its elements where they are known whatever the inputs are. */
  readonly constant?: readonly number[];
  /** Elements that follow from inputs that the caller knows: used only where dlm needs a constant. */
  readonly given?: { readonly names: readonly string[]; readonly data: readonly number[] };
}
/** An output of an operator: an expression, or the elements themselves. */
export interface Result {
  readonly shape: readonly number[];
  readonly type: ElementType;
  readonly text?: string;
  readonly constant?: readonly number[];
  readonly given?: Value["given"];
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);
export const range = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i);
/** An axis counted from the front. */
export function axisOf(axis: number, rank: number): number {
  if (axis < -rank || axis >= Math.max(rank, 1)) throw new Error(`there is no axis ${axis} of ${rank}`);
  return axis < 0 ? axis + rank : axis;
}
export const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;
export const typeText = (type: ElementType, shape: readonly number[]): string =>
  shape.length ? `${type}${shapeText(shape)}` : type;

/** The shortest decimal that rounds to the same f32, with a point, since a whole number alone is an i32. */
export function float(x: number): string {
  if (Number.isNaN(x)) throw new Error("dlm has no NaN");
  if (Math.abs(x) === Infinity || Math.abs(x) >= 3.4028234663852886e38) return x < 0 ? "-inf" : "inf";
  let text = String(Math.fround(x));
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(x.toPrecision(digits));
    if (Math.fround(short) === Math.fround(x)) {
      text = String(short);
      break;
    }
  }
  text = text.replace("e+", "e");
  return /[.e]/.test(text) ? text : `${text}.0`;
}
export const literal = (x: number, type: ElementType): string =>
  type === "f32" ? float(x) : type === "bool" ? String(x !== 0) : String(x);

/** Elements as nested lists. */
export function listText(data: readonly number[], shape: readonly number[], type: ElementType): string {
  if (!shape.length) return literal(data[0]!, type);
  if (sizeOf(shape) === 0) return `zeros${shapeText(shape)}`;
  const size = sizeOf(shape.slice(1));
  return `[${range(shape[0]!)
    .map((i) => listText(data.slice(i * size, (i + 1) * size), shape.slice(1), type))
    .join(", ")}]`;
}
/** The shape of both together, as in NumPy. */
export function broadcast(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return range(rank).map((axis) => {
    const extents = shapes.map((s) => s[axis - rank + s.length] ?? 1).filter((n) => n !== 1);
    if (extents.some((n) => n !== extents[0])) throw new Error(`shapes do not fit: ${shapes.map(shapeText).join(" ")}`);
    return extents[0] ?? 1;
  });
}
/** A tensor with its axes in another order: axis i of the result is axis `order[i]`. */
export function permuted(
  data: readonly number[],
  shape: readonly number[],
  order: readonly number[],
): { readonly shape: number[]; readonly data: number[] } {
  const steps = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
  const out = order.map((axis) => shape[axis]!);
  const places = order.reduce(
    (at, axis) => at.flatMap((base) => range(shape[axis]!).map((i) => base + i * steps[axis]!)),
    [0],
  );
  return { shape: out, data: places.map((place) => data[place]!) };
}
