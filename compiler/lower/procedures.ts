// Kernels as functions of one module, which one workgroup calls one after the other. In: steps, a nest and a schedule for each kernel, names of memory.
// Out: the functions, what they have in common, and the statements that call them, with barriers where one reads what another writes.
import { InternalError } from "../../grammar/diagnostic.ts";
import { baseOf, tensorsOf } from "../graph/node.ts";
import type { Node, Scan } from "../graph/types.ts";
import { commentOf, memoryNames } from "../kernel/formula.ts";
import { call, i32, i32Number, name, operation, plus, sumOf, u32, u32Number, type Expr } from "../kernel/expr.ts";
import type { KernelStep, LoopStep, RoundBound, Rounds, Step } from "../kernel/graph.ts";
import { builtinsIn, namesIn, type Procedure, type Statement } from "../kernel/ir.ts";
import type { KernelSpec } from "../kernel/kernel.ts";
import type { Layout } from "../kernel/layout.ts";
import type { Target } from "../kernel/target.ts";
import type { Nest } from "../schedule/nest.ts";
import type { Schedule } from "../schedule/schedule.ts";
import { dimName, freeName, stemOf } from "../wgsl/names.ts";
import { emitKernel, type Emitted } from "./template.ts";
import type { Shared } from "./tile.ts";
import { unsigned } from "./unsigned.ts";
import { tidy } from "./tidy.ts";

/** A kernel over memory, as one workgroup after the other does it. */
export interface Placed {
  readonly spec: KernelSpec;
  readonly source?: KernelSpec; // as people read it: its tensors, where the other has the buffers that they are parts of
  readonly nest: Nest;
  readonly schedule: Schedule;
  /** The workgroups that a real one does, in the order of their numbers. */
  readonly tiles: (emitted: Emitted) => Tiles;
}
export interface Tiles {
  readonly from: Expr;
  readonly to: Expr;
  readonly count: number; // about
}
/** The kernels as functions of one module, and what they have in common. */
export interface Procedures {
  readonly calls: ReadonlyMap<KernelStep, Call>;
  readonly written: ReadonlySet<Node>;
  readonly wide: ReadonlySet<Node>; // arrays of four elements
  readonly helpers: ReadonlySet<string>;
  readonly dims: ReadonlySet<string>;
  readonly subgroups: boolean;
  readonly scans: ReadonlyMap<Scan, string>; // variables that hold the rounds of loops, as far as something reads them
  readonly memory: readonly Shared[]; // of the workgroup, which the functions have in turn
}
/** A kernel as a function, which of its workgroups are done, and how many threads one has. */
export interface Call {
  readonly of: Procedure;
  readonly tiles: Tiles;
  readonly threads: number;
  readonly meets: boolean; // its threads exchange values in memory that the next function has ...
  readonly reach: number; // ... where so many neighbours do not by operations of subgroups; 0: always
}
export interface Naming {
  readonly names: ReadonlyMap<Node, string>; // of memory
  readonly scans: ReadonlyMap<Scan, string>; // of the rounds of loops
  readonly own?: ReadonlySet<string>; // of these, variables of the module that are u32
  readonly used: Set<string>; // all of them
}

