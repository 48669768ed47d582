// The memory of steps that one launch does: what lies in workgroup memory, and how few buffers the rest takes. In: steps with their rows and the price
// that chose their number. Out: a RowwiseStep, or undefined where the launch would bind too many buffers.
import { baseOf, reshape, source } from "../graph/node.ts";
import { constantPart, integer, load, modulo, substitute, termsOf } from "../graph/scalar.ts";
import type { Integer, Load, Node, Scalar, Scan, Shape, Source, Variable } from "../graph/types.ts";
import type { KernelGraph, KernelStep, RowwiseStep, Step, View } from "../kernel/graph.ts";
import type { KernelSpec, Store } from "../kernel/kernel.ts";
import { bindingAlignment } from "../kernel/sizes.ts";
import type { Target } from "../kernel/target.ts";
import { loadsOf, storesOf } from "../lower/procedures.ts";
import { elements } from "../scalar/dtype.ts";
import { keptDimensions, kernelsIn, loadsIn, type RowAxis } from "../schedule/rows.ts";
import type { Beside } from "../schedule/beside.ts";
import type { RowwisePrice } from "../schedule/rowwise.ts";
import { isPersistent } from "./layout.ts";

/** What a region stands in. */
export interface Surroundings {
  readonly kernels: KernelGraph;
  readonly views: ReadonlyMap<Node, View>; // what lies in flat buffers
  readonly joined: Map<Node, View>; // what regions have put into one buffer; `isFinal` adds to it
  readonly target: Target;
  readonly usersOf: ReadonlyMap<Node, ReadonlySet<KernelStep>>;
}

/** The kernels that touch each tensor. */
export function usersIn(steps: readonly Step[]): ReadonlyMap<Node, ReadonlySet<KernelStep>> {
  const users = new Map<Node, Set<KernelStep>>();
  for (const k of kernelsIn(steps))
    for (const x of [...k.reads, ...k.writes]) users.set(x, (users.get(x) ?? new Set()).add(k));
  return users;
}

export function inMemory(
  members: readonly Step[],
  rows: RowAxis | undefined,
  price: RowwisePrice,
  around: Surroundings,
  isFinal: boolean,
): RowwiseStep | undefined {
  const locals = chooseLocals(members, rows, price, around);
  const replaced = new Map<KernelStep, KernelStep>();
  const body = withLocals(members, locals, replaced);
  const local: ReadonlySet<Node> = new Set([...locals.values()].map((l) => l.memory));
  const kernels = kernelsIn(body);
  const reads = new Set(kernels.flatMap(({ spec }) => [...loadsOf(spec)]).filter((x) => !local.has(x)));
  const writes = new Set(kernels.flatMap(({ spec }) => [...storesOf(spec)]).filter((x) => !local.has(x)));
  const views = slices(new Set([...reads, ...writes]), members, around, isFinal);
  if (!views) return undefined;
  const axisOf = new Map(
    kernelsIn(members).flatMap((k) => {
      const axis = rows?.axisOf.get(k);
      return axis ? [[replaced.get(k) ?? k, axis] as [KernelStep, Variable]] : [];
    }),
  );
  return {
    kind: "rowwise",
    body,
    rows: rows && { extent: rows.extent, each: price.rows, axisOf },
    workgroup: price.workgroup,
    own: price.own,
    inTurn: price.inTurn,
    local,
    views,
    reads,
    writes,
  };
}

