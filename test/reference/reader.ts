// A reference case as its kind's translation reads it. Every attribute that is read is recorded: a case with one that the translation did not
// look at is refused (it counts as skipped, with the reason), so that no size, axis or option is ever taken for granted.
import type { ReferenceCase, ReferenceTensor } from "./case.ts";

/** What a case has that its kind's translation does not take; the message is the reason. */
export class Refused extends Error {}

/** A name of the case as an identifier: without dots, and with a small first letter, since dims have large ones. */
export const plain = (name: string): string => {
  const words = name.replaceAll(".", "_");
  return words[0]!.toLowerCase() + words.slice(1);
};

export class CaseReader {
  readonly case: ReferenceCase;
  readonly #read = new Set<string>();
  readonly #inner = new Map<string, CaseReader>();
  constructor(c: ReferenceCase) {
    this.case = c;
  }

  attribute(name: string): unknown {
    this.#read.add(name);
    const value = this.case.attrs[name];
    return value === null ? undefined : value;
  }
  number(name: string, absent?: number): number {
    const value = this.attribute(name) ?? absent;
    if (typeof value !== "number") throw new Refused(`attribute ${name} is ${JSON.stringify(value)}`);
    return value;
  }
  flag(name: string, absent?: boolean): boolean {
    const value = this.attribute(name) ?? absent;
    if (typeof value !== "boolean") throw new Refused(`attribute ${name} is ${JSON.stringify(value)}`);
    return value;
  }
  /** A word, one of those that are allowed. */
  word<T extends string>(name: string, allowed: readonly T[], absent?: T): T {
    const value = this.attribute(name) ?? absent;
    const found = allowed.find((x) => x === value);
    if (found === undefined) throw new Refused(`attribute ${name} is ${JSON.stringify(value)}`);
    return found;
  }
  text(name: string): string {
    const value = this.attribute(name);
    if (typeof value !== "string") throw new Refused(`attribute ${name} is ${JSON.stringify(value)}`);
    return value;
  }
  /** An activation or another function, by a name that dlm's library has, too. */
  functionName(name: string): string {
    const value = this.text(name);
    if (!/^[a-z][a-z_0-9]*$/.test(value)) throw new Refused(`function ${value}`);
    return value;
  }
  /** A list of numbers; a single number stands for `count` equal ones. */
  numbers(name: string, count?: number, absent?: number): number[] {
    const value = this.attribute(name) ?? absent;
    if (typeof value === "number") return Array.from({ length: count ?? 1 }, () => value);
    if (Array.isArray(value) && value.every((x): x is number => typeof x === "number")) {
      if (count !== undefined && value.length === 1) return Array.from({ length: count }, () => value[0]!);
      if (count === undefined || value.length === count) return [...value];
    }
    throw new Refused(`attribute ${name} is ${JSON.stringify(value)}`);
  }
  words(name: string): string[] {
    const value = this.attribute(name);
    if (Array.isArray(value) && value.every((x): x is string => typeof x === "string")) return [...value];
    throw new Refused(`attribute ${name} is ${JSON.stringify(value)}`);
  }
  /** Axes counted from the front; undefined where the case has none. */
  axes(name: string, rank: number): number[] | undefined {
    const value = this.attribute(name);
    return value === undefined ? undefined : this.numbers(name).map((axis) => this.#front(axis, rank));
  }
  axis(name: string, rank: number, absent?: number): number {
    return this.#front(this.number(name, absent), rank);
  }
  #front(axis: number, rank: number): number {
    const front = axis < 0 ? axis + rank : axis;
    if (front < 0 || front >= rank) throw new Refused(`axis ${axis} of ${rank}`);
    return front;
  }
  /** A text that says what is computed: the translation is of this one only. */
  says(name: string, expected: string): void {
    if (this.attribute(name) !== expected) throw new Refused(`${name} is ${JSON.stringify(this.case.attrs[name])}`);
  }
  /** Attributes that repeat what shapes say, or how the case was written; they are compared or looked at nowhere. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.#read.add(name);
  }

  /** An attribute that has attributes, of which `kind` is the kind; it is read in the same way. */
  nested(name: string): CaseReader {
    const value = this.attribute(name);
    if (typeof value !== "object" || Array.isArray(value))
      throw new Refused(`attribute ${name} is ${JSON.stringify(value)}`);
    const attrs = { ...value };
    const reader = new CaseReader({ ...this.case, attrs });
    this.#inner.set(name, reader);
    return reader;
  }

  has(name: string): boolean {
    return Boolean(this.case.inputs[name] ?? this.case.params[name]);
  }
  tensor(name: string): ReferenceTensor {
    const tensor = this.case.inputs[name] ?? this.case.params[name];
    if (!tensor) throw new Refused(`no input ${name}`);
    return tensor;
  }
  shape(name: string): readonly number[] {
    return this.tensor(name).shape;
  }
  output(name: string): readonly number[] {
    const tensor = this.case.outputs[name];
    if (!tensor) throw new Refused(`no output ${name}`);
    return tensor.shape;
  }
  extent(name: string, axis: number): number {
    const extent = this.shape(name).at(axis);
    if (extent === undefined) throw new Refused(`${name} has no axis ${axis}`);
    return extent;
  }

  /** Refuses the case if it has an attribute that nothing read. */
  finish(): void {
    const unread = Object.keys(this.case.attrs).filter((name) => !this.#read.has(name));
    for (const reader of this.#inner.values()) reader.finish();
    if (unread.length) throw new Refused(`${unread.map((name) => `attribute ${name}`).join(", ")} not read`);
  }
}
