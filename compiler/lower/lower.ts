// Lowering: one KernelSpec to WGSL. Every spec goes the same way: its loop nest, a schedule of it (chosen by price, or given), loop IR by the
// one template, text. A split reduction is two kernels.
import type { Size, WorkgroupCount } from "../../runtime/plan.ts";
import type { Names } from "../graph/print.ts";
import type { Node, Scan } from "../graph/types.ts";
import { dimName } from "../wgsl/names.ts";
import { entryPoint } from "../wgsl/print.ts";
import { elements } from "../scalar/dtype.ts";
import { builtinsIn, type Declaration, type Module } from "../kernel/ir.ts";
import { tidy } from "./tidy.ts";
import { commentOf, memoryNames } from "../kernel/formula.ts";
import { flopsOf } from "../kernel/flops.ts";
import type { View } from "../kernel/graph.ts";
import type { KernelSpec } from "../kernel/kernel.ts";
import type { Layout } from "../kernel/layout.ts";
import { scheduledNest } from "../schedule/contraction.ts";
import { nestOf } from "../schedule/nest.ts";
import { priceOf } from "../schedule/price.ts";
import type { Schedule } from "../schedule/schedule.ts";
import { chooseSchedule } from "../schedule/choose.ts";
import { openParts, splitReduction, takeApart } from "../schedule/split.ts";
import type { Target } from "../kernel/target.ts";
import { emitKernel, type Emitted } from "./template.ts";
import { unsigned } from "./unsigned.ts";

export interface Binding {
  readonly node: Node | Scan; // a tensor's memory, or the step of a scan
  readonly within?: View; // where the memory lies, if it is a part of another
  readonly binding: number;
  readonly access: "read" | "read_write" | "uniform";
}
/** `before`: kernels to run first, in order; what they write is memory of this kernel alone (`Binding.node` is a Source that nobody else knows). */
export interface LoweredKernel {
  readonly before?: readonly LoweredKernel[];
  readonly module: Module;
  readonly entry: string;
  readonly bindings: readonly Binding[];
  readonly workgroups: readonly [WorkgroupCount, WorkgroupCount];
  readonly constants: readonly string[];
  readonly schedule: Schedule;
  readonly key?: string; // what it computes, of kernels whose schedules may be measured
  readonly inside?: readonly { readonly name: string; readonly schedule: Schedule }[]; // kernels that are functions of this one
  readonly flops: Size; // operations on f32 of one run
  readonly price: { readonly compileMs: number; readonly starts: number; readonly ns: number }; // of the driver; of SIMD groups and the time, in one run
}
export function lowerKernel(
  spec: KernelSpec,
  layout: Layout,
  target: Target,
  options: { readonly schedule?: Schedule; readonly flops?: Size } = {},
): LoweredKernel {
  const nest = nestOf(spec);
  const apart = options.schedule ? undefined : takeApart(nest.spec, target);
  if (apart) {
    const { before: earlier = [], ...first } = lowerKernel(apart.first, layout, target);
    const { before: later = [], ...rest } = lowerKernel(apart.rest, layout, target);
    return { ...rest, before: [...earlier, first, ...later] };
  }
  const schedule = options.schedule ?? chooseSchedule(nest, target);
  if (schedule.split) {
    const { parts, whole } = splitReduction(nest.spec, schedule.split, openParts(nest.spec, target).count);
    const flops = flopsOf({ ...nest.spec, stores: [] }); // the loops of the parts have lengths that no size says
    const before = lowerKernel(parts, layout, target, { schedule: { ...schedule, split: 0 }, flops });
    const { before: later = [], ...last } = lowerKernel(whole, layout, target);
    return { ...last, before: [{ ...before, schedule }, ...later] };
  }
  const own = scheduledNest(nest, schedule);
  const { compileMs, groups, ns } = priceOf(own, schedule, target);
  const threads = schedule.threads.reduce((n, [, count]) => n * count, 1);
  return {
    ...moduleOf(spec, emitKernel(own, layout, schedule), schedule, layout, target),
    flops: options.flops ?? flopsOf(spec),
    price: { compileMs, starts: groups * Math.ceil(threads / target.simd), ns },
  };
}
/** As the code has them. */
function namesIn({ tensors, scans }: Emitted): Names {
  const bound = new Map(tensors.map((t) => [t.node, t.name] as const));
  const { node } = memoryNames((base) => bound.get(base) ?? base.label ?? "");
  return { node, step: (scan) => scans.get(scan) ?? "t" };
}
function moduleOf(
  spec: KernelSpec,
  emitted: Emitted,
  schedule: Schedule,
  layout: Layout,
  target: Target,
): Omit<LoweredKernel, "price" | "flops"> {
  const dims = emitted.dims.map(dimName);
  const body = tidy(target.unsigned ? unsigned(emitted.body, emitted.ranges, dims) : emitted.body);
  const bindings: Binding[] = [];
  const declarations: Declaration[] = [];
  for (const { node, name, writes, width } of emitted.tensors) {
    const storage = layout.storageOf(node);
    const word = storage === "u8" ? "u32" : elements[storage].word;
    const access = writes ? "read_write" : "read";
    const type = storage !== "u8" && width === 4 ? elements[word].vector : word;
    declarations.push({ name, space: `storage, ${access}`, type: `array<${type}>` });
    bindings.push({ node, binding: bindings.length, access });
  }
  for (const [scan, name] of emitted.scans) {
    declarations.push({ name, space: "uniform", type: "i32" });
    bindings.push({ node: scan, binding: bindings.length, access: "uniform" });
  }
  const module: Module = {
    comment: commentOf(spec, namesIn(emitted)),
    enables: emitted.subgroups ? ["subgroups"] : [],
    overrides: dims,
    bindings: declarations,
    memory: emitted.workgroupMemory,
    helpers: emitted.helpers,
    functions: [],
    workgroup: emitted.workgroup,
    parameters: builtinsIn(body),
    body,
  };
  return {
    module,
    entry: entryPoint,
    bindings,
    workgroups: [{ tiles: emitted.tiles }, "fold"],
    constants: emitted.dims,
    schedule,
  };
}
