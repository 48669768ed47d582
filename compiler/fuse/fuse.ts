// Fusion: a graph program to kernels in order. A pointwise node is computed where it is read, unless that would repeat work; what is left
// lies in memory, and nodes in memory that can share a launch are grouped: pointwise results join the kernel of the reduction they follow
// (epilogues), rows that are reduced and used again stay in one kernel (softmax, layer norm), small independent results share one.
// Loads in a kernel name memory only: sources, stored nodes, the histories and stacks of scans.
//
// A node may have homes: memory that belongs to something else. An updated state is written in place, a carry's next value into the next
// row of its history, a number into the shared vector of numbers. Readers read the first home.
import { InternalError } from "../../grammar/diagnostic.ts";
import { baseOf, compute, inputs, loadsIn, reshape, source, tensorsOf, topological } from "../graph/node.ts";
import {
  boolean,
  constantOf,
  iadd,
  imul,
  inRange,
  integer,
  isTrue,
  literal,
  load,
  select,
  substitute,
} from "../graph/scalar.ts";
import type { Compute, GraphProgram, Integer, Load, Node, Scalar, Scan, Shape, Source } from "../graph/types.ts";
import { emitKernel, type Reader } from "./spec.ts";
import type { Flattened } from "./flat.ts";
import type { Group, Home } from "./group.ts";
import {
  aligned,
  chooseStored,
  coreOf,
  inlinedReads,
  Inliner,
  isContraction,
  mergedDomain,
  sizeOf,
} from "./storage.ts";
import type { KernelGraph, Step, View } from "../kernel/graph.ts";
import { piecesOf, type Piece } from "./pieces.ts";
import { fusionLimits, type FusionLimits } from "../kernel/limits.ts";
import type { Target } from "../kernel/target.ts";

/** What makes groups over one domain siblings. */
interface Kin {
  readonly small: boolean;
  readonly wholes: ReadonlySet<Node>; // that its nodes are pieces of
  readonly reduced: string; // the extents that all its nodes reduce, none of them a contraction; "" = others
  readonly pointwise: boolean; // its first node
  readonly updates: boolean; // of states in place
  readonly reads: ReadonlySet<Node>; // more than numbers
}

/** What earlier rounds have found to be impossible. */
interface Found {
  readonly notInPlace: Set<Source>;
  readonly stored: Set<Node>; // pointwise, but its readers would bind too many buffers if they computed it
  readonly oneHome: Set<Node>; // written to its first home alone, and copied to the others
  readonly whole: Set<Node>; // not cut into pieces
}
export function fuse(program: GraphProgram, target: Target, flat?: Flattened): KernelGraph {
  const found: Found = { notInPlace: new Set(), stored: new Set(), oneHome: new Set(), whole: new Set() };
  const size = (): number => Object.values(found).reduce((sum, set: ReadonlySet<unknown>) => sum + set.size, 0);
  // every round but the last adds something
  for (;;) {
    const before = size();
    const fuser = new Fuser(program, target, flat, found);
    if (fuser.narrow()) {
      const result = fuser.run();
      if ("steps" in result) return result;
      for (const s of result.retry) found.notInPlace.add(s);
    }
    if (size() === before) throw new InternalError("fuse: no order of the updates was found");
  }
}

class Fuser implements Reader {
  private readonly target: Target;
  private readonly limits: FusionLimits;
  readonly inliner: Inliner;
  private readonly program: GraphProgram;
  private readonly flat: Flattened | undefined;
  private readonly found: Found;
  private readonly notInPlace: ReadonlySet<Source>;
  private readonly order: Node[];
  private readonly rank = new Map<Node, number>();
  private readonly stored: Set<Node>;
  private readonly scans = new Set<Scan>();
  private readonly histories = new Map<Scan, Source[]>();
  private readonly stacks = new Map<Scan, Map<Node, Source>>();
  private readonly homes = new Map<Node, Home[]>();
  private readonly aliasOf = new Map<Node, Source>(); // computed in place of this state
  private readonly copies: { from: Node; home: Home; scan: Scan | undefined }[] = [];
  private readonly outputs: { name: string; memory: Node; offset: number }[] = [];
  private readonly retry = new Set<Source>();

  constructor(program: GraphProgram, target: Target, flat: Flattened | undefined, found: Found) {
    this.program = program;
    this.target = target;
    this.limits = fusionLimits[target.class];
    this.flat = flat;
    this.found = found;
    this.notInPlace = found.notInPlace;
    const roots = [...program.outputs.map((o) => o.node), ...program.updates.map((u) => u.value)];
    this.order = topological(roots, undefined, (x) => this.inputsOf(x));
    this.makeScanMemory();
    const rows = this.findRowUpdates();
    let stored = chooseStored(this.order, this.forced(rows), this.inputsOf, target);
    // a piece may be made of pieces
    while (this.cutIntoPieces(stored)) stored = chooseStored(this.order, this.forced(rows), this.inputsOf, target);
    this.stored = stored;
    this.inliner = new Inliner(this.stored);
    this.makeHomes(rows);
    this.placePieces();
    this.copyOtherHomes();
  }
  private readonly inputsOf = (x: Node): readonly Node[] => {
    const update = this.flat?.updatedBy.get(x);
    if (update) return [update];
    const pieces = this.pieces.get(x);
    if (pieces) return pieces.map((p) => p.node);
    return x.kind === "source" ? (this.flat?.assembled.get(x) ?? []) : inputs(x);
  };

