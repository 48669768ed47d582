// Fusion: a graph program to kernels in order. A pointwise node is computed where it is read, unless that would repeat work; what is
// left in memory is grouped: pointwise results join the kernel of the reduction they follow (epilogues), rows that are reduced and used
// again stay in one kernel (softmax, layer norm), scalars share a launch. Loads in a kernel name memory only: sources, stored nodes,
// the histories and stacks of scans.
import { InternalError, place } from "../../grammar/diagnostic.ts";
import { baseOf, bodyAt, instantiate, inputs, reshape, source, tensorsOf, topological } from "../graph/node.ts";
import { printNode } from "../graph/print.ts";
import { and, axis, equal, iadd, inRange, integer, load, local, scalarOrder, select, substitute, variable, visit } from "../graph/scalar.ts";
import type { Compute, Extent, GraphProgram, Integer, Load, Node, Scalar, Scan, Scatter, Shape, Source, Variable } from "../graph/types.ts";
import type { KernelSpec, Stage, Store } from "./kernel.ts";
import { wgslName } from "./lower.ts";
import type { Target } from "./target.ts";

export type Step =
  | { readonly kind: "kernel"; readonly spec: KernelSpec; readonly reads: ReadonlySet<Node>; readonly writes: ReadonlySet<Node>; readonly nodes: readonly Node[] }
  | { readonly kind: "loop"; readonly scan: Scan; readonly body: readonly Step[]; readonly reads: ReadonlySet<Node>; readonly writes: ReadonlySet<Node> };
export interface KernelGraph {
  readonly steps: readonly Step[];
  /** Where the value of an output or update lies: a memory node, which may be a Source. */
  readonly home: (node: Node) => Node;
}

const levels = (node: Node): readonly Node[] => (node.kind === "result" ? [...node.scan.carries.map((c) => c.initial), ...bodyInputs(node.scan)] : inputs(node));
const bodyInputCache = new WeakMap<Scan, Node[]>();
/** What the body of a scan reads from outside of it. */
function bodyInputs(s: Scan, extra: readonly Node[] = []): Node[] {
  const known = bodyInputCache.get(s);
  if (known && !extra.length) return known;
  const roots = [...s.carries.map((c) => c.next), ...extra];
  const found = topological(roots, (x) => !x.scans.has(s), levels).filter((x) => !x.scans.has(s));
  if (!extra.length) bodyInputCache.set(s, found);
  return found;
}

/** Rough cost of one evaluation of a body, in loads. */
function costOf(body: Scalar): number {
  let cost = 0;
  visit(body, (e) => {
    if (e.kind === "load") cost += 1;
    else if (e.kind === "random") cost += 10;
    else if (e.kind === "call") cost += e.fn.cost === "fn" ? 2 : e.fn.cost === "div" ? 0.4 : 0.1;
    else if (e.kind === "select") cost += 0.1;
  });
  return cost;
}
const estimate = (n: Extent): number => (typeof n === "number" ? n : 64);
const sizeOf = (shape: Shape): number => shape.reduce<number>((p, n) => p * estimate(n), 1);

export function fuse(program: GraphProgram, target: Target): KernelGraph {
  return new Fuser(program, target).run();
}

class Fuser {
  private readonly program: GraphProgram;
  private readonly target: Target;
  private readonly stored = new Set<Node>(); // has memory of its own
  private readonly histories = new Map<Scan, Source[]>();
  private readonly stacks = new Map<Scan, Map<Node, Source>>();
  private readonly scans = new Set<Scan>();
  private readonly order: Node[];
  private readonly updateOf = new Map<Node, Source>();

  constructor(program: GraphProgram, target: Target) {
    this.program = program;
    this.target = target;
    const roots = [...program.outputs.map((o) => o.node), ...program.updates.map((u) => u.value)];
    this.order = allNodes(roots);
    for (const u of program.updates) this.updateOf.set(baseOf(u.value), u.target);
  }

