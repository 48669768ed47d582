// One node of a graph as its operator's translation reads it. What is read is recorded: a node with an attribute or input that the
// translation did not look at, or an output that it does not give, is refused and never half translated.
import { Unsupported, type AttributeValue, type OnnxGraph, type OnnxNode, type OnnxTensor } from "./model.ts";
import { axisOf, type Value } from "./value.ts";

export class NodeReader {
  readonly op: string;
  readonly node: OnnxNode;
  /** Version of the operator set that the node's operator is of. */
  readonly opset: number;
  readonly inputCount: number;
  readonly outputCount: number;
  readonly #attributes = new Set<string>();
  readonly #inputs = new Set<number>();
  readonly #values: readonly (Value | undefined)[];
  readonly #given: (name: string) => void;

  constructor(node: OnnxNode, values: readonly (Value | undefined)[], opset: number, given: (name: string) => void) {
    this.node = node;
    this.opset = opset;
    this.op = node.op;
    this.inputCount = values.length;
    this.outputCount = node.outputs.length;
    this.#values = values;
    this.#given = given;
  }

  input(i: number): Value {
    const value = this.optional(i);
    if (!value) throw new Unsupported(`${this.op} without its input ${i}`);
    return value;
  }
  optional(i: number): Value | undefined {
    this.#inputs.add(i);
    return this.#values[i];
  }
  inputs(from = 0): Value[] {
    return this.#values.slice(from).map((_, i) => this.input(from + i));
  }
  /** Is output i wanted? */
  gives(i: number): boolean {
    return Boolean(this.node.outputs[i]);
  }

  /** The elements of a value that dlm needs at compile time. */
  constant(value: Value, what: string): readonly number[] {
    if (value.constant) return value.constant;
    if (value.given) {
      for (const name of value.given.names) this.#given(name);
      return value.given.data;
    }
    throw new Unsupported(`${what} of ${this.op} depends on data`);
  }
  constantInput(i: number, what: string): readonly number[] {
    return this.constant(this.input(i), what);
  }
  optionalConstant(i: number, what: string): readonly number[] | undefined {
    const value = this.optional(i);
    return value && this.constant(value, what);
  }

  has(name: string): boolean {
    return this.node.attributes.has(name);
  }
  /** The attribute counts as read: it changes nothing of what is computed here. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.#attributes.add(name);
  }
  #read(name: string): AttributeValue | undefined {
    this.#attributes.add(name);
    return this.node.attributes.get(name);
  }
  #wrong(name: string): never {
    throw new Unsupported(`${this.op} with an attribute ${name} of another kind`);
  }
  int(name: string): number;
  int<T>(name: string, absent: T): number | T;
  int<T>(name: string, ...absent: readonly T[]): number | T | undefined {
    const value = this.#read(name);
    if (value === undefined) {
      if (!absent.length) throw new Unsupported(`${this.op} without its attribute ${name}`);
      return absent[0];
    }
    return typeof value === "number" ? value : this.#wrong(name);
  }
  float(name: string, absent: number): number {
    return this.int(name, absent);
  }
  flag(name: string, absent = false): boolean {
    return this.int(name, Number(absent)) !== 0;
  }
  string(name: string, absent: string): string {
    const value = this.#read(name) ?? absent;
    return typeof value === "string" ? value : this.#wrong(name);
  }
  /** A word, one of those that the operator has. */
  word<T extends string>(name: string, allowed: readonly T[], absent: T): T {
    const value = this.string(name, absent);
    const found = allowed.find((x) => x === value);
    if (found === undefined) throw new Unsupported(`${this.op} with ${name} ${value}`);
    return found;
  }
  numbers(name: string): readonly number[] | undefined {
    const value = this.#read(name);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((x): x is number => typeof x === "number")) return value;
    return this.#wrong(name);
  }
  strings(name: string): readonly string[] | undefined {
    const value = this.#read(name);
    if (value === undefined) return undefined;
    // an empty list has no kind in old files
    if (Array.isArray(value) && value.every((x): x is string => typeof x === "string")) return value;
    return this.#wrong(name);
  }
  tensor(name: string): OnnxTensor | undefined {
    const value = this.#read(name);
    if (value === undefined) return undefined;
    return typeof value === "object" && "elementType" in value ? value : this.#wrong(name);
  }
  graph(name: string): OnnxGraph {
    const value = this.#read(name);
    return typeof value === "object" && "nodes" in value ? value : this.#wrong(name);
  }
  /** The attribute `name` as an axis of a tensor of that rank, counted from the front. */
  axis(name: string, absent: number, rank: number): number {
    return axisOf(this.int(name, absent), rank);
  }
  /** Axes: an attribute of old operator sets, input `at` of new ones; undefined where neither says any. */
  axes(at: number, rank: number): number[] | undefined {
    const listed = this.numbers("axes") ?? this.optionalConstant(at, "axes");
    return listed?.map((axis) => axisOf(axis, rank));
  }

  /** What the translation did not look at, in words. */
  unread(): string[] {
    return [
      ...[...this.node.attributes.keys()].filter((x) => !this.#attributes.has(x)).map((x) => `attribute ${x}`),
      ...this.#values.flatMap((value, i) => (value && !this.#inputs.has(i) ? [`input ${i}`] : [])),
    ];
  }
}