  run(): KernelGraph | { retry: ReadonlySet<Source> } {
    const steps = this.level(undefined);
    if (this.retry.size) return { retry: this.retry };
    return { steps, outputs: this.outputs, views: this.flat?.views ?? new Map<Node, View>() };
  }

  // ---- tensors whose pieces are computed where they fit
  private readonly pieces = new Map<Node, readonly Piece[]>();
  private readonly wholesOf = new Map<Node, Node[]>(); // by piece
  /** Was there anything to cut? */
  private cutIntoPieces(stored: ReadonlySet<Node>): boolean {
    const before = this.pieces.size;
    const fixed = new Set(this.program.updates.map((u) => baseOf(u.value)));
    const known = new Set(this.order);
    const order: Node[] = [];
    for (const x of this.order) {
      const found =
        stored.has(x) && !this.pieces.has(x) && !this.found.whole.has(x) && !fixed.has(x) && !this.flat?.views.has(x)
          ? piecesOf(x)
          : undefined;
      if (
        found?.every(
          ({ node }) =>
            innermost(node, this.scans) === innermost(x, this.scans) && !fixed.has(node) && !this.flat?.views.has(node),
        )
      ) {
        this.pieces.set(x, found);
        for (const { node } of found) {
          this.wholesOf.set(node, [...(this.wholesOf.get(node) ?? []), x]);
          if (!known.has(node)) order.push(node);
          known.add(node);
        }
      }
      order.push(x);
    }
    this.order.splice(0, this.order.length, ...order);
    this.order.forEach((x, i) => this.rank.set(x, i));
    return this.pieces.size > before;
  }
  /** A piece that others read too is theirs first: what they read is not strided. What is made of pieces comes before them: its places are theirs. */
  private placePieces(): void {
    const viewed = new Set(this.order.flatMap((x) => (x.kind === "reshape" ? [baseOf(x)] : [])));
    const wanted = (p: Node): boolean =>
      viewed.has(p) ||
      this.readers().has(p) ||
      this.program.outputs.some((o) => baseOf(o.node) === p) ||
      this.isCopied(p);
    for (const x of [...this.order].reverse())
      for (const { node, at } of this.pieces.get(x) ?? []) {
        const homes = this.homesOf(x).map((h): Home => ({ memory: h.memory, at: (own) => h.at(at(own)) }));
        this.homes.set(node, [...(this.homes.get(node) ?? (wanted(node) ? this.homesOf(node) : [])), ...homes]);
      }
  }

