// The buffers of a plan, while it is made: memory of what outlives a program, and pools that all programs share.
// In: tensors and sizes.   Out: an address for each. Buffers are numbered in the order in which they are first asked for.
import { sizeOf as sizeOfDims, type PlanBuffer, type Size, type Storage } from "../../runtime/plan.ts";
import type { Node, Scan, Shape, Source } from "../graph/types.ts";
import type { View } from "../kernel/graph.ts";
import { bindingAlignment, sizeOfExtents } from "../kernel/sizes.ts";
import { bytesOf, elements } from "../scalar/dtype.ts";
import { encodeBase64 } from "./base64.ts";

export interface Address {
  readonly buffer: number;
  readonly offset: number; // bytes
}
export type AddressOf = (x: Node) => Address;

export interface BufferFacts {
  readonly views: ReadonlyMap<Node, View>; // what lies in flat buffers
  readonly storage: ReadonlyMap<Node, Storage>; // of columns
  readonly sites: ReadonlyMap<Source, number>; // of draws
}

export class Buffers {
  readonly list: PlanBuffer[] = [];
  private readonly facts: BufferFacts;
  private readonly flat: ReadonlySet<Source>;
  private siteOrder: ReadonlyMap<Source, number> | undefined;
  private readonly known = new Map<Node, Address>(); // of what outlives a program
  private readonly pool: { readonly buffer: number; bytes: number }[] = []; // slots shared by all programs of known sizes
  private readonly partials: number[] = []; // parts of split reductions, used up by the next dispatch
  private readonly steps: { readonly buffer: number; count: number }[] = []; // by depth of the loop

  constructor(facts: BufferFacts) {
    this.facts = facts;
    this.flat = new Set([...facts.views.values()].map((v) => v.memory));
  }
  add(b: PlanBuffer): number {
    this.list.push(b);
    return this.list.length - 1;
  }
  at(b: PlanBuffer): Address {
    return { buffer: this.add(b), offset: 0 };
  }
  /** Has it memory that outlives a program? */
  has(x: Node): boolean {
    return this.known.has(x) || (x.kind === "source" && this.facts.sites.has(x));
  }
  isBytes(x: Node): boolean {
    return this.facts.storage.get(x) === "u8";
  }
  bytesOf(x: Node): Size {
    return bytesOfShape(x.shape, this.facts.storage.get(x) ?? x.dtype);
  }
  /** Of a source that something has asked for. */
  asked(x: Source): Address | undefined {
    return this.known.get(x);
  }

  // ---- what outlives a program
  column(x: Source, label: string): Address {
    return this.keep(x, () => this.at({ label, role: "data", bytes: this.bytesOf(x) }));
  }
  /** Of a parameter, a state, or a flat buffer. */
  state(x: Source): Address {
    return this.keep(x, () => {
      const view = this.facts.views.get(x);
      if (view) return shifted(this.state(view.memory), view.offset, x.dtype);
      return this.at({ label: x.path, role: "state", bytes: this.bytesOf(x) });
    });
  }
  /** Of a source that is not a state: an argument, a host's number, row numbers, a constant. */
  input(x: Source): Address {
    return this.keep(x, () => {
      const site = this.facts.sites.get(x);
      const data =
        site !== undefined ? wordsOf("i32", [site | 0]) : x.role === "constant" ? wordsOf(x.dtype, x.data) : "";
      return this.at({
        label: x.path || "constant",
        role: data ? "constant" : "input",
        bytes: this.bytesOf(x),
        ...(data ? { data } : {}),
      });
    });
  }
  /** Of the sites among what a kernel binds: they stand before its arguments. */
  addSites(bound: readonly (Node | Scan)[]): void {
    const order = (this.siteOrder ??= new Map([...this.facts.sites.keys()].map((x, i) => [x, i] as const)));
    const own = bound.filter((x): x is Source => x.kind === "source" && order.has(x));
    for (const x of own.sort((a, b) => order.get(a)! - order.get(b)!)) this.input(x);
  }
  /** Of a source by what it is, and of what lies in a flat buffer. */
  of(x: Node): Address | undefined {
    const known = this.known.get(x);
    if (known) return known;
    const view = this.facts.views.get(x);
    const memory = view && this.of(view.memory);
    if (memory) return shifted(memory, view.offset, x.dtype);
    if (x.kind !== "source") return undefined;
    // a flat buffer of gradients is not a state, but what lies between its slices must stay zero
    return x.role === "state" || x.role === "parameter" || this.flat.has(x) ? this.state(x) : this.input(x);
  }
  private keep(x: Source, make: () => Address): Address {
    let at = this.known.get(x);
    if (!at) this.known.set(x, (at = make()));
    return at;
  }

