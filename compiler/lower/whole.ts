// A whole training step, and many of them, in one launch: for models so small that launches cost more than work. One workgroup runs the
// step's kernels one after the other, with a barrier after each; what lives within a step lies in workgroup memory.
// In: the steps of a program. Out: one module whose entry point runs `rounds` steps, or undefined where the program is not fit for it.
import { baseOf, tensorsOf } from "../graph/node.ts";
import { iadd, imul, inRange, isTrue, load, select, substitute } from "../graph/scalar.ts";
import type { Integer, Load, Node, Scalar, Scan, Shape } from "../graph/types.ts";
import { freeName } from "../wgsl/names.ts";
import { helperCode } from "../wgsl/prelude.ts";
import { printStatements } from "../wgsl/print.ts";
import type { KernelStep, Step, View } from "../kernel/graph.ts";
import { tidy } from "./ir.ts";
import { commentOf, memoryNames } from "../kernel/formula.ts";
import type { KernelSpec } from "../kernel/kernel.ts";
import { inLanes } from "./lanes.ts";
import type { Layout } from "../kernel/layout.ts";
import { nestOf } from "../schedule/nest.ts";
import { plainSchedule } from "../schedule/schedule.ts";
import { bodyCost, sizeOf } from "../fuse/storage.ts";
import type { Target } from "../kernel/target.ts";
import { emitKernel } from "./template.ts";

export interface WholeKernel {
  readonly wgsl: string;
  readonly entry: string;
  readonly bindings: readonly {
    readonly node: Node;
    readonly binding: number;
    readonly access: "read" | "read_write";
  }[];
  readonly rounds: number; // binding of the number of steps, a uniform u32
  readonly workgroup: number;
  readonly flops: number; // of one step
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
  if (shared.reduce((sum, x) => sum + 4 * sizeOf(x.shape), 0) > target.workgroupMemory) return undefined;

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
  if (inRegisters) return { ...inRegisters, ...factsOf(kernels) };

  const names = uniqueNames([...bound, ...shared], layout);
  const own: Layout = { storageOf: layout.storageOf, nameOf: (x) => names.get(x) ?? layout.nameOf(x) };
  const comments = memoryNames(own.nameOf, scansOf(steps));
  const written = new Set<Node>();
  const helpers = new Set<string>();
  const functions: string[] = [];
  const scanNames = new Map<Scan, string>();
  const calls = new Map<KernelStep, { name: string; groups: number; threads: number }>();
  const used = new Set<string>(names.values());
  const threads = target.simd;
  for (const k of kernels) {
    const nest = nestOf(placed.get(k)!);
    if (nest.spec.axes.some((v) => typeof v.extent !== "number")) return undefined;
    const plain = { ...plainSchedule, keepLoops: target.keepLoops };
    const schedule =
      nest.outer.length === 0
        ? plain
        : nest.outer.length === 1
          ? { ...plain, threads: [[nest.outer[0]!, threads]] as const }
          : { ...plain, fuse: nest.outer, threads: [["fused", threads]] as const };
    const emitted = emitKernel(nest, own, schedule);
    if (emitted.subgroups || emitted.workgroupMemory.length || emitted.dims.length) return undefined;
    for (const t of emitted.tensors) {
      if (t.name !== names.get(t.node) || t.width !== 1) return undefined;
      if (t.writes) written.add(t.node);
    }
    for (const [scan, name] of emitted.scans) {
      const known = scanNames.get(scan) ?? name;
      if (known !== name || (used.has(name) && !scanNames.has(scan))) return undefined;
      scanNames.set(scan, name);
      used.add(name);
    }
    emitted.helpers.forEach((h) => helpers.add(h));
    const name = fresh(`${k.spec.name}_step`, used);
    const body = printStatements(tidy(emitted.body));
    const text = body.join("\n");
    const parameters = [
      ...(/\bgroup\./.test(text) ? ["group: vec3u"] : []),
      ...(/\blocal_index\b/.test(text) ? ["local_index: u32"] : []),
    ];
    functions.push(
      [
        ...commentOf(placed.get(k)!, comments).map((line) => `// ${line}`),
        `fn ${name}(${parameters.join(", ")}) {`,
        ...body.map((line) => `  ${line}`),
        "}",
      ].join("\n"),
    );
    calls.set(k, {
      name: `${name}(${parameters.map((p) => (p.startsWith("group") ? "vec3u(u32(tile), 0u, 0u)" : "local_index")).join(", ")})`,
      groups: emitted.groups,
      threads: emitted.workgroup,
    });
  }