/** Steps that read the rounds of a grid, whose tensors have rows at these dimensions. */
export interface OnGrid {
  readonly members: readonly KernelStep[]; // as they were
  readonly body: readonly KernelStep[]; // as a workgroup does them
  readonly grid: readonly Scan[];
  readonly each: number; // rows of a workgroup, of ...
  readonly tiled: RowAxis; // ... this axis, and one of ...
  readonly single: readonly RowAxis[]; // ... these
  readonly workgroup: number;
}
/** The same for a grid, whose workgroups have a tile of the rows each. Undefined where the launch would bind too many buffers. */
export function inMemoryOfGrid(on: OnGrid, around: Surroundings): RowwiseStep | undefined {
  const locals = localsOfGrid(on, around);
  const body = withLocals(on.body, locals, new Map()) as readonly KernelStep[];
  const local: ReadonlySet<Node> = new Set([...locals.values()].map((l) => l.memory));
  const touched = (of: (spec: KernelSpec) => ReadonlySet<Node>): ReadonlySet<Node> =>
    new Set(body.flatMap(({ spec }) => [...of(spec)]).filter((x) => !local.has(x)));
  const [loads, stores] = [touched(loadsOf), touched(storesOf)];
  const views = slices(new Set([...loads, ...stores]), on.members, around, true);
  const parts = (of: "reads" | "writes"): Node[] => on.members.flatMap((k) => [...(k.touches?.[of] ?? [])]);
  const [reads, writes] = [new Set([...loads, ...parts("reads")]), new Set([...stores, ...parts("writes")])];
  const { grid, workgroup } = on;
  const { target } = around;
  const taken = [...local].reduce((n, x) => n + sizeOf(x.shape as readonly number[]) * elements[x.dtype].bytes, 0);
  const inTurn = Math.max(target.inTurn, target.workgroupMemory - taken - besideInTurn); // what the tensors leave
  return (
    views && {
      kind: "rowwise",
      body,
      rows: undefined,
      grid,
      workgroup,
      own: false,
      inTurn,
      local,
      views,
      reads,
      writes,
    }
  );
}
/** Kernels that wait for none of each other as one launch. Undefined where it would bind too many buffers. */
export function inMemoryBeside(
  members: readonly KernelStep[],
  { workgroup, inTurn }: Beside,
  around: Surroundings,
): RowwiseStep | undefined {
  const bound = new Set(members.flatMap(({ spec }) => [...loadsOf(spec), ...storesOf(spec)]));
  // nothing is put into one buffer for it, which would have to live as long as all of it
  const views = slices(bound, members, around, undefined);
  const reads = new Set(members.flatMap((k) => [...k.reads]));
  const writes = new Set(members.flatMap((k) => [...k.writes]));
  const own = { rows: undefined, beside: true, workgroup, own: false, inTurn, local: new Set<Node>() } as const;
  return views && { kind: "rowwise", body: members, ...own, views, reads, writes };
}
const besideInTurn = 1024; // bytes: kernels have memory of one type in turn, of other types beside it
function localsOfGrid({ members, each, tiled, single }: OnGrid, around: Surroundings): ReadonlyMap<Node, Local> {
  const { kernels, views, joined, target, usersOf } = around;
  const inside = new Set(members);
  const outputs = new Set(kernels.outputs.map((o) => o.memory));
  const found: Found[] = [];
  for (const [x, own] of accessesIn(members)) {
    if (isPersistent(x) || views.has(x) || outputs.has(x)) continue;
    if (!own[0]!.writes || !own.some((a) => !a.writes)) continue; // what is read first comes from another launch
    const users = [...usersOf.get(x)!].filter((k) => !inside.has(k));
    if (users.some((k) => k.writes.has(x)) || (joined.has(x) && !users.length)) continue;
    const row = tiled.dimensionOf.get(x)!;
    const ones = single.map((r) => r.dimensionOf.get(x)!);
    if (!own.every((a) => keptDimensions(x.shape, a.tensor.shape) > Math.max(row, ...ones))) continue;
    const part: Pick<Local, "shapeOf" | "placeOf"> = {
      shapeOf: (shape) => shape.map((n, d) => (d === row ? each : ones.includes(d) ? 1 : n)),
      placeOf: (indices) => indices.map((e, d) => (d === row ? modulo(e, each) : ones.includes(d) ? integer(0) : e)),
    };
    const local = localOf(x, part, users.length > 0);
    if (local) found.push(local);
  }
  return fitting(found, target);
}

// ---------------------------------------------------------------- buffers

/**
 * Slices that are read in the buffer they are part of, so that no more buffers are bound than the target has, and none is bound beside a slice of it.
 * `isFinal`: whether what is put into one buffer stays there; undefined: nothing may be.
 */
