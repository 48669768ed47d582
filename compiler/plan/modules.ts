// The modules of a plan, while it is made: equal kernels are one module. In: WGSL texts. Out: a number for each, and what all of them need.
import type { Plan, PlanModule } from "../../runtime/plan.ts";
import type { LoweredKernel } from "../lower/lower.ts";
import { wgslName } from "../wgsl/names.ts";
import { canonicalModule } from "./canonical.ts";

/** What is known of a module that is made of one kernel. */
export interface ModuleUse {
  readonly compileMs: number; // of the driver
  readonly starts: number; // of SIMD groups, in all runs that are expected
}

export class Modules {
  readonly list: PlanModule[] = [];
  readonly uses = new Map<number, ModuleUse>();
  private readonly canonicalOf = new Map<string, string>(); // by the text as it is: most kernels are lowered once for many tensors
  private readonly numberOf = new Map<string, number>(); // by canonical text
  private readonly taken = new Map<string, number>(); // how often each name is
  private usesSubgroups = false;

  add(name: string, wgsl: string): number {
    let canonical = this.canonicalOf.get(wgsl);
    if (canonical === undefined) this.canonicalOf.set(wgsl, (canonical = canonicalModule(wgsl)));
    const known = this.numberOf.get(canonical);
    if (known !== undefined) return known;
    const base = wgslName(name);
    const n = (this.taken.get(base) ?? 0) + 1;
    this.taken.set(base, n);
    this.list.push({ name: n === 1 ? base : `${base}_${n}`, code: wgsl });
    this.numberOf.set(canonical, this.list.length - 1);
    return this.list.length - 1;
  }
  /** A kernel that is run so often; `wgsl` is its text with the bindings of its place. */
  addKernel(name: string, wgsl: string, { price }: LoweredKernel, runs: number): number {
    const module = this.add(name, wgsl);
    const starts = price.starts * runs + (this.uses.get(module)?.starts ?? 0);
    this.uses.set(module, { compileMs: price.compileMs, starts });
    this.usesSubgroups ||= /^enable subgroups;/m.test(wgsl);
    return module;
  }
  requires(lanes: number): Pick<Plan["requires"], "features" | "subgroupSize"> {
    return this.usesSubgroups ? { features: ["subgroups"], subgroupSize: lanes } : { features: [] };
  }
}