  run(): KernelGraph {
    for (const x of this.order) {
      if (x.kind !== "result") continue;
      const s = x.scan;
      if (!this.scans.has(s)) {
        this.scans.add(s);
        this.histories.set(s, s.carries.map((c) => source({ role: "carry", path: `${c.incoming.path}.history`, shape: [s.count + 1, ...c.incoming.shape], dtype: c.incoming.dtype, label: `${c.incoming.path}_history`, ...(c.incoming.range ? { range: c.incoming.range } : {}) })));
        this.stacks.set(s, new Map());
      }
      if (x.of.kind === "stack" && !this.stacks.get(s)!.has(x.of.node)) {
        const node = x.of.node;
        this.stacks.get(s)!.set(node, source({ role: "carry", path: "stack", shape: [s.count, ...node.shape], dtype: node.dtype, label: `${node.label ?? "values"}_steps`, ...(node.range ? { range: node.range } : {}) }));
      }
    }
    this.decide();
    const steps = this.level(undefined, this.order);
    return { steps, home: (node) => this.memory(baseOf(node)) };
  }

  /** The memory that holds a node's value at top level. */
  private memory(base: Node): Node {
    if (base.kind === "result") {
      if (base.of.kind === "stack") return this.stacks.get(base.scan)!.get(base.of.node)!;
      return this.histories.get(base.scan)![base.of.carry]!;
    }
    return base;
  }

  // ---- which nodes get memory
  private decide(): void {
    const users = new Map<Node, Node[]>();
    const forced = new Set<Node>();
    for (const x of this.order) {
      for (const y of inputs(x)) {
        if (x.kind === "result") continue;
        if (!users.has(y)) users.set(y, []);
        users.get(y)!.push(x);
      }
      if (x.kind === "reshape") forced.add(baseOf(x));
      if (x.kind === "result" && x.of.kind === "stack") forced.add(baseOf(x.of.node));
    }
    for (const s of this.scans) for (const c of s.carries) {
      forced.add(baseOf(c.next));
      forced.add(baseOf(c.initial));
    } // prettier-ignore
    for (const o of this.program.outputs) forced.add(baseOf(o.node));
    for (const u of this.program.updates) forced.add(baseOf(u.value));
    // consumers before producers: a node's evaluations are known when it is decided
    const evaluations = new Map<Node, number>();
    const leaves = new Map<Node, Set<Node>>(); // memory that an inlined node reads
    for (const x of this.order) {
      if (x.kind === "source" || x.kind === "result" || x.kind === "scatter" || (x.kind === "compute" && x.reduction) || forced.has(x)) if (x.kind !== "reshape") this.stored.add(x);
    }
    for (let i = this.order.length - 1; i >= 0; i--) {
      const x = this.order[i]!;
      if (x.kind !== "compute" || this.stored.has(x)) continue;
      const size = sizeOf(x.shape);
      let total = 0;
      let inReduction = false;
      for (const u of users.get(x) ?? []) {
        if (u.kind === "reshape") continue;
        const iterations = u.kind === "compute" ? sizeOf([...u.shape, ...(u.reduction?.extents ?? [])]) : u.kind === "scatter" ? sizeOf(u.over) * estimate(u.shape[0] ?? 1) : size;
        const own = u.kind === "compute" && !this.stored.has(u) ? Math.max(1, (evaluations.get(u) ?? 1) / Math.max(1, sizeOf(u.shape))) : 1;
        total += countLoads(u, x) * Math.min(iterations, dependentIterations(u, x)) * own;
        if (u.kind === "compute" && u.reduction) inReduction = true;
      }
      evaluations.set(x, total);
      const cost = costOf(x.body);
      const plain = x.body.kind === "load"; // a permuted or sliced read
      const repeated = total / Math.max(1, size);
      // in memory: a store, `repeated` loads; computed where it is read: cost each time
      const memory = 2 + repeated;
      const inline = plain ? true : repeated <= 1.01 || cost * repeated <= memory * 1.2 || (cost <= 1.3 && !inReduction);
      if (!inline) this.stored.add(x);
    }
    // no kernel may read more tensors than it can bind
    for (const x of this.order) {
      const own = new Set<Node>();
      for (const y of inputs(x)) {
        const base = baseOf(y);
        if (this.stored.has(base)) own.add(base);
        else for (const z of leaves.get(base) ?? []) own.add(z);
      }
      if (x.kind === "compute" && own.size > this.target.storageBuffers - 2) {
        // the inlined inputs that read most get memory
        const inlined = inputs(x).map(baseOf).filter((y) => !this.stored.has(y)).sort((a, b) => (leaves.get(b)?.size ?? 0) - (leaves.get(a)?.size ?? 0)); // prettier-ignore
        for (const y of inlined) {
          if (own.size <= this.target.storageBuffers - 2) break;
          this.stored.add(y);
          own.clear();
          for (const z of inputs(x)) {
            const base = baseOf(z);
            if (this.stored.has(base)) own.add(base);
            else for (const w of leaves.get(base) ?? []) own.add(w);
          }
        }
        if (own.size > this.target.storageBuffers - 1) throw new InternalError(`fuse: one value reads ${own.size} tensors`);
      }
      leaves.set(x, own);
    }
  }

