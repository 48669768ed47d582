// A whole training step, and many of them, in one launch: for models so small that launches cost more than work. One workgroup runs the
// step's kernels one after the other, with a barrier after each; what lives within a step lies in workgroup memory.
// In: the steps of a program. Out: one module whose entry point runs `rounds` steps, or undefined where the program is not fit for it.
import { baseOf } from "../graph/node.ts";
import { iadd, imul, inRange, isTrue, load, select, substitute, visit } from "../graph/scalar.ts";
import type { Integer, Load, Node, Scalar, Shape } from "../graph/types.ts";
import { elements } from "../scalar/dtype.ts";
import { entryPoint } from "../wgsl/print.ts";
import { call, i32, i32Number, name } from "../kernel/expr.ts";
import type { Declaration, Module } from "../kernel/ir.ts";
import type { KernelStep, Step, View } from "../kernel/graph.ts";
import { tidy } from "./tidy.ts";
import { flopsOf } from "../kernel/flops.ts";
import { whenStored, type KernelSpec } from "../kernel/kernel.ts";
import { sumOfSizes, type Size } from "../kernel/sizes.ts";
import { eachRound, inLanes } from "./lanes.ts";
import type { Layout } from "../kernel/layout.ts";
import { nestOf, type Nest } from "../schedule/nest.ts";
import { kernelsIn } from "../schedule/rows.ts";
import { plainSchedule, type Schedule } from "../schedule/schedule.ts";
import { bodyCost, sizeOf } from "../fuse/storage.ts";
import type { Target } from "../kernel/target.ts";
import {
  callAll,
  fresh,
  loadsOf,
  proceduresOf,
  roundNames,
  scansIn,
  storesOf,
  type Placed,
  type Tiles,
} from "./procedures.ts";
import type { Emitted } from "./template.ts";

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
  const kernels = kernelsIn(steps);
  if (kernels.some((k) => isOpen(k.spec)) || !worthwhile(steps, target)) return undefined;
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

  const used = new Set(["rounds", "round", "tile", "zero", "main"]);
  const names = memoryOfModule([...bound, ...shared], layout, used);
  const nests = new Map([...placed].map(([k, spec]) => [k, nestOf(spec)] as const));
  if ([...nests.values()].some((n) => n.spec.axes.some((v) => typeof v.extent !== "number"))) return undefined;
  const inTiles = new Map(
    [...nests].map(([k, nest]): [KernelStep, Placed] => {
      const tiles = ({ groups }: Emitted): Tiles => ({ from: zero, to: i32Number(groups), count: groups });
      return [k, { spec: placed.get(k)!, nest, schedule: scheduleOf(nest, target), tiles }];
    }),
  );
  const procedures = proceduresOf(inTiles, { names, scans: roundNames(scansIn(steps), used), used }, layout, target);
  if (!procedures || procedures.subgroups || procedures.wide.size || procedures.memory.length) return undefined;
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
      {
        kind: "for",
        ...eachRound,
        trips: 1000,
        body: callAll(steps, procedures, (k) => placed.get(k)!, new Set(shared), threads, used),
      },
    ],
  };
  return { module, entry: entryPoint, ...bindingsOf(bound, written), workgroup: threads, ...factsOf(steps) };
}
/** One point of a kernel for each thread. */
function scheduleOf(nest: Nest, { keepLoops, simd }: Target): Schedule {
  const plain = { ...plainSchedule, keepLoops };
  if (!nest.outer.length) return plain;
  return nest.outer.length === 1
    ? { ...plain, threads: [[nest.outer[0]!, simd]] }
    : { ...plain, fuse: nest.outer, threads: [["fused", simd]] };
}
const zero = name("zero", i32);
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
  lines: [...new Set(kernelsIn(steps).flatMap((k) => k.spec.lines ?? []))],
});
export const flopsOfSteps = (steps: readonly Step[]): Size =>
  sumOfSizes(
    steps.map((s) =>
      s.kind === "kernel" ? [flopsOf(s.spec), 1] : [flopsOfSteps(s.body), s.kind === "loop" ? s.scan.count : 1],
    ),
  );

/** Is one workgroup with barriers faster than launches? ns by the target's costs; a scalar of cost 1 is a load. */
function worthwhile(steps: readonly Step[], target: Target): boolean {
  let inside = 0;
  let launches = 0;
  const walk = (list: readonly Step[], times: number): void => {
    for (const s of list) {
      if (s.kind !== "kernel") {
        walk(s.body, s.kind === "loop" ? times * s.scan.count : times);
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

/** Does it run over sizes, or compute with them, that only the run knows? */
function isOpen({ axes, stages, stores }: KernelSpec): boolean {
  const over = [...axes, ...stages.flatMap((x) => x.over), ...stores.flatMap((x) => x.over)];
  if (over.some((v) => typeof v.extent !== "number")) return true;
  let found = false;
  const seen = new Set<Scalar>();
  for (const e of [...stages, ...stores.flatMap((x) => [x, ...x.indices.map((value) => ({ value }))])])
    visit(e.value, (x) => void (found ||= x.kind === "dim"), seen);
  return found;
}
/** A tensor's place in another one's memory, which may change with an axis. */
export interface PlacedView {
  readonly memory: Node;
  readonly offset: number | Integer; // elements
}
/** Slices of flat buffers as elements of the buffer. */
export function physical(spec: KernelSpec, views: ReadonlyMap<Node, PlacedView>): KernelSpec {
  const flat = (shape: Shape, indices: readonly Integer[], offset: number | Integer): Integer =>
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
      if (!view) return { ...s, value: go(s.value), indices };
      const at = flat(s.target.shape, indices, view.offset);
      const own = select(whenStored({ ...s, indices }), at, -1) as Integer; // outside of the slice is not the next one
      return { ...s, value: go(s.value), target: view.memory, indices: [own] };
    }),
  };
}
/** Names that no local value of a kernel takes, which are numbered or named after axes. */
const memoryOfModule = (list: readonly Node[], layout: Layout, used: Set<string>): Map<Node, string> =>
  new Map(list.map((x) => [x, fresh(`all_${layout.nameOf(x)}`, used)]));