/** Undefined where the names of tensors are taken. */
export function proceduresOf(
  placed: ReadonlyMap<KernelStep, Placed>,
  naming: Naming,
  layout: Layout,
  target: Target,
): Procedures | undefined {
  const { names, scans, used } = naming;
  const turns = new Map<string, string>();
  const own: Layout = {
    storageOf: layout.storageOf,
    nameOf: (x) => names.get(x) ?? layout.nameOf(x),
    steps: scans,
    inTurn: (type, count) => {
      const key = `${type} ${count}`;
      const found = turns.get(key) ?? fresh("parts", used);
      turns.set(key, found);
      return found;
    },
  };
  // a tensor is an array of vec4 where every access of every kernel is
  const scalarOnly = new Set<Node>();
  const emitted = new Map<KernelStep, Emitted>();
  const wideIn = (e: Emitted): Node[] => e.tensors.flatMap((t) => (t.width === 4 ? [t.node] : []));
  const isSettled = (e: Emitted): boolean => !wideIn(e).some((x) => scalarOnly.has(x));
  for (;;) {
    const open = [...placed].filter(([k]) => !emitted.has(k) || !isSettled(emitted.get(k)!));
    if (!open.length) break;
    for (const [k, p] of open) emitted.set(k, emitKernel(p.nest, own, p.schedule, scalarOnly));
  }
  const wide = new Set([...emitted.values()].flatMap(wideIn));
  return assemble(placed, emitted, naming, own, wide, target);
}
function assemble(
  placed: ReadonlyMap<KernelStep, Placed>,
  all: ReadonlyMap<KernelStep, Emitted>,
  { names, scans, used, own }: Naming,
  layout: Layout,
  wide: ReadonlySet<Node>,
  target: Target,
): Procedures | undefined {
  const comments = memoryNames(layout.nameOf, [...scans.keys()]);
  const written = new Set<Node>();
  const helpers = new Set<string>();
  const dims = new Set<string>();
  const read = new Map<Scan, string>();
  const memory = new Map<string, Shared>();
  const calls = new Map<KernelStep, Call>();
  let subgroups = false;
  for (const [k, p] of placed) {
    const emitted = all.get(k)!;
    for (const x of emitted.workgroupMemory) if (x.bytes > (memory.get(x.name)?.bytes ?? 0)) memory.set(x.name, x);
    for (const t of emitted.tensors) {
      if (t.name !== names.get(t.node)) return undefined;
      if (t.writes) written.add(t.node);
    }
    for (const [scan, own] of emitted.scans) read.set(scan, own);
    emitted.helpers.forEach((h) => helpers.add(h));
    emitted.dims.forEach((d) => dims.add(d));
    if (emitted.subgroups) subgroups = true;
    const body = tidy(
      target.unsigned ? unsigned(emitted.body, emitted.ranges, emitted.dims.map(dimName), own) : emitted.body,
    );
    const of: Procedure = {
      name: fresh(`${p.spec.name}_step`, used),
      comment: commentOf(p.source ?? p.spec, { ...comments, step: (scan) => scans.get(scan) ?? comments.step(scan) }),
      parameters: builtinsIn(body),
      body,
    };
    const meets = emitted.workgroupMemory.length > 0;
    const reach = reachOf(body, new Set(emitted.workgroupMemory.map((x) => x.name)));
    calls.set(k, { of, tiles: p.tiles(emitted), threads: emitted.workgroup, meets, reach });
  }
  return { calls, written, wide, helpers, dims, subgroups, scans: read, memory: [...memory.values()] };
}
/** Of exchanges, where nothing else touches this memory; else 0. */
function reachOf(body: readonly Statement[], memory: ReadonlySet<string>): number {
  let reach = 0;
  const isFree = (block: readonly Statement[]): boolean =>
    block.every((s) => {
      if (s.kind === "exchange") {
        reach = Math.max(reach, s.reach);
        return true;
      }
      return !namesIn(s).some((n) => memory.has(n)) && !("body" in s && !isFree(s.body));
    });
  return isFree(body) ? reach : 0;
}
/** A variable for the rounds of each loop. */
export const roundNames = (scans: readonly Scan[], used: Set<string>): Map<Scan, string> =>
  new Map(scans.map((s) => [s, fresh("step", used)]));
export const scansIn = (steps: readonly Step[]): Scan[] =>
  steps.flatMap((s) => (s.kind === "kernel" ? [] : [...(s.kind === "loop" ? [s.scan] : []), ...scansIn(s.body)]));

// ---------------------------------------------------------------- calls