  // ---- one level: the whole program, or the body of a scan
  private level(scan: Scan | undefined, nodes: readonly Node[]): Step[] {
    const here = nodes.filter((x) => homeScan(x, this.scans) === scan);
    const groups: Group[] = [];
    const groupOf = new Map<Node, Group>();
    const scanGroups = new Map<Scan, Group>();
    for (const x of here) {
      if (x.kind === "source" || x.kind === "reshape") continue;
      if (x.kind === "result") {
        if (scanGroups.has(x.scan)) {
          groupOf.set(x, scanGroups.get(x.scan)!);
          continue;
        }
        const g: Group = { id: groups.length, kind: "scan", scan: x.scan, nodes: [], domain: [], contraction: false, row: false };
        groups.push(g);
        scanGroups.set(x.scan, g);
        groupOf.set(x, g);
        continue;
      }
      if (!this.stored.has(x)) continue;
      const g = this.join(x, groupOf) ?? { id: groups.length, kind: "kernel" as const, nodes: [], domain: x.shape, contraction: isContraction(x), row: false };
      if (!groups.includes(g)) groups.push(g);
      g.nodes.push(x);
      if (x.shape.length > g.domain.length) g.row = true;
      groupOf.set(x, g);
    }
    // scalars share launches
    this.mergeScalars(groups, groupOf);
    // a scan's results need everything that its body reads
    const steps = new Map<Group, Step[]>();
    for (const g of groups) {
      if (g.dead) continue;
      if (g.kind === "scan") steps.set(g, this.scanSteps(g.scan!));
      else steps.set(g, [this.kernelStep(g)]);
    }
    return this.inOrder(groups.filter((g) => !g.dead), steps, groupOf);
  }

