// Every module of a plan, as the driver sees it: what compiles must be accepted, and must fit the limits of its target.
import { expect } from "vitest";
import { compile } from "../compiler/compile.ts";
import { targets, type Target } from "../compiler/kernel/target.ts";
import type { Plan } from "../runtime/plan.ts";
import { dispatchesOf, programsOf } from "../runtime/plan.ts";
import { testDevice } from "./device.ts";

/** The driver's messages about these modules. Overrides need no values here: the pipelines of a test that runs have them. */
export async function refusalsOf(plan: Plan): Promise<string[]> {
  const { device } = await testDevice();
  const found: string[] = [];
  for (const { name, code } of plan.modules) {
    device.pushErrorScope("validation");
    device.createShaderModule({ label: name, code: code! });
    const error = await device.popErrorScope();
    if (error) found.push(`${name}: ${error.message}`);
  }
  return found;
}
const uniformBuffers = 12; // the least that WebGPU promises, as all below
const invocations = 256;
/** What in this plan goes beyond the target's limits. */
export function excessOf(plan: Plan, target: Target): string[] {
  const found: string[] = [];
  const say = (what: string, n: number, most: number): void =>
    void (n > most && found.push(`${what}: ${n} of ${most}`));
  for (const p of programsOf(plan)) {
    for (const d of dispatchesOf(p.commands)) {
      const uniforms = d.bindings.filter((b) => b.access === "uniform").length;
      say(`storage buffers of ${d.label}`, d.bindings.length - uniforms, target.storageBuffers);
      say(`uniform buffers of ${d.label}`, uniforms, uniformBuffers);
      for (const b of d.bindings) say(`the offset of a binding of ${d.label} beyond 256`, b.offset % 256, 0);
      for (const w of d.workgroups) if (typeof w === "number") say(`workgroups of ${d.label}`, w, 65535);
    }
  }
  for (const { name, code } of plan.modules) {
    const size = /@workgroup_size\((\d+)\)/.exec(code!);
    say(`invocations of ${name}`, Number(size![1]), invocations);
    const bytes = [...code!.matchAll(/var<workgroup> \w+: array<(\w+), (\d+)>/g)].reduce(
      (sum, [, type, n]) => sum + Number(n) * (type!.startsWith("vec4") ? 16 : 4),
      0,
    );
    say(`workgroup memory of ${name}`, bytes, target.workgroupMemory);
  }
  return found;
}
/** Compiles for the target: the messages of the driver and of the limits, or the codes of the text's own errors. */
export async function outcomeOf(text: string, target = "software"): Promise<{ errors: string[]; refused: string[] }> {
  const { plan, diagnostics } = compile(text, { name: "test.dlm", target });
  if (!plan) return { errors: diagnostics.filter((d) => d.severity === "error").map((d) => d.code), refused: [] };
  return { errors: [], refused: [...excessOf(plan, targets[target]!), ...(await refusalsOf(plan))] };
}
export async function expectAccepted(text: string, target?: string): Promise<void> {
  expect(await outcomeOf(text, target), text).toEqual({ errors: [], refused: [] });
}