  // ---- memory of scans, states and numbers
  private makeScanMemory(): void {
    for (const x of this.order) {
      if (x.kind !== "result") continue;
      const s = x.scan;
      if (!this.scans.has(s)) {
        this.scans.add(s);
        this.histories.set(
          s,
          s.carries.map((c) =>
            memoryLike(c.incoming, [s.count + 1, ...c.incoming.shape], `${c.incoming.path}_history`),
          ),
        );
        this.stacks.set(s, new Map());
      }
      if (x.of.kind === "stack" && !this.stacks.get(s)!.has(x.of.node))
        this.stacks
          .get(s)!
          .set(x.of.node, memoryLike(x.of.node, [s.count, ...x.of.node.shape], `${x.of.node.label ?? "values"}_steps`));
    }
  }
  /** States of which a step writes one row: target[e, ...] = value, the others stay. */
  private findRowUpdates(): Map<Source, { indices: readonly Integer[]; value: Scalar }[]> {
    const found = new Map<Source, { indices: readonly Integer[]; value: Scalar }[]>();
    for (const u of this.program.updates) {
      if (this.notInPlace.has(u.target) || u.value.kind !== "compute" || u.value.reduction) continue;
      const stores = rowStores(u.value, u.target);
      if (stores) found.set(u.target, stores);
    }
    return found;
  }
  private forced(rows: ReadonlyMap<Source, readonly { value: Scalar }[]>): Set<Node> {
    const forced = new Set<Node>(this.found.stored);
    for (const x of this.order) {
      if (x.kind === "reshape") forced.add(baseOf(x));
      if (x.kind === "result" && x.of.kind === "stack") forced.add(baseOf(x.of.node));
    }
    for (const s of this.scans)
      for (const c of s.carries) {
        forced.add(baseOf(c.next));
        forced.add(baseOf(c.initial));
      }
    for (const o of this.program.outputs) forced.add(baseOf(o.node));
    for (const u of this.program.updates) if (!rows.has(u.target)) forced.add(baseOf(u.value));
    for (const x of this.flat?.assembled.values() ?? []) for (const part of x) forced.add(part);
    for (const [x, pieces] of this.pieces) for (const part of [x, ...pieces.map((p) => p.node)]) forced.add(part);
    for (const x of this.flat?.updatedBy.keys() ?? []) forced.add(x);
    for (const list of rows.values())
      for (const r of list) if (r.value.kind === "load") forced.add(baseOf(r.value.tensor));
    return forced;
  }
  private makeHomes(rows: ReadonlyMap<Source, readonly { indices: readonly Integer[]; value: Scalar }[]>): void {
    const add = (x: Node, home: Home): void => void this.homes.set(x, [...(this.homes.get(x) ?? []), home]);
    const own = (memory: Node): Home => ({ memory, at: (indices) => indices });
    const computed = (x: Node): boolean =>
      (x.kind === "compute" || x.kind === "scatter") && this.stored.has(x) && !this.flat?.updatedBy.has(x);
    for (const u of this.program.updates) {
      const list = rows.get(u.target);
      if (list) {
        for (const { indices, value } of list) {
          const at = { memory: u.target, at: () => indices };
          // a number of the step that is computed anyway is written there too
          if (value.kind === "load" && computed(value.tensor) && value.tensor.shape.length === 0) add(value.tensor, at);
          else this.copies.push({ from: compute([], undefined, value), home: at, scan: undefined });
        }
        continue;
      }
      const base = baseOf(u.value);
      const memory = sameShape(base.shape, u.target.shape) ? u.target : reshape(u.target, base.shape);
      if (computed(base) && !this.notInPlace.has(u.target) && !this.aliasOf.has(base)) {
        this.aliasOf.set(base, u.target);
        add(base, own(memory));
      } else this.copies.push({ from: base, home: own(memory), scan: undefined });
    }
    for (const s of this.scans) {
      const [t, histories] = [s.step, this.histories.get(s)!];
      s.carries.forEach((c, j) => {
        const base = baseOf(c.next);
        const home = rowHome(histories[j]!, base, s.reverse ? t : iadd(t, 1));
        if (computed(base) && innermost(base, this.scans) === s && !this.homes.has(base)) add(base, home);
        else this.copies.push({ from: base, home, scan: s });
        // the first row
        this.copies.push({
          from: baseOf(c.initial),
          home: rowHome(histories[j]!, baseOf(c.initial), integer(s.reverse ? s.count : 0)),
          scan: outerScan(s, this.scans),
        });
      });
      for (const [node, memory] of this.stacks.get(s)!) {
        const base = baseOf(node);
        const home = rowHome(memory, base, t);
        if (computed(base) && innermost(base, this.scans) === s) add(base, home);
        else this.copies.push({ from: base, home, scan: s });
      }
    }
    for (const o of this.program.outputs) {
      const base = baseOf(o.node);
      if (base.kind === "result") {
        const memory = memoryLike(base, base.shape, o.name);
        this.copies.push({ from: base, home: own(memory), scan: undefined });
        this.outputs.push({ name: o.name, memory, offset: 0 });
      } else {
        const memory = this.homes.get(base)?.[0]?.memory;
        const whole = !memory || sizeOf(memory.shape) === sizeOf(base.shape);
        if (!whole) this.homes.set(base, [own(base), ...this.homes.get(base)!]);
        this.outputs.push({ name: o.name, memory: whole && memory ? baseOf(memory) : base, offset: 0 });
      }
    }
    // numbers share one vector, so that a kernel binds many of them at once
    const numbers = this.order.filter(
      (x) =>
        x.dtype === "f32" &&
        x.shape.every((n) => n === 1) &&
        computed(x) &&
        !this.flat?.views.has(x) &&
        !this.program.outputs.some((o) => baseOf(o.node) === x) &&
        !this.aliasOf.has(x),
    );
    const loose = numbers.filter(
      (x) => !this.homes.get(x)?.some((h) => h.memory.kind === "source" && h.memory.role === "carry"),
    );
    if (loose.length > 1) {
      const memory = source({ role: "carry", path: "numbers", shape: [loose.length], dtype: "f32", label: "numbers" });
      loose.forEach((x, slot) =>
        this.homes.set(x, [{ memory, at: () => [integer(slot)] }, ...(this.homes.get(x) ?? [])]),
      );
    }
  }

  // ---- what kernels see
  homesOf(x: Node): readonly Home[] {
    return this.homes.get(x) ?? [{ memory: x, at: (indices) => indices }];
  }
  /** A load of a node as a load of the memory that holds it. What lies outside of the node may be inside of the memory: the guard is the node's. */
  place(e: Scalar): Scalar {
    return substitute(e, new Map(), (l, indices, outside) => {
      const base = baseOf(l.tensor);
      const home = this.homeOf(base);
      if (!home) return undefined;
      // the same elements under the shape that is read
      const probe = home.at(base.shape.map(() => integer(0)));
      const lead = probe.slice(0, Math.max(0, probe.length - base.shape.length));
      const read = (memory: Node, at: readonly Integer[]): Scalar => {
        const inside = inRange(l.tensor, indices);
        if (!outside || inRange(memory, at) === inside) return load(memory, at, outside);
        return select(inside, load(memory, at, isTrue(inRange(memory, at)) ? undefined : noElement(l)), outside);
      };
      if (!base.shape.length || probe.length < base.shape.length) return read(home.memory, probe);
      if (l.tensor === base) return read(home.memory, home.at(indices));
      const view = reshape(home.memory, [...home.memory.shape.slice(0, lead.length), ...l.tensor.shape]);
      return read(view, [...lead, ...indices]);
    });
  }
  private homeOf(base: Node): Home | undefined {
    if (base.kind === "result") {
      const s = base.scan;
      if (base.of.kind === "stack") return { memory: this.stacks.get(s)!.get(base.of.node)!, at: (i) => i };
      const memory = this.histories.get(s)![base.of.carry]!;
      return base.of.kind === "history"
        ? { memory, at: (i) => i }
        : rowHome(memory, base, integer(s.reverse ? 0 : s.count));
    }
    if (base.kind === "source" && base.role === "carry") {
      for (const [s, list] of this.histories) {
        const j = s.carries.findIndex((c) => c.incoming === base);
        if (j >= 0) return rowHome(list[j]!, base, s.reverse ? iadd(s.step, 1) : s.step);
      }
    }
    return this.homes.get(base)?.[0];
  }
  isRead(x: Node, group: Group): boolean {
    if (this.homes.get(x)?.some((h) => !(h.memory.kind === "source" && h.memory.path === "numbers"))) return true;
    if (this.flat?.views.has(x) || this.program.outputs.some((o) => baseOf(o.node) === x)) return true;
    return [...(this.readers().get(x) ?? [])].some((y) => !group.nodes.includes(y)) || this.isCopied(x);
  }
  /** Read by a copy, be it under another shape. */
  private isCopied(x: Node): boolean {
    return this.copies.some((c) => this.copyReads(c.from).includes(x));
  }
  private readerTable: Map<Node, Set<Node>> | undefined;
  private readers(): Map<Node, Set<Node>> {
    if (this.readerTable) return this.readerTable;
    const table = new Map<Node, Set<Node>>();
    for (const y of this.order) {
      if (
        y.kind === "source" ||
        y.kind === "reshape" ||
        y.kind === "result" ||
        !this.stored.has(y) ||
        this.pieces.has(y)
      )
        continue;
      for (const z of this.reads(y)) table.set(z, (table.get(z) ?? new Set()).add(y));
    }
    return (this.readerTable = table);
  }
  /** Memory nodes that a stored node reads once its pointwise inputs are written out. */
  private reads(x: Node): readonly Node[] {
    return this.flat?.updatedBy.has(x) ? [] : inlinedReads(x, this.stored);
  }

