// A whole training step, and many of them, in one launch: for models so small that launches cost more than work. One workgroup runs the
// step's kernels one after the other, with a barrier after each; what lives within a step lies in workgroup memory.
// In: the steps of a program. Out: one module whose entry point runs `rounds` steps, or undefined where the program is not fit for it.
import { baseOf, tensorsOf } from "../graph/node.ts";
import { iadd, imul, inRange, isTrue, load, select, substitute } from "../graph/scalar.ts";
import type { Integer, Load, Node, Scalar, Scan, Shape } from "../graph/types.ts";
import { freeName } from "../wgsl/names.ts";
import { elements } from "../scalar/dtype.ts";
import { entryPoint } from "../wgsl/print.ts";
import { call, i32, i32Number, name, operation, u32, u32Number, type Expr } from "../kernel/expr.ts";
import { builtinsIn, type Declaration, type Module, type Procedure, type Statement } from "../kernel/ir.ts";
import type { KernelStep, LoopStep, Step, View } from "../kernel/graph.ts";
import { tidy } from "./tidy.ts";
import { commentOf, memoryNames } from "../kernel/formula.ts";
import { flopsOf } from "../kernel/flops.ts";
import type { KernelSpec } from "../kernel/kernel.ts";
import { sumOfSizes, type Size } from "../kernel/sizes.ts";
import { eachRound, inLanes } from "./lanes.ts";
import type { Layout } from "../kernel/layout.ts";
import { nestOf, type Nest } from "../schedule/nest.ts";
import { plainSchedule, type Schedule } from "../schedule/schedule.ts";
import { bodyCost, sizeOf } from "../fuse/storage.ts";
import type { Target } from "../kernel/target.ts";
import { emitKernel } from "./template.ts";

export interface WholeKernel {
  readonly module: Module;
  readonly entry: string;
  readonly bindings: readonly {
    readonly node: Node;
    readonly binding: number;
    readonly access: "read" | "read_write";
  }[];
  readonly rounds: number; // binding of the number of steps, a uniform u32
  readonly workgroup: number;
  readonly flops: Size; // of one step
  readonly lines: readonly string[]; // of the source
}
export interface WholeOptions {
  readonly name: string;
  readonly comment: readonly string[];
  readonly views: ReadonlyMap<Node, View>;
  /** Memory of this program alone. */
  readonly isScratch: (x: Node) => boolean;
}