function slices(
  bound: ReadonlySet<Node>,
  members: readonly Step[],
  { kernels, views, joined, target, usersOf }: Surroundings,
  isFinal: boolean | undefined,
): ReadonlyMap<Node, View> | undefined {
  const most = target.storageBuffers;
  const used = new Map<Node, View>();
  const viewOf = (x: Node): View | undefined => views.get(x) ?? joined.get(x);
  const buffers = (): number => new Set([...bound].map((x) => used.get(x)?.memory ?? x)).size;
  const byMemory = new Map<Node, Node[]>();
  for (const x of bound) {
    const memory = viewOf(x)?.memory;
    if (memory) byMemory.set(memory, [...(byMemory.get(memory) ?? []), x]);
  }
  if (bound.size <= most && ![...byMemory.keys()].some((memory) => bound.has(memory))) return used;
  for (const [memory, own] of byMemory)
    if (own.length > 1 || bound.has(memory)) for (const x of own) used.set(x, viewOf(x)!);
  if (buffers() <= most) return used;
  if (isFinal === undefined) return undefined;
  // what lives in this unit alone may lie in one buffer: first what few others see
  const inside = new Set(kernelsIn(members));
  const outside = (x: Node): number => [...(usersOf.get(x) ?? [])].filter((k) => !inside.has(k)).length;
  const outputs = new Set(kernels.outputs.map((o) => o.memory));
  const free = [...bound]
    .filter((x) => x.dtype === "f32" && !isPersistent(x) && !viewOf(x) && !outputs.has(x) && isKnown(x.shape))
    .sort((a, b) => outside(a) - outside(b));
  const count = buffers() - most + 1;
  if (free.length < count || count < 2) return undefined;
  const chosen = free.slice(0, count);
  const grain = bindingAlignment / elements.f32.bytes;
  let size = 0;
  const offsets = chosen.map((x) => {
    const offset = size;
    size += Math.ceil(sizeOf(x.shape) / grain) * grain;
    return offset;
  });
  const memory = source({ role: "scratch", path: "values", shape: [size], dtype: "f32", label: "values" });
  chosen.forEach((x, i) => {
    const view = { memory, offset: offsets[i]! };
    used.set(x, view);
    if (isFinal) joined.set(x, view);
  });
  return used;
}
const isKnown = (shape: Shape): shape is readonly number[] => shape.every((n) => typeof n === "number");
const sizeOf = (shape: Shape): number => shape.reduce<number>((n, e) => n * (e as number), 1);

// ---------------------------------------------------------------- workgroup memory

/** A tensor in workgroup memory. */
interface Local {
  readonly memory: Source;
  readonly shapeOf: (shape: Shape) => Shape; // of the tensor, or of a view of it
  readonly placeOf: (indices: readonly Integer[]) => Integer[];
  readonly kept: boolean; // others read it: it is stored to its own memory, too
}
/** What is the workgroup's of a tensor: its own rows, and of a history the last two of its rows. */
interface Part {
  readonly row: number; // dimension of the rows; -1: all of them
  readonly each: number; // rows of a workgroup
  readonly rounds: boolean; // of a history
}
const partOf = ({ row, each, rounds }: Part): Pick<Local, "shapeOf" | "placeOf"> => ({
  shapeOf: (shape) => shape.map((n, d) => (rounds && d === 0 ? 2 : d === row ? each : n)),
  placeOf: (indices) => indices.map((e, d) => (rounds && d === 0 ? modulo(e, 2) : d === row ? modulo(e, each) : e)),
});
function chooseLocals(
  members: readonly Step[],
  rows: RowAxis | undefined,
  price: RowwisePrice,
  around: Surroundings,
): ReadonlyMap<Node, Local> {
  const { kernels, views, joined, target, usersOf } = around;
  const inside = new Set(kernelsIn(members));
  const outputs = new Set(kernels.outputs.map((o) => o.memory));
  const histories = historiesIn(members);
  const accesses = accessesIn(members);
  const found: Found[] = [];
  for (const [x, own] of accesses) {
    if (isPersistent(x) || views.has(x) || joined.has(x) || outputs.has(x) || !own.some((a) => a.writes)) continue;
    const users = [...usersOf.get(x)!].filter((k) => !inside.has(k));
    if (users.some((k) => k.writes.has(x))) continue;
    const kept = users.length > 0;
    if (kept && target.ns.load < dear * target.ns.workgroup) continue;
    const rounds = isWindow(own, histories.get(x), x.shape);
    if (kept && !rounds) continue; // what is stored once is read as cheaply
    const row = price.rows === Infinity ? -1 : rows!.dimensionOf.get(x)!;
    const leading = Math.max(row + 1, rounds ? 1 : 0);
    if (!own.every((a) => keptDimensions(x.shape, a.tensor.shape) >= leading)) continue;
    const local = localOf(x, partOf({ row, each: price.rows, rounds }), kept);
    if (local) found.push(local);
  }
  return fitting(found, target);
}
interface Found {
  readonly x: Node;
  readonly local: Local;
  readonly bytes: number;
}
/** Undefined where its size is not known. */
function localOf(x: Node, part: Pick<Local, "shapeOf" | "placeOf">, kept: boolean): Found | undefined {
  const shape = part.shapeOf(x.shape);
  if (!isKnown(shape)) return undefined;
  const name = `${x.kind === "source" ? x.path : (x.label ?? "values")}_here`;
  const memory = source({ role: "scratch", path: name, shape, dtype: x.dtype, label: name, range: x.range });
  return { x, local: { memory, ...part, kept }, bytes: sizeOf(shape) * elements[x.dtype].bytes };
}
/** The small ones first: more of them fit. */
function fitting(found: Found[], target: Target): ReadonlyMap<Node, Local> {
  const result = new Map<Node, Local>();
  let room = target.workgroupMemory - target.inTurn;
  for (const { x, local, bytes } of found.sort((a, b) => a.bytes - b.bytes)) {
    if (bytes > room) break;
    room -= bytes;
    result.set(x, local);
  }
  return result;
}
const dear = 2; // so many times the cost of workgroup memory pays for storing to both
/** Tensors with a row for each round of a loop, and one more. */
function historiesIn(members: readonly Step[]): ReadonlyMap<Node, Scan> {
  const found = new Map<Node, Scan>();
  const walk = (list: readonly Step[], scan: Scan | undefined): void => {
    for (const s of list) {
      if (s.kind !== "kernel") walk(s.body, s.kind === "loop" ? s.scan : scan);
      else if (scan)
        for (const x of s.writes) if (x.shape[0] === scan.count + 1 && x.shape.length > 1) found.set(x, scan);
    }
  };
  walk(members, undefined);
  return found;
}
interface Use {
  readonly tensor: Node; // or a view of it
  readonly first: Integer | undefined; // index
  readonly writes: boolean;
  readonly loops: readonly Scan[];
}
function accessesIn(members: readonly Step[]): ReadonlyMap<Node, readonly Use[]> {
  const found = new Map<Node, Use[]>();
  const add = (tensor: Node, indices: readonly Integer[], writes: boolean, loops: readonly Scan[]): void => {
    const base = baseOf(tensor);
    const own = { tensor, first: indices[0], writes, loops };
    const list = found.get(base);
    if (list) list.push(own);
    else found.set(base, [own]);
  };
  const walk = (list: readonly Step[], loops: readonly Scan[]): void => {
    for (const s of list) {
      if (s.kind !== "kernel") {
        walk(s.body, s.kind === "loop" ? [...loops, s.scan] : loops);
        continue;
      }
      for (const l of loadsIn(s.spec)) add(l.tensor, l.indices, false, loops);
      for (const w of s.spec.stores) add(w.target, w.indices, true, loops);
    }
  };
  walk(members, []);
  return found;
}
/** Are no more than two rows of a history alive at a time: those of a round and of the next, before the loop its first, behind it its last? */
function isWindow(uses: readonly Use[], scan: Scan | undefined, shape: Shape): boolean {
  if (!scan || shape[0] === 2) return false;
  const [start, end] = scan.reverse ? [scan.count, 0] : [0, scan.count];
  return uses.every(({ first, writes, loops }) => {
    if (!first) return false;
    const terms = termsOf(first);
    const constant = constantPart(first);
    if (!loops.includes(scan)) return !terms.length && constant === (writes ? start : end);
    const [term] = terms;
    return terms.length === 1 && term![0] === scan.step && term![1] === 1 && (constant === 0 || constant === 1);
  });
}