  // ---- one level: the whole program, or the body of a scan
  private level(scan: Scan | undefined): Step[] {
    const groups: Group[] = [];
    const groupOf = new Map<Node, Group>();
    const scanGroups = new Map<Scan, Group>();
    const make = (g: Omit<Group, "before" | "after" | "alive" | "version">): Group => {
      const made: Group = { ...g, before: new Set(), after: new Set(), alive: true, version: 0 };
      groups.push(made);
      return made;
    };
    const here = this.order.filter((x) => innermost(x, this.scans) === scan);
    for (const x of here) {
      if (x.kind === "source" || x.kind === "reshape") continue;
      if (x.kind === "result") {
        let g = scanGroups.get(x.scan);
        if (!g)
          scanGroups.set(
            x.scan,
            (g = make({ kind: "scan", scan: x.scan, nodes: [], domain: [], rank: this.rank.get(x)! })),
          );
        groupOf.set(x, g);
      } else if (this.stored.has(x) && !this.flat?.updatedBy.has(x) && !this.pieces.has(x) && !isEmpty(x))
        groupOf.set(x, make({ kind: "kernel", nodes: [x], domain: coreOf(x.shape), rank: this.rank.get(x)! }));
    }
    for (const x of here) {
      const update = this.flat?.updatedBy.get(x);
      if (update) groupOf.set(x, groupOf.get(update)!);
    }
    for (const c of this.copies)
      if (c.scan === scan && !isEmpty(c.from)) {
        // a carry's first row belongs in front of its loop, with it
        const loop = [...scanGroups.keys()].find((s) =>
          this.histories.get(s)!.includes(baseOf(c.home.memory) as Source),
        );
        const g = make({
          kind: "copy",
          copy: c,
          nodes: [],
          domain: coreOf(c.from.shape),
          rank: loop ? scanGroups.get(loop)!.rank - 0.5 : (this.rank.get(c.from) ?? 0) + 0.5,
        });
        if (loop) link(g, scanGroups.get(loop)!);
      }
    // copies out of a body run after all that read the row they overwrite: rows differ, so nothing is needed

    // edges: what is read, then what must have been read before it is overwritten
    const readBy = new Map<Group, readonly Node[]>();
    for (const g of groups) {
      const placed =
        g.kind === "copy"
          ? [[g.copy!.from, g.copy!.home] as const]
          : g.nodes.flatMap((x) => (this.homes.get(x) ?? []).map((h) => [x, h] as const));
      const reads = [
        ...(g.kind === "scan"
          ? this.scanReads(g.scan!)
          : g.kind === "copy"
            ? this.copyReads(g.copy!.from)
            : g.nodes.flatMap((x) => this.reads(x))),
        ...placed.flatMap(([x, h]) => tensorsOf(h.at(x.shape.map(() => integer(0))))), // where it is written may be data
      ];
      readBy.set(g, reads);
      for (const y of reads) {
        for (const z of this.partsOf(y) ?? [y]) {
          const p = groupOf.get(z);
          if (p && p !== g) link(p, g);
        }
      }
    }
    if (!scan) this.antiEdges(groups, readBy);
    this.merge(groups);
    if (!scan) this.checkInPlace(groups);
    const sorted = this.sort(groups.filter((g) => g.alive));
    if (!sorted) return [];
    return sorted.flatMap((g): Step[] => (g.kind === "scan" ? this.scanStep(g.scan!) : [emitKernel(g, this)]));
  }
  /** What is written to the memory of this node, where the node is not computed itself. */
  private partsOf(y: Node): readonly Node[] | undefined {
    return (
      this.pieces.get(y)?.flatMap(({ node }) => this.partsOf(node) ?? [node]) ?? this.flat?.assembled.get(y as Source)
    );
  }
  private copyReads(from: Node): readonly Node[] {
    return this.stored.has(from) || from.kind === "source" || from.kind === "result"
      ? [from]
      : inlinedReads(from, this.stored);
  }
  /** What a loop reads from outside of it. */
  private scanReads(s: Scan): Node[] {
    const found = new Set<Node>();
    const roots = [...s.carries.map((c) => c.next), ...(this.stacks.get(s)?.keys() ?? [])];
    for (const x of topological(roots, (y) => !y.scans.has(s), this.inputsOf)) {
      const base = baseOf(x);
      if (base.scans.has(s)) continue;
      if (base.kind === "source" || base.kind === "result" || this.stored.has(base)) found.add(base);
      else for (const y of inlinedReads(base, this.stored)) found.add(y);
    }
    return [...found];
  }
  private scanStep(s: Scan): Step[] {
    const body = this.level(s);
    return [
      {
        kind: "loop",
        scan: s,
        body,
        reads: new Set(body.flatMap((x) => [...x.reads])),
        writes: new Set(body.flatMap((x) => [...x.writes])),
      },
    ];
  }