export function lowerWhole(
  steps: readonly Step[],
  layout: Layout,
  target: Target,
  options: WholeOptions,
): WholeKernel | undefined {
  const kernels = kernelsOf(steps);
  if (!worthwhile(steps, target)) return undefined;
  // every tensor under its memory's name: slices of flat buffers by their offset
  const placed = new Map(kernels.map((k) => [k, physical(k.spec, options.views)]));
  const tensors = new Set<Node>();
  for (const spec of placed.values()) for (const x of [...loadsOf(spec), ...storesOf(spec)]) tensors.add(x);
  const shared = [...tensors].filter((x) => options.isScratch(x));
  const bound = [...tensors].filter((x) => !options.isScratch(x));
  if (bound.length > target.storageBuffers || tensors.size > 200) return undefined;
  if (shared.some((x) => x.shape.some((n) => typeof n !== "number"))) return undefined;
  if (shared.reduce((sum, x) => sum + elements[x.dtype].bytes * sizeOf(x.shape), 0) > target.workgroupMemory)
    return undefined;

  const inRegisters = steps.some((s) => s.kind === "loop")
    ? undefined
    : lowerLanes(
        kernels.map((k) => placed.get(k)!),
        bound,
        shared,
        layout,
        target,
        options,
      );
  if (inRegisters) return { ...inRegisters, ...factsOf(steps) };

  const names = uniqueNames([...bound, ...shared], layout);
  const procedures = proceduresOf(placed, names, scansOf(steps), layout, target);
  if (!procedures) return undefined;
  const { calls, written, helpers, scans } = procedures;
  const threads = target.simd;
  const module: Module = {
    comment: options.comment,
    enables: [],
    overrides: [],
    bindings: declarations(bound, layout, (x) => names.get(x)!, written),
    memory: [
      ...[...scans.values()].map((own) => ({ name: own, space: "private", type: "i32" }) as const),
      ...shared.map((x): Declaration => {
        const type = `array<${elementOf(x, layout)}, ${sizeOf(x.shape)}>`;
        return { name: names.get(x)!, space: "workgroup", type };
      }),
    ],
    helpers: [...helpers],
    functions: [...calls.values()].map((c) => c.of),
    workgroup: threads,
    parameters: ["local_index"],
    body: [
      {
        kind: "let",
        name: zero.text,
        value: call("min", [call("i32", [eachRound.to], i32), i32Number(0)], i32),
        cost: "none",
        pinned: true,
        comment: "unknown to the driver, which would write out every loop",
      },
      { kind: "for", ...eachRound, trips: 1000, body: oneStep(steps, placed, procedures, new Set(shared), threads) },
    ],
  };
  return { module, entry: entryPoint, ...bindingsOf(bound, written), workgroup: threads, ...factsOf(steps) };
}
/** The kernels as functions of one module, and what they have in common. */
interface Procedures {
  readonly calls: ReadonlyMap<KernelStep, Call>;
  readonly written: ReadonlySet<Node>;
  readonly helpers: ReadonlySet<string>;
  readonly scans: ReadonlyMap<Scan, string>; // variables that hold the rounds of loops
  readonly used: Set<string>; // names
}
function proceduresOf(
  placed: ReadonlyMap<KernelStep, KernelSpec>,
  names: ReadonlyMap<Node, string>,
  loops: readonly Scan[],
  layout: Layout,
  target: Target,
): Procedures | undefined {
  const own: Layout = { storageOf: layout.storageOf, nameOf: (x) => names.get(x) ?? layout.nameOf(x) };
  const comments = memoryNames(own.nameOf, loops);
  const written = new Set<Node>();
  const helpers = new Set<string>();
  const scans = new Map<Scan, string>();
  const calls = new Map<KernelStep, Call>();
  const used = new Set<string>(names.values());
  for (const [k, spec] of placed) {
    const nest = nestOf(spec);
    if (nest.spec.axes.some((v) => typeof v.extent !== "number")) return undefined;
    const emitted = emitKernel(nest, own, scheduleOf(nest, target));
    if (emitted.subgroups || emitted.workgroupMemory.length || emitted.dims.length) return undefined;
    for (const t of emitted.tensors) {
      if (t.name !== names.get(t.node) || t.width !== 1) return undefined;
      if (t.writes) written.add(t.node);
    }
    for (const [scan, name] of emitted.scans) {
      const known = scans.get(scan) ?? name;
      if (known !== name || (used.has(name) && !scans.has(scan))) return undefined;
      scans.set(scan, name);
      used.add(name);
    }
    emitted.helpers.forEach((h) => helpers.add(h));
    const body = tidy(emitted.body);
    const of: Procedure = {
      name: fresh(`${spec.name}_step`, used),
      comment: commentOf(spec, comments),
      parameters: builtinsIn(body),
      body,
    };
    calls.set(k, { of, groups: emitted.groups, threads: emitted.workgroup });
  }
  return { calls, written, helpers, scans, used };
}
/** One point of a kernel for each thread. */
function scheduleOf(nest: Nest, { keepLoops, simd }: Target): Schedule {
  const plain = { ...plainSchedule, keepLoops };
  if (!nest.outer.length) return plain;
  return nest.outer.length === 1
    ? { ...plain, threads: [[nest.outer[0]!, simd]] }
    : { ...plain, fuse: nest.outer, threads: [["fused", simd]] };
}
/** The calls of one step, with a barrier where a kernel touches what another has touched since the last one. */
function oneStep(
  steps: readonly Step[],
  placed: ReadonlyMap<KernelStep, KernelSpec>,
  { calls, scans, used }: Procedures,
  shared: ReadonlySet<Node>,
  threads: number,
): Statement[] {
  const pending = { reads: new Set<Node>(), writes: new Set<Node>() };
  const flush = (met: readonly Node[]): Statement[] => {
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
    const spec = placed.get(k)!;
    const [reads, writes] = [loadsOf(spec), storesOf(spec)];
    const met = [
      ...[...reads].filter((x) => pending.writes.has(x)),
      ...[...writes].filter((x) => pending.reads.has(x)),
    ];
    const before = flush(met);
    reads.forEach((x) => pending.reads.add(x));
    writes.forEach((x) => pending.writes.add(x));
    return [...before, callOf(calls.get(k)!, threads)];
  };
  const loop = ({ scan, body }: LoopStep): Statement => {
    const t = scans.get(scan) ?? fresh("round", used);
    const now = name(fresh(`${t}_now`, used), i32);
    const setStep: Statement = { kind: "set", target: name(t, i32), operator: "=", value: now, cost: "none" };
    const way = scan.reverse
      ? ({ from: i32Number(scan.count - 1), to: i32Number(0), step: "down" } as const)
      : { from: i32Number(0), to: i32Number(scan.count), step: i32Number(1) };
    const round = [
      ...(scans.has(scan) ? [setStep] : []),
      ...flushAll(), // of the round before, too
      ...all(body),
      ...flushAll(),
    ];
    return { kind: "for", variable: now.text, ...way, trips: scan.count, body: round };
  };
  const all = (list: readonly Step[]): Statement[] =>
    list.flatMap((s): Statement[] => (s.kind === "loop" ? [loop(s)] : kernel(s)));
  return [...all(steps), ...flushAll()];
}
/** A kernel as a function, how many workgroups it is written for and how many threads of one. */
interface Call {
  readonly of: Procedure;
  readonly groups: number;
  readonly threads: number;
}
const zero = name("zero", i32);
const tile = name("tile", i32);
const localIndex = name("local_index", u32);
/** All workgroups of a kernel, one after the other, by the threads of one. */
function callOf({ of, groups, threads }: Call, all: number): Statement {
  const invoke = (group: Expr): Statement => {
    const zeros = [u32Number(0), u32Number(0)];
    const place = call("vec3u", [call("u32", [group], u32), ...zeros], u32);
    const args = of.parameters.map((p) => (p === "group" ? place : localIndex));
    return { kind: "invoke", call: call(of.name, args, i32) };
  };
  const loop = (from: Expr, step: number): Statement => ({
    kind: "for",
    variable: tile.text,
    from,
    to: i32Number(groups),
    step: i32Number(step),
    trips: Math.ceil(groups / step),
    body: [invoke(tile)],
  });
  if (threads > 1) return groups === 1 ? invoke(zero) : loop(zero, 1);
  if (groups > 1) return loop(operation("+", zero, call("i32", [localIndex], i32)), all);
  return { kind: "if", condition: operation("==", localIndex, u32Number(0)), body: [invoke(zero)] };
}
/** The same in the registers of one subgroup, where that fits: no barrier, and memory for data and losses alone. */
function lowerLanes(
  specs: readonly KernelSpec[],
  bound: readonly Node[],
  scratch: readonly Node[],
  layout: Layout,
  target: Target,
  options: WholeOptions,
): Omit<WholeKernel, "flops" | "lines"> | undefined {
  const written = new Set(specs.flatMap((spec) => [...storesOf(spec)]));
  const read = new Set(specs.flatMap((spec) => [...loadsOf(spec)]));
  const kept = new Set(bound.filter((x) => written.has(x) && read.has(x)));
  const made = inLanes(specs, [...kept, ...scratch], kept, bound, layout, target);
  if (!made) return undefined;
  const module: Module = {
    comment: [
      ...options.comment,
      `element e of a tensor of the step is held by lane e mod ${target.lanes}, in its register e / ${target.lanes}`,
    ],
    enables: ["subgroups"],
    overrides: [],
    bindings: declarations(bound, layout, (x) => made.names.get(x)!, written),
    memory: [],
    helpers: [...made.helpers],
    functions: [],
    workgroup: target.lanes,
    parameters: ["lane_index"],
    body: tidy(made.statements),
  };
  return { module, entry: entryPoint, ...bindingsOf(bound, written), workgroup: target.lanes };
}
const elementOf = (x: Node, layout: Layout): string => {
  const storage = layout.storageOf(x);
  return storage === "u8" ? "u32" : elements[storage].word;
};
const declarations = (
  bound: readonly Node[],
  layout: Layout,
  nameOf: (x: Node) => string,
  written: ReadonlySet<Node>,
): Declaration[] => [
  ...bound.map((x): Declaration => ({
    name: nameOf(x),
    space: written.has(x) ? "storage, read_write" : "storage, read",
    type: `array<${elementOf(x, layout)}>`,
  })),
  { name: eachRound.to.text, space: "uniform", type: "u32" },
];
const bindingsOf = (bound: readonly Node[], written: ReadonlySet<Node>): Pick<WholeKernel, "bindings" | "rounds"> => ({
  bindings: bound.map((node, binding) => ({ node, binding, access: written.has(node) ? "read_write" : "read" })),
  rounds: bound.length,
});
const factsOf = (steps: readonly Step[]): Pick<WholeKernel, "flops" | "lines"> => ({
  flops: flopsOfSteps(steps),
  lines: [...new Set(kernelsOf(steps).flatMap((k) => k.spec.lines ?? []))],
});
const flopsOfSteps = (steps: readonly Step[]): Size =>
  sumOfSizes(steps.map((s) => (s.kind === "loop" ? [flopsOfSteps(s.body), s.scan.count] : [flopsOf(s.spec), 1])));