  /** A group that a node may join: one that computes an input of it over the same leading axes. */
  private join(x: Node, groupOf: ReadonlyMap<Node, Group>): Group | undefined {
    if (x.kind !== "compute") return undefined;
    if (this.updateOf.has(x) && x.reduction) return undefined;
    const memories = this.memoryInputs(x);
    const candidates = new Set<Group>();
    for (const y of memories) {
      const g = groupOf.get(y);
      if (g && g.kind === "kernel") candidates.add(g);
    }
    for (const g of [...candidates].sort((a, b) => b.id - a.id)) {
      if (this.fits(x, g, memories, groupOf)) return g;
    }
    return undefined;
  }
  private fits(x: Compute, g: Group, memories: readonly Node[], groupOf: ReadonlyMap<Node, Group>): boolean {
    const d = g.domain.length;
    if (g.nodes.some((y) => y.kind === "scatter")) return false;
    if (x.shape.length < d || g.domain.some((n, i) => x.shape[i] !== n)) return false;
    const exact = x.shape.length === d;
    if (x.reduction && !exact) return false;
    if (g.contraction && (!exact || x.reduction)) return false;
    if (!g.contraction && isContraction(x)) return false;
    // a row of one element a thread: many short rows, or few rows that a workgroup shares
    if (!exact && d === 0 && sizeOf(x.shape) > 4096) return false;
    if (!exact && g.nodes.every((y) => y.kind === "compute" && !y.reduction)) return false;
    // the joined nodes are read at their own position
    for (const y of memories) if (groupOf.get(y) === g && !this.aligned(x, y, d)) return false;
    // nothing outside of the group may lie between
    const outside = memories.filter((y) => groupOf.get(y) !== g);
    for (const y of outside) {
      const h = groupOf.get(y);
      if (h && this.dependsOn(h, g, groupOf, new Set())) return false;
    }
    // long reductions over few points are shared by a workgroup; a contraction's tile keeps its own kernel
    const tensors = new Set<Node>();
    for (const y of [...g.nodes, x]) {
      for (const z of this.memoryInputs(y)) if (groupOf.get(z) !== g) tensors.add(z);
      tensors.add(y);
    }
    if (tensors.size > this.target.storageBuffers) return false;
    // values in the group that a row recomputes must be cheap
    if (x.reduction || !exact) for (const y of memories) if (groupOf.get(y) === g && y.kind === "compute" && !y.reduction && costOf(y.body) > 14) return false;
    return true;
  }
  /** Are all reads of y by x at x's own leading axes? */
  private aligned(x: Compute, y: Node, d: number): boolean {
    const { output, body } = instantiate(this.inlined(x));
    let ok = true;
    visit(body, (e) => {
      if (e.kind !== "load" || baseOf(e.tensor) !== y) return;
      if (e.tensor !== y || e.outside) ok = false;
      else for (let i = 0; i < d; i++) {
        const v = output[i]!;
        const at = e.indices[i];
        if (at !== v && !(v.extent === 1 && at !== undefined && at.variables.size === 0)) ok = false;
      } // prettier-ignore
    });
    return ok;
  }
  private dependsOn(h: Group, g: Group, groupOf: ReadonlyMap<Node, Group>, seen: Set<Group>): boolean {
    if (h === g) return true;
    if (h.id < g.id && !h.touched) return false; // groups only depend on what was there before them
    if (seen.has(h)) return false;
    seen.add(h);
    const below = h.kind === "scan" ? this.scanReads(h.scan!) : h.nodes.flatMap((x) => this.memoryInputs(x));
    return below.some((y) => {
      const k = groupOf.get(y);
      return k !== undefined && k !== h && this.dependsOn(k, g, groupOf, seen);
    });
  }
  private scanReads(s: Scan): Node[] {
    const extra = [...(this.stacks.get(s)?.keys() ?? [])];
    const direct = [...s.carries.map((c) => c.initial), ...bodyInputs(s, extra)];
    return [...new Set(direct.flatMap((x) => (this.stored.has(baseOf(x)) ? [baseOf(x)] : this.memoryInputs(x))))];
  }
  private mergeScalars(groups: Group[], groupOf: Map<Node, Group>): void {
    const scalars = groups.filter((g) => g.kind === "kernel" && g.domain.every((n) => n === 1) && g.nodes.every((x) => x.kind === "compute" && !x.reduction && x.shape.length === g.domain.length));
    for (let i = 0; i < scalars.length; i++) {
      const g = scalars[i]!;
      if (g.dead) continue;
      for (const h of scalars.slice(i + 1)) {
        if (h.dead || h.domain.length !== g.domain.length) continue;
        if (this.dependsOn(h, g, groupOf, new Set()) || this.dependsOnAny(g, h, groupOf)) continue;
        const tensors = new Set<Node>();
        for (const y of [...g.nodes, ...h.nodes]) {
          for (const z of this.memoryInputs(y)) tensors.add(z);
          tensors.add(y);
        }
        if (tensors.size > this.target.storageBuffers) continue;
        for (const x of h.nodes) {
          g.nodes.push(x);
          groupOf.set(x, g);
        }
        h.dead = true;
        g.touched = true;
      }
    }
  }
  private dependsOnAny(h: Group, g: Group, groupOf: ReadonlyMap<Node, Group>): boolean {
    const seen = new Set<Group>();
    const stack = [h];
    while (stack.length) {
      const k = stack.pop()!;
      if (k === g) return true;
      if (seen.has(k)) continue;
      seen.add(k);
      const below = k.kind === "scan" ? this.scanReads(k.scan!) : k.nodes.flatMap((x) => this.memoryInputs(x));
      for (const y of below) {
        const own = groupOf.get(y);
        if (own) stack.push(own);
      }
    }
    return false;
  }

  /** Memory that a node reads once its pointwise inputs are inlined. */
  private readonly memoryCache = new Map<Node, Node[]>();
  private memoryInputs(x: Node): Node[] {
    let known = this.memoryCache.get(x);
    if (!known) {
      const found = new Set<Node>();
      const walk = (y: Node): void => {
        const base = baseOf(y);
        if (this.stored.has(base)) found.add(base);
        else for (const z of inputs(base)) walk(z);
      };
      for (const y of inputs(x)) walk(y);
      this.memoryCache.set(x, (known = [...found]));
    }
    return known;
  }