  // ---- updates in place
  /** The range of a flat buffer, or the whole of another source. */
  private rangeOf(x: Node): { memory: Node; low: number; high: number } {
    const v = this.flat?.views.get(x);
    const n = sizeOf(x.shape);
    return v ? { memory: v.memory, low: v.offset, high: v.offset + n } : { memory: x, low: 0, high: n };
  }
  private overlaps(a: Node, b: Node): boolean {
    const [x, y] = [this.rangeOf(a), this.rangeOf(b)];
    return x.memory === y.memory && x.low < y.high && y.low < x.high;
  }
  private writtenStates(g: Group): Source[] {
    const rows = g.nodes.flatMap((x) => (this.homes.get(x) ?? []).flatMap((h) => stateOf(h)));
    return [...new Set([...rows, ...(g.copy ? stateOf(g.copy.home) : [])])];
  }
  private antiEdges(groups: readonly Group[], readBy: ReadonlyMap<Group, readonly Node[]>): void {
    const readers = new Map<Node, { h: Group; y: Node }[]>(); // by memory
    for (const [h, reads] of readBy)
      for (const y of reads) {
        if (y.kind !== "source") continue;
        const { memory } = this.rangeOf(y);
        const list = readers.get(memory);
        if (list) list.push({ h, y });
        else readers.set(memory, [{ h, y }]);
      }
    for (const g of groups)
      for (const s of this.writtenStates(g))
        for (const { h, y } of readers.get(this.rangeOf(s).memory) ?? [])
          if (h !== g && this.overlaps(y, s)) link(h, g);
  }
  /** A kernel that writes a state may read only the element that it writes. */
  private checkInPlace(groups: readonly Group[]): void {
    for (const g of groups) {
      if (!g.alive || g.kind !== "kernel") continue;
      for (const target of this.unsafeStates(g.nodes, g.domain)) this.retry.add(target);
    }
  }
  private unsafeStates(nodes: readonly Node[], domain: Shape): Source[] {
    const rows = nodes.some((x) => coreOf(x.shape).length > domain.length);
    return nodes.flatMap((writer) => {
      const target = this.aliasOf.get(writer);
      if (!target) return [];
      const bad = nodes.some((x) => {
        if (!this.reads(x).some((y) => y.kind === "source" && this.overlaps(y, target))) return false;
        // rows are stored one after the other, after the reductions
        if (rows && x !== writer && !(x.kind === "compute" && x.reduction)) return true;
        return (
          x.kind !== "compute" ||
          x.reduction !== undefined ||
          !readsOwnElement(this.inliner.compute(x), target, (y) => this.overlaps(y, target))
        );
      });
      return bad ? [target] : [];
    });
  }