const scansOf = (steps: readonly Step[]): Scan[] =>
  steps.flatMap((s) => (s.kind === "loop" ? [s.scan, ...scansOf(s.body)] : []));
const kernelsOf = (steps: readonly Step[]): KernelStep[] =>
  steps.flatMap((s) => (s.kind === "loop" ? kernelsOf(s.body) : [s]));
/** Is one workgroup with barriers faster than launches? ns by the target's costs; a scalar of cost 1 is a load. */
function worthwhile(steps: readonly Step[], target: Target): boolean {
  let inside = 0;
  let launches = 0;
  const walk = (list: readonly Step[], times: number): void => {
    for (const s of list) {
      if (s.kind === "loop") {
        walk(s.body, times * s.scan.count);
        continue;
      }
      const { axes, stages, stores } = s.spec;
      const points = sizeOf(axes.map((v) => v.extent));
      const each = [
        ...stages.map((x) => sizeOf(x.over.map((v) => v.extent)) * (bodyCost(x.value) + 0.3)),
        ...stores.map((x) => sizeOf(x.over.map((v) => v.extent)) * (bodyCost(x.value) + 1)),
      ].reduce((a, b) => a + b, 0);
      inside += times * (Math.ceil(points / target.simd) * each * target.ns.load + target.ns.barrier / 10);
      launches += times * (target.launchNs + (points * each * target.ns.load) / (target.simd * target.cores * 4));
    }
  };
  walk(steps, 1);
  return inside < launches;
}

