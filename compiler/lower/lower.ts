// Lowering: one KernelSpec to WGSL. Every spec goes the same way: its loop nest, a schedule of it (chosen by price, or given), loop IR by the
// one template, text. A split reduction is two kernels.
import type { Size, WorkgroupCount } from "../../runtime/plan.ts";
import type { Names } from "../graph/print.ts";
import type { Node, Scan } from "../graph/types.ts";
import { dimName } from "../wgsl/names.ts";
import { helperCode } from "../wgsl/prelude.ts";
import { entryPoint, printModule, printStatements } from "../wgsl/print.ts";
import { tidy } from "./ir.ts";
import { commentOf, memoryNames } from "../kernel/formula.ts";
import type { KernelSpec } from "../kernel/kernel.ts";
import type { Layout } from "../kernel/layout.ts";
import { flatNest, nestOf } from "../schedule/nest.ts";
import { priceOf } from "../schedule/price.ts";
import type { Schedule } from "../schedule/schedule.ts";
import { sizeOfExtents } from "../kernel/sizes.ts";
import { chooseSchedule } from "../schedule/space.ts";
import { openParts, splitReduction, takeApart } from "../schedule/split.ts";
import type { Target } from "../kernel/target.ts";
import { emitKernel, type Emitted } from "./template.ts";

export interface Binding {
  readonly node: Node | Scan; // a tensor's memory, or the step of a scan
  readonly binding: number;
  readonly access: "read" | "read_write" | "uniform";
}
/** `before`: kernels to run first, in order; what they write is memory of this kernel alone (`Binding.node` is a Source that nobody else knows). */
export interface LoweredKernel {
  readonly before?: readonly LoweredKernel[];
  readonly wgsl: string;
  readonly entry: string;
  readonly bindings: readonly Binding[];
  readonly workgroups: readonly [WorkgroupCount, WorkgroupCount];
  readonly constants: readonly string[];
  readonly schedule: Schedule;
  readonly flops: Size;
  readonly price: { readonly compileMs: number; readonly starts: number }; // of the driver; of SIMD groups, in one run
}
export function lowerKernel(
  spec: KernelSpec,
  layout: Layout,
  target: Target,
  options: { readonly schedule?: Schedule } = {},
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
    const before = lowerKernel(parts, layout, target, { schedule: { ...schedule, split: 0 } });
    const { before: later = [], ...last } = lowerKernel(whole, layout, target);
    return { ...last, before: [{ ...before, schedule }, ...later] };
  }
  const own = schedule.flat ? flatNest(nest) : nest;
  const { compileMs, groups } = priceOf(own, schedule, target);
  const threads = schedule.threads.reduce((n, [, count]) => n * count, 1);
  return {
    ...print(spec, emitKernel(own, layout, schedule), schedule, layout),
    price: { compileMs, starts: groups * Math.ceil(threads / target.simd) },
  };
}
/** As the code has them. */
function namesIn({ tensors, scans }: Emitted): Names {
  const bound = new Map(tensors.map((t) => [t.node, t.name] as const));
  const { node } = memoryNames((base) => bound.get(base) ?? base.label ?? "");
  return { node, step: (scan) => scans.get(scan) ?? "t" };
}
function print(spec: KernelSpec, emitted: Emitted, schedule: Schedule, layout: Layout): Omit<LoweredKernel, "price"> {
  const body = tidy(emitted.body);
  const text = printStatements(body).join("\n");
  const bindings: Binding[] = [];
  const lines: string[] = [];
  for (const t of emitted.tensors) {
    const storage = layout.storageOf(t.node);
    const element =
      storage === "u8"
        ? "u32"
        : storage === "bool"
          ? t.width === 4
            ? "vec4u"
            : "u32"
          : t.width === 4
            ? storage === "f32"
              ? "vec4f"
              : "vec4i"
            : storage;
    lines.push(`var<storage, ${t.writes ? "read_write" : "read"}> ${t.name}: array<${element}>`);
    bindings.push({ node: t.node, binding: bindings.length, access: t.writes ? "read_write" : "read" });
  }
  for (const [scan, name] of emitted.scans) {
    lines.push(`var<uniform> ${name}: i32`);
    bindings.push({ node: scan, binding: bindings.length, access: "uniform" });
  }
  const parameters = [
    ...(/\bgroup\./.test(text) ? ["@builtin(workgroup_id) group: vec3u"] : []),
    ...(/\blocal_index\b/.test(text) ? ["@builtin(local_invocation_index) local_index: u32"] : []),
    ...(/\blane_index\b/.test(text) ? ["@builtin(subgroup_invocation_id) lane_index: u32"] : []),
  ];
  const wgsl = printModule({
    comment: commentOf(spec, namesIn(emitted)),
    enables: emitted.subgroups ? ["subgroups"] : [],
    overrides: emitted.dims.map(dimName),
    bindings: lines,
    workgroupMemory: emitted.workgroupMemory,
    helpers: helperCode(emitted.helpers),
    workgroup: emitted.workgroup,
    parameters,
    body,
  });
  const [stage, ...more] = spec.stages;
  const steps = stage && !more.length ? [...spec.axes, ...stage.over].map((v) => v.extent) : [];
  const flops =
    steps.length && steps.every((n) => typeof n === "number")
      ? 2 * (sizeOfExtents(steps) as number)
      : sizeOfExtents(spec.axes.map((v) => v.extent));
  return {
    wgsl,
    entry: entryPoint,
    bindings,
    workgroups: [{ tiles: emitted.tiles }, "fold"],
    constants: emitted.dims,
    schedule,
    flops,
  };
}