  // ---- pools
  /** Slots of one program: the largest take the largest of the pool. `bytes` falls. */
  slots(bytes: readonly number[]): number[] {
    return bytes.map((size, k) => {
      const have = this.pool[k];
      if (!have) {
        const buffer = this.add({ label: `scratch${k}`, role: "scratch", bytes: size });
        this.pool.push({ buffer, bytes: size });
        return buffer;
      }
      have.bytes = Math.max(have.bytes, size);
      this.grow(have.buffer, size);
      return have.buffer;
    });
  }
  poolBytes(): number {
    return this.pool.reduce((sum, x) => sum + x.bytes, 0);
  }
  largestSlot(): number {
    return Math.max(0, ...this.pool.map((x) => x.bytes));
  }
  /** The k-th intermediate of one kernel that is several dispatches. */
  partial(bytes: Size, k: number): Address {
    if (typeof bytes !== "number") return this.at({ label: "partial", role: "scratch", bytes });
    const buffer = (this.partials[k] ??= this.add({ label: `partial${k || ""}`, role: "scratch", bytes }));
    this.grow(buffer, bytes);
    return { buffer, offset: 0 };
  }
  /** The numbers of a loop's rounds, each bound by itself. */
  rounds(depth: number, count: number): number {
    const have = (this.steps[depth] ??= {
      buffer: this.add({ label: `steps${depth || ""}`, role: "steps", bytes: 0 }),
      count: 0,
    });
    have.count = Math.max(have.count, count);
    this.grow(have.buffer, bindingAlignment * have.count);
    return have.buffer;
  }
  private grow(buffer: number, bytes: number): void {
    const b = this.list[buffer]!;
    if (typeof b.bytes === "number" && b.bytes < bytes) this.list[buffer] = { ...b, bytes };
  }
}

/** The address of a later element of memory that holds elements of this type. */
export const shifted = ({ buffer, offset }: Address, elements: number, storage: Storage): Address => ({
  buffer,
  offset: offset + bytesOf(storage) * elements,
});
export const bytesOfShape = (shape: Shape, storage: Storage): Size => scaled(sizeOfExtents(shape), bytesOf(storage));
const scaled = (size: Size, by: number): Size =>
  typeof size === "number" ? size * by : { sum: size.sum.map((t) => ({ factor: t.factor * by, dims: t.dims })) };
/** Bytes of one row of what has run-time axes, about. */
export function bytesPerRow(x: Node): number {
  const size = bytesOfShape(x.shape, x.dtype);
  return typeof size === "number" ? 0 : size.sum.reduce((sum, t) => sum + t.factor, 0);
}
/** Where only the number of rows is open, the size of a chunk of so many. */
export function bytesOfChunk(x: Node, rows: number | undefined): Size {
  const size = bytesOfShape(x.shape, x.dtype);
  if (typeof size === "number" || rows === undefined) return size;
  const isOpen = size.sum.some((t) => t.dims.some((d) => d !== "rows") || t.dims.length > 1);
  return isOpen ? size : sizeOfDims(size, { rows });
}
const wordsOf = (dtype: Source["dtype"], data: readonly number[] = []): string =>
  encodeBase64(new Uint8Array(Int32Array.from(data, elements[dtype].bits).buffer));