export const loadsOf = (spec: KernelSpec): Set<Node> =>
  new Set(
    tensorsOf([...spec.stages.map((s) => s.value), ...spec.stores.flatMap((s) => [s.value, ...s.indices])]).map(baseOf),
  );
export const storesOf = (spec: KernelSpec): Set<Node> => new Set(spec.stores.map((s) => baseOf(s.target)));
/** Slices of flat buffers as elements of the buffer. */
export function physical(spec: KernelSpec, views: ReadonlyMap<Node, View>): KernelSpec {
  const flat = (shape: Shape, indices: readonly Integer[], offset: number): Integer =>
    iadd(
      indices.reduce<Integer>((sum, e, d) => iadd(imul(sum, shape[d] as number), e), iadd(0)),
      offset,
    );
  const onLoad = (l: Load, indices: readonly Integer[], outside: Scalar | undefined): Scalar | undefined => {
    const view = views.get(baseOf(l.tensor));
    if (!view) return undefined;
    const guard = outside ? inRange(l.tensor, indices) : undefined;
    const value = load(
      view.memory,
      [flat(l.tensor.shape, indices, view.offset)],
      guard && !isTrue(guard) ? 0 : undefined,
    );
    return guard ? select(guard, value, outside!) : value;
  };
  const go = <T extends Scalar>(e: T): T => substitute(e, new Map(), onLoad) as T;
  return {
    ...spec,
    ...(spec.folded ? { folded: spec.folded.map((x) => ({ ...x, isPlain: false })) } : {}), // their formulas name slices
    stages: spec.stages.map((s) => ({ ...s, value: go(s.value) })),
    stores: spec.stores.map((s) => {
      const view = views.get(baseOf(s.target));
      const indices = s.indices.map(go);
      return {
        ...s,
        value: go(s.value),
        ...(view ? { target: view.memory, indices: [flat(s.target.shape, indices, view.offset)] } : { indices }),
      };
    }),
  };
}
function fresh(base: string, used: Set<string>): string {
  const own = freeName(base);
  let name = own;
  for (let n = 2; used.has(name); n++) name = `${own}_${n}`;
  used.add(name);
  return name;
}
/** Names that no local value of a kernel takes, which are numbered or named after axes. */
function uniqueNames(list: readonly Node[], layout: Layout): Map<Node, string> {
  const used = new Set<string>(["rounds", "round", "tile", "zero", "main"]);
  return new Map(list.map((x) => [x, fresh(`all_${layout.nameOf(x)}`, used)]));
}