  /** The node with every pointwise input that has no memory written out in its body. */
  private readonly inlineCache = new Map<Node, Compute | Scatter>();
  private inlined<T extends Compute | Scatter>(x: T): T {
    const known = this.inlineCache.get(x);
    if (known) return known as T;
    const memo = new Map<Scalar, Scalar>();
    const go = (e: Scalar): Scalar => this.writeOut(e, memo);
    const result = x.kind === "compute" ? ({ ...x, body: go(x.body) } as T) : ({ ...x, value: go((x as Scatter).value), indices: (x as Scatter).indices.map((e) => go(e) as Integer) } as T);
    this.inlineCache.set(x, result);
    return result;
  }
  private writeOut(e: Scalar, memo: Map<Scalar, Scalar>): Scalar {
    return substitute(e, new Map(), (l, indices, outside) => {
      const x = l.tensor;
      if (x.kind !== "compute" || this.stored.has(x)) return undefined;
      const inner = bodyAt(this.inlined(x), indices);
      return outside ? select(insideOf(l, indices), inner, outside) : inner;
    }, memo); // prettier-ignore
  }

  /** Loads of results and carries become loads of the memory that holds them. */
  private place(e: Scalar): Scalar {
    return substitute(e, new Map(), (l, indices, outside) => {
      const base = baseOf(l.tensor);
      const placed = this.placed(base);
      if (!placed) return undefined;
      const { memory, prefix } = placed;
      if (l.tensor === base) return load(memory, [...prefix, ...indices], outside);
      // through a reshape: the same elements of the row
      if (prefix.length === 0) return load({ ...l.tensor, operand: memory } as Node, indices, outside);
      const view = viewOf(memory, l.tensor.shape);
      return load(view, [...prefix, ...indices], outside);
    });
  }
  private placed(base: Node): { memory: Node; prefix: Integer[] } | undefined {
    if (base.kind === "result") {
      const s = base.scan;
      if (base.of.kind === "stack") return { memory: this.stacks.get(s)!.get(base.of.node)!, prefix: [] };
      const memory = this.histories.get(s)![base.of.carry]!;
      return { memory, prefix: base.of.kind === "history" ? [] : [integer(s.reverse ? 0 : s.count)] };
    }
    if (base.kind === "source" && base.role === "carry") {
      for (const [s, list] of this.histories) {
        const j = s.carries.findIndex((c) => c.incoming === base);
        if (j >= 0) return { memory: list[j]!, prefix: [s.reverse ? iadd(s.step, 1) : s.step] };
      }
    }
    return undefined;
  }

  // ---- a group as one kernel
  private kernelStep(g: Group): Step {
    const axes = g.domain.map((n, i) => variable(n, "ijlmnpqr"[i] ?? "i"));
    const at = axes.map((v) => (v.extent === 1 ? integer(0) : v));
    const stages: Stage[] = [];
    const stores: Store[] = [];
    // values of the group at a position: locals of stages, or recomputed bodies
    const values = new Map<Node, (indices: readonly Integer[]) => Scalar>();
    const own = (e: Scalar): Scalar =>
      substitute(e, new Map(), (l, indices, outside) => {
        const value = values.get(l.tensor);
        return value && !outside ? value(indices) : undefined;
      });
    const names: string[] = [];
    for (const x of g.nodes) {
      if (x.kind === "scatter") {
        const s = this.inlined(x);
        const over = s.over.map((n) => variable(n, "u"));
        const map = new Map(over.map((v, i) => [axisOf(i, v), v] as const));
        const hits = s.indices.map((e, i) => equal(substitute(e, map) as Integer, at[i]!));
        const value = select(and(...hits), substitute(s.value, map), 0);
        const sum = local(wgslName(x.label ?? "sum"), "f32");
        stages.push({ local: sum, op: "sum", over, value: this.place(value) });
        stores.push({ target: x, over: [], indices: at, value: sum });
      } else if (x.kind === "compute" && x.reduction) {
        const { output, over, body } = instantiate(this.inlined(x));
        const placed = own(substitute(body, new Map(output.map((v, i) => [v, at[i]!]))));
        const sum = local(wgslName(x.label ?? x.reduction.op), x.dtype);
        stages.push({ local: sum, op: x.reduction.op, over, value: this.place(placed) });
        values.set(x, () => sum);
        stores.push({ target: x, over: [], indices: at, value: sum });
      } else if (x.kind === "compute") {
        const inner = this.inlined(x);
        const extra = x.shape.slice(axes.length).map((n) => variable(n, "w"));
        const extraAt = extra.map((v) => (v.extent === 1 ? integer(0) : v));
        const value = this.place(own(bodyAt(inner, [...at, ...extraAt])));
        values.set(x, (indices) => this.place(own(bodyAt(inner, indices))));
        stores.push({ target: x, over: extra, indices: [...at, ...extraAt], value });
      }
      names.push(x.label ?? "");
    }
    // a result that only this group reads needs no memory
    const needed = stores.filter((s) => this.isRead(s.target, g));
    const targets = needed;
    const reads = new Set<Node>();
    for (const t of tensorsOf([...stages.map((s) => s.value), ...targets.flatMap((s) => [s.value, ...s.indices])])) reads.add(baseOf(t));
    const writes = new Set(targets.map((s) => baseOf(s.target)));
    const last = g.nodes[g.nodes.length - 1]!;
    const named = names.filter(Boolean).at(-1) ?? (last.kind === "compute" && last.reduction ? last.reduction.op : last.kind === "scatter" ? "scatter" : "map");
    const spec: KernelSpec = { name: wgslName(named), comment: commentOf(g.nodes), axes, stages: liveStages(stages, targets), stores: targets };
    return { kind: "kernel", spec, reads, writes, nodes: g.nodes };
  }
  private readonly readers = new Map<Node, Set<Node>>();
  private isRead(x: Node, g: Group): boolean {
    if (this.readers.size === 0) {
      for (const y of this.order) {
        if (y.kind === "source" || y.kind === "reshape" || (y.kind === "compute" && !this.stored.has(y))) continue;
        if (y.kind === "result") continue;
        for (const z of this.memoryInputs(y)) {
          if (!this.readers.has(z)) this.readers.set(z, new Set());
          this.readers.get(z)!.add(y);
        }
      }
    }
    if (this.program.outputs.some((o) => baseOf(o.node) === x) || this.updateOf.has(x)) return true;
    for (const s of this.scans) {
      if (s.carries.some((c) => baseOf(c.next) === x || baseOf(c.initial) === x)) return true;
      if ([...this.stacks.get(s)!.keys()].some((y) => baseOf(y) === x)) return true;
    }
    const users = this.readers.get(x);
    return !!users && [...users].some((y) => !g.nodes.includes(y));
  }