  // a barrier where a kernel touches what another has touched since the last one
  const main: string[] = [];
  const isShared = new Set(shared);
  const pending = { reads: new Set<Node>(), writes: new Set<Node>() };
  const barrierBefore = (spec: KernelSpec): string[] =>
    flush([
      ...[...loadsOf(spec)].filter((x) => pending.writes.has(x)),
      ...[...storesOf(spec)].filter((x) => pending.reads.has(x)),
    ]);
  const flush = (met: Iterable<Node>): string[] => {
    const list = [...met];
    if (!list.length) return [];
    const workgroup = list.some((x) => isShared.has(x));
    const storage = list.some((x) => !isShared.has(x));
    for (const set of [pending.reads, pending.writes])
      for (const x of set) if (isShared.has(x) ? workgroup : storage) set.delete(x);
    return [...(storage ? ["storageBarrier();"] : []), ...(workgroup ? ["workgroupBarrier();"] : [])];
  };
  const write = (list: readonly Step[], indent: string): void => {
    for (const s of list) {
      const push = (text: string): void => void main.push(...text.split("\n").map((line) => indent + line));
      if (s.kind === "loop") {
        const t = scanNames.get(s.scan) ?? fresh("round", used);
        const local = fresh(`${t}_now`, used);
        push(
          s.scan.reverse
            ? `for (var ${local} = ${s.scan.count - 1}; ${local} >= 0; ${local}--) {`
            : `for (var ${local} = 0; ${local} < ${s.scan.count}; ${local}++) {`,
        );
        if (scanNames.has(s.scan)) push(`  ${t} = ${local};`);
        for (const line of flush([...pending.reads, ...pending.writes])) push(`  ${line}`); // of the round before, too
        write(s.body, `${indent}  `);
        for (const line of flush([...pending.reads, ...pending.writes])) push(`  ${line}`);
        push("}");
        continue;
      }
      const call = calls.get(s)!;
      const spec = placed.get(s)!;
      barrierBefore(spec).forEach(push);
      loadsOf(spec).forEach((x) => pending.reads.add(x));
      storesOf(spec).forEach((x) => pending.writes.add(x));
      if (call.threads === 1)
        push(
          call.groups === 1
            ? `if (local_index == 0u) {\n  ${call.name.replace("u32(tile)", "u32(zero)")};\n}`
            : `for (var tile = zero + i32(local_index); tile < ${call.groups}; tile += ${threads}) {\n  ${call.name};\n}`,
        );
      else if (call.groups === 1) push(`${call.name.replace("u32(tile)", "u32(zero)")};`);
      else push(`for (var tile = zero; tile < ${call.groups}; tile++) {\n  ${call.name};\n}`);
    }
  };
  write(steps, "    ");
  main.push(...flush([...pending.reads, ...pending.writes]).map((line) => `    ${line}`));
  const wgsl = [
    ...options.comment.map((line) => `// ${line}`),
    ...declarations(bound, layout, (x) => names.get(x)!, written),
    ...[...scanNames.values()].map((name) => `var<private> ${name}: i32;`),
    ...shared.map((x) => `var<workgroup> ${names.get(x)}: array<${elementOf(x, layout)}, ${sizeOf(x.shape)}>;`),
    ...helperCode(helpers).flatMap((code) => ["", code]),
    ...functions.flatMap((code) => ["", code]),
    "",
    `@compute @workgroup_size(${threads})`,
    "fn main(@builtin(local_invocation_index) local_index: u32) {",
    "  let zero = min(i32(rounds), 0); // unknown to the driver, which would write out every loop",
    "  for (var round = 0u; round < rounds; round++) {",
    ...main,
    "  }",
    "}",
    "",
  ].join("\n");
  return { wgsl, entry: "main", ...bindingsOf(bound, written), workgroup: threads, ...factsOf(kernels) };
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
  const names = memoryNames((x) => made.names.get(x) ?? layout.nameOf(x));
  bound.forEach(names.node); // what is bound has its name in the code
  const body = printStatements(tidy(made.statements)).flatMap((line) => {
    const comment = /^(\s*)\/\/#(\d+)$/.exec(line);
    if (!comment) return [line];
    return commentOf(made.comments[Number(comment[2])]!, names).map((text) => `${comment[1]}// ${text}`);
  });
  const wgsl = [
    ...options.comment.map((line) => `// ${line}`),
    `// element e of a tensor of the step is held by lane e mod ${target.lanes}, in its register e / ${target.lanes}`,
    "enable subgroups;",
    "",
    ...declarations(bound, layout, (x) => made.names.get(x)!, written),
    ...helperCode(made.helpers).flatMap((code) => ["", code]),
    "",
    `@compute @workgroup_size(${target.lanes})`,
    "fn main(@builtin(subgroup_invocation_id) lane_index: u32) {",
    ...body.map((line) => `  ${line}`),
    "}",
    "",
  ].join("\n");
  return { wgsl, entry: "main", ...bindingsOf(bound, written), workgroup: target.lanes };
}
const elementOf = (x: Node, layout: Layout): string => {
  const storage = layout.storageOf(x);
  return storage === "u8" || storage === "bool" ? "u32" : storage;
};
const declarations = (
  bound: readonly Node[],
  layout: Layout,
  nameOf: (x: Node) => string,
  written: ReadonlySet<Node>,
): string[] => [
  ...bound.map(
    (x, i) =>
      `@group(0) @binding(${i}) var<storage, ${written.has(x) ? "read_write" : "read"}> ${nameOf(x)}: array<${elementOf(x, layout)}>;`,
  ),
  `@group(0) @binding(${bound.length}) var<uniform> rounds: u32;`,
];
const bindingsOf = (bound: readonly Node[], written: ReadonlySet<Node>): Pick<WholeKernel, "bindings" | "rounds"> => ({
  bindings: bound.map((node, binding) => ({ node, binding, access: written.has(node) ? "read_write" : "read" })),
  rounds: bound.length,
});
const factsOf = (kernels: readonly KernelStep[]): Pick<WholeKernel, "flops" | "lines"> => ({
  flops: kernels.reduce((sum, k) => sum + flopsOf(k.spec), 0),
  lines: [...new Set(kernels.flatMap((k) => k.spec.lines ?? []))],
});

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
const flopsOf = ({ axes, stages, stores }: KernelSpec): number => {
  const points = sizeOf(axes.map((v) => v.extent));
  return (
    stages.reduce((sum, s) => sum + 2 * points * sizeOf(s.over.map((v) => v.extent)), 0) +
    stores.reduce((sum, s) => sum + points * sizeOf(s.over.map((v) => v.extent)), 0)
  );
};
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
