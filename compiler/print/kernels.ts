// Kernels and their schedules as text and as data. In: the programs of a model, its plan. Out: a part for each program.
import type { Plan } from "../../runtime/plan.ts";
import { kernelTexts, printKernels } from "../fuse/print.ts";
import type { Compiled } from "../plan/unit.ts";
import { printSchedule } from "../schedule/schedule.ts";
import type { Part } from "./part.ts";
import { numberOf, workgroupsText } from "./text.ts";

export const fusedParts = (programs: readonly Compiled[]): readonly Part[] =>
  programs.map(({ name, kernels }) => ({
    name,
    text: () => printKernels(kernels),
    json: () => kernelTexts(kernels),
  }));
export const scheduleParts = (programs: readonly Compiled[], plan: Plan): readonly Part[] =>
  programs.map((p) => ({
    name: p.name,
    text: () => scheduleText(p, plan),
    json: () => scheduleFacts(p, plan),
  }));

export interface ScheduledKernel {
  readonly kernel: string;
  readonly module: string;
  readonly schedule: string;
  readonly inside?: readonly string[]; // of kernels that are its functions
  readonly workgroups: string;
  readonly flops: string;
}
export function scheduleFacts(p: Compiled, plan: Plan): readonly ScheduledKernel[] {
  return p.lowered.map(({ step, kernel, module }) => ({
    kernel: step.spec.name,
    module: plan.modules[module]!.name,
    schedule: printSchedule(kernel.schedule),
    ...(kernel.inside ? { inside: kernel.inside.map((k) => `${k.name}: ${printSchedule(k.schedule)}`) } : {}),
    workgroups: workgroupsText(kernel.workgroups),
    flops: numberOf(kernel.flops),
  }));
}
function scheduleText(p: Compiled, plan: Plan): string {
  const rows = scheduleFacts(p, plan);
  if (!rows.length)
    return "one launch of one workgroup does all kernels of --stage fused, with barriers between them, many steps over";
  const [a, b] = [Math.max(...rows.map((r) => r.module.length)), Math.max(...rows.map((r) => r.workgroups.length))];
  return rows
    .flatMap((r, i) => [
      `${String(i).padStart(3)}  ${r.module.padEnd(a)}  ${r.workgroups.padStart(b)}  ${r.schedule}`,
      ...(r.inside ?? []).map((line) => `       ${line}`),
    ])
    .join("\n");
}