  // ---- a scan: initial rows, then the loop
  private scanSteps(s: Scan): Step[] {
    const histories = this.histories.get(s)!;
    const steps: Step[] = s.carries.map((c, j) => this.copyStep(c.initial, histories[j]!, [integer(s.reverse ? s.count : 0)]));
    const body = this.level(s, this.order.filter((x) => x.scans.has(s)));
    const tail: Step[] = [];
    s.carries.forEach((c, j) => tail.push(this.copyStep(c.next, histories[j]!, [s.reverse ? s.step : iadd(s.step, 1)])));
    for (const [node, memory] of this.stacks.get(s)!) tail.push(this.copyStep(node, memory, [s.step]));
    const inner = [...body, ...tail];
    const reads = new Set(inner.flatMap((x) => [...x.reads]));
    const writes = new Set(inner.flatMap((x) => [...x.writes]));
    return [...steps, { kind: "loop", scan: s, body: inner, reads, writes }];
  }
  private copyStep(from: Node, to: Source, row: readonly Integer[]): Step {
    const axes = from.shape.map((n) => variable(n, "i"));
    const at = axes.map((v) => (v.extent === 1 ? integer(0) : v));
    const value = this.place(load(from, at));
    const stores: Store[] = [{ target: to, over: [], indices: [...row, ...at], value }];
    const reads = new Set(tensorsOf([value]).map(baseOf));
    return { kind: "kernel", spec: { name: wgslName(`${to.label ?? "row"}_store`), comment: [`row of ${to.label ?? "a history"}`], axes, stages: [], stores }, reads, writes: new Set([to]), nodes: [] };
  }

