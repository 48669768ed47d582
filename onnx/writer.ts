// The text of the translation while it grows: statements, helper functions, weights. Names of values stand as «number» until the end,
// when every word of the text is known and none of them can be hidden by a name from the file.
import { Unsupported } from "./model.ts";
import {
  broadcast,
  float,
  listText,
  literal,
  sameShape,
  shapeText,
  sizeOf,
  type ElementType,
  type Result,
  type Value,
} from "./value.ts";

export interface Weight {
  /** Placeholder of the parameter's name; of a layer's, that of the layer and the parameter: `«3».w`. */
  readonly text: string;
  readonly shape: readonly number[];
  readonly type: ElementType;
  readonly data: readonly number[];
}

export interface Held {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
/** Constants of more elements than this are parameters, whose values lie in a file of weights. */
const written = 64;

/** What all blocks of one translation share. */
export interface Shared {
  readonly names: string[];
  readonly helpers: Map<string, string>;
  readonly weights: Weight[];
  /** Placeholders of layers. */
  readonly layers: Set<string>;
  readonly constants: Map<Value, string>;
  readonly initializers: ReadonlyMap<Value, string>;
}

export class Writer {
  readonly statements: string[] = [];
  /** The outermost block, where constants are bound. */
  readonly #root: Writer;
  readonly shared: Shared;
  constructor(shared: Shared, root?: Writer) {
    this.shared = shared;
    this.#root = root ?? this;
  }

  /** A placeholder for a name like `wanted`. */
  name(wanted: string): string {
    this.shared.names.push(wanted);
    return `«${this.shared.names.length - 1}»`;
  }
  /** Binds an expression to a name. */
  let(wanted: string, expression: string): string {
    const name = this.name(wanted);
    this.statements.push(`let ${name} = ${expression}`);
    return name;
  }
  /** An instance of a layer, bound outside of all loops; `held` are its parameters and states. */
  layer(wanted: string, text: string, held: Readonly<Record<string, Held>> = {}): string {
    const name = this.#root.let(wanted, text);
    this.shared.layers.add(name);
    for (const [own, { shape, data }] of Object.entries(held))
      this.shared.weights.push({ text: `${name}.${own}`, shape, type: "f32", data });
    return name;
  }
  /** Is the value one of the file's own, so that a layer can hold it? */
  isHeld(value: Value): value is Value & { readonly constant: readonly number[] } {
    return value.type === "f32" && value.constant !== undefined && this.shared.initializers.has(value);
  }
  /** A helper function of the file, written once; `text` begins with `fn NAME(`. */
  helper(name: string, text: string): string {
    this.shared.helpers.set(name, text);
    return name;
  }
  /** A block of its own within this one (the body of a loop). */
  block(): Writer {
    return new Writer(this.shared, this.#root);
  }

  /** The value as an expression that may stand beside any operator. */
  text(value: Value): string {
    if (value.text !== undefined) return value.text;
    if (!value.constant) throw new Error("a value without text");
    if (!value.shape.length) {
      const text = literal(value.constant[0]!, value.type);
      return text.startsWith("-") ? `(${text})` : text;
    }
    const known = this.shared.constants.get(value);
    if (known) return known;
    const text = this.#constant(value, value.constant);
    this.shared.constants.set(value, text);
    return text;
  }
  #constant(value: Value, data: readonly number[]): string {
    const initializer = this.shared.initializers.get(value);
    if (value.type === "f32" && data.length && (initializer !== undefined || data.length > written)) {
      return this.weight(initializer ?? "constant", value.shape, data);
    }
    const size = sizeOf(value.shape);
    const same = size > 1 && data.every((x) => x === data[0]);
    if (size === 0 || same) {
      const filled =
        value.type === "f32"
          ? `expand${shapeText(value.shape)}(${float(data[0] ?? 0)})`
          : `expand${shapeText(value.shape)}(${literal(data[0] ?? 0, value.type)})`;
      return this.#root.let(initializer ?? "constant", filled);
    }
    return this.#root.let(initializer ?? "constant", listText(data, value.shape, value.type));
  }
  /** A parameter with these values. */
  weight(wanted: string, shape: readonly number[], data: readonly number[]): string {
    const text = this.name(wanted);
    this.shared.weights.push({ text, shape, type: "f32", data });
    return text;
  }

  /** The value with an axis for every one of the shape, stretched where dlm's operators would not do it. */
  stretched(value: Value, shape: readonly number[]): string {
    const text = this.text(value);
    if (!value.shape.length || sameShape(value.shape, shape)) return text;
    return `expand${shapeText(shape)}(${text})`;
  }
  /** An elementwise operation whose operands broadcast as in NumPy. */
  pointwise(
    values: readonly Value[],
    type: ElementType,
    write: (texts: readonly string[], shape: readonly number[]) => string,
  ): Result {
    const shape = broadcast(...values.map((v) => v.shape));
    const rank = shape.length;
    // operators stretch axes of 1 themselves as long as one operand has all axes
    const full = values.some((v) => sameShape(v.shape, shape));
    const texts = values.map((v) =>
      full && (v.shape.length === rank || !v.shape.length) && sameShape(v.shape, shape)
        ? this.text(v)
        : this.stretched(v, shape),
    );
    return { shape, type, text: write(texts, shape) };
  }
}

const letters = ["i", "j", "k", "l", "m", "p", "q", "r", "s", "t"];
/** Index names for the axes of a tensor. */
export function indices(rank: number, from = 0): string[] {
  if (from + rank > letters.length) throw new Unsupported(`tensors of rank ${rank}`);
  return letters.slice(from, from + rank);
}
/** `for i in 0..3, j in 0..4: body`, or the body alone for a tensor of rank 0. */
export const forAll = (names: readonly string[], shape: readonly number[], body: string): string =>
  names.length ? `for ${binders(names, shape)}: ${body}` : body;
export const over = (reducer: string, names: readonly string[], shape: readonly number[], body: string): string =>
  names.length ? `(${reducer} over ${binders(names, shape)}: ${body})` : `(${body})`;
export const binders = (names: readonly string[], shape: readonly number[]): string =>
  names.map((name, i) => `${name} in 0..${shape[i]}`).join(", ");
/** `x[i, j]`, or `x` for a tensor of rank 0. */
export const at = (text: string, index: readonly string[]): string =>
  index.length ? `${text}[${index.join(", ")}]` : text;
/** `2 * i + 3`, without what changes nothing. */
export function affine(factor: number, name: string, offset: number): string {
  const scaled = factor === 1 ? name : factor === -1 ? `-${name}` : `${factor} * ${name}`;
  return offset === 0 ? scaled : offset > 0 ? `${scaled} + ${offset}` : `${scaled} - ${-offset}`;
}
/** The index under which an operand that broadcasts is read: axes of 1 at 0, missing ones left out. */
export function broadcastIndex(shape: readonly number[], names: readonly string[]): string[] {
  const skipped = names.length - shape.length;
  return shape.map((n, axis) => (n === 1 ? "0" : names[skipped + axis]!));
}