/** The calls of all steps, with a barrier where a kernel touches what another has touched since the last one. */
export function callAll(
  steps: readonly Step[],
  { calls, scans }: Procedures,
  specOf: (k: KernelStep) => KernelSpec,
  shared: ReadonlySet<Node>, // in workgroup memory
  threads: number,
  used: Set<string>,
  apart = false, // no invocation reads what another has written
  rounds: ReadonlyMap<Scan, Expr> = new Map(), // of the grid, the same for all invocations
): Statement[] {
  const pending = { reads: new Set<Node>(), writes: new Set<Node>() };
  const flush = (met: readonly Node[]): Statement[] => {
    if (apart) return [];
    const workgroup = met.some((x) => shared.has(x));
    const storage = met.some((x) => !shared.has(x));
    for (const set of [pending.reads, pending.writes])
      for (const x of set) if (shared.has(x) ? workgroup : storage) set.delete(x);
    return [
      ...(storage ? [{ kind: "barrier", memory: "storage" } as const] : []),
      ...(workgroup ? [{ kind: "barrier", memory: "workgroup" } as const] : []),
    ];
  };
  const flushAll = (): Statement[] => flush([...pending.reads, ...pending.writes]);
  const kernel = (k: KernelStep): Statement[] => {
    const spec = specOf(k);
    const [reads, writes] = [loadsOf(spec), storesOf(spec)];
    const met = [
      ...[...reads].filter((x) => pending.writes.has(x)),
      ...[...writes].filter((x) => pending.reads.has(x)),
    ];
    const before = flush(met);
    reads.forEach((x) => pending.reads.add(x));
    writes.forEach((x) => pending.writes.add(x));
    return [...before, ...callOf(calls.get(k)!, threads)];
  };
  const loop = ({ scan, within, body }: LoopStep): Statement[] => {
    const t = scans.get(scan);
    const now = name(fresh(`${t ?? "round"}_now`, used), i32);
    const setStep: Statement[] = t
      ? [{ kind: "set", target: name(t, i32), operator: "=", value: now, cost: "none" }]
      : [];
    const way = scan.reverse
      ? ({ from: i32Number(scan.count - 1), to: i32Number(0), step: "down" } as const)
      : { ...boundsOf(scan, within, rounds), step: i32Number(1) };
    const before = flushAll();
    const round = [...setStep, ...all(body), ...flushAll()]; // the next round begins with nothing pending
    return [...before, { kind: "for", variable: now.text, ...way, trips: scan.count, body: round }];
  };
  const all = (list: readonly Step[]): Statement[] =>
    list.flatMap((s) => (s.kind === "loop" ? loop(s) : s.kind === "kernel" ? kernel(s) : all(s.body)));
  return [...all(steps), ...flushAll()];
}
function boundsOf(
  { count }: Scan,
  within: Rounds | undefined,
  rounds: ReadonlyMap<Scan, Expr>,
): { readonly from: Expr; readonly to: Expr } {
  const bound = ({ scale, constant, divisor }: RoundBound): Expr =>
    operation(
      "/",
      sumOf([
        [rounds.get(within!.of)!, scale],
        [i32Number(constant), 1],
      ]),
      i32Number(divisor),
    );
  const from = within?.low ? call("max", [i32Number(0), bound(within.low)], i32) : i32Number(0);
  const to = within?.high ? call("min", [i32Number(count), plus(bound(within.high), 1)], i32) : i32Number(count);
  return { from, to };
}
const tile = name("tile", i32);
const localIndex = name("local_index", u32);
const own = call("i32", [localIndex], i32);
/** The workgroups of a kernel, as many at a time as the threads of one make. */
export function callOf({ of, tiles, threads, meets, reach }: Call, all: number): Statement[] {
  const { from, to, count } = tiles;
  const part = all / threads;
  const thread = part === 1 ? localIndex : operation("%", localIndex, u32Number(threads));
  const invoke = (group: Expr): Statement => {
    const zeros = [u32Number(0), u32Number(0)];
    const place = call("vec3u", [call("u32", [group], u32), ...zeros], u32);
    const argument = { group: place, local_index: thread, lane_index: name("lane_index", u32) };
    return {
      kind: "invoke",
      call: call(
        of.name,
        of.parameters.map((p) => argument[p]),
        i32,
      ),
    };
  };
  const barrier: Statement = { kind: "barrier", memory: "workgroup" };
  const meeting: Statement = reach ? { kind: "exchange", body: [barrier], direct: [], reach } : barrier;
  const after = meets ? [meeting] : [];
  const loop = (first: Expr, step: number): Statement => ({
    kind: "for",
    variable: tile.text,
    from: first,
    to,
    step: i32Number(step),
    trips: Math.ceil(count / step),
    body: [invoke(tile), ...after],
  });
  if (meets && part !== 1) throw new InternalError(`${of.name}: invocations that meet are a part of the workgroup`);
  if (part === 1) return count === 1 ? [invoke(from), ...after] : [loop(from, 1)];
  if (count === 1) {
    const some =
      threads === 1 ? operation("==", localIndex, u32Number(0)) : operation("<", localIndex, u32Number(threads));
    return [{ kind: "if", condition: some, body: [invoke(from)] }];
  }
  const offset = threads === 1 ? own : operation("/", own, i32Number(threads));
  return [loop(from.text === "0" ? offset : operation("+", from, offset), part)];
}

export const loadsOf = (spec: KernelSpec): Set<Node> =>
  new Set(
    tensorsOf([...spec.stages.map((s) => s.value), ...spec.stores.flatMap((s) => [s.value, ...s.indices])]).map(baseOf),
  );
export const storesOf = (spec: KernelSpec): Set<Node> => new Set(spec.stores.map((s) => baseOf(s.target)));
export function fresh(base: string, used: Set<string>): string {
  const own = freeName(base);
  let name = own;
  for (let n = 2; used.has(name); n++) name = `${stemOf(own)}_${n}`; // as emitters name what is there already
  used.add(name);
  return name;
}