/** The steps with their local tensors. */
function withLocals(
  steps: readonly Step[],
  locals: ReadonlyMap<Node, Local>,
  replaced: Map<KernelStep, KernelStep>,
): readonly Step[] {
  if (!locals.size) return steps;
  const kernel = (k: KernelStep): KernelStep => {
    const spec = specWith(k.spec, locals);
    const own: KernelStep = { kind: "kernel", spec, reads: loadsOf(spec), writes: storesOf(spec) };
    replaced.set(k, own);
    return own;
  };
  return steps.map((s): Step =>
    s.kind === "kernel" ? kernel(s) : { ...s, body: withLocals(s.body, locals, replaced) },
  );
}
function specWith(spec: KernelSpec, locals: ReadonlyMap<Node, Local>): KernelSpec {
  const place = (l: Local, tensor: Node): Node => {
    const base = baseOf(tensor);
    return tensor === base ? l.memory : reshape(l.memory, l.shapeOf(tensor.shape));
  };
  const onLoad = (l: Load, indices: readonly Integer[], outside: Scalar | undefined): Scalar | undefined => {
    const own = locals.get(baseOf(l.tensor));
    return own && load(place(own, l.tensor), own.placeOf(indices), outside);
  };
  const go = <T extends Scalar>(e: T): T => substitute(e, new Map(), onLoad) as T;
  return {
    ...spec,
    stages: spec.stages.map((s) => ({ ...s, value: go(s.value) })),
    stores: spec.stores.flatMap((s): Store[] => {
      const own = locals.get(baseOf(s.target));
      const plain: Store = { ...s, indices: s.indices.map(go), value: go(s.value) };
      if (!own) return [plain];
      const here: Store = { ...plain, target: place(own, s.target), indices: own.placeOf(plain.indices) };
      return own.kept ? [plain, here] : [here];
    }),
  };
}