  // ---- merging
  private merge(groups: Group[]): void {
    const refused = new Map<Group, Map<Group, number>>(); // pairs that did not fit, by their versions
    const joined = (a: Group, b: Group): boolean => {
      const versions = a.version * 65536 + b.version;
      if (refused.get(a)?.get(b) === versions) return false;
      const domain = this.fits([...a.nodes, ...b.nodes]);
      if (!domain || reaches(a, b)) {
        // a way round stays one until a part of it joins a or b
        if (!refused.has(a)) refused.set(a, new Map());
        refused.get(a)!.set(b, versions);
        return false;
      }
      join(a, b, domain);
      return true;
    };
    const join = (a: Group, b: Group, domain: Shape): void => {
      a.version++;
      a.nodes = [...a.nodes, ...b.nodes].sort((x, y) => this.rank.get(x)! - this.rank.get(y)!);
      a.domain = domain;
      a.rank = Math.min(a.rank, b.rank);
      for (const p of b.before) {
        p.after.delete(b);
        if (p !== a) link(p, a);
      }
      for (const n of b.after) {
        n.before.delete(b);
        if (n !== a) link(a, n);
      }
      a.before.delete(a);
      a.after.delete(a);
      a.before.delete(b);
      a.after.delete(b);
      b.alive = false;
    };
    // pointwise groups that hang together over the same axes, all at once: what only they read needs no memory, so the whole may fit where no half does
    const seen = new Set<Group>();
    for (const g of groups) {
      if (!isPointwise(g) || seen.has(g)) continue;
      const cluster = new Set([g]);
      for (const x of cluster)
        for (const y of [...x.before, ...x.after]) if (isPointwise(y) && sameShape(y.domain, g.domain)) cluster.add(y);
      for (const x of cluster) seen.add(x);
      const domain =
        cluster.size > 2 && convex(cluster)
          ? this.fits([...cluster].flatMap((x) => x.nodes).sort((x, y) => this.rank.get(x)! - this.rank.get(y)!))
          : undefined;
      if (domain) for (const x of cluster) if (x !== g) join(g, x, domain);
    }
    // a producer with its consumer: first where both run over the same axes, then rows, last what a single invocation can do
    const phases: ((a: Group, b: Group) => boolean)[] = [
      (a, b) => sameShape(a.domain, b.domain),
      (a, b) => a.domain.length > 0 && b.domain.length > 0,
      () => true,
    ];
    for (const allowed of phases) {
      for (let again = true; again;) {
        again = false;
        for (const b of groups.filter((g) => g.alive && g.kind === "kernel").sort((x, y) => x.rank - y.rank)) {
          for (const a of [...b.before].sort((x, y) => y.rank - x.rank)) {
            if (!b.alive || a.kind !== "kernel" || !a.alive || !allowed(a, b)) continue;
            if (joined(a, b)) again = true;
          }
        }
      }
    }
    // neighbours over one domain that do not depend on each other: numbers, and reductions that read the same
    const byDomain = new Map<string, Group[]>();
    for (const g of groups) {
      if (!g.alive || g.kind !== "kernel") continue;
      const key = g.domain.map((n) => (typeof n === "number" ? n : `#${n.id}`)).join(",");
      byDomain.set(key, [...(byDomain.get(key) ?? []), g]);
    }
    for (const list of byDomain.values()) {
      const kin = list.map((g) => this.kinOf(g));
      for (const [i, a] of list.entries()) {
        if (!a.alive) continue;
        for (let j = i + 1; j < Math.min(list.length, i + 40); j++) {
          const b = list[j]!;
          if (!b.alive || !areSiblings(kin[i]!, kin[j]!, a.domain) || reaches(a, b) || reaches(b, a)) continue;
          if (!a.after.has(b) && !b.after.has(a) && joined(a, b)) kin[i] = this.kinOf(a);
        }
      }
    }
  }
  private kinOf({ nodes }: Group): Kin {
    const reduced = nodes.map((x) =>
      x.kind === "compute" && x.reduction && !isContraction(x) ? x.reduction.extents.join(",") : "",
    );
    return {
      small: nodes.every(
        (x) => x.kind === "compute" && (!x.reduction || sizeOf(x.reduction.extents) <= this.limits.smallReduction),
      ),
      wholes: new Set(nodes.flatMap((x) => this.wholesOf.get(x) ?? [])),
      reduced: reduced.every((x) => x === reduced[0]) ? reduced[0]! : "",
      pointwise: nodes[0]!.kind === "compute" && !nodes[0]!.reduction,
      updates: nodes.every((x) => this.aliasOf.has(x)),
      reads: new Set(nodes.flatMap((x) => this.reads(x)).filter((y) => sizeOf(y.shape) > 1)),
    };
  }
  /** The domain of a kernel that computes both, or undefined where one launch cannot. */
  private fits(all: readonly Node[]): Shape | undefined {
    if (all.some((x) => x.kind !== "compute")) return undefined;
    const nodes = all as Compute[];
    const contraction = nodes.some(isContraction);
    const domain = mergedDomain(nodes);
    if (!domain) return undefined;
    const exact = nodes.every((x) => coreOf(x.shape).length === domain.length);
    if (contraction && (!exact || nodes.filter((x) => x.reduction).length > 1)) return undefined;
    if (
      contraction &&
      nodes.reduce((sum, x) => sum + (x.reduction ? 0 : this.inliner.arithmeticCost(x)), 0) >
        this.limits.longestEpilogue
    )
      return undefined;
    if (!exact) {
      const widest = Math.max(...nodes.map((x) => sizeOf(x.shape)));
      const rows = sizeOf(domain);
      if (rows < this.limits.leastRows ? widest > this.limits.fewRowsLimit : widest / rows > this.limits.longestRow)
        return undefined;
    }
    // numbers go with numbers: a long sum keeps its launch, and what follows it may join
    if (
      !domain.length &&
      exact &&
      nodes.filter((x) => x.reduction && sizeOf(x.reduction.extents) > this.limits.smallReduction).length > 1
    )
      return undefined;
    if (this.unsafeStates(nodes, domain).some((s) => !this.notInPlace.has(s))) return undefined;
    const inside = new Set<Node>(nodes);
    for (const x of nodes) {
      for (const y of this.reads(x)) {
        // through a flat buffer a value is handed on in memory only
        if (this.partsOf(y)?.some((part) => inside.has(part)) || inside.has(this.flat?.updatedBy.get(y) as Node))
          return undefined;
        if (!inside.has(y) || y.kind !== "compute") continue;
        if (!aligned(this.inliner.compute(x), y, domain.length)) return undefined;
        // a value that a reduction or a row computes again must be cheap
        if (!y.reduction && (x.reduction || !exact) && this.inliner.cost(y) > this.limits.recomputeLimit)
          return undefined;
      }
    }
    return this.boundBy(nodes, inside).size <= this.target.storageBuffers ? domain : undefined;
  }
  /** The memory that a kernel of these nodes binds. */
  private boundBy(nodes: readonly Node[], inside: ReadonlySet<Node> = new Set(nodes)): Set<Node> {
    const memory = new Set<Node>();
    for (const x of nodes) {
      for (const y of this.reads(x)) if (!inside.has(y)) memory.add(this.boundFor(y));
      if (this.isReadOutside(x, inside))
        for (const h of this.homesOf(x)) for (const y of this.boundByHome(h, x)) memory.add(y);
    }
    return memory;
  }
  /** ... of the node alone, or of a copy of it. */
  private boundAlone(x: Node, reads: readonly Node[], homes: readonly Home[]): Set<Node> {
    return new Set([...reads.map((y) => this.boundFor(y)), ...homes.flatMap((h) => this.boundByHome(h, x))]);
  }
  private boundFor(y: Node): Node {
    return baseOf(this.homeOf(y)?.memory ?? y);
  }
  private boundByHome(h: Home, x: Node): Node[] {
    const places = tensorsOf(h.at(x.shape.map(() => integer(0))).map((e) => this.place(e)));
    return [h.memory, ...places].map(baseOf);
  }
  /**
   * Does every kernel that cannot be smaller (one node, or one copy) bind no more buffers than the target has? Else `found` learns what helps:
   * an input is stored instead of written out in its readers; a second home is written by a copy; a state is not updated in place.
   */
  narrow(): boolean {
    const most = this.target.storageBuffers;
    let fits = true;
    for (const x of this.order) {
      if (x.kind === "source" || x.kind === "reshape" || x.kind === "result" || !this.stored.has(x)) continue;
      if (
        this.pieces.has(x) ||
        this.flat?.updatedBy.has(x) ||
        this.boundAlone(x, this.reads(x), this.homesOf(x)).size <= most
      )
        continue;
      fits = false;
      if (this.storeInputs(x)) continue;
      const homes = this.homesOf(x);
      const alias = this.aliasOf.get(x);
      if (homes.length > 1 && !this.found.oneHome.has(x)) this.found.oneHome.add(x);
      else if (this.wholesOf.has(x)) for (const y of this.wholesOf.get(x)!) this.found.whole.add(y);
      else if (alias) this.found.notInPlace.add(alias);
      else
        throw new InternalError(
          `fuse: ${x.label ?? x.kind} alone binds ${this.boundAlone(x, this.reads(x), homes).size} buffers`,
        );
    }
    for (const { from, home } of this.copies) {
      if (this.boundAlone(from, this.copyReads(from), [home]).size <= most) continue;
      fits = false;
      if (!this.storeInputs(from))
        throw new InternalError(`fuse: a copy of ${from.label ?? from.kind} binds too many buffers`);
    }
    return fits;
  }
  /** Stores the input of a node that brings most reads with it. */
  private storeInputs(x: Node): boolean {
    const inlined = this.inputsOf(x)
      .map(baseOf)
      .filter((y) => y.kind === "compute" && !y.reduction && !this.stored.has(y));
    const widest = inlined.sort((a, b) => inlinedReads(b, this.stored).length - inlinedReads(a, this.stored).length)[0];
    if (widest) this.found.stored.add(widest);
    return widest !== undefined;
  }
  private copyOtherHomes(): void {
    for (const x of this.found.oneHome) {
      const [first, ...rest] = this.homes.get(x) ?? [];
      if (!first || !rest.length) continue;
      if (this.wholesOf.has(x)) {
        for (const y of this.wholesOf.get(x)!) this.found.whole.add(y);
        continue;
      }
      const alias = this.aliasOf.get(x);
      if (alias && rest.some((h) => stateOf(h).includes(alias))) this.found.notInPlace.add(alias);
      this.homes.set(x, [first]);
      for (const home of rest) this.copies.push({ from: x, home, scan: innermost(x, this.scans) });
    }
  }
  private isReadOutside(x: Node, inside: ReadonlySet<Node>): boolean {
    return (
      this.homes.has(x) ||
      this.flat?.views.has(x) === true ||
      this.program.outputs.some((o) => baseOf(o.node) === x) ||
      [...(this.readers().get(x) ?? [])].some((y) => !inside.has(y)) ||
      this.isCopied(x)
    );
  }