  /** Topological order of the groups. */
  private inOrder(groups: readonly Group[], steps: ReadonlyMap<Group, Step[]>, groupOf: ReadonlyMap<Node, Group>): Step[] {
    const result: Step[] = [];
    const done = new Set<Group>();
    const stack: { g: Group; next: Group[] }[] = [];
    const below = (g: Group): Group[] => {
      const reads = g.kind === "scan" ? this.scanReads(g.scan!) : g.nodes.flatMap((x) => this.memoryInputs(x));
      return [...new Set(reads.flatMap((y) => (groupOf.get(y) ? [groupOf.get(y)!] : [])))].filter((h) => h !== g);
    };
    for (const root of groups) {
      if (done.has(root)) continue;
      done.add(root);
      stack.push({ g: root, next: below(root) });
      while (stack.length) {
        const top = stack[stack.length - 1]!;
        const h = top.next.pop();
        if (h) {
          if (!done.has(h)) {
            done.add(h);
            stack.push({ g: h, next: below(h) });
          }
        } else {
          result.push(...(steps.get(top.g) ?? []));
          stack.pop();
        }
      }
    }
    return result;
  }
}
interface Group {
  readonly id: number;
  readonly kind: "kernel" | "scan";
  readonly scan?: Scan;
  readonly nodes: Node[];
  readonly domain: Shape;
  readonly contraction: boolean;
  row: boolean;
  dead?: boolean;
  touched?: boolean;
}
const axisOf = (i: number, v: Variable): Variable => axis(i, v.extent);
const insideOf = (l: Load, indices: readonly Integer[]): Scalar => inRange(l.tensor, indices);

/** All nodes below the roots, the bodies of scans included. */
function allNodes(roots: readonly Node[]): Node[] {
  return topological(roots, undefined, inputs);
}
/** The innermost scan that a node belongs to. */
function homeScan(x: Node, scans: ReadonlySet<Scan>): Scan | undefined {
  let best: Scan | undefined;
  for (const s of x.scans) if (scans.has(s) && (!best || s.scans.has(best))) best = s;
  return best;
}
/** A reduction of a product of loads where each operand serves several outputs. */
function isContraction(x: Node): boolean {
  if (x.kind !== "compute" || x.reduction?.op !== "sum") return false;
  const loads: Load[] = [];
  visit(x.body, (e) => void (e.kind === "load" && e.dtype === "f32" && loads.push(e)));
  if (loads.length < 2) return false;
  const free = (l: Load): boolean => x.shape.some((n, i) => n !== 1 && ![...l.variables].some((v) => v.position === i));
  return loads.filter(free).length >= 1 && sizeOf(x.reduction.extents) >= 4 && loads.length >= 2;
}
function countLoads(user: Node, x: Node): number {
  const roots = user.kind === "compute" ? [user.body] : user.kind === "scatter" ? [user.value, ...user.indices] : [];
  let n = 0;
  const seen = new Set<Scalar>();
  for (const root of roots) visit(root, (e) => void (e.kind === "load" && e.tensor === x && (n += 1)), seen);
  return Math.max(1, n);
}
/** Iterations of the user along the variables that the read depends on, as far as a loop can hoist it. */
function dependentIterations(user: Node, x: Node): number {
  if (user.kind !== "compute") return Infinity;
  let best = 0;
  const all = sizeOf([...user.shape, ...(user.reduction?.extents ?? [])]);
  visit(user.body, (e) => {
    if (e.kind !== "load" || e.tensor !== x) return;
    best = Math.max(best, all);
  });
  return best || all;
}
function liveStages(stages: readonly Stage[], stores: readonly Store[]): Stage[] {
  const used = new Set<Scalar>();
  for (const s of stores) for (const e of scalarOrder([s.value, ...s.indices])) used.add(e);
  const result: Stage[] = [];
  for (let i = stages.length - 1; i >= 0; i--) {
    const s = stages[i]!;
    if (!used.has(s.local)) continue;
    result.unshift(s);
    for (const e of scalarOrder([s.value])) used.add(e);
  }
  return result;
}
function commentOf(nodes: readonly Node[]): string[] {
  const lines: string[] = [];
  const names = new Map<Node, string>();
  const name = (x: Node): string => {
    let own = names.get(x);
    if (own === undefined) names.set(x, (own = x.kind === "source" ? x.path || "const" : (x.label ?? (x.kind === "reshape" ? name(baseOf(x)) : `v${names.size}`))));
    return own;
  };
  for (const x of nodes) {
    const [text = ""] = printNode(x, { node: name, step: () => "t" });
    lines.push(text.length > 160 ? `${text.slice(0, 157)}...` : text);
  }
  const places = [...new Set(nodes.flatMap((x) => (x.span ? [place(x.span)] : [])))];
  return [...(places.length ? [`from ${places.slice(0, 6).join(", ")}${places.length > 6 ? ", ..." : ""}`] : []), ...lines];
}
/** A memory of rows seen with another shape of each row. */
function viewOf(memory: Node, shape: Shape): Node {
  return reshape(memory, [memory.shape[0]!, ...shape]);
}