  /** Kahn's algorithm, the earliest in the program first. A cycle is broken by giving up an update in place. */
  private sort(groups: readonly Group[]): Group[] | undefined {
    const waiting = new Map(groups.map((g) => [g, [...g.before].filter((p) => p.alive).length]));
    const ready = groups.filter((g) => waiting.get(g) === 0).sort((a, b) => b.rank - a.rank);
    const result: Group[] = [];
    while (ready.length) {
      const g = ready.pop()!;
      result.push(g);
      for (const n of g.after) {
        if (!n.alive) continue;
        const left = waiting.get(n)! - 1;
        waiting.set(n, left);
        if (left) continue;
        let i = ready.length;
        while (i > 0 && ready[i - 1]!.rank < n.rank) i--;
        ready.splice(i, 0, n);
      }
    }
    if (result.length === groups.length) return result;
    const stuck = groups.filter((g) => !result.includes(g));
    const states = stuck.flatMap((g) => this.writtenStates(g)).filter((s) => !this.notInPlace.has(s));
    if (!states.length)
      throw new InternalError(
        `fuse: the kernels ${stuck.map((g) => g.nodes.at(-1)?.label ?? g.kind).join(", ")} wait for each other`,
      );
    this.retry.add(states[0]!);
    return undefined;
  }
}

const isEmpty = (x: Node): boolean => x.shape.includes(0);
const link = (a: Group, b: Group): void => {
  a.after.add(b);
  b.before.add(a);
};
/** Does b follow from a through other groups? Both are followed in turn: where the smaller part of the graph ends, the search does. */
function reaches(a: Group, b: Group): boolean {
  const after = new Set([...a.after].filter((g) => g !== b));
  const before = new Set([...b.before].filter((g) => g !== a));
  const [down, up] = [after.values(), before.values()]; // they see what is added on the way
  for (;;) {
    const g = down.next().value as Group | undefined;
    const h = up.next().value as Group | undefined;
    if (!g || !h) return false;
    if (before.has(g) || after.has(h)) return true;
    for (const n of g.after) after.add(n);
    for (const p of h.before) before.add(p);
  }
}
const isPointwise = (g: Group): boolean =>
  g.alive && g.kind === "kernel" && g.domain.length > 0 && g.nodes.every((x) => x.kind === "compute" && !x.reduction);
/** Does no way lead from the set out and back into it? */
function convex(set: ReadonlySet<Group>): boolean {
  const outside = new Set([...set].flatMap((g) => [...g.after]).filter((g) => !set.has(g)));
  for (const g of outside)
    for (const n of g.after) {
      if (set.has(n)) return false;
      outside.add(n);
    }
  return true;
}
const stateOf = (h: Home): Source[] => {
  const base = baseOf(h.memory);
  return base.kind === "source" && (base.role === "parameter" || base.role === "state") ? [base] : [];
};
const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, d) => n === b[d]);
const memoryLike = (x: Node, shape: Shape, label: string): Source =>
  source({ role: "carry", path: label, shape, dtype: x.dtype, label, ...(x.range ? { range: x.range } : {}) });
/** What is read where the choice of what is outside discards it. */
const noElement = (l: Load): Scalar =>
  l.dtype === "i32" ? integer(0) : l.dtype === "bool" ? boolean(false) : literal(0);
/** Row `row` of a memory of rows, for a node that may have another shape than they. */
function rowHome(memory: Source, node: Node, row: Integer): Home {
  const shape: Shape = [memory.shape[0]!, ...node.shape];
  const view = sameShape(shape, memory.shape) ? memory : reshape(memory, shape);
  return { memory: view, at: (own) => [row, ...own] };
}
function innermost(x: Node, scans: ReadonlySet<Scan>): Scan | undefined {
  let best: Scan | undefined;
  for (const s of x.scans) if (scans.has(s) && (!best || s.scans.has(best))) best = s;
  return best;
}
const outerScan = (s: Scan, scans: ReadonlySet<Scan>): Scan | undefined => {
  let best: Scan | undefined;
  for (const o of s.scans) if (scans.has(o) && (!best || o.scans.has(best))) best = o;
  return best;
};
const meet = <T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean => {
  for (const x of a) if (b.has(x)) return true;
  return false;
};
/** May groups over one domain that do not depend on each other share a launch? */
function areSiblings(a: Kin, b: Kin, domain: Shape): boolean {
  if (!domain.length) return a.small && b.small;
  if (meet(a.wholes, b.wholes)) return true;
  const alike = a.reduced !== "" ? a.reduced === b.reduced : a.pointwise && a.updates && b.updates;
  return alike && meet(a.reads, b.reads);
}
/** Every load of the state in this body is of the element that is computed, under the state's own name. */
function readsOwnElement(x: Compute, target: Source, overlaps: (y: Node) => boolean): boolean {
  const own = (e: Integer, d: number): boolean =>
    x.shape[d] === 1 ? constantOf(e) === 0 : e.kind === "variable" && e.position === d;
  return loadsIn(x).every((l) => {
    const base = baseOf(l.tensor);
    return (
      base.kind !== "source" ||
      !overlaps(base) ||
      (l.tensor === target && !l.outside && sameShape(x.shape, target.shape) && l.indices.every(own))
    );
  });
}
/**
 * `select(i == e, value, target[i, j])` for all i, j, with e and value the same for all i: one row is written. Later axes are few and
 * written out. Undefined where the body has another form.
 */
function rowStores(x: Compute, target: Source): { indices: readonly Integer[]; value: Scalar }[] | undefined {
  const { body } = x;
  if (
    body.kind !== "select" ||
    body.otherwise.kind !== "load" ||
    body.otherwise.tensor !== target ||
    body.otherwise.outside
  )
    return undefined;
  if (
    !body.otherwise.indices.every((e, d) =>
      x.shape[d] === 1 ? constantOf(e) === 0 : e.kind === "variable" && e.position === d,
    )
  )
    return undefined;
  if (body.condition.kind !== "equal_zero" || typeof x.shape[0] !== "number" || x.shape[0] === 1) return undefined;
  const rest = x.shape.slice(1);
  if (rest.some((n) => typeof n !== "number") || sizeOf(rest) > 16) return undefined;
  // a0 - e == 0
  const { operand } = body.condition;
  const terms = operand.kind === "affine" ? operand.terms : [[operand, 1] as const];
  const [first, step] = terms.find(([atom]) => atom.kind === "variable" && atom.position === 0) ?? [];
  if (first?.kind !== "variable" || Math.abs(step!) !== 1) return undefined;
  const row = substitute(operand, new Map<Scalar, Scalar>([[first, integer(0)]])) as Integer;
  const e = step === 1 ? imul(row, -1) : row;
  if (e.variables.size || body.then.variables.has(first)) return undefined;
  const result: { indices: readonly Integer[]; value: Scalar }[] = [];
  const axes = [...body.variables].filter((v) => v.position !== undefined && v.position > 0);
  const walk = (d: number, at: number[]): void => {
    if (d < rest.length) {
      for (let k = 0; k < (rest[d] as number); k++) walk(d + 1, [...at, k]);
      return;
    }
    const value = substitute(body.then, new Map(axes.map((v) => [v as Scalar, integer(at[v.position! - 1]!)])));
    result.push({ indices: [e, ...at.map((k) => integer(k))], value });
  };
  walk(0, []);
  return result;
}
